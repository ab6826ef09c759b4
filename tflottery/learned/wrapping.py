"""Wrapping: a new model of the same layers, some of them with weights that are computed."""

import collections

import keras
import tf_keras

from tflottery import nodes
from tflottery import site as _sites
from tflottery.layers import frozen, parametrised
from tflottery.structured import copies

# Called with one tensor; a call changes no variable.
_NAMES = (
  ["Dense", "EinsumDense", "Embedding"]
  + [f"Conv{n}D{suffix}" for n in (1, 2, 3) for suffix in ("", "Transpose")]
  + [f"{kind}Conv{n}D" for n in (1, 2) for kind in ("Depthwise", "Separable")]
)
# Two kernels, one after the other: no function that is linear in both.
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
_KERASES = (keras, tf_keras)
_ATTENTION = tuple(k.layers.MultiHeadAttention for k in _KERASES)
_BATCH_NORMS = (keras.layers.BatchNormalization, tf_keras.layers.BatchNormalization)


def sites(model, *, only, exclude, method, without=(), once=False):
  """The sites of a model that can be wrapped.

  Args:
    model, only, exclude: as in `tfl.sites`.
    method: the name of the method, for the messages.
    without: names of layers' classes that it does not serve, though others do.
    once: whether an output has to read a weight once at most.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: the model or a layer can't be served, with its name, the reason and the cure; or as
      in `tfl.sites`.
  """
  if any(isinstance(layer, parametrised.PARAMETRISED) for _, layer, _ in _sites.layers(model)):
    raise ValueError(
      f"model {model.name!r} has learned masks already. Give the model that it was made from, or "
      "learned.plain(model)."
    )
  if _sites.wrappers(model):
    raise ValueError(
      f"model {model.name!r} has tfmot's pruning wrappers, which hold masks of their own. Take them "
      "off first, with tfmot's strip_pruning(model)."
    )
  found = _sites.sites(model, only=only, exclude=exclude)
  if nodes.network(model) is None:
    raise ValueError(
      f"model {model.name!r} ({type(model).__name__}) is no Sequential or functional model with an "
      "Input, so no copy with other layers can be made of it. Build it from layers and an Input."
    )
  served = [name for name in _NAMES if name not in without]
  parents = {id(layer): parent for _, layer, parent in _sites.layers(model)}
  reasons = {p: _reason(site, parents[id(site.layer)], served, once) for p, site in found.items()}
  problems = [f"{path}: {reason}" for path, reason in reasons.items() if reason]
  if problems:
    raise ValueError(
      f"model {model.name!r} has weights that {method} can't serve: {'; '.join(problems)}. Served "
      f"are Keras's own {', '.join(served)} in Sequential and functional models. Leave the others "
      "dense with exclude=."
    )
  return found


def _reason(site, parent, served, once):
  """Why a site can't be served, None where it can."""
  kind = type(site.layer).__name__
  if isinstance(parent, _ATTENTION):
    return (
      f"{kind} `{site.layer.name}` is called by {type(parent).__name__} `{parent.name}`; build "
      "attention from Dense or EinsumDense and Attention instead"
    )
  if nodes.network(parent) is None:
    return f"{kind} `{site.layer.name}` is called by {type(parent).__name__} `{parent.name}`"
  if not any(type(site.layer) is getattr(k.layers, n, None) for k in _KERASES for n in served):
    return f"{kind} `{site.layer.name}` is a layer of another kind"
  if once and kind == "EinsumDense" and _sums_inputs(site.layer.equation):
    return (
      f"{kind} `{site.layer.name}` (equation={site.layer.equation!r}) adds inputs up that are multiplied "
      "by the same weights; add them up before it"
    )
  return None


def _sums_inputs(equation):
  """Whether an axis of the inputs is neither one of the kernel nor of the outputs."""
  operands, outputs = equation.replace(" ", "").split("->")
  inputs, kernel = operands.split(",")
  return bool(set(inputs) - set(kernel) - set(outputs) - {"."})


def wrapped(model, found, values, parametrisation, seed):
  """A new model whose weights are computed from the parameters of `parametrisation`.

  All else is frozen, or trained as before where the parametrisation trains the weights too.

  Args:
    model: the model, which stays as it is.
    found: dict from path to `Site`, the weights that are computed; the i-th is site i.
    values: dict from path to array, the weights that they are computed from; else the model's own.
    parametrisation, seed: of `layers.parametrised.Parametrised`.

  Returns:
    An uncompiled model of the same Keras, made in the scope of its strategy.
  """
  numbers = {}
  for number, (path, site) in enumerate(found.items()):
    numbers.setdefault(id(site.layer), {})[path.rsplit("/", 1)[-1]] = number
  is_keras3 = _sites.keras_of(model) is keras
  wrapper, batch_norm = (
    pair[0 if is_keras3 else 1] for pair in (parametrised.PARAMETRISED, frozen.FROZEN)
  )

  freezes, calls = not parametrisation.trains_weights, calls_of(model)

  def change_of(layer):
    if id(layer) in numbers:
      own = {"parametrisation": parametrisation, "sites": numbers[id(layer)], "seed": seed}
      own["calls"] = calls[id(layer)]
      return lambda kind, config: (wrapper, {"layer": kind.from_config(config), **own})
    if freezes and type(layer) in _BATCH_NORMS and layer.trainable:
      return lambda kind, config: (batch_norm, config)
    return None

  given = {id(found[path].variable): value for path, value in values.items()}
  new, made = copied(model, change_of)
  for old, layer in made:
    inner = layer.layer if isinstance(layer, wrapper) else layer
    for before, variable in zip(old.weights, inner.weights, strict=True):
      variable.assign(given[id(before)] if id(before) in given else _sites.value(before))
    if freezes and not isinstance(layer, (wrapper, batch_norm)) and layer.trainable_weights:
      layer.trainable = False
  return new


def calls_of(model):
  """Counter from the id of a layer to how often one call of a Sequential or functional model calls it."""
  found = collections.Counter()
  for _, layer, *_ in nodes.nodes_of(nodes.network(model)):
    found.update([id(layer)] if nodes.network(layer) is None else calls_of(layer))
  return found


def copied(model, change_of):
  """(a copy of a model, a list of (layer, its copy)): of other classes where `change_of(layer)` says."""
  changes = {id(layer): change_of(layer) for _, layer, _ in _sites.layers(model)}
  made = copies.Copies(changes, lambda tensor: None)
  with model.distribute_strategy.scope():
    return made.model(model), made.layers


def computed(model):
  """Dict from path in the plain model to (wrapper, name of the weight), in the order of the sites.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: it has no learned masks.
  """
  found = {
    "/".join([*prefix, name]): (layer, name)
    for prefix, layer, _ in _sites.layers(model)
    if isinstance(layer, parametrised.PARAMETRISED)
    for name in layer.sites
  }
  if not found:
    raise ValueError(
      f"model {model.name!r} has no learned masks. Give what tfl.variational_dropout, tfl.l0, "
      "tfl.supermask or tfl.edge_popup returned."
    )
  return dict(sorted(found.items(), key=lambda item: item[1][0].sites[item[1][1]]))
