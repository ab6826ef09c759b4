"""Layers that are called with other tensors in the place of their variables."""

import builders
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tflottery.layers import frozen, parametrised, substitution


@keras.saving.register_keras_serializable(package="test_layers")
@tf_keras.saving.register_keras_serializable(package="test_layers")
class Scaled:
  """weight * factor, a parameter that starts at 2; noise is added."""

  parameters = ("factor",)
  trains_weights = penalised = False

  def __init__(self, noise=None):
    self.noise = noise

  def initial(self, shape, site):
    return {"factor": np.full(shape, 2.0)}

  def weight(self, weight, parameters, noise):
    return weight * parameters["factor"] + (0 if noise is None else noise)

  def get_config(self):
    return {"noise": self.noise}


def wrapper(k, layer, parametrisation=None, **kwargs):
  kind = parametrised.PARAMETRISED[k is tf_keras]
  return kind(layer, parametrisation or Scaled(), kwargs.pop("sites", {"kernel": 0}), **kwargs)


def dense(k, kernel, bias):
  layer = k.layers.Dense(1)
  layer.build((None, len(kernel)))
  layer.set_weights([np.reshape(kernel, (-1, 1)), np.reshape(bias, 1)])
  return layer


def test_a_layer_is_called_with_a_tensor_for_its_kernel_and_its_own_bias(k):
  layer = dense(k, [1.0, 2.0], 5.0)
  kernel = tf.constant([[10.0], [100.0]])
  with tf.GradientTape() as tape:
    tape.watch(kernel)
    output = substitution.call(layer, {"kernel": kernel}, tf.constant([[3.0, 4.0]]))
  assert output.numpy().tolist() == [[435.0]]
  assert tape.gradient(output, kernel).numpy().tolist() == [[3.0], [4.0]]
  assert layer(tf.constant([[3.0, 4.0]])).numpy().tolist() == [[16.0]]


def test_a_call_that_fails_leaves_the_layer_as_it_was(k):
  layer = dense(k, [1.0, 2.0], 5.0)
  before = layer.kernel
  with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
    substitution.call(layer, {"kernel": tf.ones((2, 1))}, tf.ones((1, 3)))
  assert layer.kernel is before
  assert layer(tf.ones((1, 2))).numpy().tolist() == [[8.0]]


def test_a_wrapped_layer_computes_with_its_parameters_and_trains_nothing_else(k):
  layer = wrapper(k, dense(k, [1.0, 2.0], 5.0))
  assert layer(tf.constant([[3.0, 4.0]])).numpy().tolist() == [[3 * 2 + 4 * 4 + 5]]
  [parameter] = layer.trainable_weights
  assert parameter is layer.kernel_factor
  assert len(layer.non_trainable_weights) == 2
  assert layer.name == layer.layer.name


def test_noise_is_new_in_each_training_call_and_none_in_inference(k):
  layer = wrapper(k, dense(k, [0.0, 0.0], 0.0), Scaled(noise="weight"), seed=3)
  x = tf.constant([[1.0, 1.0]])
  trained = [layer(x, training=True).numpy().item() for _ in range(2)]
  drawn = [layer.effective(n)["kernel"].numpy().sum() for n in range(2)]
  np.testing.assert_allclose(trained, drawn, rtol=1e-6)
  assert trained[0] != trained[1]
  assert layer(x).numpy().item() == layer(x).numpy().item() == 0
  assert int(layer.draws.numpy()) == 2
  layer.sample.assign(1)
  sampled = layer.effective(1, stream=(1,))["kernel"].numpy().sum()
  assert layer(x).numpy().item() == pytest.approx(sampled)
  assert sampled not in drawn


@pytest.mark.parametrize(
  ("name", "arguments", "shape"),
  [
    ("Conv2D", (3, 2), (5, 5, 2)),
    ("Conv2DTranspose", (3, 2), (5, 5, 2)),
    ("DepthwiseConv2D", (2,), (5, 5, 2)),
    ("SeparableConv2D", (3, 2), (5, 5, 2)),
    ("EinsumDense", ("abc,cd->abd", (5, 3)), (5, 2)),
    ("Embedding", (10, 3), (5,)),
  ],
)
def test_every_kind_of_layer_is_the_layer_with_other_weights(k, name, arguments, shape):
  plain = getattr(k.layers, name)(*arguments)
  x = tf.cast(tf.reshape(tf.range(2 * np.prod(shape)) % 7, (2, *shape)), tf.float32)
  plain.build((None, *shape))
  kernels = [n for n, v in substitution.variables(plain).items() if len(v.shape) > 1]
  layer = wrapper(k, plain, sites={n: i for i, n in enumerate(kernels)})
  found = layer(x).numpy()
  for kernel in kernels:
    variable = substitution.variables(plain)[kernel]
    variable.assign(2 * variable)
  np.testing.assert_allclose(found, plain(x).numpy(), rtol=1e-5)
  assert tuple(layer.compute_output_shape((2, *shape)))[1:] == found.shape[1:]


def test_a_wrapper_comes_back_from_its_config(k):
  layer = wrapper(k, k.layers.Dense(3, "relu", name="fc"), seed=4)
  model = k.Sequential([k.layers.Input((2,)), layer])
  again = type(model).from_config(model.get_config()).layers[0]
  assert again.get_config() == layer.get_config()
  assert (again.name, again.seed, again.sites) == ("fc", 4, {"kernel": 0})


def test_embeddings_pass_their_mask_on(k):
  layer = wrapper(k, k.layers.Embedding(4, 2, mask_zero=True), sites={"embeddings": 0})
  assert layer.compute_mask(tf.constant([[0, 1]])).numpy().tolist() == [[False, True]]
  assert layer.supports_masking


def test_statistics_of_a_frozen_normalisation_move_in_training_alone(k):
  layer = frozen.FROZEN[k is tf_keras](momentum=0.5)
  x = tf.constant([[0.0], [4.0]])
  layer(x)
  assert layer.moving_mean.numpy().tolist() == [0.0]
  layer(x, training=True)
  assert layer.moving_mean.numpy().tolist() == [1.0]
  assert not layer.trainable_weights and len(layer.weights) == 4


def test_two_replicas_count_the_same_draws(k):
  strategy = builders.two_replicas()
  with strategy.scope():
    layer = wrapper(k, k.layers.Dense(1, use_bias=False), Scaled(noise="weight"))
    layer.build((None, 2))
  call = tf.function(lambda: layer(tf.ones((1, 2)), training=True))
  for step in range(2):
    first, second = strategy.experimental_local_results(strategy.run(call))
    assert first.numpy().item() == second.numpy().item(), step
  assert int(layer.draws.numpy()) == 2
