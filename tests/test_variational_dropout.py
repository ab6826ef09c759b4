"""Variational dropout: its divergence, its noise, its threshold, by formulas and by counting."""

import builders
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES

import tflottery as tfl
from tflottery import draws
from tflottery.learned.variational_dropout import Gaussian, kl_divergence

COUNT = 20_000  # examples, whose noise is independent: means have standard errors of 0.7 %


def gaussian(strength=1.0, begin_step=0, end_step=0, threshold=3.0, clip=8.0):
  return Gaussian(strength, begin_step, end_step, "linear", threshold, clip, -10.0)


def one(k, kernel, values, *, activation=None, bias=None, dtype=None, **options):
  """Variational dropout over one linear layer."""
  kernel = np.array(kernel, "float64").reshape(len(kernel), -1)
  fc = k.layers.Dense(
    kernel.shape[1], activation, name="fc", use_bias=bias is not None, dtype=dtype
  )
  model = k.Sequential([k.layers.Input((len(kernel),), dtype=fc.compute_dtype), fc])
  model.set_weights([kernel] if bias is None else [kernel, np.array(bias)])
  model = tfl.variational_dropout(model, **{"strength": 1.0, **options})
  model.layers[-1].kernel_log_sigma2.assign(np.reshape(values, kernel.shape))
  return model


def in_numpy(log_alpha):
  """Molchanov et al., eq. 14, with the constant of their code."""
  k1, k2, k3 = 0.63576, 1.8732, 1.48695
  sigmoid = 1 / (1 + np.exp(-(k2 + k3 * log_alpha)))
  return -(k1 * sigmoid - 0.5 * np.log(1 + np.exp(-log_alpha)) - k1)


def derivative(function, point, step=1e-5):
  """By central differences, of a function of a float64 array to a number."""
  found = np.zeros_like(point)
  for place in np.ndindex(point.shape):
    ahead, behind = point.copy(), point.copy()
    ahead[place] += step
    behind[place] -= step
    found[place] = (function(ahead) - function(behind)) / (2 * step)
  return found


def test_the_divergence_is_that_of_the_formula():
  log_alpha = np.array([-8.0, -3.0, -1.0, 0.0, 0.5, 3.0, 8.0])
  np.testing.assert_allclose(kl_divergence(tf.constant(log_alpha)), in_numpy(log_alpha), atol=1e-12)
  by_hand = 0.63576 * (1 - 0.866824) + np.log(2) / 2
  assert kl_divergence(tf.constant(0.0)).numpy() == pytest.approx(by_hand, abs=1e-5)


def test_the_formula_approximates_the_divergence_itself():
  """KL = E log|e| - log(alpha) / 2 + a constant, e normal with mean 1 and variance alpha."""
  z = np.random.default_rng(0).normal(size=1_000_000)
  exact = [np.log(np.abs(1 + np.exp(a / 2) * z)).mean() - a / 2 for a in (-2.0, 0.0, 2.0, 6.0)]
  found = kl_divergence(tf.constant([-2.0, 0.0, 2.0, 6.0])).numpy()
  np.testing.assert_allclose(found - found[-1], np.array(exact) - exact[-1], atol=0.01)


@pytest.mark.parametrize("k", KERASES)
def test_the_loss_gets_strength_times_the_sum_of_divergences(k):
  model = one(k, [0.5, -2.0], [-1.0, 3.0], strength=0.25)
  log_alpha = np.array([-1.0, 3.0]) - np.log(np.square([0.5, -2.0]) + 1e-8)
  [loss] = model.losses
  assert float(loss) == pytest.approx(0.25 * in_numpy(log_alpha).sum(), rel=1e-5)


def test_beyond_the_clip_the_divergence_is_constant_and_has_no_slope():
  weight, log_sigma2 = tf.constant([1.0, 1.0, 1.0]), tf.constant([-20.0, 20.0, 0.0])
  with tf.GradientTape() as tape:
    tape.watch([weight, log_sigma2])
    loss = gaussian(clip=4.0).penalty(weight, {"log_sigma2": log_sigma2}, tf.constant(0))
  assert float(loss) == pytest.approx(in_numpy(np.array([-4.0, 4.0, 0.0])).sum(), rel=1e-5)
  for gradient in tape.gradient(loss, [weight, log_sigma2]):
    assert gradient.numpy()[:2].tolist() == [0.0, 0.0] and gradient.numpy()[2]


def test_the_variance_is_of_log_alpha_as_it_is_clipped():
  weight, log_sigma2 = tf.constant([2.0, 2.0, 2.0]), tf.constant([-20.0, 20.0, 0.5])
  found = gaussian(clip=4.0).variance(weight, {"log_sigma2": log_sigma2}).numpy()
  np.testing.assert_allclose(found, [4 * np.exp(-4), 4 * np.exp(4), np.exp(0.5)], rtol=1e-5)


def test_gradients_of_the_divergence_are_finite_differences():
  weight, log_sigma2 = np.array([0.3, -1.2, 0.01]), np.array([-2.0, 0.5, -6.0])

  def loss(weight, log_sigma2):
    return gaussian(strength=0.5).penalty(weight, {"log_sigma2": log_sigma2}, tf.constant(0))

  tensors = [tf.constant(weight), tf.constant(log_sigma2)]
  with tf.GradientTape() as tape:
    tape.watch(tensors)
    value = loss(*tensors)
  found = tape.gradient(value, tensors)
  by_weight = derivative(lambda w: float(loss(tf.constant(w), tensors[1])), weight, 1e-6)
  by_log_sigma2 = derivative(lambda s: float(loss(tensors[0], tf.constant(s))), log_sigma2)
  np.testing.assert_allclose(found[0], by_weight, rtol=1e-5)
  np.testing.assert_allclose(found[1], by_log_sigma2, rtol=1e-5)


LAYERS = {
  "dense": (lambda k: k.layers.Dense(2, "tanh", dtype="float64"), (3,)),
  "conv": (lambda k: k.layers.Conv2D(2, 2, activation="tanh", dtype="float64"), (3, 3, 1)),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("k", KERASES)
def test_gradients_of_the_drawn_outputs_are_finite_differences(k, kind):
  make, shape = LAYERS[kind]
  layers = [k.layers.Input(shape, dtype="float64"), make(k)]
  layer = tfl.variational_dropout(k.Sequential(layers), strength=1.0, log_sigma2=-1.0).layers[-1]
  x = np.random.default_rng(0).normal(size=(2, *shape))

  def output():
    layer.draws.assign(5)
    return tf.reduce_sum(layer(x, training=True))

  for variable in layer.trainable_variables:
    with tf.GradientTape() as tape:
      value = output()
    found = tape.gradient(value, variable if k is tf_keras else variable.value)
    before = np.array(variable.numpy())

    def shifted(array, variable=variable):
      variable.assign(array)
      return float(output())

    np.testing.assert_allclose(found, derivative(shifted, before), rtol=1e-5, atol=1e-8)
    variable.assign(before)


def assert_mean_and_variance(outputs, mean, variance):
  """Of independent examples: both within 5 standard errors."""
  outputs = np.array(outputs, "float64")
  count = len(outputs)
  assert (np.abs(outputs.mean(0) - mean) < 5 * np.sqrt(variance / count)).all()
  assert (np.abs(outputs.var(0) / variance - 1) < 5 * np.sqrt(2 / count)).all()


def test_dense_outputs_have_the_mean_and_the_variance_of_random_weights(k):
  theta = np.array([[1.0, -2.0], [0.5, 3.0]])
  log_sigma2 = np.array([[-1.0, 0.5], [1.0, -2.0]])
  layer = one(k, theta, log_sigma2, bias=[10.0, 20.0]).layers[-1]
  x = np.array([2.0, -3.0])
  outputs = layer(np.tile(x, (COUNT, 1)).astype("float32"), training=True)
  assert_mean_and_variance(outputs, x @ theta + [10, 20], x**2 @ np.exp(log_sigma2))
  assert abs(np.corrcoef(np.array(outputs).T)[0, 1]) < 5 / np.sqrt(COUNT)


def test_convolutions_have_the_mean_and_the_variance_of_random_weights(k):
  layers = [k.layers.Input((3, 2, 2)), k.layers.Conv2D(2, 2, padding="same", name="conv")]
  model = tfl.variational_dropout(k.Sequential(layers), strength=1.0)
  rng = np.random.default_rng(1)
  kernel, log_sigma2 = rng.normal(size=(2, 2, 2, 2, 2))
  layer, x = model.layers[-1], rng.normal(size=(1, 3, 2, 2)).astype("float32")
  layer.layer.kernel.assign(kernel)
  layer.kernel_log_sigma2.assign(log_sigma2)
  outputs = layer(np.tile(x, (COUNT, 1, 1, 1)), training=True)
  mean = tf.nn.conv2d(x.astype("float64"), kernel, 1, "SAME").numpy()[0]
  variance = tf.nn.conv2d(x.astype("float64") ** 2, np.exp(log_sigma2), 1, "SAME").numpy()[0]
  assert_mean_and_variance(outputs, mean, variance)


def test_embeddings_are_drawn_anew_at_every_place(k):
  layers = [k.layers.Input((2,), dtype="int32"), k.layers.Embedding(4, 2, name="words")]
  model = tfl.variational_dropout(k.Sequential(layers), strength=1.0)
  theta, log_sigma2 = np.random.default_rng(2).normal(size=(2, 4, 2))
  layer = model.layers[-1]
  layer.layer.embeddings.assign(theta)
  layer.embeddings_log_sigma2.assign(log_sigma2)
  outputs = np.array(layer(np.tile([[3, 3]], (COUNT, 1)), training=True))
  assert_mean_and_variance(outputs, [theta[3]] * 2, np.array([np.exp(log_sigma2[3])] * 2))
  assert abs(np.corrcoef(outputs[:, 0, 0], outputs[:, 1, 0])[0, 1]) < 5 / np.sqrt(COUNT)


def test_noise_comes_before_the_activation_from_the_count_of_the_call(k):
  model = one(k, [1.0, 2.0], [0.0, 0.5], activation="relu", bias=[0.25], sample_seed=6)
  x = np.array([[1.0, -1.0], [2.0, 0.5], [0.5, 3.0]], "float32")
  for call in range(2):
    noise = draws.gaussian((3, 1), (6, 0), call).numpy()
    std = np.sqrt(x**2 @ np.exp([[0.0], [0.5]]) + 1e-8)
    expected = np.maximum(x @ [[1.0], [2.0]] + 0.25 + std * noise, 0)
    np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-5)
  assert int(model.layers[-1].draws.numpy()) == 2


def test_inference_drops_at_the_threshold_and_beyond_without_the_clip(k):
  theta = np.array([1.0, 1.0, 1.0, 0.0], "float32")
  options = {"threshold": 3.0, "clip": 4.0}
  model = one(k, theta, [2.999, 3.0, 20.0, -20.0], **options)
  # log(1 + 1e-8) is 0 in float32; log_alpha of the last is -20 - log(1e-8) = -1.6
  assert tfl.learned.masks(model)["fc/kernel"].ravel().tolist() == [True, False, False, True]
  assert model(np.ones((1, 4), "float32")).numpy().tolist() == [[1.0]]
  assert int(model.layers[-1].draws.numpy()) == 0


def test_the_plain_model_and_the_ticket_have_the_weights_of_inference(k):
  model = one(k, [2.0, 3.0, 5.0], [0.0, 9.0, 1.0], bias=[0.5])
  plain = tfl.learned.plain(model)
  assert [w.ravel().tolist() for w in plain.get_weights()] == [[2.0, 0.0, 5.0], [0.5]]
  ticket = tfl.learned.ticket(model)
  assert ticket.sparsity == pytest.approx(1 / 3) and not ticket.drawn
  build = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1, name="fc")])
  ticket.apply(build)
  assert build(np.ones((1, 3))).numpy() == model(np.ones((1, 3))).numpy() == 7.5


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_the_variance_of_large_inputs_and_small_weights(k, policy):
  model = one(k, [1e-3, 2e-3], [-16.0, -15.0], dtype=policy)
  x = np.array([300.0, -500.0])
  outputs = model.layers[-1](np.tile(x, (COUNT, 1)).astype("float32"), training=True)
  assert outputs.dtype == policy.removeprefix("mixed_")
  outputs = np.array(tf.cast(outputs, "float64"))
  expected = x**2 @ np.exp([-16.0, -15.0])
  assert outputs.var() == pytest.approx(expected, rel=0.05)
  assert outputs.mean() == pytest.approx(x @ [1e-3, 2e-3], abs=0.05)
  assert model.layers[-1].kernel_log_sigma2.dtype == "float32"


@pytest.mark.parametrize("k", KERASES)
def test_outputs_are_evaluated_once(k):
  model = one(k, [2.0, 3.0], [0.0, 9.0])
  model.compile("sgd", "mse")
  found = tfl.learned.evaluate(model, (np.ones((2, 2)), np.zeros((2, 1))), samples=3)
  assert found["mean"] == found["rounded"] and found["std"]["loss"] == 0
  assert found["sparsity"] == found["rounded_sparsity"] == 0.5


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"strength": 0}, "strength=0"),
    ({"strength": float("nan")}, "strength=nan"),
    ({"strength": float("inf")}, "strength=inf.* finite"),
    ({"begin_step": 0.5}, "begin_step=0.5"),
    ({"end_step": -1}, "end_step=-1"),
    ({"ramp": "square"}, "ramp='square' is unknown.* linear, cubic"),
    ({"clip": 0}, "clip=0"),
    ({"threshold": 8.0}, "threshold=8.0.* below clip=8"),
    ({"threshold": -3.0, "clip": 3}, "threshold=-3.0.* above -clip"),
    ({"threshold": float("nan")}, "threshold=nan"),
    ({"log_sigma2": "small"}, "log_sigma2='small'"),
    ({"log_sigma2": float("inf")}, "log_sigma2=inf"),
    ({"sample_seed": -1}, "sample_seed=-1"),
    ({"only": "nothing"}, "only='nothing'"),
  ],
)
def test_arguments_out_of_range_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    one(keras, [1.0, 2.0], [0.0, 0.0], **options)


@pytest.mark.parametrize("k", KERASES)
def test_separable_convolutions_are_refused_with_the_list_of_what_is_served(k):
  layers = [k.layers.Input((4, 4, 2)), k.layers.SeparableConv2D(2, 2, name="sep")]
  message = (
    r"variational_dropout can't serve: sep/depthwise_kernel: SeparableConv2D.*Dense, EinsumDense"
  )
  with pytest.raises(ValueError, match=message) as refused:
    tfl.variational_dropout(k.Sequential(layers), strength=1.0)
  assert "SeparableConv2D" not in str(refused.value).split("Served")[1]
  assert tfl.l0(k.Sequential(layers), strength=1.0)


def test_weights_that_an_output_reads_twice_are_refused():
  layers = [keras.Input((5, 3)), keras.layers.EinsumDense("abx,xy->ay", (2,), name="sum")]
  with pytest.raises(ValueError, match=r"EinsumDense `sum`.*'abx,xy->ay'.* adds inputs up"):
    tfl.variational_dropout(keras.Sequential(layers), strength=1.0)
  assert tfl.l0(keras.Sequential(layers), strength=1.0)
  each = keras.layers.EinsumDense("...x,xy->...y", 2)
  assert tfl.variational_dropout(keras.Sequential([keras.Input((5, 3)), each]), strength=1.0)


@pytest.mark.parametrize(
  ("name", "arguments", "shape"),
  [
    ("Conv1D", (3, 2), (5, 2)),
    ("Conv2DTranspose", (3, 2), (4, 4, 2)),
    ("DepthwiseConv2D", (2,), (4, 4, 2)),
    ("EinsumDense", ("abc,cd->abd", (4, 3)), (4, 2)),
  ],
)
@pytest.mark.parametrize("k", KERASES)
def test_every_kind_of_layer_is_linear_about_its_noise(k, name, arguments, shape):
  """Outputs minus their mean, by the noise, are the root of the outputs of squares."""
  layer = getattr(k.layers, name)(*arguments, activation="tanh", name="layer")
  layers = [k.layers.Input(shape), layer]
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, *shape)).astype("float32")
  plain = getattr(k.layers, name)(*arguments)
  plain.build((None, *shape))
  values = [rng.uniform(0.5, 1.5, size=w.shape) for w in plain.get_weights()]
  plain.set_weights(values)
  mean = plain(x).numpy()
  source = k.Sequential(layers)
  source.set_weights(values)
  model = tfl.variational_dropout(source, strength=1.0, log_sigma2=-2.0)
  plain.set_weights([np.exp(-2.0) * (w.ndim > 1) * np.ones_like(w) for w in values])
  variance = plain(x**2).numpy()
  noise = draws.gaussian(mean.shape, (0, 0), 0).numpy()
  expected = np.tanh(mean + np.sqrt(variance + 1e-8) * noise)
  np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", KERASES)
def test_a_model_of_no_size_for_its_batch_draws_as_many_as_it_needs(k):
  model = one(k, [1.0, 2.0], [0.0, 0.5])
  call = tf.function(lambda x: model(x, training=True), input_signature=[tf.TensorSpec((None, 2))])
  for count in (1, 4):
    model.layers[-1].draws.assign(3)
    found = call(tf.ones((count, 2))).numpy()
    model.layers[-1].draws.assign(3)
    np.testing.assert_allclose(found, model(tf.ones((count, 2)), training=True), rtol=1e-6)


@pytest.mark.parametrize("k", KERASES)
def test_replicas_draw_other_noise_and_count_alike(k):
  strategy = builders.two_replicas()
  with strategy.scope():
    model = one(k, [1.0, 2.0], [0.0, 0.5])
  call = tf.function(lambda: model(tf.ones((1, 2)), training=True))
  first, second = strategy.experimental_local_results(strategy.run(call))
  std = np.sqrt(1 + np.exp(0.5) + 1e-8)
  for replica, found in enumerate((first, second)):
    noise = draws.gaussian((1, 1), (0, 0), 0, replica).numpy()
    np.testing.assert_allclose(found, 3 + std * noise, rtol=1e-5)
  assert int(model.layers[-1].draws.numpy()) == 1
