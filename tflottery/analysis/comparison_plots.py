"""Comparison plots: accuracy against sparsity, as a matplotlib figure."""

import itertools
import math

from matplotlib.ticker import NullLocator

from tflottery.analysis import comparison
from tflottery.analysis.axes import DENSE_COLOUR, OTHER_STYLES, add_legend, new_axes

# The usual algorithms own their styles, so that they look the same in every report.
_STYLES = {
  "static": ("#111111", "o", "-"),
  "set": ("#d55e00", "s", "-"),
  "rigl": ("#0072b2", "^", "-"),
  "magnitude": ("#009e73", "D", "-"),
  "snip": ("#cc79a7", "v", "-"),
  "small_dense": ("#56b4e9", "P", "-"),
  "snfs": ("#e69f00", "X", "-"),
}
# A colour for each way of pruning, a marker and a line for each way of training what is left.
_STYLES |= {
  f"{pruning}_{way}": (colour, *line)
  for pruning, colour in zip(comparison.PRUNINGS, ("#0072b2", "#d55e00", "#009e73"), strict=True)
  for way, line in zip(comparison.WAYS, (("o", "-"), ("s", "--"), ("^", ":")), strict=True)
}
# Networks without sparsity: a line across.
_ACROSS = {"dense": (DENSE_COLOUR, "--"), "slimming": ("#d55e00", "-.")}


def comparison_figure(rows):
  """Test accuracy in % against sparsity: a line per algorithm, and dense networks as bands.

  Args:
    rows: as `comparison.rows` gives them; none makes empty axes.
  """
  names = [name for name in dict.fromkeys(row["algorithm"] for row in rows) if name not in _ACROSS]
  columns = 4 if len(names) < 8 else 3
  axes = new_axes(legend_lines=math.ceil((len(names) + 1) / columns))
  others = itertools.cycle(OTHER_STYLES)
  for index, name in enumerate(names):
    # Side by side, for the bars of equal accuracies would hide each other.
    aside = 1.025 ** ((len(names) - 1) / 2 - index)
    own = sorted((r for r in rows if r["algorithm"] == name), key=lambda row: row["sparsity"])
    style = _STYLES[name] if name in _STYLES else (*next(others), "-")
    _draw_algorithm(axes, own, aside, style, label=comparison.label(name))
  for row in rows:
    if row["algorithm"] in _ACROSS:
      mean, spread = _percentages(row)
      (colour, line), label = _ACROSS[row["algorithm"]], comparison.label(row["algorithm"])
      axes.axhline(mean, color=colour, linestyle=line, linewidth=1.2, label=label)
      axes.axhspan(mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
  _set_sparsity_axis(axes, {row["sparsity"] for row in rows if row["algorithm"] not in _ACROSS})
  axes.set_ylabel("Test accuracy (%)")
  add_legend(axes, columns=columns)
  return axes.figure


def _draw_algorithm(axes, rows, aside, style, *, label):
  colour, marker, line = style
  means, spreads = zip(*map(_percentages, rows), strict=True)
  axes.errorbar(
    [(1 - row["sparsity"]) * aside for row in rows],
    means,
    yerr=spreads if any(row["n"] > 1 for row in rows) else None,
    color=colour,
    marker=marker,
    linestyle=line,
    markersize=5,
    linewidth=1.6,
    elinewidth=1,
    capsize=2.5,
    label=label,
  )


def _percentages(row):
  return 100 * row["test_accuracy_mean"], 100 * row["test_accuracy_standard_deviation"]


def _set_sparsity_axis(axes, sparsities):
  """Make x the sparsity: in the log of what remains, so that 90 and 99 % lie as far apart as 0 and 90."""
  remaining = sorted((1 - sparsity for sparsity in sparsities), reverse=True) or [1.0]
  # Before the scale: the limits of a dense line alone begin at 0, which has no logarithm.
  axes.set_xlim(remaining[0] * 1.25, remaining[-1] / 1.25)
  axes.set_xscale("log")
  axes.set_xlabel("Sparsity (%)")
  axes.xaxis.set_minor_locator(NullLocator())
  axes.set_xticks(remaining, [f"{100 * (1 - share):.4g}" for share in remaining])
