"""Local reparameterisation: a linear layer's outputs drawn, in the place of its weights.

Kingma et al., Variational Dropout and the Local Reparameterization Trick, NeurIPS 2015,
arXiv:1506.02557, section 2.2.
"""

import keras
import tensorflow as tf
import tf_keras

from tflottery import draws
from tflottery.layers import substitution

_EPSILON = 1e-8  # the slope of a root is infinite at 0
_LOOKUPS = (keras.layers.Embedding, tf_keras.layers.Embedding)


def drawn(layer, name, kernel, inputs, seed, number):
  """Outputs that are drawn: before the activation normal, as those of normal weights are.

  Args:
    layer, name, kernel, inputs: as in `variance`; the means of the weights are the layer's own.
    seed: sequence of ints of at least 0.
    number: int scalar tensor, which draw it is.

  Returns:
    A tensor of the layer's compute dtype; each output has noise of its own.
  """
  mean = substitution.before_activation(layer, {}, inputs)
  std = tf.sqrt(variance(layer, name, kernel, inputs) + _EPSILON)
  outputs = mean + tf.cast(std * tf.cast(_noise(mean, seed, number), std.dtype), mean.dtype)
  activation = getattr(layer, "activation", None)
  return outputs if activation is None else activation(outputs)


def variance(layer, name, kernel, inputs):
  """The variance of the outputs of a layer without activation whose weights are random.

  Args:
    layer: a built layer, linear in the weight `name`, or one that looks it up; each output reads a
      weight once at most.
    name: the name of the weight.
    kernel: the variances of the independent weights, float tensor of the weight's shape.
    inputs: the layer's inputs.

  Returns:
    A tensor of the outputs' shape and of `kernel`'s dtype.

  >>> layer = keras.layers.Dense(1)
  >>> layer.build((None, 2))
  >>> variance(layer, "kernel", tf.constant([[1.0], [0.5]]), tf.constant([[2.0, 4.0]])).numpy()
  array([[12.]], dtype=float32)
  """
  inputs = tf.convert_to_tensor(inputs)
  scale = tf.ones([], kernel.dtype)
  is_narrow = tf.as_dtype(layer.compute_dtype) == tf.float16
  if is_narrow:  # its range is too small for squares
    highest = tf.stop_gradient(tf.reduce_max(kernel))
    kernel, scale = kernel / highest, highest
  if not isinstance(layer, _LOOKUPS):
    inputs = tf.cast(inputs, layer.compute_dtype)
    if is_narrow:
      highest = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(inputs)), 1e-4))
      inputs, scale = inputs / highest, scale * tf.cast(highest, kernel.dtype) ** 2
    inputs = tf.square(inputs)
  return tf.cast(substitution.linear(layer, {name: kernel}, inputs), kernel.dtype) * scale


def _noise(outputs, seed, number):
  """Standard normal draws of the shape of `outputs`, others on every replica."""
  shape = outputs.shape if outputs.shape.is_fully_defined() else tf.shape(outputs)
  context = tf.distribute.get_replica_context()
  replica = 0 if context is None else context.replica_id_in_sync_group
  return draws.gaussian(shape, seed, number, replica)
