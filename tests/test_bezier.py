"""A trained Bezier curve goes round a barrier, against the best one found by search."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import mlp, one_kernel, two_replicas

from tflottery import site as _sites
from tflottery.analysis import barrier, bezier, evaluate_path, line, train_bezier


def _ring(_, output):
  """Least where the two weights lie on the circle of radius 1: (|w|^2 - 1)^2."""
  return (tf.reduce_sum(output**2, axis=-1) - 1) ** 2


def _pair_of_weights(k, loss, optimizer="sgd"):
  """A network whose output on the input 1 is its two weights."""
  model = k.Sequential(
    [k.layers.Input((1,)), k.layers.Dense(2, use_bias=False, name="fc")],
  )
  model.set_weights([np.array([[7.0, 8.0]], "float32")])
  model.compile(optimizer, loss)
  return model


def _at(*values):
  return {"fc/kernel": np.array([values], "float32")}


ONE = [(np.ones((1, 1), "float32"), np.zeros((1, 2), "float32"))]


def test_the_control_finds_the_way_round_a_barrier(k):
  model = _pair_of_weights(k, _ring)
  first, second = _at(1, 0), _at(0, 1)
  control = train_bezier(model, first, second, ONE, steps=400, learning_rate=0.05)
  # the best control lies on the diagonal, at (c, c); c by search
  t = np.linspace(0, 1, 201)
  values = np.linspace(0, 2, 401)[:, None]
  x = (1 - t) ** 2 + 2 * t * (1 - t) * values
  y = t**2 + 2 * t * (1 - t) * values
  best = values[((x**2 + y**2 - 1) ** 2).mean(1).argmin(), 0]
  assert 0.8 < best < 1
  np.testing.assert_allclose(control["fc/kernel"], [[best, best]], atol=0.03)

  def evaluate():
    w = model.get_weights()[0]
    return (((w**2).sum() - 1) ** 2,)

  straight = evaluate_path(model, lambda a: line(first, second, a), evaluate, points=21)
  curve = evaluate_path(model, lambda a: bezier(first, control, second, a), evaluate, points=21)
  assert barrier([loss for _, loss in straight]) == pytest.approx(0.25)
  assert barrier([loss for _, loss in curve]) < 0.05
  assert model.get_weights()[0].tolist() == [[7, 8]]


def test_one_step_is_as_by_hand(k):
  model = _pair_of_weights(k, "mse")
  control = train_bezier(
    model, _at(0, 2), _at(4, 0), ONE, steps=1, optimizer=k.optimizers.SGD(0.5), seed=3
  )
  t = np.random.default_rng(3).uniform()
  share = 2 * t * (1 - t)
  point = share * np.array([2.0, 1.0]) + (1 - t) ** 2 * np.array([0, 2]) + t**2 * np.array([4, 0])
  # the gradient of (u^2 + v^2) / 2 at the point is the point
  np.testing.assert_allclose(control["fc/kernel"], [[2, 1] - 0.5 * share * point], rtol=1e-5)


def test_masked_places_stay_0(k):
  def far(_, output):
    return tf.reduce_sum((output - 3) ** 2, axis=-1)

  model = _pair_of_weights(k, far)
  ends, mask = (_at(-1, 0), _at(1, 0)), {"fc/kernel": np.array([[True, False]])}
  free = train_bezier(model, *ends, ONE, steps=10)["fc/kernel"]
  masked = train_bezier(model, *ends, ONE, steps=10, masks=mask)["fc/kernel"]
  assert free.min() > 0.1
  assert masked[0, 0] > 0.1 and masked[0, 1] == 0


def test_statistics_of_the_control_are_the_means_and_nothing_of_the_model_changes(k):
  model = mlp(k, batch_norm=True)
  first = {path: _sites.value(v) for path, v in _sites.weights(model).items()}
  second = {path: array + 1 for path, array in first.items()}
  before = [np.array(v.numpy()) for v in model.variables]
  rng = np.random.default_rng(0)
  batch = rng.normal(size=(8, 8)).astype("float32"), rng.integers(0, 3, 8)
  control = train_bezier(model, first, second, [batch], steps=3)
  assert list(control) == list(first)
  for name in ("norm/moving_mean", "norm/moving_variance"):
    np.testing.assert_allclose(control[name], first[name] + 0.5)
  for path in ("fc1/kernel", "out/bias", "norm/gamma"):
    assert abs(control[path] - first[path] - 0.5).max() > 1e-4, path
    assert control[path].dtype == "float32"
  for variable, value in zip(model.variables, before, strict=True):
    np.testing.assert_array_equal(np.array(variable.numpy()), value)


def test_the_same_seed_finds_the_same_control(k):
  model = _pair_of_weights(k, _ring)
  found = [train_bezier(model, _at(1, 0), _at(0, 1), ONE, steps=3, seed=s) for s in (0, 0, 1)]
  np.testing.assert_array_equal(found[0]["fc/kernel"], found[1]["fc/kernel"])
  assert abs(found[0]["fc/kernel"] - found[2]["fc/kernel"]).max() > 1e-5


def test_bad_arguments_are_refused(k):
  model = _pair_of_weights(k, "mse")
  ends = _at(0, 1), _at(1, 0)
  with pytest.raises(ValueError, match="steps=0"):
    train_bezier(model, *ends, ONE, steps=0)
  with pytest.raises(ValueError, match=r"\(1, 2\) in model, \(1, 3\) in second"):
    train_bezier(model, _at(0, 1), _at(0, 1, 2), ONE, steps=1)
  with pytest.raises(ValueError, match=r"out/kernel: .* absent in model"):
    train_bezier(model, *ends, ONE, steps=1, masks={"out/kernel": np.ones((1, 2), bool)})
  with pytest.raises(ValueError, match="has no batch"):
    train_bezier(model, *ends, [], steps=1)
  assert model.get_weights()[0].tolist() == [[7, 8]]
  model = k.Sequential([k.layers.Input((1,)), k.layers.Dense(2, use_bias=False, name="fc")])
  with pytest.raises(ValueError, match="is not compiled"):
    train_bezier(model, *ends, ONE, steps=1)


def test_several_replicas_are_refused(k):
  with two_replicas().scope():
    model = one_kernel(k, [1.0, 2.0], "sgd")
  end = {"fc/kernel": np.zeros((2, 1), "float32")}
  with pytest.raises(ValueError, match="has 2 replicas"):
    train_bezier(model, end, end, ONE, steps=1)


def test_a_curve_that_diverges_says_so_and_leaves_the_model(k):
  model = _pair_of_weights(k, _ring)
  with pytest.raises(
    FloatingPointError, match=r"not finite after 30 steps.*Lower its learning rate"
  ):
    train_bezier(model, _at(1, 0), _at(0, 1), ONE, steps=30, learning_rate=1e4)
  assert model.get_weights()[0].tolist() == [[7.0, 8.0]]


def test_ends_of_double_precision_will_do(k):
  model, single = _pair_of_weights(k, _ring), (_at(1, 0), _at(0, 1))
  double = [{path: np.float64(value) for path, value in end.items()} for end in single]
  controls = [train_bezier(model, *ends, ONE, steps=5) for ends in (single, double)]
  np.testing.assert_array_equal(*(control["fc/kernel"] for control in controls))


def test_an_optimizer_of_the_other_keras_is_refused(k):
  other = tf_keras if k is keras else keras
  with pytest.raises(ValueError, match=f"must be an optimizer of {k.__name__}"):
    train_bezier(
      _pair_of_weights(k, _ring),
      _at(1, 0),
      _at(0, 1),
      ONE,
      steps=5,
      optimizer=other.optimizers.SGD(),
    )
