"""Supermask plots: networks that work by their mask, and which weights a criterion keeps.

Zhou et al. 2019, arXiv:1905.01067, sections 3 and 5.
"""

import itertools
import math
import statistics

import numpy as np
from matplotlib.figure import Figure

from tflottery.analysis.axes import DENSE_COLOUR, STYLES, add_legend, line_styles, new_axes
from tflottery.analysis.plots import set_remaining_axis

_MOST_POINTS = 3000
_KEPT, _PRUNED = "#d55e00", "#b9b9b9"


def untrained_figure(curves, *, dense=None):
  """Test accuracy in % of untrained networks under masks, against the weights remaining.

  Args:
    curves: dict from the name of a panel (the weights under the masks) to a dict from the name of a
      line (the criterion) to a dict from weights remaining, in %, to the accuracies of the seeds, in
      [0, 1]; none makes empty axes.
    dense: the accuracy of the trained dense network in [0, 1]; None where there is none.
  """
  names = list(dict.fromkeys(name for lines in curves.values() for name in lines))
  lines = math.ceil((len(names) + 1) / 3)
  panels = new_axes(legend_lines=lines, panels=max(1, len(curves)))
  panels = panels if isinstance(panels, list) else [panels]
  styles = line_styles(names)
  for axes, (panel, own) in zip(panels, curves.items(), strict=False):
    for name, points in own.items():
      label = name if axes is panels[0] else None
      _draw(axes, points, styles[name], label=label)
    if dense is not None:
      label = "trained dense network" if axes is panels[0] else None
      axes.axhline(100 * dense, color=DENSE_COLOUR, linestyle="--", linewidth=1.2, label=label)
    axes.set_title(panel, fontsize=9)
  for axes in panels:
    axes.set_ylabel("Test accuracy (%)")
  remaining = {x for lines in curves.values() for points in lines.values() for x in points}
  set_remaining_axis(panels[-1], remaining)
  for axes in panels[:-1]:
    axes.set_xlabel("")
  add_legend(panels[0], columns=3)
  return panels[0].figure


def _draw(axes, points, style, *, label):
  colour, marker, line = style
  ordered = sorted(points, reverse=True)
  means = [100 * statistics.fmean(points[x]) for x in ordered]
  axes.plot(ordered, means, color=colour, marker=marker, linestyle=line, markersize=4, label=label)


def trained_figure(networks, *, dense=None):
  """Test accuracy in % of trained masks against the weights that they keep: a point per network.

  Args:
    networks: dict from name to a list of (weights remaining in %, accuracy in [0, 1]), one for each
      seed; none makes empty axes.
    dense: as in `untrained_figure`.
  """
  axes = new_axes(legend_lines=math.ceil((len(networks) + 1) / 2))
  for (name, points), (colour, marker) in zip(
    networks.items(), itertools.cycle(STYLES), strict=False
  ):
    x, y = zip(*points, strict=True)
    heights = [100 * accuracy for accuracy in y]
    axes.plot(x, heights, marker=marker, linestyle="", markersize=7, color=colour, label=name)
  if dense is not None:
    axes.axhline(
      100 * dense, color=DENSE_COLOUR, linestyle="--", linewidth=1.2, label="trained dense network"
    )
  axes.set_xlabel("Weights remaining (%)")
  axes.set_ylabel("Test accuracy (%)")
  axes.invert_xaxis()
  add_legend(axes, columns=2)
  return axes.figure


def regions_figure(initial, final, masks, *, title=""):
  """Initial against final weights of one layer, a panel per criterion: what it keeps, and what not.

  Args:
    initial, final: float arrays of the layer's shape.
    masks: dict from criterion to bool array of that shape; none makes an empty figure. Of large
      layers an even selection of weights is drawn.
    title: what layer it is and how many weights remain.
  """
  columns = min(3, max(1, len(masks)))
  rows = max(1, -(-len(masks) // columns))
  figure = Figure(figsize=(6.2, 0.4 + 2.1 * rows), dpi=160, layout="constrained")
  panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
  chosen = np.arange(0, np.size(initial), max(1, np.size(initial) // _MOST_POINTS))
  x, y = (np.ravel(weights)[chosen] for weights in (initial, final))
  for axes in panels.flat[len(masks) :]:
    axes.set_axis_off()
  for axes, (name, mask) in zip(panels.flat, masks.items(), strict=False):
    kept = np.ravel(mask)[chosen]
    for which, colour, label in ((~kept, _PRUNED, "pruned"), (kept, _KEPT, "kept")):
      axes.plot(x[which], y[which], ".", markersize=1.6, color=colour, label=label)
    axes.axhline(0, color="#777777", linewidth=0.5)
    axes.axvline(0, color="#777777", linewidth=0.5)
    axes.set_title(name.replace("_", " "), fontsize=8)
    axes.tick_params(labelsize=7)
  for axes in panels.flat[max(0, len(masks) - columns) : len(masks)]:
    axes.tick_params(labelbottom=True)
  if masks:
    handles, labels = panels.flat[0].get_legend_handles_labels()
    options = {"loc": "outside upper right", "ncols": 2, "fontsize": 8, "markerscale": 5}
    figure.legend(handles, labels, frameon=False, **options)
  figure.supxlabel("Initial weight", fontsize=9)
  figure.supylabel("Final weight", fontsize=9)
  figure.suptitle(title, fontsize=9)
  return figure
