"""Summary: the rows of the transfer experiment as accuracies by cell, and gains over the random ticket."""

import statistics

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
_ACCURACY = "final_test_accuracy"
_SHOWN = 10  # % of the weights, about, at which networks are compared in words


def accuracies(rows):
  """Dict from (source, target, level, arm) to a dict from seed to final test accuracy in %.

  Dense networks have no source and level 0; with images of several shapes, the mean over them.
  """
  found = {}
  for row in rows:
    cell = row["source"], row["target"], row["level"], row["arm"]
    found.setdefault(cell, {}).setdefault(row["seed"], []).append(100 * row[_ACCURACY])
  return {
    cell: {seed: statistics.fmean(values) for seed, values in seeds.items()}
    for cell, seeds in found.items()
  }


def differences(first, second):
  """First minus second, a number for each seed that both have.

  >>> differences({0: 97.5, 1: 97.0}, {0: 96.0, 2: 50.0})
  [1.5]
  """
  return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def remaining(rows):
  """Dict from level to the weights remaining in %, a mean over the moved tickets of that level."""
  found = {}
  for row in rows:
    if row["arm"] == "ticket":
      found.setdefault(row["level"], []).append(row["remaining_percent"])
  return {level: statistics.fmean(found[level]) for level in sorted(found)}


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

  Accuracies are means over the seeds, None where nothing is trained yet; a gain is the ticket's over
  the random ticket of equal per-layer sparsities, by seed.
  """
  found = accuracies(rows)
  lines = []
  for source, target, level, arm in found:
    if arm != "ticket":
      continue
    ticket = found[source, target, level, "ticket"]
    others = {
      "random_layerwise_percent": (source, target, level, "random_layerwise"),
      "random_global_percent": (source, target, level, "random_global"),
      "own_ticket_percent": (target, target, level, "ticket"),
      "dense_percent": ("", target, 0, DENSE),
    }
    over = differences(ticket, found.get(others["random_layerwise_percent"], {}))
    own = [r["remaining_percent"] for r in rows if _cell(r) == (source, target, level, "ticket")]
    line = {"source": source, "target": target, "level": level, "n": len(ticket)}
    line |= {"remaining_percent": statistics.fmean(own), "ticket_percent": mean(ticket.values())}
    line |= {name: mean(found.get(cell, {}).values()) for name, cell in others.items()}
    line |= {"gain_points": mean(over)}
    line |= {"lowest_gain_points": min(over, default=None)}
    lines.append(line | {"highest_gain_points": max(over, default=None)})
  return lines


def mean(values):
  """The mean; None of nothing."""
  values = list(values)
  return statistics.fmean(values) if values else None


def _cell(row):
  return row["source"], row["target"], row["level"], row["arm"]
