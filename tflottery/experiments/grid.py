"""The grid of a comparison: algorithms, sparsities and seeds, each cell one run."""

import dataclasses
import difflib

from tflottery.experiments import parents, sparse
from tflottery.experiments import settings as _settings

_NAMES = ("algorithms", "sparsities", "seeds", "workers")
_BY_CELL = ("algorithm", "sparsity", "seed")


@dataclasses.dataclass(frozen=True)
class Grid:
  """A comparison.

  Attributes:
    cells: dict from a cell's name, `<algorithm>-<sparsity>-<seed>`, to its `Training` settings; all
      cells of the first seed come first, and the trained network that a cell begins with, a cell
      itself, before it.
    common: the config's values that all cells share, and every algorithm's arguments, as JSON.
    workers: processes that share the cells.
  """

  cells: dict
  common: dict
  workers: int


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
  cells = {}
  for seed in seeds:
    for algorithm in algorithms:
      for sparsity in sparsities:
        chosen = {"algorithm": algorithm, "sparsity": sparsity, "seed": seed}
        settings = sparse.settings_of(values | chosen)
        for needed in (parents.parent(settings), settings):
          if needed is not None:
            cells.setdefault(name(needed), needed)
  return Grid(cells, values, workers)


def name(settings):
  """The name of a cell. A dense network has one per seed, of sparsity 0."""
  return f"{settings.algorithm}-{settings.sparsity:g}-{settings.seed}"


def parent_name(settings):
  """The name of the cell whose trained network `settings` begin with; None where they begin anew."""
  parent = parents.parent(settings)
  return parent and name(parent)


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
    if algorithm not in sparse.ALGORITHMS:
      close = difflib.get_close_matches(algorithm, sparse.ALGORITHMS)
      raise ValueError(
        f"config.algorithms={algorithm!r} is unknown. "
        f"{f'Did you mean {close[0]}? ' if close else ''}Known are {', '.join(sparse.ALGORITHMS)}."
      )
  for sparsity in sparsities:
    sparse.require_sparsity("sparsities", sparsity)
  _settings.require_seeds(seeds)
  _settings.require_int("workers", workers, 1)
