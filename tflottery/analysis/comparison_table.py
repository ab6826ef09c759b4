"""Comparison table: the rows of a comparison as texts, for readers."""

from tflottery.analysis import comparison

HEADER = (
  "Algorithm",
  "Sparsity (%)",
  "Reached (%)",
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
  " beside it stands that of the evaluation of the highest validation accuracy among those of the highest"
  " sparsity (the first of equals; choosing it by test accuracy, as is often done, would flatter). FLOPs of one example and of the whole training, as shares of the"
  " dense network's: multiplications and additions that a machine would do that skips masked weights;"
  " here nothing is skipped, but networks that lost channels are smaller. Fine-tuning counts the"
  " FLOPs of the training that it goes on from. Sparsity is the share of the weights that are masked,"
  " or of the channels that L1-norm and slimming remove: the one that was asked for, and the one that"
  " was reached. Seconds are those of this training alone, without evaluations."
)


def header(rows):
  """`HEADER`, and the names of the optional results that the rows have."""
  return (*HEADER, *(text for name, text in comparison.OPTIONAL.items() if _have(rows, name)))


def lines(rows):
  """Tuples of texts under `header`: mean ± sample standard deviation; FLOPs as shares of dense."""
  more = [name for name in comparison.OPTIONAL if _have(rows, name)]
  return [
    (
      comparison.label(row["algorithm"]),
      f"{100 * row['sparsity']:.4g}",
      f"{100 * row['reached_sparsity']:.2f}" if row["reached_sparsity"] else "-",
      _spread(row, "test_accuracy"),
      f"{100 * row['test_accuracy_min']:.2f} to {100 * row['test_accuracy_max']:.2f}",
      _spread(row, "best_test_accuracy"),
      str(row["n"]),
      f"{row['steps']:,.0f}",
      f"{row['live_parameters']:,.0f}",
      f"{row['inference_flops_share']:.3f}",
      f"{row['training_flops_share']:.3f}",
      f"{row['train_seconds']:,.0f}",
      *(_spread(row, name, times=1 if name == "bleu" else 100) for name in more),
    )
    for row in rows
  ]


def _have(rows, name):
  return any(f"{name}_mean" in row for row in rows)


def _spread(row, name, times=100):
  mean, deviation = (times * row[f"{name}_{n}"] for n in ("mean", "standard_deviation"))
  return f"{mean:.2f}" + (f" ± {deviation:.2f}" if row["n"] > 1 else "")


def text(rows):
  """The table as plain text."""
  table = [header(rows), *lines(rows)]
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  return "\n".join(
    "  ".join(
      [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])],
    )
    for line in table
  )
