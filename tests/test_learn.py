"""One training, watched, on both Kerases."""

import numpy as np
import pytest
import tensorflow as tf
from builders import BATCH, arrays, batches, mlp

from tflottery.experiments import learn


@pytest.mark.parametrize("jit_compile", [False, True])
def test_loss_and_accuracy_are_means_over_the_examples_by_hand(k, jit_compile):
  model = k.Sequential([k.layers.Input((2,)), k.layers.Dense(2, use_bias=False)])
  model.set_weights([np.eye(2, dtype="float32")])
  images = tf.constant([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
  labels = tf.constant([0, 1, 1])
  split = [(images[:2], labels[:2]), (images[2:], labels[2:])]  # the last batch is smaller
  loss, accuracy = learn.Evaluator(model, split, jit_compile=jit_compile)()
  by_hand = (np.log(1 + np.exp(-2)) + np.log(1 + np.exp(-1)) + np.log(1 + np.exp(3))) / 3
  assert loss == pytest.approx(by_hand, rel=1e-6)
  assert accuracy == pytest.approx(2 / 3)


def test_an_evaluation_sees_the_weights_of_now_and_leaves_dropout_off(k):
  model = k.Sequential(
    [k.layers.Input((2,)), k.layers.Dropout(0.9), k.layers.Dense(2, use_bias=False)]
  )
  evaluate = learn.Evaluator(model, [(tf.eye(2), tf.constant([0, 1]))], jit_compile=False)
  model.set_weights([np.eye(2, dtype="float32")])
  assert evaluate() == evaluate() == pytest.approx((np.log(1 + np.exp(-1)), 1.0))
  model.set_weights([-np.eye(2, dtype="float32")])
  assert evaluate() == pytest.approx((np.log(1 + np.exp(1)), 0.0))


def _trained(model, losses, *, steps, every, start=0):
  """A training whose validation losses are given; returns (curve, weights after each point)."""
  told, seen = iter(losses), []
  curve = learn.Curve(step=start)
  watch = learn.Watch(
    curve, lambda: (next(told), 0.5), lambda _: seen.append(model.get_weights()[0].copy())
  )
  asked = []

  def part(start, stop):
    asked.append((start, stop))
    return batches().repeat().take(stop - start)

  learn.train(model, part, curve, watch, steps=steps, every=every)
  return curve, seen, asked


def test_it_is_evaluated_every_so_many_steps_and_at_the_end(k):
  curve, _, asked = _trained(mlp(k), [0.9, 0.8, 0.7], steps=5, every=2, start=10)
  assert [step for step, _, _ in curve.points] == [12, 14, 15]
  assert asked == [(10, 14), (14, 15)], "every step's batch is asked for once"
  assert curve.step == 15
  assert [steps for steps, _, _ in curve.intervals] == [2, 2, 1]


def test_a_training_shorter_than_the_interval_is_evaluated_at_its_end(k):
  curve, _, asked = _trained(mlp(k), [0.9], steps=3, every=100)
  assert [step for step, _, _ in curve.points] == [3]
  assert asked == [(0, 3)]


def test_the_early_stop_is_the_first_of_the_lowest_losses_and_keeps_its_weights(k):
  curve, seen, _ = _trained(mlp(k), [0.9, 0.4, 0.6, 0.4], steps=8, every=2)
  assert curve.early_stop == (4, 0.4, 0.5)
  np.testing.assert_array_equal(curve.weights["fc1/kernel"], seen[1])
  assert (seen[1] != seen[3]).any()


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_training_that_diverges_is_an_error_that_names_the_step_and_the_cure(k, loss):
  with pytest.raises(FloatingPointError, match=f"{loss} at step 4.*Lower the learning rate"):
    _trained(mlp(k), [0.9, loss, 0.8], steps=6, every=2)


def test_the_model_trains_on_the_batches_it_is_given(k):
  ours, theirs = mlp(k), mlp(k)
  _trained(ours, [0.9, 0.8, 0.7], steps=6, every=2)
  x, y = arrays()
  for step in range(6):
    part = slice(step * BATCH, (step + 1) * BATCH)
    theirs.train_on_batch(x[part], y[part])
  for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_speed_is_the_median_interval_and_training_seconds_the_sum():
  curve = learn.Curve(step=0, intervals=[(10, 5.0, 1.0), (10, 1.0, 1.0), (10, 2.0, 0.5)])
  assert curve.train_seconds == 8
  assert curve.steps_per_second() == 5
  assert curve.steps_per_second(with_evaluation=True) == 4
