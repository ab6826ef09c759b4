"""Selection: which point of an algorithm's grid counts at a sparsity, by validation accuracy alone."""

import dataclasses
import statistics

from tflottery.experiments import starts

# Half a point below the asked sparsity counts as reached, for all the rounding of floats.
_SLACK = 0.005 + 1e-9


@dataclasses.dataclass(frozen=True)
class Choice:
  """A point that was chosen.

  Attributes:
    algorithm, point: whose, and the point's name.
    sparsity: asked for; 0 for algorithms that have none.
    of: points that it was chosen from, itself included.
    validation_accuracy, reached_sparsity: means over its seeds.
  """

  algorithm: str
  sparsity: float
  point: str
  of: int
  validation_accuracy: float
  reached_sparsity: float


@dataclasses.dataclass(frozen=True)
class Selection:
  """What was chosen.

  Attributes:
    choices: list of `Choice`, in the order of the plan's algorithms and sparsities.
    unreached: list of (algorithm, sparsity) where all seeds of all points are trained and no point's
      mean sparsity is there.
  """

  choices: list
  unreached: list

  @property
  def points(self):
    """Dict from (algorithm, sparsity) to the name of the point."""
    return {(choice.algorithm, choice.sparsity): choice.point for choice in self.choices}


def choose(cells, plan):
  """Choose for every algorithm and asked sparsity the point of the highest mean validation accuracy.

  Of equals the first counts. Points compete when all of their seeds are trained; until then those that
  are compete among themselves, and an algorithm without a grid has the seeds that there are. Where
  sparsity comes of itself, those compete whose mean sparsity is at least the asked one, less half a
  point. Test accuracies are not looked at.

  Args:
    cells: dict from the names of finished cells to dicts with `validation_accuracy`, that of the last
      evaluation, and `reached_sparsity`.
    plan: `grid.Plan`.
  """
  groups = {}
  for name, key in plan.keys.items():
    points = groups.setdefault((key.algorithm, key.sparsity), {})
    points.setdefault(key.point, []).append(cells.get(name))
  found, unreached = [], []
  for (algorithm, own), points in groups.items():
    means = {point: _means(seeds) for point, seeds in points.items() if _competes(point, seeds)}
    learns = algorithm in starts.LEARNED
    for sparsity in plan.sparsities if learns else (own,):
      least = sparsity - _SLACK if learns else 0.0
      rivals = {point: mean for point, mean in means.items() if mean["reached_sparsity"] >= least}
      if rivals:
        best = max(rivals, key=lambda point: rivals[point]["validation_accuracy"])
        found.append(Choice(algorithm, sparsity, best, len(rivals), **rivals[best]))
      elif all(cell is not None for seeds in points.values() for cell in seeds):
        unreached.append((algorithm, sparsity))
  return Selection(found, unreached)


def _competes(point, seeds):
  finished = [cell for cell in seeds if cell is not None]
  return len(finished) == len(seeds) if point else bool(finished)


def _means(seeds):
  finished = [cell for cell in seeds if cell is not None]
  return {
    name: statistics.fmean(cell[name] for cell in finished)
    for name in ("validation_accuracy", "reached_sparsity")
  }
