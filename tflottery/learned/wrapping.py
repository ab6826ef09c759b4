"""Wrapping: a new model of the same layers, some of them with weights that are computed."""

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
_SERVED = tuple(
  getattr(k.layers, name) for k in (keras, tf_keras) for name in _NAMES if hasattr(k.layers, name)
)
_BATCH_NORMS = (keras.layers.BatchNormalization, tf_keras.layers.BatchNormalization)


def sites(model, *, only, exclude):
  """The sites of a model that can be wrapped; arguments as in `tfl.sites`.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: the model or a layer can't be served, with its name, the reason and the cure; or as
      in `tfl.sites`.
  """
  if any(isinstance(layer, parametrised.PARAMETRISED) for _, layer, _ in _sites.layers(model)):
    raise ValueError(
      f"model {model.name!r} is a supermask model already. Give the model that it was made from, or "
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
  parents = {id(layer): parent for _, layer, parent in _sites.layers(model)}
  reasons = {path: _reason(site, parents[id(site.layer)]) for path, site in found.items()}
  problems = [f"{path}: {reason}" for path, reason in reasons.items() if reason]
  if problems:
    raise ValueError(
      f"model {model.name!r} has weights that no supermask can serve: {'; '.join(problems)}. Served "
      f"are Keras's own {', '.join(_NAMES)} in Sequential and functional models. Leave the others "
      "dense and frozen with exclude=."
    )
  return found


def _reason(site, parent):
  """Why a site can't be served, None where it can."""
  kind = type(site.layer).__name__
  if nodes.network(parent) is None:
    return f"{kind} `{site.layer.name}` is called by {type(parent).__name__} `{parent.name}`"
  if type(site.layer) not in _SERVED:
    return f"{kind} `{site.layer.name}` is a layer of another kind"
  return None


def wrapped(model, found, values, parametrisation, seed):
  """A new model whose trained parameters are those of `parametrisation`; all else is frozen.

  Args:
    model: the model, which stays as it is.
    found: dict from path to `Site`, the weights that are computed; the i-th is site i.
    values: dict from path to array, the frozen weights that they are computed from.
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

  def change_of(layer):
    if id(layer) in numbers:
      own = {"parametrisation": parametrisation, "sites": numbers[id(layer)], "seed": seed}
      return lambda kind, config: (wrapper, {"layer": kind.from_config(config), **own})
    if type(layer) in _BATCH_NORMS and layer.trainable:
      return lambda kind, config: (batch_norm, config)
    return None

  given = {id(site.variable): values[path] for path, site in found.items()}
  new, made = copied(model, change_of)
  for old, layer in made:
    inner = layer.layer if isinstance(layer, wrapper) else layer
    for before, variable in zip(old.weights, inner.weights, strict=True):
      variable.assign(given.get(id(before), _sites.value(before)))
    if not isinstance(layer, (wrapper, batch_norm)) and layer.trainable_weights:
      layer.trainable = False
  return new


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
    ValueError: it is no supermask model.
  """
  found = {
    "/".join([*prefix, name]): (layer, name)
    for prefix, layer, _ in _sites.layers(model)
    if isinstance(layer, parametrised.PARAMETRISED)
    for name in layer.sites
  }
  if not found:
    raise ValueError(
      f"model {model.name!r} has no trained masks. Give what tfl.supermask or tfl.edge_popup returned."
    )
  return dict(sorted(found.items(), key=lambda item: item[1][0].sites[item[1][1]]))
