"""Matches: which layer of a ticket stands for which layer of a model, by its name or its place."""

import re

from tflottery import site as _sites

# A DepthwiseConv's weight is `kernel` in Keras 3 and `depthwise_kernel` in tf_keras.
_OTHER_NAME = {"kernel": "depthwise_kernel", "depthwise_kernel": "kernel"}


def layer_of(path):
  """The path of the layer that owns a weight."""
  return path.rpartition("/")[0]


def layers_of(paths):
  """The paths of the layers that own the weights, in their order."""
  return list(dict.fromkeys(map(layer_of, paths)))


def owners(model):
  """Dict from a layer's path to the layer."""
  found = {}
  for prefix, layer, _ in _sites.layers(model):
    found.setdefault("/".join(prefix), layer)  # tfmot's wrapper has its parent's path
  return found


def matches(model, given, asked):
  """Which layers of the ticket stand for those of `model`, and which can't be told.

  By place where two builds of one model differ in the numbers that Keras gives its layers, by name
  otherwise. Where the models differ in more, these numbers tell nothing: `dense_1` is the second
  layer of one model and may be the first of another. So they match only where either model has one
  such layer.

  Args:
    given: dict from the ticket's weight paths to shapes.
    asked: dict from the model's weight paths to shapes.

  Returns:
    Dict from layer to layer of the ticket, and dict from each layer that can't be told to the names
    of the ticket's layers that it may be.
  """
  theirs, own = layers_of(given), layers_of(asked)
  if set(theirs) == set(own):
    return {layer: layer for layer in own}, {}
  if _canonical(theirs) == _canonical(own):
    return dict(zip(own, theirs, strict=True)), {}
  found = owners(model)
  unsure = {layer: _alike(layer, found, theirs, own) for layer in own}
  unsure = {layer: alike for layer, alike in unsure.items() if alike}
  return {layer: layer for layer in own if layer in theirs and layer not in unsure}, unsure


def source(layer, path, given, shape):
  """The path in the ticket's `layer` of the weight that is `path` in the model.

  It need not be there. A DepthwiseConv's of the other Keras is, where its shape is the same.
  """
  name = path.rpartition("/")[2]
  named, other = ("/".join(filter(None, (layer, n))) for n in (name, _OTHER_NAME.get(name, name)))
  return other if named not in given and given.get(other) == shape else named


def _canonical(layers):
  return _sites.canonical([f"{layer}/weight" for layer in layers])


def _alike(layer, found, theirs, own):
  """The ticket's layers that `layer` may be by the number that Keras gave it or one above it."""
  parts = layer.split("/")
  for depth in range(len(parts)):
    stem = _stem(found.get("/".join(parts[: depth + 1])))
    if layer and stem:
      alike, siblings = (_siblings(paths, parts[:depth], stem) for paths in (theirs, own))
      if alike and max(len(alike), len(siblings)) > 1:
        return alike
  return []


def _stem(layer):
  """The name of a layer without the number that Keras gave it; "" where Keras did not name it."""
  stem = re.sub(r"_\d+$", "", getattr(layer, "name", ""))
  kinds = [type(layer).__name__]
  kinds += [kind.__name__ for kind in type(layer).__mro__ if kind.__name__ == "Model"]
  return stem if stem.replace("_", "") in map(str.lower, kinds) else ""


def _siblings(paths, parent, stem):
  """The layers in `parent` that are called `stem`, with or without a number."""
  found = {}
  for path in paths:
    parts = path.split("/")
    own = parts[len(parent) :]
    if parts[: len(parent)] == parent and own and re.fullmatch(rf"{stem}(_\d+)?", own[0]):
      found["/".join([*parent, own[0]])] = None
  return list(found)
