"""Copies of layers and models with changed configs: same names, weights of their own."""

import inspect

import keras
import tensorflow as tf
import tf_keras

from tflottery import nodes as _nodes


def copied(layer, change=None):
  """A new layer of the same class and config, or a new operation of Keras 3.

  Args:
    layer: the layer or operation.
    change: function of (class, config) to the class and the config of the copy; None changes nothing.

  Raises:
    ValueError: the layer does not come back from its config; names the layer.
  """
  if isinstance(layer, keras.Operation) and not isinstance(layer, keras.Layer):
    return _copied_operation(layer)
  if isinstance(layer, (keras.layers.Lambda, tf_keras.layers.Lambda)):
    return _copied_lambda(layer)
  try:
    kind, config = type(layer), layer.get_config()
    config.pop("batch_input_shape", None)  # tf_keras notes it in the first layer of a Sequential
    if kind.__module__.startswith(("keras.", "tf_keras.")) and "activation" in config:
      config["activation"] = layer.activation  # the function itself needs no registration
    if change is not None:
      kind, config = change(kind, config)
    return kind.from_config(config)
  except Exception as error:
    raise ValueError(
      f"layer `{layer.name}` ({type(layer).__name__}) can't be copied from its config: {error} Give "
      "its class get_config and from_config, and register what is in the config."
    ) from error


class Copies:
  """Copies of a model and of all that is in it.

  Attributes:
    models: list of (model, its copy), each before those that are in it.
    layers: list of (layer, its copy), without models and operations.

  Args:
    changes: dict from the id of a layer to `change` of `copied`.
    channels: function of a symbolic tensor of the model to the number of its channels in the copy.
  """

  def __init__(self, changes, channels):
    self._changes, self._channels = changes, channels
    self._made, self.models, self.layers = {}, [], []

  def model(self, model):
    """A new model of the same class and name, with fresh weights."""
    place = len(self.models)
    copy = self._model(model)
    self.models.insert(place, (model, copy))
    return copy

  @property
  def variables(self):
    """List of (weight, the weight of the copy), once the copies have been built."""
    return [pair for old, new in self.layers for pair in zip(old.weights, new.weights, strict=True)]

  def _model(self, model):
    inputs = [self._input(tensor) for tensor in _nodes.network(model).inputs]
    if isinstance(model, (keras.Sequential, tf_keras.Sequential)):
      return type(model)([*inputs, *map(self._of, model.layers)], name=model.name)
    values = {
      id(old): new.output for old, new in zip(_nodes.network(model).inputs, inputs, strict=True)
    }

    def replaced(structure):
      return tf.nest.map_structure(lambda value: values.get(id(value), value), structure)

    for node, layer, args, kwargs in _nodes.nodes_of(_nodes.network(model)):
      args, kwargs = replaced((args, kwargs))
      outputs = tf.nest.flatten(self._of(layer)(*args, **kwargs))
      values.update(zip((id(t) for t in tf.nest.flatten(node.outputs)), outputs, strict=True))
    return type(model)(replaced(model.input), replaced(model.output), name=model.name)

  def _of(self, layer):
    if id(layer) not in self._made:
      if _nodes.network(layer) is not None:
        copy = self.model(layer)
      else:
        copy = copied(layer, self._changes.get(id(layer)))
        if hasattr(layer, "weights"):  # an operation of Keras 3 has none
          self.layers.append((layer, copy))
      self._made[id(layer)] = copy
    return self._made[id(layer)]

  def _input(self, tensor):
    layer = _nodes.layer_of(tensor)
    config = layer.get_config()
    name = "batch_shape" if "batch_shape" in config else "batch_input_shape"
    if self._channels(tensor):
      config[name] = (*config[name][:-1], self._channels(tensor))
    return type(layer).from_config(config)


def _copied_operation(operation):
  copy = object.__new__(type(operation))
  vars(copy).update(vars(operation), _inbound_nodes=[], _outbound_nodes=[])
  return copy


def _copied_lambda(layer):
  """Through the constructor: a config holds the function's bytecode, which loses what it closes over."""
  names = inspect.signature(layer.__init__).parameters
  config = {n: v for n, v in layer.get_config().items() if n in ("name", "trainable", "dtype")}
  given = {"output_shape": layer._output_shape, "mask": layer.mask, "arguments": layer.arguments}
  return type(layer)(layer.function, **{n: v for n, v in given.items() if n in names}, **config)
