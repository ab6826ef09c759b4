"""Summary: the rows of the tropical experiment, by level, start and seed."""

import statistics

from tflottery.experiments.tropical.starts import TICKET


def by_start(rows, column):
  """Dict from start to a dict from level to a dict from seed to the value in `column`.

  The ticket comes first, then the controls as in `rows`; level 0 is left out.
  """
  found = {}
  for row in sorted(rows, key=lambda row: row["level"]):
    if row["level"]:
      levels = found.setdefault(row["start"], {})
      levels.setdefault(row["level"], {})[row["seed"]] = row[column]
  return {name: found[name] for name in sorted(found, key=lambda name: name != TICKET)}


def remaining(rows):
  """Dict from level to the weights remaining in %, level 0 left out."""
  levels = {row["level"]: row["remaining_percent"] for row in rows if row["level"]}
  return dict(sorted(levels.items()))


def mean(values):
  """The mean of a dict's values."""
  return statistics.fmean(values.values())


def closer(ticket, control):
  """(in how many seeds the ticket's value is lower, of how many); dicts from seed to value.

  >>> closer({0: 0.1, 1: 0.3}, {0: 0.2, 1: 0.2, 2: 0.5})
  (1, 2)
  """
  seeds = ticket.keys() & control.keys()
  return sum(ticket[seed] < control[seed] for seed in seeds), len(seeds)


def compared(rows, level, controls):
  """Dict from start to a dict from seed to the shape distance at `level`, where it can be compared.

  Seeds count in which the ticket and all controls are trained; None where there is none.
  """
  own = {name: levels.get(level, {}) for name, levels in by_start(rows, "shape_distance").items()}
  if not controls or any(name not in own for name in (TICKET, *controls)):
    return None
  seeds = set.intersection(*(set(own[name]) for name in (TICKET, *controls)))
  starts = {name: {seed: own[name][seed] for seed in sorted(seeds)} for name in (TICKET, *controls)}
  return starts if seeds else None
