"""Transfer: a ticket moved to another model, and what became of each of its weights."""

import dataclasses
from typing import Any

import numpy as np

from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.tickets.origins import origins

FRESH = ("dense", "random")


@dataclasses.dataclass(frozen=True, repr=False)
class Transfer:
  """What `Ticket.transfer` returns; as a text, a table of what was copied and what was not.

  Attributes:
    ticket: the `Ticket` that fits the model.
    copied: dict from weight path of the model to the path in the source ticket.
    placed: dict from those of them that are larger than their source to what the rest holds.
    reinitialised: dict from weight path of the model to the reason.
    dropped: dict from weight path of the source ticket to the reason.
  """

  ticket: Any
  copied: dict
  placed: dict
  reinitialised: dict
  dropped: dict

  def __repr__(self):
    taken = {
      path: f"from {source}{f', {self.placed[path]}' if path in self.placed else ''}"
      for path, source in self.copied.items()
    }
    parts = {"copied": taken, "re-initialised": self.reinitialised, "dropped": self.dropped}
    lines = [", ".join(f"{len(rows)} weights {name}" for name, rows in parts.items())]
    for name, rows in parts.items():
      width = max(map(len, rows), default=0)
      lines += [f"  {name:<14}  {path:<{width}}  {text}" for path, text in rows.items()]
    return "\n".join(lines)


def transfer(ticket, model, *, mapping=None, head=None, fresh="dense", seed=0, verbose=True):
  """Move the ticket to a model with another head, or to a wider or deeper sibling.

  Weights match by path; where two builds of one model differ only in the numbers that Keras gives
  its layers (`dense_7`), by their order. In a model of other layers these numbers tell nothing, so
  layers without a name of their own are for `mapping` to name, unless each model has one of the
  kind. What is not copied keeps the values that `model` has now, and `model` is not changed: train
  the moved ticket with its `callback`, or `apply` it. A ticket holds no state of an optimizer, so
  any optimizer can train it. Another data set needs nothing here but its images in the source's
  shape, see `tflottery.images.to_shape`.

  A layer of `mapping` may be larger than its source. The source then lies at the leading indices of
  every axis, under its mask; the rest of a masked weight is masked, the rest of the others (bias,
  normalisation) is the model's own. So the added units have no inputs, and where the layers behind
  them are mapped too and masked, they are no inputs either: there the wider network computes what
  the source computes, and goes on to, for the masks are held in training. There are exceptions, in
  which the copy is another function: behind a Flatten or a Concatenate (a Bidirectional's too) the
  leading indices mean other places, and so they do in a larger window of a convolution;
  normalisation over units (LayerNormalization, GroupNormalization), a softmax and attention see the
  added units. Layers whose leading indices are not the source's are refused: more units of gates
  (LSTM, GRU), grouped convolutions, another depth multiplier. Several layers may be mapped to one.

  Args:
    model: a built model of either Keras; it need not be compiled.
    mapping: dict from a layer's path in the model (`"block/dense"`) to a layer's path in the ticket,
      or to None, which re-initialises it. Layers that are not named match by their own path. A head
      that is placed in one of more classes leaves the added classes without inputs.
    head: regular expression, or several, searched in the model's weight paths: what matches is
      re-initialised. None: the layer of the model's last site is, where the number of its outputs
      is not the ticket's or the ticket has no layer of that name, and is copied otherwise.
    fresh: the mask of a re-initialised site: "dense" is all True; "random" is random with the
      sparsity of the site that stands in its place in the ticket, all True where there is none.
      What has a site without a mask in its place gets no mask either.
    seed: int or sequence of ints, of the random masks.
    verbose: whether the table of what became of each weight is printed.

  Returns:
    A `Transfer`. Its ticket has the level of this one, and its metadata with "transfer": the names
    of what was copied, re-initialised and dropped, and under "before" what an earlier transfer said.
    What masked weights are frozen at is copied too.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: layers that nothing matches, a mapping of layers that are not there, shapes that do
      not fit, masked weights that the model does not train; lists every problem.

  Source: Morcos et al. 2019, arXiv:1906.02773, section 3; the mapping to siblings is our own.

  >>> import keras
  >>> import tflottery as tfl
  >>> def network(classes):
  ...   layers = [keras.layers.Dense(3, name="fc"), keras.layers.Dense(classes, name="output")]
  ...   return keras.Sequential([keras.Input((2,)), *layers])
  >>> masks = {"fc/kernel": np.eye(2, 3, dtype=bool), "output/kernel": np.eye(3, 5, dtype=bool)}
  >>> moved = tfl.capture(network(classes=5), masks).transfer(network(classes=4))
  2 weights copied, 2 weights re-initialised, 2 weights dropped
    copied          fc/kernel  from fc/kernel
    copied          fc/bias    from fc/bias
    re-initialised  output/kernel  (3, 5) in the ticket, (3, 4) in the model
    re-initialised  output/bias    (5,) in the ticket, (4,) in the model
    dropped         output/kernel  (3, 5) in the ticket, (3, 4) in the model
    dropped         output/bias    (5,) in the ticket, (4,) in the model
  >>> {path: int(mask.sum()) for path, mask in moved.ticket.masks.items()}
  {'fc/kernel': 2, 'output/kernel': 12}
  """
  if fresh not in FRESH:
    raise ValueError(f"fresh={fresh!r} is unknown. Choose one of {FRESH}.")
  found = origins(ticket, model, mapping, head)
  own = {path: _sites.value(variable) for path, variable in _sites.weights(model).items()}
  copied = {path: origin.source for path, origin in found.items() if origin.source is not None}
  masks = _masks_of(ticket, found, own, _fresh(ticket, model, found, fresh, seed))
  weights = own | {p: _placed(ticket.weights[source], own[p]) for p, source in copied.items()}
  reinitialised = {path: origin.reason for path, origin in found.items() if origin.source is None}
  dropped = _dropped(ticket, found)
  told = {"copied": copied, "reinitialised": reinitialised, "dropped": dropped}
  told |= {"model": model.name, "fresh": fresh, "seed": np.asarray(seed).tolist()}
  if "transfer" in ticket.metadata:
    told["before"] = ticket.metadata["transfer"]
  moved = dataclasses.replace(
    ticket,
    masks=masks,
    weights=weights,
    metadata=ticket.metadata | {"transfer": told},
    frozen=_frozen(ticket, copied, masks),
    drawn=_drawn(ticket, copied, weights),
  )
  result = Transfer(moved, copied, _rests(ticket, copied, own), reinitialised, dropped)
  if verbose:
    print(result)
  return result


def _fresh(ticket, model, found, fresh, seed):
  """The masks of the re-initialised sites."""
  default, trained = _sites.sites(model), _sites.candidates(model)
  shapes, sparsities = {}, {}
  for path, origin in found.items():
    masked = path in default if origin.like is None else origin.like in ticket.masks
    if origin.source is None and masked and path in trained:
      shapes[path] = trained[path].shape
      if fresh == "random" and origin.like is not None:
        sparsities[path] = 1 - ticket.masks[origin.like].mean()
  return _masks.random(shapes, sparsities, seed=seed)


def _masks_of(ticket, found, own, fresh):
  """All masks, in the order of the model's weights."""
  masks = {}
  for path, origin in found.items():
    if path in fresh:
      masks[path] = fresh[path]
    elif origin.source in ticket.masks:
      masks[path] = _placed(ticket.masks[origin.source], np.zeros(own[path].shape, bool))
  return masks


def _placed(values, rest):
  """`rest` with `values` at the leading indices, in the dtype of `rest`."""
  result = np.array(rest)
  result[tuple(slice(n) for n in np.shape(values))] = values
  return result


def _frozen(ticket, copied, masks):
  """What masked weights are held at; 0 where a larger weight has no source."""
  return {
    path: _placed(ticket.frozen[source], np.zeros(masks[path].shape, ticket.frozen[source].dtype))
    for path, source in copied.items()
    if source in ticket.frozen
  }


def _drawn(ticket, copied, weights):
  """The recipes of weights that are copied whole and in their dtype."""
  return {
    path: ticket.drawn[source]
    for path, source in copied.items()
    if source in ticket.drawn
    and weights[path].shape == ticket.weights[source].shape
    and weights[path].dtype == ticket.weights[source].dtype
  }


def _rests(ticket, copied, own):
  """What the rest of weights holds that are larger than their source."""
  found = {}
  for path, source in copied.items():
    shape, whole = np.shape(ticket.weights[source]), own[path].shape
    if shape != whole:
      rest = "masked" if source in ticket.masks else "the model's own"
      found[path] = f"{shape} at the leading indices of {whole}, the rest {rest}"
  return found


def _dropped(ticket, found):
  """The ticket's weights that are copied nowhere, and why."""
  copied = {origin.source for origin in found.values()}
  reasons = {origin.like: origin.reason for origin in found.values()}
  return {
    path: reasons.get(path, "no layer of the model takes it")
    for path in ticket.weights
    if path not in copied
  }
