"""Substitution: call a layer with other tensors in the place of its variables."""

import contextlib

import tensorflow as tf


def variables(layer):
  """The variables of a built layer by their own names, `kernel` and `bias` for instance."""
  return {v.name.rsplit("/", 1)[-1].split(":")[0]: v for v in layer.weights}


def call(layer, tensors, inputs):
  """The outputs of `layer.call(inputs)` where some variables have other values.

  Gradients flow to the tensors and to the other variables; all variables stay what they are.

  Args:
    layer: a built layer of either Keras that keeps its variables in attributes.
    tensors: dict from the name of a variable (see `variables`) to a tensor of its shape; they and
      the other variables are cast to the layer's compute dtype.
    inputs: the layer's inputs; floats are cast too.

  >>> import keras
  >>> layer = keras.layers.Dense(1, use_bias=False)
  >>> layer.build((None, 2))
  >>> call(layer, {"kernel": tf.constant([[1.0], [10.0]])}, tf.constant([[2.0, 3.0]])).numpy()
  array([[32.]], dtype=float32)
  """
  own = variables(layer)
  values = {id(v): tensors.get(name, v) for name, v in own.items()}
  found = {n: _cast(layer, values[id(v)]) for n, v in vars(layer).items() if id(v) in values}
  with _attributes(layer, found):
    return layer.call(_cast(layer, inputs))


def before_activation(layer, tensors, inputs):
  """As `call`, without the layer's activation."""
  with _attributes(layer, _known(layer, activation=_identity)):
    return call(layer, tensors, inputs)


def linear(layer, tensors, inputs):
  """As `call`, without the layer's bias and activation."""
  with _attributes(layer, _known(layer, activation=_identity, bias=None, use_bias=False)):
    return call(layer, tensors, inputs)


def _identity(outputs):
  return outputs


def _known(layer, **values):
  return {name: value for name, value in values.items() if name in vars(layer)}


def _cast(layer, value):
  """In the layer's compute dtype, if it is a float."""
  value = tf.convert_to_tensor(value)
  return tf.cast(value, layer.compute_dtype) if value.dtype.is_floating else value


@contextlib.contextmanager
def _attributes(layer, values):
  """The layer's attributes are others for a while; set past the tracking of both Kerases."""
  before = {name: vars(layer)[name] for name in values}
  try:
    for name, value in values.items():
      object.__setattr__(layer, name, value)
    yield
  finally:
    for name, value in before.items():
      object.__setattr__(layer, name, value)
