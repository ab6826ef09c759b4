"""Tropical drawings: polygons, subdivisions and decision boundaries, on axes that are there already."""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import ListedColormap

from tflottery.analysis.tropical.boundaries import boundary
from tflottery.analysis.tropical.hypersurface import hypersurface
from tflottery.analysis.tropical.polytopes import require_planar
from tflottery.analysis.tropical.subdivision import subdivision

# Of the pair's first and second class: of Okabe and Ito's, dark for points and light for regions.
COLOURS = ("#d55e00", "#0072b2")
NAMES = ("$x_1$", "$x_2$")  # of the two coordinates, where none are given
_LIGHT = ("#fbe6d8", "#d8e9f5")
_MARKERS = ("o", "^")
_INK, _GREY = "#111111", "#8a8a8a"
_PIXELS = 240  # of the decision regions, along each side of the box
_MANY_EDGES, _MANY_VERTICES = 12, 10  # of a subdivision; more are drawn thin and small
_OWNERS = ("vertex of Z1", "vertex of Z2", "vertex of both")


def box_of(points):
  """((x0, x1), (y0, y1)) around points [n, 2], with a margin of a tenth of the larger side.

  Raises:
    ValueError: no points, not in the plane, or not finite.

  >>> box_of([[0, 0], [10, 5]])
  ((-1.0, 11.0), (-1.0, 6.0))
  """
  points = np.asarray(points, float)
  if points.ndim != 2 or points.shape[1] != 2 or not len(points):
    raise ValueError(
      f"points has the shape {points.shape}; (n, 2) with n at least 1 is needed to choose a box: give "
      "points of the plane."
    )
  if not np.isfinite(points).all():
    raise ValueError("points holds a value that is not finite (NaN or infinity). Leave it out.")
  low, high = points.min(0), points.max(0)
  margin = 0.1 * (high - low).max() or 1.0
  return tuple((float(a - margin), float(b + margin)) for a, b in zip(low, high, strict=True))


def draw_boundary(axes, polytopes, points, labels, *, box, names=NAMES):
  """The plane as the network cuts it: data, decision regions, decision boundary, T(R).

  Args:
    axes: matplotlib axes.
    polytopes: `DecisionPolytopes` of a network with two inputs.
    points: [n, 2], as the network takes them; n may be 0.
    labels: [n], classes; those outside the pair are drawn grey.
    box: ((x0, x1), (y0, y1)), what is shown.
    names: of the two coordinates.

  Raises:
    ValueError: the network has not two inputs, points that don't lie in the plane, or another number
      of labels than of points.
  """
  require_planar(polytopes)
  points, labels = _check_data(points, labels)
  _draw_regions(axes, polytopes, box)
  _draw_points(axes, points, labels, polytopes.pair)
  pieces = boundary(polytopes, box)
  for segments, label, style in (
    (pieces, "decision boundary: equal logits", {"color": _INK, "linewidth": 2.4, "zorder": 4}),
    (
      hypersurface(polytopes, box),
      "tropical hypersurface T(R)",
      {"color": _GREY, "linewidth": 0.8, "zorder": 0.9},
    ),
  ):
    axes.add_collection(LineCollection(segments, label=label, **style), autolim=False)
  if not len(pieces):
    place = {"transform": axes.transAxes, "ha": "center", "va": "bottom", "fontsize": 8}
    axes.text(0.5, 0.02, "no decision boundary in this box", **place)
  axes.set(xlim=box[0], ylim=box[1], aspect="equal", xlabel=names[0], ylabel=names[1])


def _check_data(points, labels):
  points, labels = np.asarray(points, float), np.asarray(labels)
  points = points if points.size else points.reshape(0, 2)
  if points.ndim != 2 or points.shape[1] != 2:
    raise ValueError(
      f"points has the shape {points.shape}; (n, 2) is needed: project points with more coordinates."
    )
  if labels.shape != points.shape[:1]:
    raise ValueError(
      f"labels has the shape {labels.shape}; ({len(points)},) is needed, a class of each point."
    )
  return points, labels


def _draw_regions(axes, polytopes, box):
  edges = (np.linspace(low, high, _PIXELS + 1) for low, high in box)
  x, y = ((edge[1:] + edge[:-1]) / 2 for edge in edges)
  # Row by row: all pixels at once would need memory for each of them times the units.
  rows = (polytopes.values(np.column_stack([x, np.full_like(x, at)])) for at in y)
  larger = np.array([np.sign(first - second) for first, second in rows])
  axes.imshow(
    larger,
    cmap=ListedColormap([_LIGHT[1], "white", _LIGHT[0]]),
    vmin=-1,
    vmax=1,
    extent=(*box[0], *box[1]),
    origin="lower",
    interpolation="nearest",
    zorder=0,
  )


def _draw_points(axes, points, labels, pair):
  for number, colour, marker in zip(pair, COLOURS, _MARKERS, strict=True):
    label = f"class {number} (light: where its logit is larger)"
    style = {"s": 8, "color": colour, "marker": marker, "alpha": 0.6, "zorder": 2}
    axes.scatter(*points[labels == number].T, linewidths=0, label=label, **style)
  others = points[~np.isin(labels, pair)]
  if len(others):
    axes.scatter(*others.T, s=7, color="#bdbdbd", linewidths=0, label="other classes")


def draw_polygon(axes, polygon, colour, *, label=None, fill=0.22, line="-", width=1.6):
  """A polygon [k, 2] as `polygons.polygon` gives it, filled; a segment or a point is a line or a dot."""
  polygon = np.asarray(polygon, float)
  if len(polygon) > 2:
    axes.fill(*polygon.T, color=colour, alpha=fill, linewidth=0)
  closed = np.concatenate([polygon, polygon[:1]])
  # What has no inside would not be seen without marks.
  marker, size = {1: ("o", 4.5), 2: ("o", 2.5)}.get(len(polygon), ("", 0))
  axes.plot(
    *closed.T,
    color=colour,
    linestyle=line,
    linewidth=width,
    marker=marker,
    markersize=size * width,
    solid_joinstyle="round",
    label=label,
  )


def draw_zonotopes(axes, polytopes, *, names=NAMES, limits=None):
  """The two zonotopes of `DecisionPolytopes` and their hull; `limits` as from `limits_of`."""
  hull = polytopes.hull()
  # The second is thinner, so that both are seen where they coincide.
  both = zip(polytopes.zonotopes(), polytopes.pair, COLOURS, (2.4, 1.4), strict=True)
  for index, (zonotope, number, colour, width) in enumerate(both, 1):
    label = f"zonotope Z{index}, for class {number}"
    draw_polygon(axes, zonotope, colour, label=label, width=width)
  draw_polygon(axes, hull, _INK, label="their hull", fill=0, line=(0, (4, 2)), width=0.9)
  _set_slopes(axes, limits or limits_of([hull]), names)


def draw_subdivision(axes, polytopes, *, names=NAMES):
  """The dual subdivision of the hull; thick, its edges that are dual to pieces of the boundary."""
  parts = subdivision(polytopes)
  vertices, crossing = parts.vertices, parts.crossing_edges
  faces = [vertices[list(face)] for face in parts.faces if len(face) > 2]
  axes.add_collection(PolyCollection(faces, facecolors="#f1f1f1", linewidths=0), autolim=False)
  axes.add_collection(
    LineCollection(vertices[parts.edges], colors=_GREY, linewidths=0.7), autolim=False
  )
  width = 2.2 if len(crossing) <= _MANY_EDGES else 1
  label = "edge between Z1 and Z2: at right angles to a piece of the boundary"
  if len(crossing):
    edges = LineCollection(vertices[crossing], colors=_INK, linewidths=width, label=label)
    axes.add_collection(edges, autolim=False)
  size = 30 / (1 + len(vertices) / _MANY_VERTICES) ** 0.5
  for owner, colour, label in zip((0, 1, 2), (*COLOURS, _INK), _OWNERS, strict=True):
    own = vertices[parts.owners == owner]
    if len(own):
      axes.scatter(*own.T, s=size, color=colour, linewidths=0, label=label, zorder=3)
  _set_slopes(axes, limits_of([vertices]), names)


def limits_of(polygons):
  """((x0, x1), (y0, y1)), a square around all polygons [k, 2]; a single point gets a unit around it.

  >>> limits_of([[[3, 4]], [[3, 4], [13, 4]]])
  ((2.0, 14.0), (-2.0, 10.0))
  """
  box = box_of(np.concatenate([np.asarray(polygon, float) for polygon in polygons]))
  half = max(high - low for low, high in box) / 2
  return tuple(((low + high) / 2 - half, (low + high) / 2 + half) for low, high in box)


def settle(figure):
  """Lay out a figure with the constrained layout until the labels of axes of equal aspect fit.

  The layout takes the room that such axes leave empty for room that their labels may use, and gives a
  part of it to others. Each turn leaves a quarter of the error.
  """
  for _ in range(4):
    figure.get_layout_engine().execute(figure)


def _set_slopes(axes, limits, names):
  axes.set(xlim=limits[0], ylim=limits[1], aspect="equal")
  axes.set(xlabel=f"Slope along {names[0]}", ylabel=f"Slope along {names[1]}")
