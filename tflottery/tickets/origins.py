"""Origins: which weight of a ticket becomes which weight of a model, and which stay the model's own."""

import dataclasses
import difflib

import numpy as np

from tflottery import site as _sites
from tflottery.tickets import matches as _matches
from tflottery.tickets import placing as _placing
from tflottery.tickets.matches import layer_of


@dataclasses.dataclass(frozen=True)
class Origin:
  """Where one weight of a model comes from.

  Attributes:
    source: the ticket's path that it is copied from; None: it keeps the model's own values.
    like: the ticket's path that stands in its place, copied or not; None where there is none.
    reason: why it is not copied, "" where it is.
  """

  source: str | None
  like: str | None
  reason: str


def origins(ticket, model, mapping, head):
  """Dict from each weight path of `model` to its `Origin`.

  Args:
    ticket, model, mapping, head: as `tickets.transfer.transfer` takes them.

  Raises:
    ValueError: the ticket does not cover the model, or does not fit; lists every problem.
  """
  mapping = _checked(mapping)
  given = {path: np.shape(weight) for path, weight in ticket.weights.items()}
  asked = {path: tuple(v.shape) for path, v in _sites.weights(model).items()}
  known, unsure = _matches.matches(model, given, asked)
  unsure = {layer: alike for layer, alike in unsure.items() if layer not in mapping}
  sources = {
    p: _source(p, mapping, known, given, asked) for p in asked if layer_of(p) not in unsure
  }
  own = _head(head, model, mapping, sources, given, asked)
  sites, layers = _sites.candidates(model), _matches.owners(model)
  own |= {p: r for p, r in _left_out(sources, sites, given).items() if p not in own}
  copied = {path: source for path, source in sources.items() if path not in own}
  problems = [
    *_strange(mapping, given, asked),
    *_named_twice(head, mapping, own),
    *_untold({layer_of(p) for p in asked if p not in own}, unsure),
    *_uncovered(copied, mapping, given),
    *_misfits(copied, mapping, given, asked, layers),
    *_not_prunable(copied, ticket.masks, sites),
  ]
  if not problems and not any(source in ticket.masks for source in copied.values()):
    problems.append("none of its masked weights would be copied")
  if problems:
    raise ValueError(
      f"The ticket can't be moved to model {model.name!r}, which is left as it was: "
      f"{'; '.join(problems)}."
    )
  likes = {path: _like(path, known, given, asked) for path in own} | copied
  return {path: Origin(copied.get(path), likes[path], own.get(path, "")) for path in asked}


def _checked(mapping):
  if not isinstance(mapping, (dict, type(None))):
    raise ValueError(f"mapping={mapping!r}: give a dict from the model's layers to the ticket's.")
  for layer, source in (mapping or {}).items():
    if not isinstance(layer, str) or not isinstance(source, (str, type(None))):
      raise ValueError(
        f"mapping={{{layer!r}: {source!r}}}: give the path of one layer of the model, and the path "
        "of one layer of the ticket or None."
      )
  return mapping or {}


def _like(path, known, given, asked):
  """The ticket's path that stands for the model's `path` without a mapping; None: there is none."""
  layer = known.get(layer_of(path))
  source = None if layer is None else _matches.source(layer, path, given, asked[path])
  return source if source in given else None


def _source(path, mapping, known, given, asked):
  """The path that the ticket should have for the model's `path`; None: mapped to None."""
  layer = layer_of(path)
  layer = mapping[layer] if layer in mapping else known.get(layer, layer)
  return None if layer is None else _matches.source(layer, path, given, asked[path])


def _head(head, model, mapping, sources, given, asked):
  """Dict from the head's weights that are re-initialised to the reason."""
  if head is not None:
    named = _sites.matching(head, asked, argument="head")
    return {path: f"head={head!r}" for path in asked if path in named}
  site = list(_sites.sites(model).values())[-1]
  last = layer_of(site.path)
  shapes = {p: given.get(source) for p, source in sources.items() if layer_of(p) == last}
  if last in mapping or all(
    shape is not None
    and _placing.outputs(shape, site.layer) == _placing.outputs(asked[path], site.layer)
    for path, shape in shapes.items()
  ):
    return {}
  return {
    path: f"the ticket has no {path}" if shape is None else _difference(shape, asked[path])
    for path, shape in shapes.items()
  }


def _left_out(sources, sites, given):
  """Dict from the weights that need no source to the reason: a bias that the ticket's layer lacks."""
  layers = set(map(layer_of, given))
  reasons = {}
  for path, source in sources.items():
    if source is None:
      reasons[path] = "mapped to None"
    elif source not in given and path not in sites and layer_of(source) in layers:
      reasons[path] = f"the ticket has no {source}"
  return reasons


def _strange(mapping, given, asked):
  """Problems: a mapping of layers that are not there."""
  for layer, source in mapping.items():
    for name, whose, paths in ((layer, "model", asked), (source, "ticket", given)):
      known = list(dict.fromkeys(map(layer_of, paths)))
      if name is not None and name not in known:
        close = difflib.get_close_matches(str(name), known) or known
        yield (
          f"mapping={{{layer!r}: {source!r}}}: the {whose} has no layer {name!r} with weights; it has "
          f"{', '.join(map(repr, close))}"
        )


def _named_twice(head, mapping, own):
  """Problems: layers that head= re-initialises and mapping= copies."""
  for layer in dict.fromkeys(map(layer_of, own)):
    if head is not None and layer in mapping:
      yield f"{layer}: both head={head!r} and mapping= name it; leave it out of one"


def _untold(layers, unsure):
  """The problem of layers whose names Keras numbered, so that the ticket's are not known by them."""
  untold = [layer for layer in unsure if layer in layers]
  if untold:
    alike = dict.fromkeys(name for layer in untold for name in unsure[layer])
    yield (
      f"the names of {', '.join(untold)} hold numbers that Keras gave, by which the ticket's "
      f"{', '.join(alike)} are not known in a model of other layers: name the layer that stands for "
      f"each by mapping={{{untold[0]!r}: ...}}, or None to re-initialise it"
    )


def _uncovered(copied, mapping, given):
  """The problem of layers of the model that nothing in the ticket stands for."""
  layers = set(map(layer_of, given))
  lacking = {}
  for path, source in copied.items():
    known = layer_of(path) not in mapping or mapping[layer_of(path)] in layers
    if source not in given and known:
      lacking.setdefault(layer_of(path), []).append(path.rpartition("/")[2])
  if lacking:
    listed = ", ".join(f"{layer} ({', '.join(names)})" for layer, names in lacking.items())
    yield (
      f"the ticket has nothing for {listed}: name the layer that stands for each by "
      f"mapping={{{next(iter(lacking))!r}: ...}}, or None to re-initialise it"
    )


def _misfits(copied, mapping, given, asked, layers):
  """Problems: shapes that differ without a mapping, or that don't lie one in the other."""
  differing = {}
  for path, source in copied.items():
    if source in given and given[source] != asked[path]:
      differing.setdefault((layer_of(path), layer_of(source)), []).append((path, source))
  for (layer, source_layer), pairs in differing.items():
    shapes = {path.rpartition("/")[2]: (given[s], asked[path]) for path, s in pairs}
    parts = _placing.scattered(layers.get(layer), shapes)
    lie = parts is None and all(_placing.lies_in(*both) for both in shapes.values())
    if lie and layer in mapping:
      continue
    listed = ", ".join(f"{path} is {_difference(given[s], asked[path])}" for path, s in pairs)
    if parts is not None:
      listed += f", and its {parts} don't lie at the leading indices"
    cures = [f"mapping={{{layer!r}: None}} re-initialises it"]
    if lie:
      cures.insert(0, f"mapping={{{layer!r}: {source_layer!r}}} places it at the leading indices")
    if all(_placing.only_outputs(*both, layers.get(layer)) for both in shapes.values()):
      cures.append(f"head={f'^{layer}/'!r} does so if it is the head")
    same_outputs = all(small[-1:] == large[-1:] for small, large in shapes.values())
    if same_outputs and pairs[0][0] == next(iter(copied)):
      cures.insert(0, "images in the source's shape may be all it needs (tfl.images.to_shape)")
    yield f"{listed}: {', '.join(cures)}"


def _not_prunable(copied, masks, sites):
  """Problems: masked weights that the model doesn't train."""
  for path, source in copied.items():
    if source in masks and path not in sites:
      yield f"{path}: masked, but not prunable in the model (is it frozen?)"


def _difference(given, asked):
  return f"{given} in the ticket, {asked} in the model"
