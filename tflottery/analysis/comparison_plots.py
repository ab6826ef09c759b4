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
  reached. Those under learned masks have the colour of their source, a line for each way, and a legend
  for each of the two.

  Args:
    rows: as `comparison.rows` gives them; none makes empty axes.
  """
  names = [name for name in dict.fromkeys(row["algorithm"] for row in rows) if name not in _ACROSS]
  ways = _ways(names)
  entries = len(names) + 1 if not ways else len([n for n in names if n not in comparison.RETRAINED])
  columns = 4 if len(names) < 8 and not ways else 3
  axes = new_axes(legend_lines=math.ceil(entries / columns) + math.ceil(len(ways) / 2))
  if ways:
    width, height = axes.figure.get_size_inches()
    axes.figure.set_size_inches(width + 1.2, height + 1.2)
  looks = comparison_styles.styles(names)
  step = min(1.025, 1.2 ** (1 / max(1, len(names))))
  for index, name in enumerate(names):
    # Side by side, for the bars of equal accuracies would hide each other.
    aside = step ** ((len(names) - 1) / 2 - index)
    own = [row for row in rows if row["algorithm"] == name]
    _draw_algorithm(axes, own, aside, looks[name], label=comparison.label(name))
  _draw_dense(axes, rows)
  _set_sparsity_axis(axes, [row for row in rows if row["algorithm"] not in _ACROSS])
  axes.set_ylabel("Test accuracy (%)")
  if ways:
    _add_two_legends(axes, [n for n in names if n not in comparison.RETRAINED], looks, ways)
  else:
    add_legend(axes, columns=columns)
  return axes.figure


def _ways(names):
  """The ways, of those known, of networks under learned masks that are among `names`."""
  found = {comparison.RETRAINED[name][1] for name in names if name in comparison.RETRAINED}
  return [way for way in comparison.RETRAININGS if way in found]


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


def _add_two_legends(axes, names, looks, ways):
  """A legend of colours above the figure, and one of the ways of training under learned masks below."""
  sources = [source for source in comparison.SOURCES if source not in names]
  looks = looks | comparison_styles.styles(sources)
  colours = [
    Line2D([], [], color=looks[n][0], marker=looks[n][1], markersize=5, label=comparison.label(n))
    for n in (*names, *sources)
    if n in names or any(f"{n}_{way}" in looks for way in ways)
  ]
  across = [line for line in axes.lines if line.get_label() in map(comparison.label, _ACROSS)]
  legend = dict(frameon=False, fontsize=9)
  axes.figure.legend(handles=[*colours, *across], loc="outside upper center", ncols=3, **legend)
  lines = [
    Line2D([], [], color=_WAY_COLOUR, marker=marker, linestyle=line, markersize=5, label=label)
    for (marker, line), label in (
      (comparison_styles.RETRAININGS[way], comparison.RETRAININGS[way]) for way in ways
    )
  ]
  axes.figure.legend(
    handles=lines,
    loc="outside lower center",
    ncols=2,
    handlelength=4,
    title="Trained anew under the masks of the colour",
    title_fontsize=9,
    **legend,
  )
