"""Parents: the algorithms that begin with a trained network, and how long each trains what is left.

The baselines of Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270: a way of
pruning, and a way of training what it leaves. `l1_norm_scratch_b` is "l1_norm" and "scratch_b".
"""

import dataclasses
from typing import ClassVar

from tflottery import arguments, durations

# The algorithm of the trained network that each way of pruning takes.
PARENTS = {"l1_norm": "dense", "slimming": "slimming", "unstructured": "dense"}


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

  def settings(self, dense, epoch_steps, factor):
    """As `FineTuned.settings`."""
    del epoch_steps, factor
    return dense


@dataclasses.dataclass(frozen=True)
class ScratchB:
  """A fresh network of this architecture, trained for as many FLOPs as the dense one was.

  Attributes:
    most: times the dense training's length at which it ends in any case, at least 1: 2 in the paper
      on ImageNet; None, as on CIFAR, for no limit.
  """

  most: float | None = None
  inherits: ClassVar[bool] = False

  def __post_init__(self):
    if self.most is not None and (not arguments.is_number(self.most) or self.most < 1):
      raise ValueError(
        f"most={self.most!r} is out of range. Give a number, at least 1, or None for no limit."
      )

  def settings(self, dense, epoch_steps, factor):
    """As `FineTuned.settings`; the drops of the learning rate come as much later."""
    length = durations.steps(dense.steps, epoch_steps)
    times = factor() if self.most is None else min(factor(), self.most)
    steps = _evaluated(times * length, dense.eval_every)
    drops = (durations.steps(drop, epoch_steps) for drop in dense.learning_rate_drops)
    return dataclasses.replace(
      dense, steps=steps, learning_rate_drops=tuple(round(d * steps / length) for d in drops)
    )


def _evaluated(steps, every):
  """Steps rounded to a number above 0 that evaluations divide."""
  return max(1, round(steps / every)) * every


WAYS = {"fine_tuned": FineTuned, "scratch_e": ScratchE, "scratch_b": ScratchB}
ALGORITHMS = {f"{pruning}_{way}": (pruning, way) for pruning in PARENTS for way in WAYS}


def arguments_of(algorithm, values):
  """The arguments of one of `ALGORITHMS`, by the names under which they stand in a config's values."""
  pruning, way = ALGORITHMS[algorithm]
  names = (PARENTS[pruning], way)
  return {name: values[name] for name in names if name in values}


def way_of(settings):
  """How the pruned network is trained.

  Args:
    settings: of one of `ALGORITHMS`.

  Raises:
    ValueError: an argument is unknown or out of range; names it as it stands in the config.
  """
  _, way = ALGORITHMS[settings.algorithm]
  given = settings.algorithm_arguments.get(way, {})
  try:
    return WAYS[way](**given)
  except (TypeError, ValueError) as error:
    raise ValueError(f"config.{way}={given!r}: {error}") from error


def pruning(settings):
  """How the network is pruned that `settings` train, or their algorithm where it has no parent."""
  return ALGORITHMS.get(settings.algorithm, [settings.algorithm])[0]


def parent(settings):
  """The settings of the trained network that `settings` begin with; None where they begin anew."""
  if settings.algorithm not in ALGORITHMS:
    return None
  algorithm = PARENTS[pruning(settings)]
  return dataclasses.replace(
    settings,
    algorithm=algorithm,
    algorithm_arguments=settings.algorithm_arguments.get(algorithm, {}),
    sparsity=0.0,
  )
