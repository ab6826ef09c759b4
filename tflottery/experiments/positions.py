"""Positions: what a Transformer adds to embedded tokens, and its mask of padding; without weights."""

import math

import keras
import numpy as np
import tensorflow as tf
import tf_keras


def sinusoids(length, units):
  """Sines and cosines of the positions 0..length-1, float32 [length, units].

  Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.5: the wavelengths grow
  from 2 pi to 10,000 times 2 pi.

  Departs: the first half of the units are sines and the second half cosines, as in tensor2tensor; in
  the paper they alternate.

  >>> sinusoids(2, 4).round(2).tolist()
  [[0.0, 0.0, 1.0, 1.0], [0.8399999737739563, 0.009999999776482582, 0.5400000214576721, 1.0]]
  """
  rates = 10_000.0 ** (-np.arange((units + 1) // 2) / max(1, units // 2))
  angles = np.arange(length)[:, None] * rates
  return np.float32(np.concatenate([np.sin(angles), np.cos(angles)], 1)[:, :units])


class _Positions:
  """What both Kerases' classes add to their own Layer."""

  def call(self, embedded):
    _, length, units = embedded.shape
    table = tf.cast(sinusoids(length, units), embedded.dtype)
    return embedded * math.sqrt(units) + table

  def compute_output_shape(self, input_shape):
    return input_shape


@keras.saving.register_keras_serializable(package="tflottery")
class Positions(_Positions, keras.layers.Layer):
  """Embedded tokens [n, length, units], times the root of `units`, and their positions' sinusoids."""


@tf_keras.saving.register_keras_serializable(package="tflottery", name="Positions")
class TfKerasPositions(_Positions, tf_keras.layers.Layer):
  """As `Positions`, in tf_keras."""


@keras.saving.register_keras_serializable(package="tflottery")
class Present(keras.layers.Layer):
  """Where tokens [n, length] are no padding, bool, as Keras's Attention over heads takes it.

  >>> Present()(np.array([[5, 2, 0]])).numpy().tolist()
  [[[[True, True, False]]]]
  """

  def call(self, tokens):
    return tf.not_equal(tokens, 0)[:, None, None, :]

  def compute_output_spec(self, tokens):
    return keras.KerasTensor((tokens.shape[0], 1, 1, tokens.shape[1]), "bool")


@tf_keras.saving.register_keras_serializable(package="tflottery", name="Present")
class TfKerasPresent(tf_keras.layers.Layer):
  """As `Present`, in tf_keras, whose Attention adds the axis of the queries by itself."""

  def call(self, tokens):
    return tf.not_equal(tokens, 0)[:, None, :]


# By the name of the Keras.
POSITIONS = {"keras": Positions, "tf_keras": TfKerasPositions}
PRESENT = {"keras": Present, "tf_keras": TfKerasPresent}
