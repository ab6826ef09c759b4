"""The graph: every call of a layer, in order, with the models that a model contains unfolded."""

import dataclasses
import functools
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from tflottery import nodes
from tflottery import site as _sites


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
  """One call of one layer, or of one of Keras 3's operations.

  Attributes:
    layer: the layer or operation.
    path: the names on the way to it, and its own.
    inputs, outputs: the numbers of the tensors that it reads and writes, in order.
    function: (layer, dict from number to array) -> what the layer returns for the arrays.
  """

  layer: Any
  path: str
  inputs: tuple[int, ...]
  outputs: tuple[int, ...]
  function: Any

  def __str__(self):
    return f"layer `{self.path}` ({type(self.layer).__name__})"


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
  """The calls of a model.

  Attributes:
    calls: list of `Call`, each after those whose outputs it reads.
    tensors: list of the symbolic tensors, by number; `.shape` begins with the batch.
    inputs: dict from the number of each input of the model to the input's name.
    outputs: list of the numbers of the model's outputs.
    numbers: dict from the id of a symbolic tensor, of the model or of one in it, to its number.
    paths: dict from the id of a weight to its path.
  """

  calls: list
  tensors: list
  inputs: dict
  outputs: list
  numbers: dict
  paths: dict

  def channels(self, number):
    """The length of a tensor's last axis; 0 where there is none, or it is not known."""
    shape = self.tensors[number].shape
    return 0 if len(shape) < 2 or shape[-1] is None else int(shape[-1])


def graph_of(model):
  """The `Graph` of a built Sequential or functional model of either Keras.

  Raises:
    TypeError: `model` is no Keras model.
    ValueError: it is subclassed, not built, wrapped by tfmot, holds its channels first, or calls a
      layer with weights more than once.
  """
  _sites.keras_of(model)
  _refuse_other_models(model)
  paths = _own_paths(model)
  builder = _Builder()
  ends = nodes.network(model)
  for tensor in ends.inputs:
    builder.numbers[id(tensor)] = builder.new(tensor)
  inputs = {builder.numbers[id(t)]: nodes.layer_of(t).name for t in ends.inputs}
  builder.unfold(model, ())
  outputs = [builder.numbers[id(tensor)] for tensor in ends.outputs]
  _refuse_sharing(builder.calls, builder.models)
  return Graph(builder.calls, builder.tensors, inputs, outputs, builder.numbers, paths)


class _Builder:
  """Numbers the tensors and collects the calls."""

  def __init__(self):
    self.calls, self.tensors, self.numbers, self.models = [], [], {}, []

  def new(self, tensor):
    self.tensors.append(tensor)
    return len(self.tensors) - 1

  def unfold(self, model, prefix):
    for node, layer, args, kwargs in nodes.nodes_of(nodes.network(model)):
      ids = [id(t) for t in tf.nest.flatten((args, kwargs)) if id(t) in self.numbers]
      inputs = tuple(self.numbers[i] for i in ids)
      outputs, path = tf.nest.flatten(node.outputs), (*prefix, layer.name)
      inner = nodes.network(layer)
      if inner is not None:
        self.models.append((layer, "/".join(path)))
        names = [nodes.layer_of(t).name for t in inner.inputs]
        if args and isinstance(args[0], dict) and names and all(n in args[0] for n in names):
          inputs = tuple(self.numbers[id(args[0][n])] for n in names)  # Keras goes by name here
        self.numbers.update(zip((id(t) for t in inner.inputs), inputs, strict=True))
        self.unfold(layer, path)
        numbers = [self.numbers[id(t)] for t in inner.outputs]
      else:
        numbers = [self.new(tensor) for tensor in outputs]
        function = functools.partial(_result, dict(zip(ids, inputs, strict=True)), args, kwargs)
        self.calls.append(Call(layer, "/".join(path), inputs, tuple(numbers), function))
      self.numbers.update(zip((id(t) for t in outputs), numbers, strict=True))


def _result(numbers, args, kwargs, layer, arrays):
  """What `layer` returns for arrays in the places of a node's tensors."""

  def filled(value):
    return arrays[numbers[id(value)]] if id(value) in numbers else value

  args, kwargs = tf.nest.map_structure(filled, (args, kwargs))
  return layer(*args, **kwargs)


def _refuse_other_models(model):
  """ValueError for a model without a known graph of layers with their channels last."""
  if _sites.wrappers(model):
    raise ValueError(
      f"model {model.name!r} is wrapped by tfmot. Take the wrappers off first, with "
      "tensorflow_model_optimization.sparsity.keras.strip_pruning(model)."
    )
  if nodes.network(model) is None:
    if isinstance(model, (keras.Sequential, tf_keras.Sequential)) and not model.built:
      raise ValueError(
        f"model {model.name!r} is not built. Give it an Input, or call it once on a batch, before "
        "its channels are removed."
      )
    raise ValueError(
      f"model {model.name!r} is a subclassed model ({type(model).__name__}): what its call does is "
      "not known as a graph. Write it with the functional API, or as a Sequential."
    )
  if min(nodes.network(model)._nodes_by_depth) < 0:
    raise ValueError(
      f"model {model.name!r} has losses or metrics added by add_loss or add_metric, which its graph "
      "does not show. Give them to compile instead."
    )
  for way, layer, _ in _sites.layers(model):
    if getattr(layer, "data_format", None) == "channels_first":
      raise ValueError(
        f"layer `{'/'.join(way)}` ({type(layer).__name__}) has data_format='channels_first'. Only "
        "channels_last can be slimmed: build the model so."
      )


def _own_paths(model):
  """Dict from the id of every weight to its path; ValueError where two layers own one weight."""
  paths = {}
  for path, variable in _sites.weights(model).items():
    if id(variable) in paths:
      raise ValueError(
        f"weights are shared: {paths[id(variable)]} and {path} are one variable. Give each layer its "
        "own weights."
      )
    paths[id(variable)] = path
  return paths


def _refuse_sharing(calls, models):
  seen = set()
  owners = [(call.layer, call.path) for call in calls if getattr(call.layer, "weights", None)]
  for layer, path in owners + models:
    if id(layer) in seen:
      raise ValueError(
        f"layer `{path}` ({type(layer).__name__}) is called more than once: its calls share its "
        "weights. Give each call its own layer."
      )
    seen.add(id(layer))
