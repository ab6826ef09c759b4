"""LayerNormalization over channels some of which were removed: as if they were there, and 0."""

import keras
import tensorflow as tf
import tf_keras


class _OfSize:
  """What both Kerases' classes add to their own LayerNormalization."""

  def __init__(self, size, **kwargs):
    super().__init__(**kwargs)
    self.size = size

  def call(self, inputs):
    return _normalised(self, inputs)

  def get_config(self):
    return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="tflottery")
class SlimLayerNormalization(_OfSize, keras.layers.LayerNormalization):
  """Keras 3's LayerNormalization over the last axis, after channels that were 0 have been removed.

  Args:
    size: the number of channels, those that were removed included.
    kwargs: those of `keras.layers.LayerNormalization`.

  >>> import numpy as np
  >>> layer = SlimLayerNormalization(size=4, epsilon=0.0)
  >>> layer(np.float32([[2.0, 2.0]])).numpy()  # as (2, 2, 0, 0): mean 1, variance 1
  array([[1., 1.]], dtype=float32)
  """


@tf_keras.saving.register_keras_serializable(package="tflottery", name="SlimLayerNormalization")
class _SlimLayerNormalization(_OfSize, tf_keras.layers.LayerNormalization):
  """The same for tf_keras."""


SLIM = (SlimLayerNormalization, _SlimLayerNormalization)


def smaller(kind, config, size):
  """The class and config of a LayerNormalization of `size` channels some of which are removed."""
  is_keras = issubclass(kind, keras.Layer)
  axes = config["axis"]
  config = {"size": size, **config, "axis": axes if isinstance(axes, int) else list(axes)}
  return SlimLayerNormalization if is_keras else _SlimLayerNormalization, config


def _normalised(layer, inputs):
  values = tf.cast(inputs, tf.float32) if inputs.dtype.size < 4 else inputs
  size = tf.cast(layer.size, values.dtype)
  missing = size - tf.cast(tf.shape(values)[-1], values.dtype)
  mean = tf.reduce_sum(values, -1, keepdims=True) / size
  apart = values - mean
  squares = tf.reduce_sum(tf.square(apart), -1, keepdims=True) + missing * tf.square(mean)
  result = apart * tf.math.rsqrt(squares / size + layer.epsilon)
  result *= tf.cast(layer.gamma, values.dtype)
  if layer.beta is not None:
    result += tf.cast(layer.beta, values.dtype)
  return tf.cast(result, layer.compute_dtype)
