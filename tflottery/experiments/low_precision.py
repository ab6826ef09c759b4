"""Networks of low precision: their weights stay float32, their forward pass does not.

You et al. 2020, arXiv:1909.11957, section 4.3, search for tickets at low precision.

Departs: the paper's networks use block floating point of 8 bits for weights, activations, gradients,
errors and momentum, with stochastic rounding and averaged weights (Yang et al. 2019,
arXiv:1904.11943). Here int8 rounds weights and activations of the forward pass to the nearest, one
range for each tensor; gradients and momentum stay float32. Both are simulated and save no time on a
CPU; mixed_bfloat16 is real arithmetic where the machine has it.
"""

import contextlib

import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16", "int8")
_LEVELS = 127  # of 8 bits, one is the sign


def build(network, precision, *, k):
  """The network that a function builds, at a precision; its weights have the same paths as ever.

  Args:
    network: function without arguments that returns an uncompiled model.
    precision: one of `PRECISIONS`.
    k: the module `keras` or `tf_keras` of the model.

  Raises:
    ValueError: int8, and the model is subclassed: its layers can't be exchanged.
  """
  if precision == "mixed_bfloat16":
    with policy(k, precision):
      return network()
  return quantised(network(), k=k) if precision == "int8" else network()


def rounded(values):
  """`values` rounded to 255 levels around 0; gradients pass as if nothing had been done.

  The range is the largest magnitude of the tensor, so that 0 stays 0 and the largest stays itself.

  >>> rounded(tf.constant([127.0, -10.4, 0.0])).numpy().tolist()
  [127.0, -10.0, 0.0]
  """
  scale = tf.reduce_max(tf.abs(values)) / _LEVELS
  scale = tf.where(scale > 0, scale, tf.ones_like(scale))
  return values + tf.stop_gradient(tf.round(values / scale) * scale - values)


def quantised(model, *, k):
  """A copy of an uncompiled model whose Dense and Conv2D layers round what they multiply to 8 bits.

  All other layers are copied as they are, depthwise and separable convolutions too.

  Args:
    model: a Sequential or functional model of either Keras.
    k: its module, `keras` or `tf_keras`.
  """
  if not isinstance(model, (k.Sequential, k.src.models.Functional)):
    raise ValueError(
      f"model {model.name!r} is subclassed, so its layers can't be exchanged for ones of 8 bits. Give a "
      "Sequential or functional model, or precision='mixed_bfloat16'."
    )
  rounds = {k.layers.Dense: _round_dense, k.layers.Conv2D: _round_convolution}

  def copy(layer):
    if isinstance(layer, k.Model):
      return quantised(layer, k=k)
    own = type(layer).from_config(layer.get_config())
    rounds.get(type(layer), lambda layer: None)(own)
    return own

  clone = k.models.clone_model(model, clone_function=copy)
  clone.set_weights(model.get_weights())
  return clone


# Layers stay of Keras's own classes: by these a model's groups of channels are found.
def _round_convolution(layer):
  convolve = layer.convolution_op
  layer.convolution_op = lambda inputs, kernel: convolve(
    rounded(inputs), rounded(tf.convert_to_tensor(kernel))
  )


def _round_dense(layer):
  def call(inputs, training=None):
    del training
    kernel = rounded(tf.convert_to_tensor(layer.kernel))
    outputs = tf.tensordot(rounded(inputs), kernel, [[-1], [0]])
    outputs = outputs if layer.bias is None else outputs + layer.bias
    return outputs if layer.activation is None else layer.activation(outputs)

  layer.call = call


@contextlib.contextmanager
def policy(k, name):
  """Layers that are built inside have this dtype policy of the Keras `k`, unless they say another."""
  before = k.mixed_precision.global_policy()
  k.mixed_precision.set_global_policy(name)
  try:
    yield
  finally:
    k.mixed_precision.set_global_policy(before)
