"""Projections: rules of layers with a kernel, Dense and convolutions."""

import numpy as np

from tflottery.structured import rules


class Projection(rules.Rule):
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
      rules.Slice(self.site, axes[0], reads[0][: len(reads[0]) // groups]),
      rules.Slice(self.site, axes[1], self.writes[0]),
      *rules.vectors(self.writes[0], call.layer.bias),
    ]

  def dead(self, reads, masked):
    return [rules.or_none(masked, self.writes[0]) & self._zero]

  def zeros(self, reads, masked):
    masked = rules.or_none(masked, self.writes[0])
    kernel = masked if self._axes[1] == -1 else masked[:, None]
    return [(self.site, kernel), *rules.each(masked, self.call.layer.bias)]

  def change(self, kind, config, kept):
    size = "units" if "units" in config else "filters"
    return kind, {**config, size: kept(self.writes[0])}


class Separable(rules.Rule):
  """A depthwise and a pointwise convolution in one layer; the site is the pointwise kernel."""

  begins = True

  def __init__(self, call, reads, classes, *, zero):
    super().__init__(call, reads)
    self._zero, layer = zero, call.layer
    self.site = layer.pointwise_kernel
    self.writes = [classes.new(int(self.site.shape[-1]))]
    between = np.repeat(reads[0], int(layer.depthwise_kernel.shape[-1]))
    self.slices = [
      rules.Slice(layer.depthwise_kernel, -2, reads[0]),
      rules.Slice(self.site, -2, between),
      rules.Slice(self.site, -1, self.writes[0]),
      *rules.vectors(self.writes[0], layer.bias),
    ]

  def dead(self, reads, masked):
    return [rules.or_none(masked, self.writes[0]) & self._zero]

  def zeros(self, reads, masked):
    masked = rules.or_none(masked, self.writes[0])
    return [(self.site, masked), *rules.each(masked, self.call.layer.bias)]

  def change(self, kind, config, kept):
    return kind, {**config, "filters": kept(self.writes[0])}


class Depthwise(rules.Rule):
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
    along = (
      rules.Slice(self.site, axis, reads[0]) if axis else rules.Slice(self.site, -1, self.writes[0])
    )
    self.slices = [along, *rules.vectors(self.writes[0], layer.bias)]

  def dead(self, reads, masked):
    return [self._still(reads, masked) & self._zero]

  def useless(self, silent):
    return [silent[0].reshape(-1, self._multiplier).all(axis=1)]

  def zeros(self, reads, masked):
    still = self._still(reads, masked)
    kernel = still.reshape(-1, self._multiplier) if self._axis else still
    return [(self.site, kernel), *rules.each(still, self.call.layer.bias)]

  def change(self, kind, config, kept):
    if self._axis:
      return kind, config
    return kind, {**config, "groups": kept(self.reads[0]), "filters": kept(self.writes[0])}

  def _still(self, reads, masked):
    return np.repeat(reads[0], self._multiplier) | rules.or_none(masked, self.writes[0])
