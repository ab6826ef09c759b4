"""Figures of the stability experiment, from what lies in its workdir."""

from tflottery.analysis import stability_plots

_MOST_STEPS = 6  # panels that can be read
_MOST_LEVELS = 3


def figures(place):
  """Dict from file name to figure; what has nothing to show is left out.

  Lines and distances are drawn at the sparsest level, the others at up to three levels.

  Args:
    place: the `Workdir`.
  """
  trainings, pairs, distances = map(place.rows, ("trainings", "pairs", "distances"))
  tested = [row for row in pairs if row["split"] == "test"]
  lines = [row for row in tested if row["path"] == "line"]
  drawn = {
    "lines.png": (stability_plots.lines_figure, _paths(place.rows("paths"), tested)),
    "instability.png": (stability_plots.instability_figure, at_levels(lines, _MOST_LEVELS)),
    "accuracy.png": (stability_plots.accuracy_figure, _trainings(trainings)),
    "distances.png": (stability_plots.distances_figure, at_levels(distances, 1)),
  }
  return {name: draw(rows) for name, (draw, rows) in drawn.items() if rows}


def _paths(paths, pairs):
  """The test error of the sparsest level's networks, each with what remains of it, at a few steps."""
  remaining = {row["level"]: row["remaining_percent"] for row in pairs}
  rows = at_levels([row for row in paths if row["split"] == "test"], 1)
  steps = _spread(sorted({row["k"] for row in rows}), _MOST_STEPS)
  return [row | {"remaining_percent": remaining[row["level"]]} for row in rows if row["k"] in steps]


def _trainings(rows):
  """Those of the levels that are compared; of all levels where none is yet. None without a ticket."""
  compared = {row["level"] for row in rows if row["arm"] != "ticket" or row["copy"]} - {0}
  chosen = [row for row in rows if row["level"] in {0, *compared}] if compared else rows
  return at_levels(chosen, _MOST_LEVELS) if any(row["level"] for row in rows) else []


def at_levels(rows, most):
  """The rows of the dense network and of at most so many levels, among them the sparsest."""
  levels = sorted({row["level"] for row in rows} - {0}, reverse=True)
  return [row for row in rows if row["level"] in {0, *_spread(levels, most)}]


def _spread(values, most):
  """At most so many of the values, evenly, the first among them, and the last one if two may stay."""
  if len(values) <= most:
    return values
  return [values[index * (len(values) - 1) // max(1, most - 1)] for index in range(most)]
