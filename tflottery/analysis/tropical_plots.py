"""Tropical plots: decision boundaries, the polytopes that govern them, and how shapes are kept.

Alfarra et al. 2022, On the Decision Boundaries of Neural Networks: A Tropical Geometry Perspective,
arXiv:2002.08838.
"""

import math
import statistics

import numpy as np
import scipy.stats
from matplotlib.figure import Figure

from tflottery.analysis.axes import add_legend, line_styles, new_axes, set_style
from tflottery.analysis.plots import set_remaining_axis
from tflottery.analysis.results import percent
from tflottery.analysis.tropical.polygons import normalise
from tflottery.analysis.tropical_drawings import (
  box_of,
  draw_boundary,
  draw_polygon,
  draw_subdivision,
  draw_zonotopes,
)

_SHAPE, _REFERENCE = "#0072b2", "#9a9a9a"
_ENOUGH_SEEDS = 5  # for an interval of the mean to say more than the seeds themselves


def boundary_figure(polytopes, points, labels, *, box=None, title="", names=("$x_1$", "$x_2$")):
  """The data over the decision regions of a pair of classes, with the decision boundary and T(R).

  Light colours say which of the pair's two logits is larger, a thick line where they are equal. Thin
  lines are the rest of the tropical hypersurface, on which the boundary has to lie.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs.
    points: [n, 2], as the network takes them.
    labels: [n], their classes; there may be more than the pair's, which are drawn grey.
    box: ((x0, x1), (y0, y1)), what is shown; None takes what the points fill.
    title: of the axes.
    names: of the two coordinates.

  Returns:
    A matplotlib `Figure`.

  Raises:
    ValueError: the network has not two inputs, points and labels don't fit, or there are neither
      points nor a box.
  """
  box = box_of(points) if box is None else box
  figure = Figure(figsize=(6.2, 5.4), dpi=160, layout="constrained")
  axes = figure.subplots()
  draw_boundary(axes, polytopes, points, labels, box=box)
  axes.set_title(title, fontsize=10)
  axes.set_xlabel(names[0])
  axes.set_ylabel(names[1])
  add_legend(axes, columns=2)
  return figure


def polytopes_figure(polytopes):
  """The two zonotopes and their hull; beside them, the subdivision of the hull.

  A vertex of Z1 or Z2 is the slope of a linear piece of S1 or S2, where S1 - S2 is the difference of
  the two logits. A thick edge, from Z1 to Z2, is at a right angle to a piece of the boundary.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs.

  Returns:
    A matplotlib `Figure` with two axes.

  Raises:
    ValueError: the network has not two inputs.
  """
  figure = Figure(figsize=(8.2, 5.1), dpi=160, layout="constrained")
  left, right = figure.subplots(1, 2)
  for axes in (left, right):
    set_style(axes)
  draw_zonotopes(left, polytopes)
  left.set_title("Zonotopes", fontsize=10)
  draw_subdivision(right, polytopes)
  right.set_title("Subdivision of their hull", fontsize=10)
  add_legend(left, columns=2)
  return figure


def polygons_figure(rows, *, columns, reference, distances=None):
  """Shapes of polygons, a row per initialisation and a column per sparsity.

  Each is moved and scaled to a mean width of 1 around its middle, see `polygons.normalise`, and drawn
  over the reference in grey, so that only shape and direction differ.

  Args:
    rows: dict from an initialisation to a dict from a column to a polygon [k, 2]; one that is None or
      absent leaves its panel empty.
    columns: the weights remaining, in %.
    reference: [k, 2], the dense network's polygon.
    distances: numbers to write into the panels, nested as `rows` is; None for none.

  Returns:
    A matplotlib `Figure` with an axes per panel, row by row.
  """
  size = (1.5 + 1.25 * len(columns), 0.7 + 1.25 * max(1, len(rows)))
  figure = Figure(figsize=size, dpi=160, layout="constrained")
  reference = normalise(reference)
  shapes = {
    (name, column): normalise(own[column])
    for name, own in rows.items()
    for column in columns
    if own.get(column) is not None
  }
  reach = 1.08 * max(np.abs(shape).max() for shape in [*shapes.values(), reference]) or 1
  if not rows or not columns:
    return figure
  panels = figure.subplots(len(rows), len(columns), squeeze=False)
  for line, name in zip(panels, rows, strict=True):
    for axes, column in zip(line, columns, strict=True):
      distance = (distances or {}).get(name, {}).get(column)
      _draw_shape(axes, shapes.get((name, column)), reference, distance)
      axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
  for axes, column in zip(panels[0], columns, strict=True):
    axes.set_title(f"{percent(column)} %", fontsize=8)
  figure.suptitle("Weights remaining", fontsize=9)
  figure.supxlabel(_polygons_caption(distances), fontsize=8)
  return figure


def _polygons_caption(distances):
  text = "Blue: the polygon. Grey: the dense network's. Same place and mean width."
  return f"{text}\nNumber: distance of the shapes, in mean widths." if distances else text


def _draw_shape(axes, shape, reference, distance):
  draw_polygon(axes, reference, _REFERENCE, fill=0.3, width=1)
  axes.spines[:].set_color("#dddddd")
  if shape is None:
    axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", fontsize=7)
    return
  draw_polygon(axes, shape, _SHAPE, fill=0.18, width=1.3)
  if distance is not None:
    options = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "fontsize": 7}
    axes.text(0.97, 0.03, f"{distance:.2f}", **options)


def shape_distance_figure(lines, *, measure="Shape distance to the dense polygon\n(mean widths)"):
  """Distance of shapes against the weights remaining, a line per initialisation.

  Points are means over the seeds. Bars are the 95 % interval of the mean (Student's t) where every point
  has 5 seeds or more, else they reach from the lowest seed to the highest; the title says which.

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
    axes.set_ylabel(measure)
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
