"""The grid of a comparison: algorithms, their points, sparsities and seeds, each cell one run."""

import dataclasses
import itertools

from tflottery.experiments import parents, points, sparse
from tflottery.experiments import settings as _settings

_NAMES = ("algorithms", "sparsities", "seeds", "workers")
_BY_CELL = ("algorithm", "sparsity", "seed")


@dataclasses.dataclass(frozen=True)
class Key:
  """What a cell's name says: its algorithm, asked sparsity, seed, and point, "" where it has no grid.

  The point of a network that is trained anew under learned masks is that of its source.
  """

  algorithm: str
  sparsity: float
  seed: int
  point: str


@dataclasses.dataclass(frozen=True)
class Plan:
  """The cells that make a comparison's tables.

  Attributes:
    keys: dict from a cell's name to its `Key`.
    sparsities, seeds: tuples of all that were asked for.
  """

  keys: dict
  sparsities: tuple
  seeds: tuple


@dataclasses.dataclass(frozen=True)
class Grid:
  """A comparison.

  Attributes:
    cells: dict from a cell's name to its `Training` settings; all cells of the first seed come first,
      and the trained network that a cell begins with, a cell itself, before it. Networks under learned
      masks are not among them: their source's point is chosen when all of its points are trained.
    plan: the `Plan` of these cells.
    waiting: tuple of (algorithm, sparsity, seed) of the networks under learned masks.
    points: dict from algorithm to its points, see `points.read`.
    values: the config's values that all cells share, and every algorithm's arguments.
    workers: processes that share the cells.
  """

  cells: dict
  plan: Plan
  waiting: tuple
  points: dict
  values: dict
  workers: int

  def retrained(self, chosen):
    """The networks under learned masks, now that it is known whose.

    Args:
      chosen: dict from (source, sparsity) to the name of the point of its masks; where it has none,
        nothing is trained.

    Returns:
      (dict like `cells`, `Plan` of both).
    """
    cells, keys = {}, {}
    for algorithm, sparsity, seed in self.waiting:
      source, _ = parents.RETRAINED[algorithm]
      if (source, sparsity) in chosen:
        point = chosen[source, sparsity]
        given = self.points.get(source, points.NONE)[point]
        settings = _settings_of(self.values, source, given, algorithm, sparsity, seed)
        _add(cells, keys, settings, point)
    return cells, dataclasses.replace(self.plan, keys=self.plan.keys | keys)


def read(config):
  """The grid in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = _settings.plain(config)
  missing = [name for name in _NAMES if name not in values]
  if missing:
    raise ValueError(f"The config lacks {', '.join(missing)}. Start from configs/compare.py.")
  algorithms, sparsities, seeds, workers = (values.pop(name) for name in _NAMES)
  algorithms, sparsities, seeds = map(_settings.as_tuple, (algorithms, sparsities, seeds))
  given = [name for name in _BY_CELL if name in values]
  if given:
    raise ValueError(
      f"config.{given[0]}={values[given[0]]!r}: a comparison has {', '.join(_NAMES[:3])} instead."
    )
  _check(algorithms, sparsities, seeds, workers)
  tried = points.read(values.pop("grid", {}), values)
  _check_parents(algorithms, tried)
  cells, keys = {}, {}
  for seed, algorithm in itertools.product(seeds, _trained_first(algorithms)):
    every = tried.get(algorithm, points.NONE)
    for sparsity, (point, given) in itertools.product(sparsities, every.items()):
      settings = _settings_of(values, algorithm, given, algorithm, sparsity, seed)
      for needed in (parents.parent(settings), settings):
        if needed is not None:
          _add(cells, keys, needed, point)
  again = [algorithm for algorithm in algorithms if algorithm in parents.RETRAINED]
  waiting = tuple((a, sparsity, seed) for seed in seeds for a in again for sparsity in sparsities)
  return Grid(cells, Plan(keys, sparsities, seeds), waiting, tried, values, workers)


def _trained_first(algorithms):
  """The algorithms that do not wait, sources that are not named themselves among them."""
  return dict.fromkeys(parents.RETRAINED.get(algorithm, [algorithm])[0] for algorithm in algorithms)


def _settings_of(values, name, point, algorithm, sparsity, seed):
  """The settings of a cell, the arguments under `name` changed to those of a point."""
  own = {"algorithm": algorithm, "sparsity": sparsity, "seed": seed}
  return sparse.settings_of(values | ({name: values[name] | point} if point else {}) | own)


def _add(cells, keys, settings, point):
  one = name(settings, point)
  cells.setdefault(one, settings)
  keys.setdefault(one, Key(settings.algorithm, settings.sparsity, settings.seed, point))


def name(settings, point=""):
  """The name of a cell. A dense network has one per seed, of sparsity 0, as have learned masks."""
  known = f"{settings.algorithm}-{settings.sparsity:g}-{settings.seed}"
  return f"{known}-{point}" if point else known


def parent_name(settings, point=""):
  """The name of the cell whose trained network `settings` begin with; None where they begin anew."""
  parent = parents.parent(settings)
  return parent and name(parent, point)


def rounds(cells):
  """The names of `cells` in up to two lists, of which the second needs networks of the first."""
  needed = {parent_name(settings) for settings in cells.values()}
  first = [one for one in cells if one in needed]
  return [names for names in (first, [one for one in cells if one not in needed]) if names]


def _check(algorithms, sparsities, seeds, workers):
  for names, values in {"algorithms": algorithms, "sparsities": sparsities}.items():
    _settings.require_each_once(names, values)
    if not values:
      raise ValueError(f"config.{names}={values!r} must name at least one.")
  for algorithm in algorithms:
    _settings.require_listed("algorithms", algorithm, sparse.ALGORITHMS)
  for sparsity in sparsities:
    sparse.require_sparsity("sparsities", sparsity)
  _settings.require_seeds(seeds)
  _settings.require_int("workers", workers, 1)


def _check_parents(algorithms, tried):
  """Refuse points of a network that others are pruned from: they would not know from which."""
  for algorithm in algorithms:
    parent = parents.PARENTS.get(parents.ALGORITHMS.get(algorithm, [None])[0])
    if parent in tried and parent not in parents.SOURCES:
      raise ValueError(
        f"config.grid.{parent}: {algorithm} is pruned from one network of config.{parent}. Leave one of "
        "the two out."
      )
