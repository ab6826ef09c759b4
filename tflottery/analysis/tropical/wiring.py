"""Wiring: which call of a layer reads which, with the models that a model contains unfolded."""

import dataclasses
import inspect
from typing import Any

import keras
import tensorflow as tf

from tflottery import nodes


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
  """One call of one layer, or of one of Keras 3's operations.

  Attributes:
    layer: the layer or operation; that of an input of the model has no sources.
    path: the names on the way to it, and its own.
    sources: the calls whose tensors it reads, in order.
    rank: the number of axes of what it returns, the batch counted.
    arguments: dict from name to what it was called with, where its `training` is what the calls of the
      models that it is in make of it.
  """

  layer: Any
  path: str
  sources: tuple = ()
  rank: int = 0
  arguments: dict = dataclasses.field(default_factory=dict)

  def __str__(self):
    return f"layer `{self.path}` ({type(self.layer).__name__})"


def wiring(model):
  """(inputs, calls, outputs) of a Sequential or functional model of either Keras: lists of `Call`.

  Returns:
    None for a model whose graph is not known: of a class with a `call` or `__call__` of its own, or not built. What reads the inputs of a
    model inside, where that has several, reads the call of that model, which has no sources then.

  >>> import keras
  >>> inputs = keras.Input((2,), name="x")
  >>> model = keras.Model(inputs, keras.layers.Dense(3, name="fc")(inputs))
  >>> _, calls, _ = wiring(model)
  >>> str(calls[0]), str(calls[0].sources[0])
  ('layer `fc` (Dense)', 'layer `x` (InputLayer)')
  """
  network = _network(model)
  if network is None:
    return None
  made, calls = {}, []
  for tensor in network.inputs:
    layer = nodes.layer_of(tensor)
    made[id(tensor)] = Call(layer, layer.name, rank=len(tensor.shape))
  inputs = list(made.values())
  _unfold(network, (), None, made, calls)
  return inputs, calls, [made[id(tensor)] for tensor in network.outputs]


def _network(layer):
  """What knows the calls of a model's layers; None for a layer, and where a class may do otherwise."""
  found = nodes.network(layer, derived=True)
  is_own = type(layer).__call__.__module__.startswith(("keras.", "tf_keras."))
  return found if is_own else None


def _unfold(network, prefix, training, made, calls):
  """Append the calls of a network to `calls`.

  Args:
    prefix: the names on the way to the network.
    training: what it is called with; None if it is not said.
    made: dict from the id of a tensor to the call that made it, completed here.
  """
  for node, layer, args, kwargs in nodes.nodes_of(network):
    arguments = _arguments(layer, args, kwargs, training)
    read = tf.nest.flatten((args, kwargs))
    sources = tuple(made[id(tensor)] for tensor in read if id(tensor) in made)
    outputs, path = tf.nest.flatten(node.outputs), (*prefix, layer.name)
    inner = _network(layer)
    if inner is None:
      call = Call(layer, "/".join(path), sources, len(outputs[0].shape), arguments)
      calls.append(call)
      made.update((id(tensor), call) for tensor in outputs)
    else:
      alone = len(inner.inputs) == len(sources) == 1
      source = sources[0] if alone else Call(layer, "/".join(path))
      made.update((id(tensor), source) for tensor in inner.inputs)
      _unfold(inner, path, arguments.get("training"), made, calls)
      ends = [made[id(tensor)] for tensor in inner.outputs]
      made.update(zip(map(id, outputs), ends, strict=True))


def _arguments(layer, args, kwargs, training):
  """The arguments of a call by name, in a model that is called with this `training`."""
  names = inspect.signature(layer.call).parameters
  arguments = dict(zip(names, args, strict=False)) | kwargs
  own = arguments.get("training")
  # Keras 3 lets the model's go before the call's own, which it notes even if nobody gave any.
  first, last = (training, own) if isinstance(layer, keras.Operation) else (own, training)
  return arguments | {"training": last if first is None else first}
