"""Transfer plots: what tickets that were found on one task are worth on another.

Morcos et al. 2019, One Ticket to Win Them All, arXiv:1906.02773, figures 3 to 6.
"""

import itertools
import math
import statistics

import numpy as np
from matplotlib.figure import Figure

from tflottery.analysis.axes import DENSE_COLOUR, add_legend, line_styles, new_axes
from tflottery.analysis.plots import set_remaining_axis

_CONTROL_STYLES = ((DENSE_COLOUR, "x", ":"), ("#a8a8a8", "+", "-."))
_DENSE_LINES = ("--", ":", "-.")
_OWN_SIZE, _SIZE = 11, 5


def accuracy_figure(tickets, controls, *, dense):
  """Test accuracy in % against the weights remaining: a panel per target, a line per source.

  Points are means over the seeds; bars reach from the lowest seed to the highest. The ticket that was
  found on the target itself has stars.

  Args:
    tickets: dict from target to a dict from source to a dict from weights remaining, in %, to the
      accuracies of the seeds, in %; none makes empty axes.
    controls: the same of the random tickets, by their names.
    dense: dict from target to a dict from a dense network's name to its accuracies, in %; those of one
      name are a line at their mean.
  """
  names = list(dict.fromkeys(name for own in tickets.values() for name in own))
  others = list(dict.fromkeys(name for own in controls.values() for name in own))
  whole = list(dict.fromkeys(name for own in dense.values() for name in own))
  lines = math.ceil((len(names) + len(others) + 1 + len(whole)) / 3)
  panels = new_axes(legend_lines=lines, panels=max(1, len(tickets)))
  panels = panels if isinstance(panels, list) else [panels]
  styles = {name: (*style, _SIZE) for name, style in line_styles(names).items()}
  labels = set()
  for axes, (target, own) in zip(panels, tickets.items(), strict=False):
    for name, points in own.items():
      colour, marker, line, size = styles[name]
      marked = ("*", _OWN_SIZE) if name == target else (marker, size)
      _draw(axes, points, colour, marked, line)
      _label(axes, labels, f"ticket of {name}", color=colour, marker=marker, linestyle=line)
    if target in own:
      _label(axes, labels, "the target's own ticket", color="#777777", marker="*", linestyle="")
    for name, (colour, marker, line) in zip(others, _CONTROL_STYLES, strict=False):
      if name in controls.get(target, {}):
        _draw(axes, controls[target][name], colour, (marker, _SIZE), line)
        _label(axes, labels, name, color=colour, marker=marker, linestyle=line)
    for name, line in zip(whole, itertools.cycle(_DENSE_LINES), strict=False):
      if name in dense.get(target, {}):
        _draw_dense(axes, dense[target][name], line)
        _label(axes, labels, name, color=DENSE_COLOUR, linestyle=line)
    axes.set_title(f"trained on {target}", fontsize=9)
  _finish(panels, tickets)
  return panels[0].figure


def _draw(axes, points, colour, marked, line):
  marker, size = marked
  ordered = sorted(points, reverse=True)
  means = [statistics.fmean(points[x]) for x in ordered]
  below = [mean - min(points[x]) for x, mean in zip(ordered, means, strict=True)]
  above = [max(points[x]) - mean for x, mean in zip(ordered, means, strict=True)]
  axes.errorbar(
    ordered,
    means,
    yerr=(below, above) if any(len(values) > 1 for values in points.values()) else None,
    color=colour,
    marker=marker,
    linestyle=line,
    markersize=size,
    linewidth=1.4,
    elinewidth=0.9,
    capsize=2,
  )


def _draw_dense(axes, accuracies, line):
  axes.axhline(statistics.fmean(accuracies), color=DENSE_COLOUR, linestyle=line, linewidth=1.2)


def _label(axes, labels, text, **style):
  """An entry of the legend, once for all panels."""
  if text not in labels:
    labels.add(text)
    axes.plot([], [], label=text, **style)


def _finish(panels, tickets):
  remaining = {x for own in tickets.values() for points in own.values() for x in points}
  for axes in panels:
    axes.set_ylabel("Test accuracy (%)")
  set_remaining_axis(panels[-1], remaining)
  for axes in panels[:-1]:
    axes.set_xlabel("")
  add_legend(panels[0], columns=3)


def gains_figure(matrices):
  """What tickets gain over the random ticket of equal per-layer sparsities: source by target.

  Args:
    matrices: dict from the title of a panel to a dict from (source, target) to a number of points of
      accuracy; a pair that is absent stays empty. None makes an empty figure.
  """
  pairs = [pair for matrix in matrices.values() for pair in matrix]
  sources = list(dict.fromkeys(source for source, _ in pairs))
  targets = list(dict.fromkeys(target for _, target in pairs))
  size = (2.2 + 3.2 * max(1, len(matrices)), 1.6 + 0.5 * len(sources))
  figure = Figure(figsize=size, dpi=160, layout="constrained")
  if not pairs:
    return figure
  most = max(abs(value) for matrix in matrices.values() for value in matrix.values()) or 1
  panels = figure.subplots(1, len(matrices), squeeze=False, sharey=True)[0]
  for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
    values = np.array([[matrix.get((s, t), np.nan) for t in targets] for s in sources], float)
    # Half of the colours' range, so that numbers stay black on light fields.
    axes.imshow(values, cmap="PuOr", vmin=-2 * most, vmax=2 * most, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
      text = "" if np.isnan(value) else f"{value:+.2f}"
      weight = "bold" if sources[row] == targets[column] else "normal"
      options = {"ha": "center", "va": "center", "fontsize": 9, "fontweight": weight}
      axes.text(column, row, text, **options)
    axes.set_xticks(range(len(targets)), targets, fontsize=8, rotation=20, ha="right")
    axes.set_yticks(range(len(sources)), sources, fontsize=8)
    axes.set_xlabel("Trained on")
    axes.set_title(title, fontsize=9)
    axes.spines[:].set_visible(False)
  panels[0].set_ylabel("Ticket found on")
  return figure
