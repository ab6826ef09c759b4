"""Origins: which weight of a ticket becomes which weight of a model, and which stay the model's own."""

import dataclasses
import difflib

import numpy as np

from tflottery import site as _sites


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
  matches, sites = _matches(given, asked), _sites.candidates(model)
  sources = {path: _source(path, mapping, matches) for path in asked}
  own = _head(head, model, mapping, matches, given, asked)
  own |= {p: r for p, r in _left_out(sources, sites, given).items() if p not in own}
  copied = {path: source for path, source in sources.items() if path not in own}
  problems = [
    *_strange(mapping, given, asked),
    *_named_twice(head, mapping, own),
    *_uncovered(copied, mapping, given),
    *_misfits(copied, mapping, given, asked),
    *_not_prunable(copied, ticket.masks, sites),
  ]
  if not any(source in ticket.masks for source in copied.values()):
    problems.append("none of its masked weights would be copied")
  if problems:
    raise ValueError(
      f"The ticket can't be moved to model {model.name!r}, which is left as it was: "
      f"{'; '.join(problems)}."
    )
  likes = {path: matches.get(path) for path in own} | copied
  return {path: Origin(copied.get(path), likes[path], own.get(path, "")) for path in asked}


def _checked(mapping):
  if not isinstance(mapping, (dict, type(None))):
    raise ValueError(f"mapping={mapping!r}: give a dict from the model's layers to the ticket's.")
  return mapping or {}


def _matches(given, asked):
  """Dict from the model's paths to the ticket's of the same name, or of the same place.

  By place where two builds of one model differ in the numbers that Keras gives its layers.
  """
  if given.keys() != asked.keys() and _sites.canonical(given) == _sites.canonical(asked):
    return dict(zip(asked, given, strict=True))
  return {path: path for path in asked if path in given}


def _source(path, mapping, matches):
  """The path that the ticket should have for the model's `path`; None: mapped to None."""
  layer, name = _layer(path), path.rpartition("/")[2]
  if layer not in mapping:
    return matches.get(path, path)
  return None if mapping[layer] is None else f"{mapping[layer]}/{name}"


def _head(head, model, mapping, matches, given, asked):
  """Dict from the head's weights that are re-initialised to the reason."""
  if head is not None:
    named = _sites.matching(head, asked, argument="head")
    return {path: f"head={head!r}" for path in asked if path in named}
  last = _layer(list(_sites.sites(model))[-1])
  shapes = {path: given.get(matches.get(path)) for path in asked if _layer(path) == last}
  same = all(shape is not None and shape[-1:] == asked[path][-1:] for path, shape in shapes.items())
  if last in mapping or same:
    return {}
  return {
    path: f"the ticket has no {path}" if shape is None else _difference(shape, asked[path])
    for path, shape in shapes.items()
  }


def _left_out(sources, sites, given):
  """Dict from the weights that need no source to the reason: a bias that the ticket's layer lacks."""
  layers = set(map(_layer, given))
  reasons = {}
  for path, source in sources.items():
    if source is None:
      reasons[path] = "mapped to None"
    elif source not in given and path not in sites and _layer(source) in layers:
      reasons[path] = f"the ticket has no {source}"
  return reasons


def _strange(mapping, given, asked):
  """Problems: a mapping of layers that are not there."""
  for layer, source in mapping.items():
    for name, whose, paths in ((layer, "model", asked), (source, "ticket", given)):
      known = list(dict.fromkeys(map(_layer, paths)))
      if name is not None and name not in known:
        close = difflib.get_close_matches(str(name), known) or known
        yield (
          f"mapping={{{layer!r}: {source!r}}}: the {whose} has no layer {name!r} with weights; it has "
          f"{', '.join(map(repr, close))}"
        )


def _named_twice(head, mapping, own):
  """Problems: layers that head= re-initialises and mapping= copies."""
  for layer in dict.fromkeys(map(_layer, own)):
    if head is not None and layer in mapping:
      yield f"{layer}: both head={head!r} and mapping= name it; leave it out of one"


def _uncovered(copied, mapping, given):
  """The problem of layers of the model that nothing in the ticket stands for."""
  layers = set(map(_layer, given))
  lacking = {}
  for path, source in copied.items():
    known = _layer(path) not in mapping or mapping[_layer(path)] in layers
    if source not in given and known:
      lacking.setdefault(_layer(path), []).append(path.rpartition("/")[2])
  if lacking:
    listed = ", ".join(f"{layer} ({', '.join(names)})" for layer, names in lacking.items())
    yield (
      f"the ticket has nothing for {listed}: name the layer that stands for each by "
      f"mapping={{{next(iter(lacking))!r}: ...}}, or None to re-initialise it"
    )


def _misfits(copied, mapping, given, asked):
  """Problems: shapes that differ without a mapping, or that don't lie one in the other."""
  layers = {}
  for path, source in copied.items():
    if source in given and given[source] != asked[path]:
      layers.setdefault((_layer(path), _layer(source)), []).append((path, source))
  for (layer, source_layer), pairs in layers.items():
    lie = all(_lies_in(given[source], asked[path]) for path, source in pairs)
    if lie and layer in mapping:
      continue
    listed = ", ".join(f"{p} is {_difference(given[source], asked[p])}" for p, source in pairs)
    cures = [f"mapping={{{layer!r}: None}} re-initialises it"]
    if lie:
      cures.insert(0, f"mapping={{{layer!r}: {source_layer!r}}} places it at the leading indices")
    same_outputs = all(given[source][-1:] == asked[path][-1:] for path, source in pairs)
    if same_outputs and pairs[0][0] == next(iter(copied)):
      cures.insert(0, "images in the source's shape may be all it needs (tfl.images.to_shape)")
    yield f"{listed}: {', '.join(cures)}"


def _lies_in(shape, larger):
  return len(shape) == len(larger) and all(a <= b for a, b in zip(shape, larger, strict=True))


def _not_prunable(copied, masks, sites):
  """Problems: masked weights that the model doesn't train."""
  for path, source in copied.items():
    if source in masks and path not in sites:
      yield f"{path}: masked, but not prunable in the model (is it frozen?)"


def _difference(given, asked):
  return f"{given} in the ticket, {asked} in the model"


def _layer(path):
  return path.rpartition("/")[0]
