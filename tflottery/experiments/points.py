"""Points: the values that a comparison tries for the arguments of its algorithms."""

import difflib
import itertools
import re

from tflottery.experiments import parents, sparse
from tflottery.experiments import settings as _settings

NONE = {"": {}}  # of an algorithm without a grid


def read(grid, values):
  """The points of every algorithm that has a grid: all combinations of its values, the last fastest.

  Args:
    grid: dict from algorithm to dict from argument to the values to try: a tuple, or one.
    values: the other values of the config, as a dict. An argument must stand under its algorithm's
      name there; what it is there counts no more.

  Returns:
    A dict from algorithm to dict from a point's name, as "strength=1e-05,clip=8.0" with what no file
    name should hold as "_", to a dict of its arguments.

  Raises:
    ValueError: an algorithm or argument is unknown, or has no points of its own; or there are no
      values, or one twice.
  """
  _require_dict("grid", grid)
  for algorithm, tried in grid.items():
    _check_algorithm(algorithm)
    _require_dict(f"grid.{algorithm}", tried)
  return {name: _points(name, tried, values) for name, tried in grid.items() if tried}


def _points(algorithm, tried, values):
  known = values.get(algorithm, {})
  columns = {}
  for argument, given in tried.items():
    name = f"grid.{algorithm}.{argument}"
    if argument not in known:
      close = difflib.get_close_matches(argument, known)
      raise ValueError(
        f"config.{name}={given!r}: config.{algorithm} has no {argument}. "
        f"{f'Did you mean {close[0]}? ' if close else ''}It has {', '.join(known) or 'none'}."
      )
    columns[argument] = _tuple(given)
    names = [_text(value) for value in columns[argument]]
    if not names or len(set(names)) != len(names):
      raise ValueError(f"config.{name}={given!r} must name at least one value, each once.")
  every = [dict(zip(columns, row, strict=True)) for row in itertools.product(*columns.values())]
  return {",".join(f"{n}={_text(v)}" for n, v in point.items()): point for point in every}


def _check_algorithm(algorithm):
  if algorithm in parents.ALGORITHMS:
    raise ValueError(
      f"config.grid.{algorithm}: it begins with a trained network. Give the grid to what is trained "
      f"first, config.grid.{parents.PARENTS[parents.ALGORITHMS[algorithm][0]]}."
    )
  _settings.require_listed("grid", algorithm, sparse.ALGORITHMS)


def _require_dict(name, value):
  if not isinstance(value, dict):
    raise ValueError(
      f"config.{name}={value!r} must be a dict, as config.grid.magnitude.end_step=(300, 900)."
    )


def _tuple(given):
  if isinstance(given, str):
    return _settings.as_tuple(given)
  return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _text(value):
  return re.sub(r"[^\w.+-]", "_", str(value))
