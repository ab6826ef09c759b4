"""Results: the rows of a search's CSV files, one column of them by level, and how to name an arm.

An arm is a network trained at a level: `ticket`, which iterative pruning found (at level 0 the
dense network), or a control of the same size, such as `reinit` or `random_mask`.
"""

import csv
import statistics

LABELS = {
  "ticket": "winning ticket",
  "reinit": "random re-initialisation",
  "random_mask": "random mask",
}
_TEXT = {"arm", "site"}
_INTEGER = {"seed", "level", "step"}


def read(path):
  """Rows of the CSV file at `path`: dicts of str (arm, site), int (seed, level) and float."""
  with open(path, newline="", encoding="utf-8") as file:
    return [
      {name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)
    ]


def _value(name, text):
  if name in _TEXT:
    return text
  return int(text) if name in _INTEGER else float(text)


def arms(rows):
  """Arms that occur in `rows`, the ticket first and the others by name.

  >>> arms([{"arm": "reinit"}, {"arm": "ticket"}, {"arm": "random_mask"}])
  ['ticket', 'random_mask', 'reinit']
  """
  return sorted({row["arm"] for row in rows}, key=lambda arm: (arm != "ticket", arm))


def label(arm):
  """Name of `arm` for readers.

  >>> label("ticket"), label("flipped_signs")
  ('winning ticket', 'flipped signs')
  """
  return LABELS.get(arm, arm.replace("_", " "))


def of_arms(rows, names):
  """Rows of the arms `names` among `rows`."""
  return [row for row in rows if row["arm"] in names]


def of_arm(rows, arm):
  """Rows of `arm` among `rows`."""
  return [row for row in rows if row["arm"] == arm]


def by_level(rows, column):
  """Values of `column` in `rows`, one for each seed, per level: a dict in the order of the levels.

  >>> by_level([dict(level=1, step=5), dict(level=0, step=7), dict(level=1, step=6)], "step")
  {0: [7], 1: [5, 6]}
  """
  values = {}
  for row in sorted(rows, key=lambda row: row["level"]):
    values.setdefault(row["level"], []).append(row[column])
  return values


def mean_by_level(rows, column):
  """Mean of `column` over the seeds, per level.

  >>> mean_by_level([dict(level=1, step=5), dict(level=1, step=6)], "step")
  {1: 5.5}
  """
  return {level: statistics.fmean(values) for level, values in by_level(rows, column).items()}


def deviation(values):
  """Sample standard deviation (n - 1) of `values` over the seeds; 0 for one seed.

  >>> deviation([1.0, 2.0, 3.0]), deviation([5.0])
  (1.0, 0.0)
  """
  return statistics.stdev(values) if len(values) > 1 else 0.0


def percent(value):
  """A percentage of weights as text: one decimal, two digits below 1, none for all of them.

  >>> [percent(value) for value in (100.0, 51.27, 7.0, 0.3518)]
  ['100', '51.3', '7.0', '0.35']
  """
  if value == 100:
    return "100"
  return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
