"""Networks of low precision compute what they say, under the same names."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tflottery import site
from tflottery.experiments import low_precision
from tflottery.structured.groups import groups


def test_values_go_to_the_nearest_of_255_levels_around_zero():
  # The largest magnitude is 127 steps: a step is 0.5.
  values = tf.constant([63.5, -63.5, 0.3, 0.2, -10.4, 0.0])
  assert low_precision.rounded(values).numpy().tolist() == [63.5, -63.5, 0.5, 0.0, -10.5, 0.0]


def test_zeros_stay_zeros():
  assert low_precision.rounded(tf.zeros([3])).numpy().tolist() == [0.0, 0.0, 0.0]


def test_gradients_pass_as_if_nothing_was_rounded():
  values = tf.constant([127.0, 0.4, -3.7])
  with tf.GradientTape() as tape:
    tape.watch(values)
    loss = tf.reduce_sum(low_precision.rounded(values) * [1.0, 2.0, 3.0])
  assert tape.gradient(loss, values).numpy().tolist() == [1.0, 2.0, 3.0]


def _dense(k):
  layers = [k.layers.Input((2,)), k.layers.Dense(2, activation="relu", name="fc")]
  model = k.Sequential(layers)
  model.set_weights([np.float32([[127.0, 0.4], [0.6, -1.0]]), np.float32([0.25, 0.0])])
  return model


def test_a_dense_layer_multiplies_rounded_inputs_and_weights(k):
  model = low_precision.quantised(_dense(k), k=k)
  # Weights in steps of 1: [[127, 0], [1, -1]]; inputs in steps of 2: [254, 3] -> [254, 4].
  outputs = model(np.float32([[254.0, 3.0]]), training=False)
  assert np.asarray(outputs).tolist() == [[254 * 127 + 4 + 0.25, 0.0]]


def test_a_convolution_multiplies_rounded_inputs_and_weights(k):
  model = k.Sequential([k.layers.Input((1, 1, 2)), k.layers.Conv2D(1, 1, name="conv")])
  model.set_weights([np.float32([[[[127.0], [0.6]]]]), np.float32([0.5])])
  model = low_precision.quantised(model, k=k)
  outputs = model(np.float32([[[[254.0, 3.0]]]]))
  assert np.asarray(outputs).ravel().tolist() == [254 * 127 + 4 + 0.5]


def _network(k):
  image = k.Input((6, 6, 1), name="image")
  x = k.layers.Conv2D(4, 3, name="conv")(image)
  x = k.layers.BatchNormalization(name="bn")(x)
  x = k.layers.DepthwiseConv2D(2, name="depthwise")(x)
  inner = k.Input((3, 3, 4))
  block = k.Model(inner, k.layers.Conv2D(2, 1, name="conv")(inner), name="block")
  x = k.layers.GlobalAveragePooling2D(name="pool")(block(x))
  return k.Model(image, k.layers.Dense(3, name="output")(x), name="network")


def test_paths_and_weights_are_the_same_in_nested_models_too(k):
  model = _network(k)
  small = low_precision.quantised(model, k=k)
  before, after = site.weights(model), site.weights(small)
  assert list(before) == list(after)
  for path, variable in before.items():
    np.testing.assert_array_equal(site.value(variable), site.value(after[path]))
  images = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
  full, low = np.asarray(model(images)), np.asarray(small(images))
  assert 0 < np.abs(full - low).max() < 0.05 * np.abs(full).max()


def test_the_groups_of_channels_are_those_of_the_network(k):
  layers = [k.layers.Conv2D(4, 3, name="conv"), k.layers.Flatten(), k.layers.Dense(3, name="fc")]
  model = k.Sequential([k.Input((5, 5, 1)), *layers, k.layers.Dense(2, name="output")])
  assert str(groups(low_precision.quantised(model, k=k))) == str(groups(model))


def test_every_kernel_learns_through_the_rounding(k):
  model = low_precision.quantised(_network(k), k=k)
  images = np.random.default_rng(0).normal(size=(4, 6, 6, 1)).astype(np.float32)
  with tf.GradientTape() as tape:
    loss = tf.reduce_sum(model(images, training=True) ** 2)
  variables = [v if isinstance(v, tf.Variable) else v.value for v in model.trainable_variables]
  gradients = tape.gradient(loss, [v for v in variables if len(v.shape) > 1])
  assert len(gradients) == 4 and all(np.abs(g).max() > 0 for g in gradients)


def test_bfloat16_computes_in_it_and_keeps_its_weights_in_float32(k):
  model = low_precision.build(lambda: _network(k), "mixed_bfloat16", k=k)
  assert {np.dtype(v.dtype).name for v in model.get_weights()} == {"float32"}
  assert model.get_layer("conv").compute_dtype == "bfloat16"
  assert _network(k).get_layer("conv").compute_dtype == "float32", "the policy is as it was"


def test_the_policy_is_as_it_was_after_an_error_too(k):
  def broken():
    raise ValueError("no network")

  with pytest.raises(ValueError, match="no network"):
    low_precision.build(broken, "mixed_bfloat16", k=k)
  assert k.layers.Dense(1).compute_dtype == "float32"


def test_float32_is_the_network_itself():
  model = _dense(keras)
  assert low_precision.build(lambda: model, "float32", k=keras) is model


def test_a_subclassed_model_is_refused_with_the_cure(k):
  class Own(k.Model):
    def call(self, inputs):
      return inputs

  with pytest.raises(ValueError, match=r"is subclassed.*precision='mixed_bfloat16'"):
    low_precision.quantised(Own(name="own"), k=k)
