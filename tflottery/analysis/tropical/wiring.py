"""Wiring: which call of a layer reads which, with the models that a model contains unfolded."""

import dataclasses
from typing import Any

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
    arguments: the keyword arguments that it was called with.
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
    None for a model whose graph is not known: subclassed, or not built. What reads the inputs of a
    model inside, where that has several, reads the call of that model, which has no sources then.

  >>> import keras
  >>> inputs = keras.Input((2,), name="x")
  >>> model = keras.Model(inputs, keras.layers.Dense(3, name="fc")(inputs))
  >>> _, calls, _ = wiring(model)
  >>> str(calls[0]), str(calls[0].sources[0])
  ('layer `fc` (Dense)', 'layer `x` (InputLayer)')
  """
  network = nodes.network(model, derived=True)
  if network is None:
    return None
  made, calls = {}, []
  for tensor in network.inputs:
    layer = nodes.layer_of(tensor)
    made[id(tensor)] = Call(layer, layer.name, rank=len(tensor.shape))
  inputs = list(made.values())
  _unfold(network, (), made, calls)
  return inputs, calls, [made[id(tensor)] for tensor in network.outputs]


def _unfold(network, prefix, made, calls):
  """Append the calls of a network to `calls`; `made` is a dict from the id of a tensor to its call."""
  for node, layer, args, kwargs in nodes.nodes_of(network):
    read = tf.nest.flatten((args, kwargs))
    sources = tuple(made[id(tensor)] for tensor in read if id(tensor) in made)
    outputs, path = tf.nest.flatten(node.outputs), (*prefix, layer.name)
    inner = nodes.network(layer, derived=True)
    if inner is None:
      call = Call(layer, "/".join(path), sources, len(outputs[0].shape), kwargs)
      calls.append(call)
      made.update((id(tensor), call) for tensor in outputs)
    else:
      alone = len(inner.inputs) == len(sources) == 1
      source = sources[0] if alone else Call(layer, "/".join(path))
      made.update((id(tensor), source) for tensor in inner.inputs)
      _unfold(inner, path, made, calls)
      ends = [made[id(tensor)] for tensor in inner.outputs]
      made.update(zip(map(id, outputs), ends, strict=True))
