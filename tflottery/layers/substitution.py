"""Substitution: call a layer with other tensors in the place of its variables."""

import contextlib

import keras
import tensorflow as tf


def variables(layer):
  """The variables of a built layer by their own names, `kernel` and `bias` for instance."""
  return {v.name.rsplit("/", 1)[-1].split(":")[0]: v for v in layer.weights}


def call(layer, tensors, inputs):
  """The outputs of `layer.call(inputs)` where some variables have other values.

  Gradients flow to the tensors, and the variables stay what they are. In Keras 3 updates of other
  variables are dropped meanwhile, so the layer must not have any that its calls change.

  Args:
    layer: a built layer of either Keras.
    tensors: dict from the name of a variable (see `variables`) to a tensor of its shape.
    inputs: the layer's inputs.

  >>> layer = keras.layers.Dense(1, use_bias=False)
  >>> layer.build((None, 2))
  >>> call(layer, {"kernel": tf.constant([[1.0], [10.0]])}, tf.constant([[2.0, 3.0]])).numpy()
  array([[32.]], dtype=float32)
  """
  own = variables(layer)
  if isinstance(
    layer, keras.Layer
  ):  # the others too: a scope does not see what the one around holds
    tensors = own | tensors
  pairs = [(own[name], tensor) for name, tensor in tensors.items()]
  with _stateless(pairs) if isinstance(layer, keras.Layer) else _attributes(layer, pairs):
    return layer.call(inputs)


def _stateless(pairs):
  return keras.StatelessScope([(v, tf.cast(tensor, v.dtype)) for v, tensor in pairs])


@contextlib.contextmanager
def _attributes(layer, pairs):
  """The attributes that are the variables are tensors for a while; set past tf_keras's tracking."""
  tensors = {id(v): tf.cast(tensor, layer.compute_dtype) for v, tensor in pairs}
  before = {name: v for name, v in vars(layer).items() if id(v) in tensors}
  try:
    for name, variable in before.items():
      object.__setattr__(layer, name, tensors[id(variable)])
    yield
  finally:
    for name, variable in before.items():
      object.__setattr__(layer, name, variable)
