"""Rules: how channels pass through one call of a layer.

A rule is made of a call and the labels of the channels that it reads, and gives labels to those that
it writes. Then it says what a set of masks does there: which channels it writes are 0 (dead), and
which it reads make no difference (useless).
"""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Slice:
  """One axis of a weight that channels lie along: `labels[i]` is the label of entry i."""

  variable: Any
  axis: int
  labels: np.ndarray


class Rule:
  """What all rules have.

  Attributes:
    call: the call.
    reads, writes: lists of int arrays, the labels of the channels of its inputs and outputs.
    slices: list of `Slice`, how its weights lie along channels.
    site: the weight by whose path a mask names the channels that it writes; None for no weight.
    begins: whether it makes new channels, that live unless masked.
  """

  site = None
  begins = False

  def __init__(self, call, reads):
    self.call, self.reads = call, reads
    self.writes, self.slices = [], []

  def dead(self, reads, masked):
    """Bool arrays: which of the channels that it writes are 0.

    Args:
      reads: list of bool arrays, which of the channels that it reads are 0.
      masked: bool array, which channels of the site are masked; None for none.
    """
    return [np.zeros(len(labels), bool) for labels in self.writes]

  def useless(self, silent):
    """Bool arrays: which of the channels that it reads make no difference.

    Args:
      silent: list of bool arrays, which of the channels that it writes are dead or useless.
    """
    return [np.zeros(len(labels), bool) for labels in self.reads]

  def zeros(self, reads, masked):
    """List of (variable, bool array that broadcasts to it): what the masks set to 0."""
    return []

  def change(self, kind, config, kept):
    """The class and config of the layer with the channels that are left.

    Args:
      kept: function from labels to the number of them that stay.
    """
    return kind, config


class Opaque(Rule):
  """A layer that is not known to keep channels apart: all that it reads and writes is fixed."""

  def __init__(self, call, reads, graph, classes, reason):
    super().__init__(call, reads)
    self.writes = [classes.new(graph.channels(number)) for number in call.outputs]
    for labels in (*reads, *self.writes):
      classes.fix(labels, reason)


class Apart(Rule):
  """A layer without weights that computes channel c from channels c: activations, pooling, sums.

  Args:
    behaviour: what `probing` saw of it.
  """

  def __init__(self, call, reads, classes, behaviour):
    super().__init__(call, reads)
    self._behaviour = behaviour
    widest = max(reads, key=len)
    for labels in reads:
      if len(labels) == len(widest):
        classes.unite(widest, labels)
      else:
        classes.fix(labels, f"{call} spreads it over all channels")
    self.writes = [widest]

  def dead(self, reads, masked):
    inputs = dict(
      zip(self.call.inputs, np.broadcast_arrays(*reads, self.writes[0])[:-1], strict=True)
    )
    kills = [dead for dead, k in zip(inputs.values(), self._behaviour.kills, strict=True) if k]
    alone = np.any(kills, axis=0) if kills else False
    return [np.all(list(inputs.values()), axis=0) & self._behaviour.zero | alone]

  def useless(self, silent):
    return [s if len(s) == len(r) else s.all(keepdims=True) for r in self.reads for s in silent]


class Concatenated(Rule):
  """Concatenate along the channels."""

  def __init__(self, call, reads):
    super().__init__(call, reads)
    self.writes = [np.concatenate(reads)]

  def dead(self, reads, masked):
    return [np.concatenate(reads)]

  def useless(self, silent):
    ends = np.cumsum([len(labels) for labels in self.reads])
    return np.split(silent[0], ends[:-1])


class Reshaped(Rule):
  """Flatten and Reshape: the positions of a channel become entries of the last axis, or the reverse."""

  def __init__(self, call, reads, classes, size):
    super().__init__(call, reads)
    old = len(reads[0])
    if size % old == 0:
      self.writes = [np.tile(reads[0], size // old)]
    else:
      first, *others = reads[0].reshape(-1, size)
      for other in others:
        classes.unite(first, other)
      self.writes = [first]

  def dead(self, reads, masked):
    old, new = len(self.reads[0]), len(self.writes[0])
    return [np.tile(reads[0], new // old) if new >= old else reads[0].reshape(-1, new).all(axis=0)]

  def useless(self, silent):
    old, new = len(self.reads[0]), len(self.writes[0])
    return [
      silent[0].reshape(-1, old).all(axis=0) if new >= old else np.tile(silent[0], old // new)
    ]

  def change(self, kind, config, kept):
    if config.get("target_shape", (-1,))[-1] != -1:
      config["target_shape"] = (*config["target_shape"][:-1], kept(self.writes[0]))
    return kind, config


def vectors(labels, *variables):
  """Slices of weights whose last axis lies along channels."""
  return [Slice(variable, -1, labels) for variable in variables if variable is not None]


def each(zero, *variables):
  """(variable, zero) of those that are there: one bool array for all."""
  return [(variable, zero) for variable in variables if variable is not None]


def or_none(masked, labels):
  """The masked channels as a bool array, where there is no mask too."""
  return np.zeros(len(labels), bool) if masked is None else masked
