"""The ticket: masks, the weights to start from, and where they came from, as one file."""

import dataclasses
import warnings
from typing import Any

import numpy as np

from tflottery import fits, fitting, step, training
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.tickets import ticket_file
from tflottery.tickets.transfer import transfer as _transfer


@dataclasses.dataclass(frozen=True, repr=False)
class Ticket:
  """A sparse network that is ready to be trained.

  Attributes:
    masks: dict from site path to bool array, True where the weight lives. An absent site is dense.
    weights: dict from path to array, the weights to start from: every weight of the model, before
      masking, so that controls can draw from them.
    level: how many prune-and-train rounds it took; 0 is the dense network.
    metadata: where it came from, JSON values: configuration, data set, seeds, versions.
    frozen: dict from site path to float array of the weight's shape: what masked weights hold (its
      values at other places say nothing). At an absent site they hold 0.
    drawn: dict from weight path to `tickets.drawn.Drawn`, how to compute that start weight again: a
      file holds this instead of the weight.

  Raises:
    ValueError: `frozen` or `drawn` names a path, or has a shape, that the ticket does not have.
  """

  masks: dict
  weights: dict
  level: int = 0
  metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
  frozen: dict = dataclasses.field(default_factory=dict)
  drawn: dict = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    for path, values in self.frozen.items():
      _check_of("frozen", path, np.shape(values), self.masks)
      if np.asarray(values).dtype.kind in "bc":
        raise ValueError(f"frozen[{path!r}] has dtype {np.asarray(values).dtype}: give floats.")
    for path, recipe in self.drawn.items():
      _check_of("drawn", path, getattr(recipe, "shape", None), self.weights)

  @property
  def sparsity(self):
    """Share of the weights of all sites that are masked, in [0, 1]."""
    return _masks.sparsity(self.masks)

  def __repr__(self):
    kept = sum(int(mask.sum()) for mask in self.masks.values())
    size = sum(mask.size for mask in self.masks.values())
    lines = [
      f"Ticket(level={self.level}, {kept:,} of {size:,} weights remain ({100 * kept / size:.4g} %))"
    ]
    width = max(len(path) for path in self.masks)
    for path, mask in self.masks.items():
      held = ", the others frozen" if path in self.frozen else ""
      lines.append(f"  {path:<{width}}  {mask.shape!s:<18} {100 * mask.mean():6.2f} %{held}")
    return "\n".join(lines)

  @classmethod
  def capture(cls, model, masks=None, *, level=0, metadata=None, frozen=None):
    """The ticket of a model as it stands: its weights, its masks and what masked weights hold.

    Args:
      model: a built model of either Keras.
      masks: dict from site path to bool array; None takes the masks that are held on the model,
        else those of tfmot's wrappers, else False wherever a prunable weight is exactly 0.
      level: the ticket's level.
      metadata: JSON values to store with it.
      frozen: dict from site path to float array, what masked weights hold; None takes what they are
        held at on the model. A model that was released no longer knows.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")])
    >>> model.set_weights([np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2)])
    >>> Ticket.capture(model).masks["fc/kernel"].tolist()
    [[True, False], [False, True]]
    """
    if masks is None:
      masks = _masks_of(model)
    else:
      masks = {path: np.array(masks[path], bool) for path in fits.sites(model, masks)}
    weights = {path: _sites.value(v) for path, v in _sites.weights(model).items()}
    return cls(masks, weights, level, dict(metadata or {}), _frozen_of(model, masks, frozen))

  def apply(self, model):
    """Put the start weights into `model`, 0 or frozen values where masked, without holding them.

    Weights are matched by path; where two builds of one model differ only in the numbers that
    Keras gives its layers (`dense_7`), by their order.

    Returns:
      The masks by the model's own paths.

    Raises:
      ValueError: the ticket does not fit; lists every mismatch, and the model is untouched.
    """
    names, variables = self._paths_in(model), _sites.weights(model)
    for path, value in self.weights.items():
      mask = self.masks.get(path)
      if mask is not None:
        frozen = self.frozen.get(path, np.zeros_like(value))
        value = np.where(mask, value, frozen).astype(value.dtype)
      variables[names[path]].assign(value)
    return {names[path]: mask for path, mask in self.masks.items()}

  def callback(self, *, start=True):
    """A callback for `fit` of either Keras that trains the ticket, its frozen values held.

    Args:
      start: True puts the start weights into the model when `fit` begins; a second `fit` of the
        same model with this callback goes on from there. False leaves the model's weights as they
        are and only holds the masks and frozen values, for a training that goes on.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
    >>> model.compile("sgd", "mse")
    >>> ticket = Ticket.capture(model, {"fc/kernel": np.array([[True], [False]])})
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[ticket.callback()])
    >>> float(model.get_weights()[0][1, 0])
    0.0
    """

    def place(model):
      step.innermost(model)  # an optimizer that can't hold masks is refused before weights change
      masks = self._in(model, self.masks)
      fits.frozen(fits.sites(model, masks), self._in(model, self.frozen))  # and so are bad values
      return self.apply(model) if start else masks

    return fitting.HoldMasks(place, frozen=lambda model: self._in(model, self.frozen))

  transfer = _transfer

  def save(self, path):
    """Write the ticket to `path`, beside it first and then renamed: never half a file.

    The file is in the safetensors format, see `tflottery.tickets.ticket_file`. Masks take a bit a
    weight. Frozen values that are the start weights are named and not stored twice, of others the
    masked places are stored; weights with a `drawn` are not stored at all. Equal tickets give equal
    bytes.

    Raises:
      ValueError: weights are not, bit for bit, what their `drawn` gives.
    """
    ticket_file.write(path, self)

  @classmethod
  def load(cls, path):
    """Read a ticket. Nothing in the file is executed.

    Frozen values are 0 where the mask is True.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, is no ticket, or was written by a later tflottery; or drawn
        weights come out as others, with another version of Keras. The file is named.
    """
    return ticket_file.read(path, cls)

  def _in(self, model, arrays):
    """`arrays` of sites by the paths that these have in the model."""
    names = self._paths_in(model)
    return {names[path]: array for path, array in arrays.items()}

  def _paths_in(self, model):
    """Dict from the ticket's paths to the model's; raises ValueError where they do not fit."""
    shapes = {p: tuple(v.shape) for p, v in _sites.weights(model).items()}
    own = {p: np.shape(w) for p, w in self.weights.items()}
    names = {p: p for p in own}
    if own.keys() != shapes.keys() and _sites.canonical(own) == _sites.canonical(shapes):
      names = dict(zip(own, shapes, strict=True))
    problems = [f"{p}: not in the model" for p in own if names[p] not in shapes]
    sites = _sites.candidates(model)
    for p, mask in self.masks.items():
      if p not in own:
        problems.append(f"{p}: the ticket has a mask, but no weight")
      elif mask.shape != own[p]:
        problems.append(f"{p}: mask of shape {mask.shape} for a weight of {own[p]}")
      elif names[p] in shapes and names[p] not in sites:
        problems.append(f"{names[p]}: masked, but not prunable in the model (is it frozen?)")
    problems += [f"{p}: not in the ticket" for p in shapes if p not in names.values()]
    problems += [
      f"{names[p]}: {shapes[names[p]]} in the model, {shape} in the ticket"
      for p, shape in own.items()
      if names[p] in shapes and shapes[names[p]] != shape
    ]
    if problems:
      raise ValueError(
        f"The ticket does not fit model {model.name!r}, which is left as it was: "
        f"{'; '.join(problems)}."
      )
    return names


def _check_of(name, path, shape, owners):
  """Refuse what stands by the path of none of the `owners`, or has another shape."""
  if path not in owners or np.shape(owners[path]) != shape:
    known = ", ".join(f"{p} {np.shape(array)}" for p, array in owners.items())
    raise ValueError(f"{name}[{path!r}] of shape {shape} is none of: {known}.")


capture = Ticket.capture


def _masks_of(model):
  held = training.held_on(model)
  if held is not None:
    return held.masks
  sites = _sites.sites(model)
  found = {
    path: _sites.value(site.variable if site.wrapper is None else site.wrapper_mask) != 0
    for path, site in sites.items()
  }
  empty = [path for path, mask in found.items() if not mask.any()]
  if empty:
    warnings.warn(f"{', '.join(empty)}: every weight is 0, so all are masked.", stacklevel=3)
  return found


def _frozen_of(model, masks, frozen):
  """The frozen values of masked places that are not 0."""
  if frozen is None:
    held = training.held_on(model)
    frozen = {} if held is None else {p: v for p, v in held.frozen.items() if p in masks}
  if not frozen:
    return {}
  sites = fits.sites(model, masks)
  fitting_values = fits.frozen(sites, frozen)
  found = {p: np.where(masks[p], np.zeros_like(v), v) for p, v in fitting_values.items()}
  return {path: values for path, values in found.items() if values.any()}
