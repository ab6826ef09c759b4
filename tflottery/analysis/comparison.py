"""Comparison: one row per cell of a grid, and one per algorithm and sparsity over its seeds."""

import statistics

from tflottery.analysis.results import deviation

CELL = (
  "algorithm",
  "sparsity",
  "seed",
  "test_accuracy",
  "validation_accuracy",
  "best_test_accuracy",
  "best_validation_accuracy",
  "best_step",
  "steps",
  "reached_sparsity",
  "channels_removed_share",
  "live_parameters",
  "inference_flops_share",
  "flops_factor",
  "training_flops_share",
  "train_seconds",
  "steps_per_second",
)
ROW = (
  "algorithm",
  "sparsity",
  "n",
  "test_accuracy_mean",
  "test_accuracy_standard_deviation",
  "test_accuracy_min",
  "test_accuracy_max",
  "best_test_accuracy_mean",
  "best_test_accuracy_standard_deviation",
  "steps",
  "live_parameters",
  "inference_flops_share",
  "flops_factor",
  "training_flops_share",
  "train_seconds",
)
_MEANS = (
  "steps", "live_parameters", "inference_flops_share", "flops_factor", "training_flops_share",
  "train_seconds",
)  # fmt: skip
LABELS = {
  "dense": "dense",
  "small_dense": "small dense",
  "set": "SET",
  "rigl": "RigL",
  "snfs": "SNFS",
  "snip": "SNIP",
  "grasp": "GraSP",
  "synflow": "SynFlow",
  "slimming": "dense with slimming",
}
PRUNINGS = {"l1_norm": "L1-norm", "slimming": "slimming", "unstructured": "unstructured"}
WAYS = {"fine_tuned": "fine-tuned", "scratch_e": "Scratch-E", "scratch_b": "Scratch-B"}
LABELS |= {
  f"{pruning}_{way}": f"{first}, {then}"
  for pruning, first in PRUNINGS.items()
  for way, then in WAYS.items()
}


def label(algorithm):
  """Name of an algorithm for readers.

  >>> label("rigl"), label("magnitude")
  ('RigL', 'magnitude')
  """
  return LABELS.get(algorithm, algorithm.replace("_", " "))


def cells(summaries):
  """Dicts of `CELL` from the `summary.json` of runs; `sparsity` is the one that was asked for."""
  return [
    {name: summary[name] for name in CELL if name in summary}
    | {"sparsity": summary["asked_sparsity"], "reached_sparsity": summary["sparsity"]}
    for summary in summaries
  ]


def rows(cells):
  """Dicts of `ROW`, in the order in which algorithm and sparsity occur first; shares are means.

  >>> both = [dict.fromkeys(CELL, 0.5) | {"algorithm": "set", "test_accuracy": a} for a in (0.8, 0.9)]
  >>> [row] = rows(both)
  >>> row["n"], round(row["test_accuracy_mean"], 3)
  (2, 0.85)
  """
  groups = {}
  for cell in cells:
    groups.setdefault((cell["algorithm"], cell["sparsity"]), []).append(cell)
  return [_row(*key, group) for key, group in groups.items()]


def _row(algorithm, sparsity, group):
  accuracies, best = ([cell[f"{b}test_accuracy"] for cell in group] for b in ("", "best_"))
  return {
    "algorithm": algorithm,
    "sparsity": sparsity,
    "n": len(group),
    "test_accuracy_mean": statistics.fmean(accuracies),
    "test_accuracy_standard_deviation": deviation(accuracies),
    "test_accuracy_min": min(accuracies),
    "test_accuracy_max": max(accuracies),
    "best_test_accuracy_mean": statistics.fmean(best),
    "best_test_accuracy_standard_deviation": deviation(best),
  } | {name: statistics.fmean(cell[name] for cell in group) for name in _MEANS}


HEADER = (
  "Algorithm",
  "Sparsity (%)",
  "Test accuracy (%)",
  "Lowest to highest (%)",
  "At best validation (%)",
  "n",
  "Steps",
  "Live parameters",
  "FLOPs, inference",
  "FLOPs, training",
  "Seconds",
)


NOTE = (
  "Means over n seeds ± their sample standard deviation. Test accuracy is that of the last evaluation;"
  " beside it stands that of the evaluation of the highest validation accuracy (the first of equals;"
  " choosing it by test accuracy, as is often done, would flatter). FLOPs of one example and of the whole training, as shares of the"
  " dense network's: multiplications and additions that a machine would do that skips masked weights;"
  " here nothing is skipped, but networks that lost channels are smaller. Fine-tuning counts the"
  " FLOPs of the training that it goes on from. Sparsity is the share of the weights that are masked,"
  " or of the channels that L1-norm and slimming remove. Seconds are those of this training alone,"
  " without evaluations."
)


def lines(rows):
  """Tuples of texts under `HEADER`: mean ± sample standard deviation; FLOPs as shares of dense."""
  return [
    (
      label(row["algorithm"]),
      f"{100 * row['sparsity']:.4g}",
      _spread(row, "test_accuracy"),
      f"{100 * row['test_accuracy_min']:.2f} to {100 * row['test_accuracy_max']:.2f}",
      _spread(row, "best_test_accuracy"),
      str(row["n"]),
      f"{row['steps']:,.0f}",
      f"{row['live_parameters']:,.0f}",
      f"{row['inference_flops_share']:.3f}",
      f"{row['training_flops_share']:.3f}",
      f"{row['train_seconds']:,.0f}",
    )
    for row in rows
  ]


def _spread(row, name):
  mean, deviation = (100 * row[f"{name}_{n}"] for n in ("mean", "standard_deviation"))
  return f"{mean:.2f}" + (f" ± {deviation:.2f}" if row["n"] > 1 else "")


def text(rows):
  """The table as plain text."""
  table = [HEADER, *lines(rows)]
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  return "\n".join(
    "  ".join(
      [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])],
    )
    for line in table
  )
