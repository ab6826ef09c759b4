"""Copies: how two or more trainings of one network compare, that differ in their noise alone."""

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np

from tflottery.analysis.connectivity import barrier, evaluate_path, is_stable, line
from tflottery.analysis.stability import angle, l2_distance


@dataclasses.dataclass(frozen=True)
class Pair:
  """Two copies of a network after their training.

  Attributes:
    copies: the numbers of the two.
    rows: tuples (amount, error, loss) along the straight line from the first to the second, on the
      test data, errors in [0, 1].
    l2_distance: of their prunable weights, those that are not masked.
    angle: between these, in degrees.
  """

  copies: tuple[int, int]
  rows: list = dataclasses.field(repr=False)
  l2_distance: float
  angle: float

  @property
  def instability(self):
    """How far the error on the line rises above the mean of its ends, in [0, 1]."""
    return barrier([error for _, error, _ in self.rows])

  @property
  def loss_instability(self):
    """How far the loss on the line rises above the mean of its ends."""
    return barrier([loss for _, _, loss in self.rows])


@dataclasses.dataclass(frozen=True, repr=False)
class Instability:
  """What became of the copies of a network that were trained from one step on.

  Attributes:
    step: the step k whose weights the copies have in common.
    seeds: one dict per copy: the seeds of its data ("order") and of its random layers ("dropout").
    sparsity: share of the prunable weights that are masked, in [0, 1].
    pairs: a `Pair` for every two copies.
  """

  step: int
  seeds: list
  sparsity: float
  pairs: list

  @property
  def instability(self):
    """The error's rise on the line, the mean over the pairs, in [0, 1]."""
    return float(np.mean([pair.instability for pair in self.pairs]))

  @property
  def is_stable(self):
    """Whether the instability is at most `STABLE`, 2 points of error."""
    return is_stable(self.instability)

  def __repr__(self):
    share = f"{100 * (1 - self.sparsity):.4g} % of the weights"
    word = "stable" if self.is_stable else "unstable"
    rise = f"{100 * self.instability:.3g} points of error over {len(self.pairs)} pair(s)"
    return f"Instability(step {self.step}, {share}: {rise}, {word})"


def require_finite(copy, weights):
  """The final weights of the copy of this number; those of a training that diverged are refused."""
  if not all(np.isfinite(weight).all() for weight in weights.values()):
    raise FloatingPointError(
      f"copy {copy}'s training diverged: its weights are not finite. Lower the learning rate."
    )
  return weights


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Compares every two of several networks, for a model that takes their weights.

  Attributes:
    evaluate: function without arguments that returns the model's (error, loss).
    masks: dict from site path to bool array, where the distances are taken.
    points, statistics, data: as in `evaluate_path`.
  """

  evaluate: Any
  masks: dict
  points: int
  statistics: str
  data: Any

  def __call__(self, model, finals):
    """A list of `Pair`."""
    return [
      self._pair(model, finals, pair) for pair in itertools.combinations(range(len(finals)), 2)
    ]

  def _pair(self, model, finals, pair):
    first, second = (finals[copy] for copy in pair)
    if not l2_distance(first, second):
      raise ValueError(
        f"Copies {pair[0]} and {pair[1]} end with equal weights: nothing in their training is random. "
        "Give train as arrays, or as a function that draws the order of the examples from its seed: "
        "lambda seed: dataset.shuffle(size, seed=seed).batch(batch_size)."
      )
    rows = evaluate_path(
      model,
      functools.partial(line, first, second),
      self.evaluate,
      points=self.points,
      statistics=self.statistics,
      data=self.data,
    )
    ends = first, second, self.masks
    return Pair(pair, rows, l2_distance(*ends), angle(*ends))
