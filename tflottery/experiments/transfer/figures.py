"""Figures of the transfer experiment, from the rows of its finished pieces."""

import statistics

from tflottery.analysis import transfer_plots
from tflottery.experiments.transfer.settings import CONTROLS
from tflottery.experiments.transfer.summary import (
  RANDOM,
  accuracies,
  differences,
  remaining,
  shown_levels,
  sizes,
)
from tflottery.experiments.transfer.workdir import DENSE

LABELS = {"random_layerwise": "random, layers as the ticket", "random_global": "fully random"}


def figures(rows):
  """Dict from file name to figure; what has nothing to show is left out.

  Args:
    rows: those of results.csv.
  """
  found = {}
  if remaining(rows):
    found["accuracy.png"] = _accuracy(rows)
  matrices = _gains(rows)
  if matrices:
    found["gains.png"] = transfer_plots.gains_figure(matrices)
  return found


def _accuracy(rows):
  """Random tickets of a level and target are shown together: their layers differ little by source."""
  tickets, controls, dense = {}, {}, {}
  several = len({row["image_shape"] for row in rows}) > 1
  for row in rows:
    if row["arm"] == DENSE:
      name = f"dense network, images of {row['image_shape']}" if several else "dense network"
      own = dense.setdefault(row["target"], {}).setdefault(name, [])
      own.append(100 * row["final_test_accuracy"])
  for target in dict.fromkeys(row["target"] for row in rows if row["arm"] == "ticket"):
    own = [row for row in rows if row["target"] == target]
    sources = dict.fromkeys(row["source"] for row in own if row["arm"] == "ticket")
    tickets[target] = {name: _curve(own, "ticket", name) for name in sources}
    arms = [arm for arm in CONTROLS if any(row["arm"] == arm for row in own)]
    controls[target] = {LABELS[arm]: _curve(own, arm) for arm in arms}
  return transfer_plots.accuracy_figure(tickets, controls, dense=dense)


def _curve(rows, arm, source=None):
  """Dict from the weights remaining at a level, in %, to the accuracies, in %."""
  levels = {}
  for row in rows:
    if row["arm"] == arm and source in (None, row["source"]):
      levels.setdefault(row["level"], []).append(row)
  return {
    statistics.fmean(row["remaining_percent"] for row in own): [
      100 * row["final_test_accuracy"] for row in own
    ]
    for own in levels.values()
  }


def _gains(rows):
  """Dict from a title to the mean gains over the seeds, in points, of a level."""
  found, left, matrices = accuracies(rows), sizes(rows), {}
  for level in shown_levels(rows):
    matrix = {}
    for source, target, at, arm in found:
      if (at, arm) == (level, "ticket"):
        random = found.get((source, target, level, RANDOM), {})
        gains = differences(found[source, target, level, "ticket"], random)
        if gains:
          matrix[source, target] = statistics.fmean(gains)
    if matrix:
      matrices[left[level]] = matrix
  return matrices
