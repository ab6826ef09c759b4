"""Shape plots: how far shapes of polygons are kept, over sparsities and seeds.

Alfarra et al. 2022, arXiv:2002.08838.
"""

import math
import statistics
import textwrap

import numpy as np
import scipy.stats

from tflottery.analysis.axes import add_legend, line_styles, new_axes
from tflottery.analysis.plots import set_remaining_axis

_ENOUGH_SEEDS = 5  # for an interval of the mean to say more than the seeds themselves


def shape_distance_figure(lines, *, measure="Shape distance to the dense polygon\n(mean widths)"):
  """Distance of shapes against the weights remaining, a line per initialisation.

  Points are means over the seeds. Bars are the 95 % interval of the mean (Student's t) where every point
  has 5 seeds or more, else they reach from the lowest seed to the highest; the title says which, or
  that there is one seed.

  Args:
    lines: dict from an initialisation to a dict from the weights remaining, in %, to the values of the
      seeds. The first is drawn strongest: the ticket's. None makes empty axes.
    measure: what the values are, and their unit.

  Returns:
    A matplotlib `Figure`.
  """
  axes = new_axes(legend_lines=math.ceil(len(lines) / 3))
  _draw_lines(axes, lines, lines)
  axes.set_ylabel(measure)
  axes.set_ylim(bottom=0)
  set_remaining_axis(axes, {x for points in lines.values() for x in points})
  add_legend(axes, columns=3)
  return axes.figure


def pruning_figure(measures):
  """What pruning by each rule leaves, a panel per measure, drawn as `shape_distance_figure` is.

  Args:
    measures: dict from a measure with its unit, as "Test accuracy (%)", to a dict from a rule to a dict
      from the weights removed, in %, to the values of the seeds. The first rule is drawn strongest.

  Returns:
    A matplotlib `Figure` with an axes per measure.
  """
  names = list(dict.fromkeys(name for lines in measures.values() for name in lines))
  panels = new_axes(legend_lines=math.ceil(len(names) / 2), panels=max(1, len(measures)))
  panels = panels if isinstance(panels, list) else [panels]
  for axes, (measure, lines) in zip(panels, measures.items(), strict=False):
    _draw_lines(axes, lines, names, labels=axes is panels[0])
    axes.set_ylabel(textwrap.fill(measure, 30))  # a panel is low
  panels[-1].set_xlabel("Weights removed (%)")
  add_legend(panels[0], columns=2)
  return panels[0].figure


def _draw_lines(axes, lines, names, labels=True):
  """Means over seeds with their bars; `names`, all that the figure has, choose the styles."""
  seeds = [len(values) for points in lines.values() for values in points.values()]
  interval = min(seeds, default=0) >= _ENOUGH_SEEDS
  for index, (name, style) in enumerate(line_styles(names).items()):
    colour, marker, line = style
    places = sorted(lines.get(name, {}))
    values = [lines[name][place] for place in places]
    means = [statistics.fmean(own) for own in values]
    axes.errorbar(
      places,
      means,
      yerr=_bars(values, means, interval) if max(seeds, default=0) > 1 else None,
      color=colour,
      marker=marker,
      linestyle=line,
      markersize=6 if index == 0 else 4.5,
      linewidth=2.4 if index == 0 else 1.3,
      elinewidth=0.9,
      capsize=2,
      zorder=3 if index == 0 else 2,
      label=name if labels else None,
    )
  if seeds and max(seeds) > 1:
    bars = "95 % interval of the mean" if interval else "lowest to highest"
    axes.set_title(f"mean over seeds; bars: {bars}", fontsize=8)
  elif seeds:
    axes.set_title("one seed", fontsize=8)


def _bars(values, means, interval):
  """[2, n]: how far the bars reach below and above the means."""
  if not interval:
    ends = [(mean - min(own), max(own) - mean) for own, mean in zip(values, means, strict=True)]
    return np.array(ends).reshape(-1, 2).T
  half = [
    scipy.stats.t.ppf(0.975, len(own) - 1) * statistics.stdev(own) / math.sqrt(len(own))
    for own in values
  ]
  return np.array([half, half])
