"""Comparison: one row per cell of a grid, and one per algorithm and sparsity over its seeds."""

import statistics

from tflottery.analysis.results import deviation

CELL = (
  "algorithm",
  "sparsity",
  "seed",
  "point",
  "chosen_at",
  "cell",
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
  "point",
  "n",
  "reached_sparsity",
  "validation_accuracy_mean",
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
# What summaries may tell besides: of sequences the BLEU and the share that is right as a whole.
OPTIONAL = {"bleu": "BLEU", "exact_match": "Whole sequences (%)"}
_OF_TEST = ("test_accuracy", "best_test_accuracy", *OPTIONAL)
_MEANS = (
  "reached_sparsity", "steps", "live_parameters", "inference_flops_share", "flops_factor", "training_flops_share",
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
# Networks that become sparse while they are trained, and what is trained under their masks.
SOURCES = {
  "magnitude": "magnitude",
  "magnitude_extended": "magnitude, extended",
  "variational_dropout": "variational dropout",
  "l0": "L0",
}
RETRAININGS = {
  "ticket": "ticket",
  "scratch_e": "Scratch-E",
  "scratch_b": "Scratch-B",
  "scratch_e_sparse": "Scratch-E, sparse-aware",
  "scratch_b_sparse": "Scratch-B, sparse-aware",
  "scratch_b_constant_final": "Scratch-B, constant final rate",
  "scratch_b_continual_decay": "Scratch-B, continual decay",
  "scratch_b_constant_decay": "Scratch-B, constant, then decay",
}
RETRAINED = {f"{source}_{way}": (source, way) for source in SOURCES for way in RETRAININGS}
# Their sparsity comes of itself.
LEARNED = ("variational_dropout", "l0")
LABELS |= SOURCES
LABELS |= {
  f"{pruning}_{way}": f"{first}, {then}"
  for pruning, first in PRUNINGS.items()
  for way, then in WAYS.items()
}
LABELS |= {n: f"{SOURCES[source]}: {RETRAININGS[way]}" for n, (source, way) in RETRAINED.items()}


def label(algorithm):
  """Name of an algorithm for readers.

  >>> label("rigl"), label("magnitude")
  ('RigL', 'magnitude')
  """
  return LABELS.get(algorithm, algorithm.replace("_", " "))


def cells(summaries):
  """Dicts of `CELL`, and those of `OPTIONAL` that there are, from the `summary.json` of runs.

  `sparsity` is the one that was asked for, and `chosen_at` those at which the cell stands in the
  table, as text: its own, unless `selected` says otherwise.
  """
  return [
    {name: summary[name] for name in (*CELL, *OPTIONAL) if name in summary}
    | {
      "sparsity": summary["asked_sparsity"],
      "reached_sparsity": summary["sparsity"],
      "point": summary.get("point", ""),
      "cell": summary.get("cell", ""),
      "chosen_at": f"{summary['asked_sparsity']:g}",
    }
    for summary in summaries
  ]


def selected(cells, points):
  """The cells as they may be told when test accuracies are for chosen points alone.

  Args:
    cells: as `cells` gives them.
    points: dict from (algorithm, asked sparsity) to the point that was chosen.

  Returns:
    (the cells, with empty test results where they were not chosen; a list of the chosen ones, each as
    often as it was, with the sparsity that it was chosen at).
  """
  at = {}
  for (algorithm, sparsity), point in points.items():
    at.setdefault((algorithm, point), []).append(sparsity)
  every, chosen = [], {key: [] for key in points}
  for cell in cells:
    found = at.get((cell["algorithm"], cell["point"]), [])
    if cell["algorithm"] not in LEARNED:
      found = [sparsity for sparsity in found if sparsity == cell["sparsity"]]
    hidden = {} if found else {name: "" for name in _OF_TEST if name in cell}
    every.append(cell | {"chosen_at": " ".join(f"{s:g}" for s in found)} | hidden)
    for sparsity in found:
      chosen[cell["algorithm"], sparsity].append(cell | {"sparsity": sparsity})
  return every, [cell for group in chosen.values() for cell in group]


def optional(cells):
  """Those of `OPTIONAL` that all of the cells tell."""
  return [name for name in OPTIONAL if cells and all(name in cell for cell in cells)]


def row_columns(names):
  """The columns of table.csv, with those of the optional results `names`."""
  return (*ROW, *(f"{name}_{part}" for name in names for part in ("mean", "standard_deviation")))


def rows(cells):
  """Dicts of `ROW`, in the order in which algorithm and sparsity occur first; shares are means.

  Where all cells tell them, optional results follow, by their means and standard deviations.

  >>> both = [dict.fromkeys(CELL, 0.5) | {"algorithm": "set", "test_accuracy": a} for a in (0.8, 0.9)]
  >>> [row] = rows(both)
  >>> row["n"], round(row["test_accuracy_mean"], 3)
  (2, 0.85)
  """
  groups, more = {}, optional(cells)
  for cell in cells:
    groups.setdefault((cell["algorithm"], cell["sparsity"]), []).append(cell)
  return [_row(*key, group, more) for key, group in groups.items()]


def _row(algorithm, sparsity, group, more):
  row = {
    "algorithm": algorithm,
    "sparsity": sparsity,
    "point": group[0]["point"],
    "n": len(group),
    "validation_accuracy_mean": statistics.fmean(cell["validation_accuracy"] for cell in group),
    "test_accuracy_min": min(cell["test_accuracy"] for cell in group),
    "test_accuracy_max": max(cell["test_accuracy"] for cell in group),
  }
  for name in ("test_accuracy", "best_test_accuracy", *more):
    values = [cell[name] for cell in group]
    row[f"{name}_mean"] = statistics.fmean(values)
    row[f"{name}_standard_deviation"] = deviation(values)
  row |= {name: statistics.fmean(cell[name] for cell in group) for name in _MEANS}
  return {name: row[name] for name in row_columns(more)}
