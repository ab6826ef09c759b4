"""Slimming: the subgradient of the scales' absolute values, inside the compiled step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from builders import BATCH, arrays, compiled, two_replicas

import tflottery as tfl
from tflottery import step


def scaled(k, gamma=(1.0, -1.0, 0.0), **options):
  """A normalisation alone, whose loss has no gradient: y has nothing to do with it."""
  k.utils.set_random_seed(0)
  model = k.Sequential([k.Input((3,)), k.layers.BatchNormalization(name="bn")])
  model.compile(k.optimizers.SGD(0.5), lambda y, x: 0.0 * x, **options)
  model.get_layer("bn").gamma.assign(np.float32(gamma))
  return model


def network(k, **options):
  k.utils.set_random_seed(0)
  layers = [
    k.layers.Dense(8),
    k.layers.BatchNormalization(name="bn"),
    k.layers.ReLU(),
    k.layers.Dense(3),
  ]
  return compiled(k, k.Sequential([k.Input((8,)), *layers]), "sgd", **options)


def fit(model, *callbacks, steps=8):
  x, y = arrays(steps * BATCH)
  data = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH, drop_remainder=True)
  return model.fit(data, verbose=0, callbacks=list(callbacks))


def gamma(model):
  return model.get_layer("bn").gamma.numpy()


def test_each_step_adds_the_strength_times_the_sign_to_the_gradient(k):
  model, x = scaled(k), np.ones((8, 3), np.float32)
  model.fit(x, x, batch_size=4, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  # Two steps of 0.5 * 0.1 towards 0; a scale that is 0 stays.
  np.testing.assert_allclose(gamma(model), [0.9, -0.9, 0.0], rtol=1e-6)


def test_it_joins_the_gradient_of_the_loss_before_the_optimizer_clips(k):
  model, x = scaled(k), np.ones((4, 3), np.float32)
  model.compile(k.optimizers.SGD(1.0, clipvalue=0.05), lambda y, x: 0.0 * x)
  model.fit(x, x, batch_size=4, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  np.testing.assert_allclose(gamma(model), [0.95, -0.95, 0.0], rtol=1e-6)


def test_only_scales_are_drawn_to_zero(k):
  plain, slimmed = network(k), network(k)
  fit(plain, steps=1)
  fit(slimmed, tfl.callbacks.Slimming(0.1), steps=1)
  for a, b in zip(plain.weights, slimmed.weights, strict=True):
    if "gamma" not in a.name:
      np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6, err_msg=a.name)
  rate = float(np.array(plain.optimizer.learning_rate))
  np.testing.assert_allclose(gamma(plain) - gamma(slimmed), rate * 0.1, rtol=1e-3)


@pytest.mark.parametrize("options", [{"steps_per_execution": 4}, {"jit_compile": True}], ids=str)
def test_however_the_step_is_compiled_it_ends_the_same(k, options):
  plain, other = network(k), network(k, **options)
  for model in (plain, other):
    fit(model, tfl.callbacks.Slimming(0.05))
  np.testing.assert_allclose(gamma(plain), gamma(other), atol=1e-5)


def test_two_replicas_add_it_once(k):
  with two_replicas().scope():
    model = scaled(k)
  x = np.ones((8, 3), np.float32)
  data = tf.data.Dataset.from_tensor_slices((x, x)).batch(4)
  model.fit(data, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  np.testing.assert_allclose(gamma(model), [0.9, -0.9, 0.0], rtol=1e-6)


def test_afterwards_the_step_is_the_optimizers_own(k):
  model, x = scaled(k), np.ones((4, 3), np.float32)
  model.fit(x, x, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  after = gamma(model)
  model.fit(x, x, verbose=0)
  assert step.owner(model.optimizer) is None
  np.testing.assert_array_equal(gamma(model), after)


def test_an_evaluation_leaves_nothing_behind(k):
  model, x = scaled(k), np.ones((4, 3), np.float32)
  model.evaluate(x, x, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  assert step.owner(model.optimizer) is None


def test_a_fit_that_another_callback_refuses_leaves_the_training_alone(k):
  model, x = scaled(k), np.ones((4, 3), np.float32)
  with pytest.raises(ValueError, match="only='nothing'"):
    bird = tfl.callbacks.EarlyBird(0.5, only="nothing")
    model.fit(x, x, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1), bird])
  model.fit(x, x, verbose=0)
  np.testing.assert_array_equal(gamma(model), [1.0, -1.0, 0.0])


def test_scales_that_are_all_frozen_are_refused(k):
  model = scaled(k)
  model.get_layer("bn").trainable = False
  model.compile("sgd", "mse")
  x = np.ones((4, 3), np.float32)
  with pytest.raises(ValueError, match="every scale is frozen"):
    model.fit(x, x, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])


def test_validation_in_between_does_not_end_it(k):
  model, x = scaled(k), np.ones((4, 3), np.float32)
  model.fit(
    x, x, epochs=2, validation_data=(x, x), verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)]
  )
  np.testing.assert_allclose(gamma(model), [0.9, -0.9, 0.0], rtol=1e-6)


@pytest.mark.parametrize("first", [True, False])
def test_one_callback_changes_the_step(k, first):
  masks = tfl.callbacks.HoldMasks(
    lambda m: {p: np.ones(s.shape, bool) for p, s in tfl.sites(m).items()}
  )
  callbacks = [tfl.callbacks.Slimming(), masks]
  names = "Slimming and HoldMasks" if first else "HoldMasks and Slimming"
  model = network(k)
  with pytest.raises(
    ValueError, match=f"callbacks={names} both want to change the optimizer's step"
  ):
    fit(model, *callbacks[:: 1 if first else -1])
  assert step.owner(model.optimizer) is None


def test_masks_that_were_held_by_hand_are_not_let_go(k):
  model = network(k)
  with tfl.hold(model, {p: np.ones(s.shape, bool) for p, s in tfl.sites(model).items()}) as held:
    with pytest.raises(ValueError, match="Masks are held on model"):
      fit(model, tfl.callbacks.Slimming())
    assert step.owner(model.optimizer) is held


def test_a_model_without_scales_is_refused(k):
  model = k.Sequential([k.Input((8,)), k.layers.Dense(3)])
  with pytest.raises(ValueError, match="no batch normalisation with a scale"):
    fit(compiled(k, model, "sgd"), tfl.callbacks.Slimming())


def test_a_strength_of_nothing_is_refused():
  with pytest.raises(ValueError, match=r"strength=0 is out of range"):
    tfl.callbacks.Slimming(0)


def test_scales_of_a_scaled_loss_are_drawn_by_the_same_strength():
  keras.utils.set_random_seed(0)
  layer = keras.layers.BatchNormalization(name="bn", dtype="mixed_float16")
  model = keras.Sequential([keras.Input((3,)), layer])
  optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
  model.compile(optimizer, lambda y, x: 0.0 * x)
  x = np.ones((4, 3), np.float32)
  model.fit(x, x, verbose=0, callbacks=[tfl.callbacks.Slimming(0.1)])
  np.testing.assert_allclose(gamma(model), [0.95] * 3, rtol=1e-6)
