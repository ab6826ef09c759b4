"""L0: gates of the hard concrete distribution, their chances, and what is left of the weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from builders import KERASES

import tflottery as tfl
from tflottery import draws
from tflottery.learned.l0 import HardConcrete, chances, gates

COUNT = 20_000
LOG_ALPHA = np.array([-6.0, -2.0, 0.0, 1.0, 2.197, 6.0])
GRID = (np.arange(100_000) + 0.5) / 100_000  # of the uniform noise, to integrate over it


def hard_concrete(strength=1.0, begin_step=0, end_step=0):
  return HardConcrete(strength, begin_step, end_step, "linear", 2.197, 0)


def in_numpy(log_alpha, u=None):
  """Louizos et al., eq. 10, 11 and 13: beta 2/3, gamma -0.1, zeta 1.1."""
  logits = log_alpha if u is None else (np.log(u / (1 - u)) + log_alpha) * 3 / 2
  return np.minimum(1, np.maximum(0, 1.2 / (1 + np.exp(-logits)) - 0.1))


def one(k, kernel, values=None, **options):
  """L0 over one linear layer without bias."""
  kernel = np.array(kernel, "float64").reshape(len(kernel), -1)
  fc = k.layers.Dense(kernel.shape[1], use_bias=False, name="fc")
  model = k.Sequential([k.layers.Input((len(kernel),)), fc])
  model.set_weights([kernel])
  model = tfl.l0(model, **{"strength": 1.0, **options})
  if values is not None:
    model.layers[-1].kernel_log_alpha.assign(np.reshape(values, kernel.shape))
  return model


def derivative(function, point, step=1e-6):
  """By central differences, of a function of a float64 vector to a number."""
  steps = step * np.eye(len(point))
  return np.array([(function(point + s) - function(point - s)) / (2 * step) for s in steps])


def test_drawn_gates_are_those_of_the_formula():
  for u in (0.02, 0.3, 0.5, 0.9):
    noise = tf.fill(LOG_ALPHA.shape, tf.constant(u, tf.float64))
    found = gates(tf.constant(LOG_ALPHA), noise).numpy()
    np.testing.assert_allclose(found, in_numpy(LOG_ALPHA, u), atol=1e-6)
  assert gates(tf.constant(0.0), tf.constant(0.5)).numpy() == pytest.approx(0.5)


def test_gates_of_inference_are_those_of_the_formula_without_its_temperature():
  found = gates(tf.constant(LOG_ALPHA)).numpy()
  np.testing.assert_allclose(found, in_numpy(LOG_ALPHA), atol=1e-12)
  assert found[0] == found[1 - 1] == 0 and found[-1] == 1
  assert found[2] == pytest.approx(0.5) and found[4] == pytest.approx(0.98, abs=1e-4)


def test_chances_are_the_shares_of_the_noise_that_open_the_gates():
  found = chances(tf.constant(LOG_ALPHA)).numpy()
  expected = 1 / (1 + np.exp(-(LOG_ALPHA - 2 / 3 * np.log(0.1 / 1.1))))
  np.testing.assert_allclose(found, expected, rtol=1e-12)
  opened = [(in_numpy(a, GRID) > 0).mean() for a in LOG_ALPHA]
  np.testing.assert_allclose(found, opened, atol=2e-5)


def test_the_extremes_of_the_noise_give_finite_gates_and_slopes():
  for u, gate in ((0.0, 0.0), (1 - 2.0**-24, 1.0)):
    log_alpha = tf.constant([-3.0, 0.0, 3.0])
    with tf.GradientTape() as tape:
      tape.watch(log_alpha)
      found = gates(log_alpha, tf.fill([3], u))
    assert found.numpy().tolist() == [gate] * 3
    assert tape.gradient(found, log_alpha).numpy().tolist() == [0.0] * 3


@pytest.mark.parametrize("k", KERASES)
def test_the_loss_gets_strength_times_the_sum_of_chances(k):
  model = one(k, [1.0, 2.0, 3.0], [-1.0, 0.5, 4.0], strength=0.25)
  [loss] = model.losses
  expected = 0.25 * (1 / (1 + np.exp(-(np.array([-1.0, 0.5, 4.0]) + 1.598597)))).sum()
  assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_gradients_of_the_penalty_are_finite_differences():
  def loss(log_alpha):
    how, parameters = hard_concrete(strength=0.5), {"log_alpha": log_alpha}
    return how.penalty(tf.ones_like(log_alpha), parameters, tf.constant(0))

  tensor = tf.constant(LOG_ALPHA)
  with tf.GradientTape() as tape:
    tape.watch(tensor)
    value = loss(tensor)
  expected = derivative(lambda a: float(loss(tf.constant(a))), LOG_ALPHA)
  np.testing.assert_allclose(tape.gradient(value, tensor), expected, rtol=1e-6, atol=1e-9)


def test_gradients_of_drawn_weights_are_finite_differences():
  noise = tf.constant([0.9, 0.6, 0.4, 0.3, 0.01, 0.5], tf.float64)  # closed, between, and open
  weight = np.array([1.0, -2.0, 3.0, 0.5, 4.0, -1.0])

  def total(weight, log_alpha):
    kernel = hard_concrete().weight(weight, {"log_alpha": log_alpha}, noise)
    return tf.reduce_sum(tf.sin(kernel))

  tensors = [tf.constant(weight), tf.constant(LOG_ALPHA)]
  with tf.GradientTape() as tape:
    tape.watch(tensors)
    value = total(*tensors)
  by_weight, by_log_alpha = tape.gradient(value, tensors)
  np.testing.assert_allclose(
    by_weight, derivative(lambda w: float(total(tf.constant(w), tensors[1])), weight), rtol=1e-6
  )
  expected = derivative(lambda a: float(total(tensors[0], tf.constant(a))), LOG_ALPHA)
  np.testing.assert_allclose(by_log_alpha, expected, rtol=1e-6, atol=1e-9)
  assert (expected != 0).any() and (expected == 0).any()


def assert_mean_and_variance(samples, mean, variance, fourth):
  """Within 5 standard errors; `fourth` is the fourth central moment."""
  samples, count = np.array(samples, "float64"), len(samples)
  assert abs(samples.mean() - mean) < 5 * np.sqrt(variance / count)
  assert abs(samples.var() - variance) < 5 * np.sqrt((fourth - variance**2) / count)


@pytest.mark.parametrize("log_alpha", [-1.0, 0.0, 2.197])
def test_dense_outputs_have_the_mean_and_the_variance_of_random_gates(k, log_alpha):
  model = one(k, np.full((1, COUNT), 3.0), np.full(COUNT, log_alpha))
  outputs = model(np.array([[2.0]], "float32"), training=True)[0]
  z = 6 * in_numpy(log_alpha, GRID)
  assert_mean_and_variance(outputs, z.mean(), z.var(), ((z - z.mean()) ** 4).mean())


def test_convolutions_have_the_mean_and_the_variance_of_random_gates():
  """All filters of one layer are samples; a filter adds four weights."""
  layers = [keras.Input((2, 2, 1)), keras.layers.Conv2D(COUNT, 2, use_bias=False, name="conv")]
  model = keras.Sequential(layers)
  theta = np.array([1.0, -2.0, 0.5, 3.0]).reshape(2, 2, 1, 1)
  model.set_weights([np.tile(theta, COUNT)])
  learner = tfl.l0(model, strength=1.0)
  log_alpha = np.array([-1.0, 0.0, 1.0, 2.0])
  learner.layers[-1].kernel_log_alpha.assign(np.tile(log_alpha.reshape(2, 2, 1, 1), COUNT))
  outputs = learner(np.ones((1, 2, 2, 1), "float32"), training=True).numpy().ravel()
  z = [theta.ravel()[i] * in_numpy(log_alpha[i], GRID) for i in range(4)]
  mean, variance = sum(a.mean() for a in z), sum(a.var() for a in z)
  # of a sum of independent ones: fourth cumulants add
  fourth = sum(((a - a.mean()) ** 4).mean() - 3 * a.var() ** 2 for a in z) + 3 * variance**2
  assert_mean_and_variance(outputs, mean, variance, fourth)


def test_training_takes_the_gates_of_its_count_for_all_examples(k):
  kernel, values = np.array([1.0, 10.0, 100.0]), np.array([-1.0, 0.0, 1.0])
  model = one(k, kernel, values, sample_seed=5)
  for call in range(3):
    u = draws.uniform((3, 1), (5, 0), call).numpy().ravel().astype("float64")
    found = model(np.eye(3, dtype="float32"), training=True).numpy().ravel()
    np.testing.assert_allclose(found, kernel * in_numpy(values, u), rtol=1e-4, atol=1e-5)
  assert int(model.layers[-1].draws.numpy()) == 3


def test_inference_multiplies_by_gates_that_are_not_drawn(k):
  model = one(k, [1.0, 10.0, 100.0], [0.0, -2.4, 9.0])  # log(1/11) = -2.398 closes
  assert model(np.ones((1, 3))).numpy().item() == pytest.approx(100.5)
  assert tfl.learned.masks(model)["fc/kernel"].ravel().tolist() == [True, False, True]
  assert int(model.layers[-1].draws.numpy()) == 0


def test_the_plain_model_and_the_ticket_hold_weights_times_gates(k):
  model = one(k, [1.0, 10.0, 100.0], [0.0, -2.4, 9.0])
  [kernel] = tfl.learned.plain(model).get_weights()
  np.testing.assert_allclose(kernel.ravel(), [0.5, 0.0, 100.0], rtol=1e-6)
  ticket = tfl.learned.ticket(model)
  build = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1, use_bias=False, name="fc")])
  ticket.apply(build)
  assert np.array_equal(build.get_weights()[0], kernel)
  assert ticket.sparsity == pytest.approx(1 / 3)


def test_gates_start_near_what_is_given_and_differ_by_site_and_seed():
  layers = [keras.Input((50,)), *(keras.layers.Dense(50, name=name) for name in "ab")]
  model = keras.Sequential(layers)

  def starts(**options):
    learner = tfl.l0(model, strength=1.0, **options)
    return [layer.kernel_log_alpha.numpy() for layer in learner.layers[-2:]]

  (a, b), (again, _), (other, _) = starts(), starts(), starts(sample_seed=1)
  assert np.array_equal(a, again)
  for start in (a, b, other):
    assert start.mean() == pytest.approx(2.197, abs=5 * 0.01 / 50)
    assert start.std() == pytest.approx(0.01, rel=5 / np.sqrt(2 * 2500))
  for first, second in ((a, b), (a, other)):
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / 50
  assert starts(log_alpha=-1.0)[0].mean() == pytest.approx(-1, abs=0.001)


@pytest.mark.parametrize("k", KERASES)
def test_evaluation_draws_gates_for_whole_passes(k):
  model = one(k, [1.0, 2.0, 4.0], [-1.0, 0.0, -3.0], strength=1e-9)
  model.compile("sgd", "mse")
  x = np.eye(3, dtype="float32")
  found = tfl.learned.evaluate(model, (x, np.zeros((3, 1))), samples=4, batch_size=1)
  u = [draws.uniform((3, 1), (0, 0, 1), n).numpy().ravel() for n in range(1, 5)]
  kernels = [np.array([1.0, 2.0, 4.0]) * in_numpy(np.array([-1.0, 0.0, -3.0]), n) for n in u]
  assert found["mean"]["loss"] == pytest.approx(np.mean(np.square(kernels)), rel=1e-3)
  expected = 1 / (1 + np.exp(-(np.array([-1.0, 0.0, -3.0]) + 1.598597)))
  assert found["sparsity"] == pytest.approx(1 - expected.mean(), rel=1e-5)
  assert found["rounded_sparsity"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"strength": -1.0}, "strength=-1.0"),
    ({"strength": True}, "strength=True"),
    ({"begin_step": "0"}, "begin_step='0'"),
    ({"ramp": ["linear"]}, "is unknown.* linear, cubic"),
    ({"ramp": None}, "ramp=None is unknown.* linear, cubic"),
    ({"log_alpha": float("nan")}, "log_alpha=nan"),
    ({"sample_seed": 0.5}, "sample_seed=0.5"),
  ],
)
def test_arguments_out_of_range_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    one(keras, [1.0, 2.0], **options)


@pytest.mark.parametrize("dtype", ["mixed_float16", "float64"])
@pytest.mark.parametrize("k", KERASES)
def test_gates_are_of_float32_at_least(k, dtype):
  fc = k.layers.Dense(2, name="fc", dtype=dtype)
  model = tfl.l0(k.Sequential([k.layers.Input((3,), dtype=fc.compute_dtype), fc]), strength=1.0)
  layer = model.layers[-1]
  assert layer.kernel_log_alpha.dtype == ("float64" if dtype == "float64" else "float32")
  x = np.ones((1, 3))
  assert layer(x, training=True).dtype == fc.compute_dtype
  np.testing.assert_allclose(tfl.learned.plain(model)(x), model(x), rtol=1e-7)
  assert float(model.losses[0]) == pytest.approx(6 * 0.9777, rel=1e-2)


def test_embeddings_are_served(k):
  layers = [k.layers.Input((2,), dtype="int32"), k.layers.Embedding(4, 3, name="words")]
  model = tfl.l0(k.Sequential(layers), strength=1.0)
  layer = model.layers[-1]
  outputs = model(np.array([[1, 1]]), training=True).numpy()
  u = draws.uniform((4, 3), (0, 0), 0).numpy().astype("float64")
  kernel = layer.layer.get_weights()[0] * in_numpy(layer.embeddings_log_alpha.numpy(), u)
  np.testing.assert_allclose(outputs[0], kernel[[1, 1]], rtol=1e-4, atol=1e-6)
