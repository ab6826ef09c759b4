"""Ways: how long, and at which learning rates, what is left of a network is trained.

Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270, and for the learning rates
of Scratch-B Gale et al. 2019, The State of Sparsity, arXiv:1902.09574.

Departs: the second paper names its rates of Scratch-B beyond the scaled ones constant-final,
continual-decay and constant-decay; its definitions could not be read, and these are ours.
"""

import dataclasses
from typing import ClassVar

from tflottery import arguments, durations


@dataclasses.dataclass(frozen=True)
class FineTuned:
  """The weights that are left are trained on, at a low and constant learning rate.

  Attributes:
    share: of the dense training's length, above 0, at most 1; 40 of 160 epochs in the paper.
    learning_rate: of all steps; the authors' .001.
  """

  share: float = 0.25
  learning_rate: float = 0.001
  inherits: ClassVar[bool] = True
  needs_drops: ClassVar[bool] = False

  def __post_init__(self):
    arguments.share("share", self.share, one=True)
    arguments.positive("learning_rate", self.learning_rate)

  def settings(self, dense, epoch_steps, factor):
    """The settings `dense` of the dense training, changed to those of this one.

    Args:
      epoch_steps: steps in an epoch.
      factor: function without arguments that returns how many times the FLOPs of the pruned network
        the dense one takes.
    """
    del factor
    return dataclasses.replace(
      dense,
      steps=_evaluated(self.share * durations.steps(dense.steps, epoch_steps), dense.eval_every),
      warmup=0,
      learning_rate_drops=(),
      optimizer_arguments=dense.optimizer_arguments | {"learning_rate": self.learning_rate},
    )


@dataclasses.dataclass(frozen=True)
class ScratchE:
  """A fresh network of this architecture, trained as long as the dense one was."""

  inherits: ClassVar[bool] = False
  needs_drops: ClassVar[bool] = False

  def settings(self, dense, epoch_steps, factor):
    """As `FineTuned.settings`."""
    del epoch_steps, factor
    return dense


@dataclasses.dataclass(frozen=True)
class ScratchB:
  """A fresh network of this architecture, trained for as many FLOPs as the dense one was.

  Attributes:
    most: times the dense training's length at which it ends in any case, at least 1: 2 in the papers
      on ImageNet; None, as on CIFAR, for no limit.
  """

  most: float | None = None
  inherits: ClassVar[bool] = False
  needs_drops: ClassVar[bool] = False

  def __post_init__(self):
    if self.most is not None and (not arguments.is_number(self.most) or self.most < 1):
      raise ValueError(
        f"most={self.most!r} is out of range. Give a number, at least 1, or None for no limit."
      )

  def settings(self, dense, epoch_steps, factor):
    """As `FineTuned.settings`; the learning rate drops where `drops` says, the warm-up stays."""
    length = durations.steps(dense.steps, epoch_steps)
    steps = _evaluated(factor() * length, dense.eval_every)
    if self.most is not None:
      most = round(self.most * length, 6)  # the product's last bits must not cost an evaluation
      steps = min(steps, int(most // dense.eval_every) * dense.eval_every)
    # Drops that the dense training never comes to would come in the further steps.
    every = [durations.steps(drop, epoch_steps) for drop in dense.learning_rate_drops]
    drops = [drop for drop in every if drop < length]
    return dataclasses.replace(
      dense, steps=steps, learning_rate_drops=tuple(self.drops(drops, length, steps))
    )

  def drops(self, dense, length, steps):
    """Steps after which the learning rate drops, scaled: each comes as much later.

    Args:
      dense: those of the dense training, a list of ints.
      length: the dense training's steps.
      steps: those of this one, at least as many.
    """
    return [round(drop * steps / length) for drop in dense]


@dataclasses.dataclass(frozen=True)
class ConstantFinal(ScratchB):
  """Scratch-B whose rate drops as in the dense training; its last one is kept for the further steps."""

  needs_drops: ClassVar[bool] = True

  def drops(self, dense, length, steps):
    """As `ScratchB.drops`."""
    del length, steps
    return dense


@dataclasses.dataclass(frozen=True)
class ContinualDecay(ScratchB):
  """Scratch-B whose rate drops as in the dense training, and on at the distance of its last two drops.

  Where there is but one drop, the distance is that from the beginning.
  """

  needs_drops: ClassVar[bool] = True

  def drops(self, dense, length, steps):
    """As `ScratchB.drops`; none of the further ones comes before the dense training's end."""
    if not any(dense):
      return dense
    before, last = sorted({0, *dense})[-2:]
    further = range(last + (last - before), steps, last - before)
    return [*dense, *(drop for drop in further if drop >= length)]


@dataclasses.dataclass(frozen=True)
class ConstantDecay(ScratchB):
  """Scratch-B that holds its first rate for the further steps; then come the dense training's drops.

  They are as far from the end as there.
  """

  needs_drops: ClassVar[bool] = True

  def drops(self, dense, length, steps):
    """As `ScratchB.drops`."""
    return [drop + steps - length for drop in dense]


def _evaluated(steps, every):
  """Steps rounded to a number above 0 that evaluations divide."""
  return max(1, round(steps / every)) * every
