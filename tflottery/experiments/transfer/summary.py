"""Summary: the rows of the transfer experiment as accuracies by cell, and gains over the random ticket."""

import statistics

from tflottery.analysis.results import percent
from tflottery.experiments.transfer.workdir import DENSE

GAIN = (
  "source",
  "target",
  "level",
  "remaining_percent",
  "n",
  "ticket_percent",
  "random_layerwise_percent",
  "random_global_percent",
  "own_ticket_percent",
  "dense_percent",
  "gain_points",
  "lowest_gain_points",
  "highest_gain_points",
)
RANDOM = "random_layerwise"
_ACCURACY = "final_test_accuracy"
_SHOWN = 10  # % of the weights, about, at which networks are compared in words


def accuracies(rows):
  """Dict from (source, target, level, arm) to a dict from seed to final test accuracy in %.

  Dense networks have level 0 and, as their source, the shape of their images.
  """
  found = {}
  for row in rows:
    source = row["image_shape"] if row["arm"] == DENSE else row["source"]
    cell = source, row["target"], row["level"], row["arm"]
    found.setdefault(cell, {})[row["seed"]] = 100 * row[_ACCURACY]
  return found


def image_shapes(rows):
  """Dict from source to the shape of its images, which those of all its targets are brought to."""
  return {row["source"]: row["image_shape"] for row in rows if row["arm"] != DENSE}


def common_seeds(*cells):
  """The seeds that all of these dicts from seed to accuracy have.

  >>> common_seeds({0: 97.5, 1: 97.0}, {1: 96.0, 2: 50.0})
  [1]
  """
  return sorted(set.intersection(*map(set, cells)))


def differences(first, second):
  """First minus second, a number for each seed that both have.

  >>> differences({0: 97.5, 1: 97.0}, {0: 96.0, 2: 50.0})
  [1.5]
  """
  return [first[seed] - second[seed] for seed in common_seeds(first, second)]


def remaining(rows):
  """Dict from level to the weights remaining in %, a mean over the moved tickets of that level."""
  found = {}
  for row in rows:
    if row["arm"] == "ticket":
      found.setdefault(row["level"], []).append(row["remaining_percent"])
  return {level: statistics.fmean(found[level]) for level in sorted(found)}


def sizes(rows, pair=None):
  """Dict from level to words for the weights remaining, of one pair or of all: there a mean."""
  tickets = [row for row in rows if row["arm"] == "ticket" and pair in (None, _pair(row))]
  words = {}
  for level, value in remaining(tickets).items():
    one = [row for row in tickets if row["level"] == level]
    each = {percent(remaining([r for r in one if _pair(r) == p])[level]) for p in map(_pair, one)}
    words[level] = f"{'about ' if len(each) > 1 else ''}{percent(value)} % of the weights"
  return words


def shown_levels(rows):
  """The level nearest to 10 % of the weights and the sparsest one, which may be the same.

  >>> row = {"arm": "ticket", "level": 3, "remaining_percent": 51.2}
  >>> shown_levels([row, row | {"level": 11, "remaining_percent": 8.6}])
  [11]
  """
  left = remaining(rows)
  if not left:
    return []
  nearest = min(left, key=lambda level: abs(left[level] - _SHOWN))
  return list(dict.fromkeys((nearest, min(left, key=left.get))))


def gains(rows):
  """The rows of gains.csv: dicts of `GAIN`, one for each source, target and level.

  All numbers of a row are means over the same n seeds: those of the ticket and the random ticket of
  equal per-layer sparsities, over which it gains, or all of the ticket's where there is no such. What
  lacks one of these seeds is None, and so is a target's own ticket with images of another shape.
  """
  found, shapes = accuracies(rows), image_shapes(rows)
  return [
    _line(rows, found, shapes, (source, target, level))
    for source, target, level, arm in found
    if arm == "ticket"
  ]


def _line(rows, found, shapes, cell):
  source, target, level = cell
  ticket = found[(*cell, "ticket")]
  over = differences(ticket, found.get((*cell, RANDOM), {}))
  seeds = common_seeds(ticket, found.get((*cell, RANDOM), {})) or sorted(ticket)
  left = [row["remaining_percent"] for row in rows if row["seed"] in seeds and _is(row, cell)]
  own = (target, target, level, "ticket") if shapes.get(target) == shapes[source] else None
  others = {
    "ticket_percent": (*cell, "ticket"),
    "random_layerwise_percent": (*cell, RANDOM),
    "random_global_percent": (*cell, "random_global"),
    "own_ticket_percent": own,
    "dense_percent": (shapes[source], target, 0, DENSE),
  }
  line = {"source": source, "target": target, "level": level, "n": len(seeds)}
  line |= {"remaining_percent": statistics.fmean(left)}
  line |= {name: mean(found.get(other, {}), seeds) for name, other in others.items()}
  line |= {"gain_points": statistics.fmean(over) if over else None}
  line |= {"lowest_gain_points": min(over, default=None)}
  return line | {"highest_gain_points": max(over, default=None)}


def mean(accuracies, seeds):
  """The mean over these seeds of a dict from seed to accuracy; None where one is missing."""
  if not accuracies.keys() >= set(seeds):
    return None
  return statistics.fmean(accuracies[seed] for seed in seeds)


def _pair(row):
  return row["source"], row["target"]


def _is(row, cell):
  """Whether the row is that of the ticket of a source, target and level."""
  return (*_pair(row), row["level"], row["arm"]) == (*cell, "ticket")
