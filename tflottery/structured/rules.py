"""Rules: how channels pass through one call of a layer.

A rule is made of a call and the labels of the channels that it reads, and gives labels to those that
it writes. Then it says what a set of masks does there: which channels it writes are 0 (dead), and
which it reads make no difference (useless).
"""

import dataclasses
from typing import Any

import numpy as np

from tflottery.structured import layer_normalization


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


class Projection(Rule):
  """Dense and convolutions: new channels, each from all channels that are read.

  Args:
    axes: (axis of what is read, axis of what is written) of the kernel.
    groups: of a grouped convolution; channel j of every group is tied to channel j of the others.
    zero: whether the activation of 0 is 0.
  """

  begins = True

  def __init__(self, call, reads, classes, *, size, axes=(-2, -1), groups=1, zero=True):
    super().__init__(call, reads)
    self._axes, self._zero = axes, zero
    self.site = call.layer.kernel
    self.writes = [classes.new(size)]
    for labels in (*reads, *self.writes):
      first, *others = np.split(labels, groups)
      for other in others:
        classes.unite(first, other)
    self.slices = [
      Slice(self.site, axes[0], reads[0][: len(reads[0]) // groups]),
      Slice(self.site, axes[1], self.writes[0]),
      *_vectors(self.writes[0], call.layer.bias),
    ]

  def dead(self, reads, masked):
    return [_or_none(masked, self.writes[0]) & self._zero]

  def zeros(self, reads, masked):
    masked = _or_none(masked, self.writes[0])
    kernel = masked if self._axes[1] == -1 else masked[:, None]
    return [(self.site, kernel), *_each(masked, self.call.layer.bias)]

  def change(self, kind, config, kept):
    size = "units" if "units" in config else "filters"
    return kind, {**config, size: kept(self.writes[0])}


class Separable(Rule):
  """A depthwise and a pointwise convolution in one layer; the site is the pointwise kernel."""

  begins = True

  def __init__(self, call, reads, classes, *, zero):
    super().__init__(call, reads)
    self._zero, layer = zero, call.layer
    self.site = layer.pointwise_kernel
    self.writes = [classes.new(int(self.site.shape[-1]))]
    between = np.repeat(reads[0], int(layer.depthwise_kernel.shape[-1]))
    self.slices = [
      Slice(layer.depthwise_kernel, -2, reads[0]),
      Slice(self.site, -2, between),
      Slice(self.site, -1, self.writes[0]),
      *_vectors(self.writes[0], layer.bias),
    ]

  def dead(self, reads, masked):
    return [_or_none(masked, self.writes[0]) & self._zero]

  def zeros(self, reads, masked):
    masked = _or_none(masked, self.writes[0])
    return [(self.site, masked), *_each(masked, self.call.layer.bias)]

  def change(self, kind, config, kept):
    return kind, {**config, "filters": kept(self.writes[0])}


class Depthwise(Rule):
  """A depthwise convolution: each channel that is read gives `multiplier` channels.

  What it computes of a dead channel is dead: its kernel and bias go with the channel.

  Args:
    axis: the kernel's axis of the channels that are read; None for a grouped convolution with a group
      for each, whose last axis holds all that are written.
  """

  def __init__(self, call, reads, *, axis, zero):
    super().__init__(call, reads)
    layer, self._axis, self._zero = call.layer, axis, zero
    own = getattr(layer, "depthwise_kernel", None)
    self.site = layer.kernel if own is None else own
    size = int(np.prod(self.site.shape[-2:]))
    self._multiplier = size // len(reads[0])
    self.writes = [np.repeat(reads[0], self._multiplier)]
    along = Slice(self.site, axis, reads[0]) if axis else Slice(self.site, -1, self.writes[0])
    self.slices = [along, *_vectors(self.writes[0], layer.bias)]

  def dead(self, reads, masked):
    return [self._still(reads, masked) & self._zero]

  def useless(self, silent):
    return [silent[0].reshape(-1, self._multiplier).all(axis=1)]

  def zeros(self, reads, masked):
    still = self._still(reads, masked)
    kernel = still.reshape(-1, self._multiplier) if self._axis else still
    return [(self.site, kernel), *_each(still, self.call.layer.bias)]

  def change(self, kind, config, kept):
    if self._axis:
      return kind, config
    return kind, {**config, "groups": kept(self.reads[0]), "filters": kept(self.writes[0])}

  def _still(self, reads, masked):
    return np.repeat(reads[0], self._multiplier) | _or_none(masked, self.writes[0])


class Scale(Rule):
  """Layers with parameters for each channel: BatchNormalization, LayerScale, PReLU.

  What they compute of a dead channel is dead: scale and offset go with the channel.

  Args:
    scale: the weight that makes a channel 0, and is the site; None if there is none.
    others: list of the weights that have to be 0 too, or None, for an output of 0.
    statistics: list of weights that go with the channel, but need not be 0.
  """

  def __init__(self, call, reads, *, scale, others=(), statistics=()):
    super().__init__(call, reads)
    self.site, self._others = scale, others
    self.writes = [reads[0]]
    self.slices = _vectors(reads[0], scale, *others, *statistics)

  def dead(self, reads, masked):
    return [reads[0] | _or_none(masked, self.reads[0])]

  def useless(self, silent):
    return [silent[0]]

  def zeros(self, reads, masked):
    return _each(self.dead(reads, masked)[0], self.site, *self._others)


class LayerScale(Scale):
  """The LayerScale of ConvNeXt, whose config says the number of channels."""

  def change(self, kind, config, kept):
    return kind, {**config, "projection_dim": kept(self.writes[0])}


class Normalization(Scale):
  """LayerNormalization: a live channel that it reads matters to the statistics of all others.

  UnitNormalization too, which has no weights, and whose norm zeros do not change.
  """

  def useless(self, silent):
    return [np.zeros(len(self.reads[0]), bool)]

  def change(self, kind, config, kept):
    size, left = len(self.reads[0]), kept(self.reads[0])
    is_same = self.site is None or left == size
    return (kind, config) if is_same else layer_normalization.smaller(kind, config, size)


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


def _vectors(labels, *variables):
  """Slices of weights whose last axis lies along channels."""
  return [Slice(variable, -1, labels) for variable in variables if variable is not None]


def _each(zero, *variables):
  return [(variable, zero) for variable in variables if variable is not None]


def _or_none(masked, labels):
  return np.zeros(len(labels), bool) if masked is None else masked
