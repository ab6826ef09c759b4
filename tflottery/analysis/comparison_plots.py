"""Comparison plots: accuracy against sparsity, as a matplotlib figure."""

import math

from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from tflottery.analysis import comparison, comparison_styles
from tflottery.analysis.axes import DENSE_COLOUR, add_legend, new_axes

# Networks without sparsity: a line across.
_ACROSS = {"dense": (DENSE_COLOUR, "--"), "slimming": ("#d55e00", "-.")}
_WAY_COLOUR = "#444444"


def comparison_figure(rows):
  """Test accuracy in % against sparsity: a line per algorithm, and dense networks as bands.

  Networks whose sparsity comes of itself, and those under their masks, stand at the one that they
  reached. Those under learned masks have a panel below for each source, with a line for each way.

  Args:
    rows: as `comparison.rows` gives them; none makes empty axes.
  """
  names = [name for name in dict.fromkeys(row["algorithm"] for row in rows) if name not in _ACROSS]
  groups = [[name for name in names if name not in comparison.RETRAINED]]
  for source in comparison.SOURCES:
    ways = [name for name in names if comparison.RETRAINED.get(name, [""])[0] == source]
    groups += [[name for name in names if name == source] + ways] if ways else []
  ways = _ways(names)
  columns = 4 if len(groups[0]) < 8 and not ways else 3
  lines = math.ceil((len(groups[0]) + 1) / columns) + math.ceil(len(ways) / 2)
  axes = new_axes(legend_lines=lines, panels=len(groups))
  panels = axes if isinstance(axes, list) else [axes]
  for panel, group in zip(panels, groups, strict=True):
    _draw_panel(panel, [row for row in rows if row["algorithm"] in (*group, *_ACROSS)], group)
    if panel is not panels[0]:
      source = comparison.label(comparison.RETRAINED[group[-1]][0])
      panel.set_title(f"Trained anew under the masks of {source}", fontsize=9, loc="left")
  _set_sparsity_axis(panels[-1], [row for row in rows if row["algorithm"] not in _ACROSS])
  if ways:
    _add_two_legends(panels[0], columns, ways)
  else:
    add_legend(panels[0], columns=columns)
  return panels[0].figure


def _ways(names):
  """The ways, of those known, of networks under learned masks that are among `names`."""
  found = {comparison.RETRAINED[name][1] for name in names if name in comparison.RETRAINED}
  return [way for way in comparison.RETRAININGS if way in found]


def _draw_panel(axes, rows, names):
  looks = comparison_styles.styles(names)
  step = min(1.025, 1.2 ** (1 / max(1, len(names))))
  for index, name in enumerate(names):
    # Side by side, for the bars of equal accuracies would hide each other.
    aside = step ** ((len(names) - 1) / 2 - index)
    own = [row for row in rows if row["algorithm"] == name]
    _draw_algorithm(axes, own, aside, looks[name], label=comparison.label(name))
  _draw_dense(axes, rows)
  axes.set_ylabel("Test accuracy (%)")


def _draw_algorithm(axes, rows, aside, style, *, label):
  colour, marker, line = style
  rows = sorted(rows, key=_x)
  means, spreads = zip(*map(_percentages, rows), strict=True)
  axes.errorbar(
    [(1 - _x(row)) * aside for row in rows],
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


def _draw_dense(axes, rows):
  for row in rows:
    if row["algorithm"] in _ACROSS:
      mean, spread = _percentages(row)
      (colour, line), label = _ACROSS[row["algorithm"]], comparison.label(row["algorithm"])
      axes.axhline(mean, color=colour, linestyle=line, linewidth=1.2, label=label)
      axes.axhspan(mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)


def _x(row):
  """The sparsity that a row is drawn at."""
  name = row["algorithm"]
  is_learned = comparison.RETRAINED.get(name, [name])[0] in comparison.LEARNED
  return row["reached_sparsity" if is_learned else "sparsity"]


def _percentages(row):
  return 100 * row["test_accuracy_mean"], 100 * row["test_accuracy_standard_deviation"]


def _set_sparsity_axis(axes, rows):
  """Make x the sparsity: in the log of what remains, so that 90 and 99 % lie as far apart as 0 and 90."""
  remaining = sorted({1 - row["sparsity"] for row in rows}, reverse=True) or [1.0]
  drawn = [max(1 - _x(row), 1e-6) for row in rows] or [1.0]
  # Before the scale: the limits of a dense line alone begin at 0, which has no logarithm.
  axes.set_xlim(max(remaining[0], *drawn) * 1.25, min(remaining[-1], *drawn) / 1.25)
  axes.set_xscale("log")
  axes.set_xlabel("Sparsity (%)")
  axes.xaxis.set_minor_locator(NullLocator())
  axes.set_xticks(remaining, [f"{100 * (1 - share):.4g}" for share in remaining])


def _add_two_legends(axes, columns, ways):
  """A legend of the first panel above the figure, and below it one of the other panels' ways."""
  handles, labels = axes.get_legend_handles_labels()
  legend = {"frameon": False, "fontsize": 9}
  axes.figure.legend(handles, labels, loc="outside upper center", ncols=columns, **legend)
  lines = [
    Line2D([], [], color=_WAY_COLOUR, marker=marker, linestyle=line, markersize=5)
    for marker, line in (comparison_styles.RETRAININGS[way] for way in ways)
  ]
  labels = [comparison.RETRAININGS[way] for way in ways]
  axes.figure.legend(lines, labels, loc="outside lower center", ncols=2, handlelength=4, **legend)
