"""Scales: rules of layers with parameters for each channel."""

import numpy as np

from tflottery.structured import layer_normalization, rules


class Scale(rules.Rule):
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
    self.slices = rules.vectors(reads[0], scale, *others, *statistics)

  def dead(self, reads, masked):
    return [reads[0] | rules.or_none(masked, self.reads[0])]

  def useless(self, silent):
    return [silent[0]]

  def zeros(self, reads, masked):
    return rules.each(self.dead(reads, masked)[0], self.site, *self._others)


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
