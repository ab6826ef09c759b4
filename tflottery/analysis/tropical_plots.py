"""Tropical plots: decision boundaries, the polytopes that govern them, and polygons side by side.

Alfarra et al. 2022, On the Decision Boundaries of Neural Networks: A Tropical Geometry Perspective,
arXiv:2002.08838.
"""

import math

import numpy as np
from matplotlib.figure import Figure

from tflottery.analysis.axes import add_legend, set_style
from tflottery.analysis.results import percent
from tflottery.analysis.tropical.polygons import normalise
from tflottery.analysis.tropical_drawings import (
  NAMES,
  box_of,
  draw_boundary,
  draw_polygon,
  draw_subdivision,
  draw_zonotopes,
  settle,
)

_SHAPE, _REFERENCE = "#0072b2", "#9a9a9a"
_CAPTION_INCHES = 4.5  # what the caption of the polygons takes


def boundary_figure(polytopes, points, labels, *, box=None, title="", names=NAMES):
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
  width, height = (high - low for low, high in box)
  size = (6.2, 1.3 + np.clip(5.3 * height / width, 1, 4.1))
  figure = Figure(figsize=size, dpi=160, layout="constrained")
  axes = figure.subplots()
  draw_boundary(axes, polytopes, points, labels, box=box, names=names)
  axes.set_title(title, fontsize=10)
  add_legend(axes, columns=2)
  settle(figure)
  return figure


def polytopes_figure(polytopes, *, names=NAMES):
  """The two zonotopes and their hull; beside them, the subdivision of the hull.

  A vertex of Z1 or Z2 is the slope of a linear piece of S1 or S2, where S1 - S2 is the difference of
  the two logits. A thick edge, from Z1 to Z2, is at a right angle to a piece of the boundary.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs.
    names: of the two coordinates.

  Returns:
    A matplotlib `Figure` with two axes.

  Raises:
    ValueError: the network has not two inputs.
  """
  figure = Figure(dpi=160, layout="constrained")
  left, right = figure.subplots(1, 2)
  for axes in (left, right):
    set_style(axes)
  draw_zonotopes(left, polytopes, names=names)
  left.set_title("Zonotopes", fontsize=10)
  draw_subdivision(right, polytopes, names=names)
  right.set_title("Subdivision of their hull", fontsize=10)
  entries = sum(len(axes.get_legend_handles_labels()[0]) for axes in (left, right))
  figure.set_size_inches(8.2, 4.3 + 0.2 * math.ceil(entries / 2))
  add_legend(left, columns=2)
  settle(figure)
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
  size = (max(_CAPTION_INCHES, 1.5 + 1.25 * len(columns)), 0.7 + 1.25 * max(1, len(rows)))
  figure = Figure(figsize=size, dpi=160, layout="compressed")
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
