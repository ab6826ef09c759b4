"""Cells: the linear regions of a layer of ReLUs with two inputs, inside a box."""

import numpy as np

from tflottery.analysis.tropical.arrays import matrix, numbers

# Of the largest coordinate of the box: a point that is nearer than this to a line is taken to be on it.
# Rounding moves a point by about 1e-15.
TOLERANCE = 1e-12


def cells(A, c1, box):
  """The linear regions of max(A x + c1, 0), which tile a box.

  The box is cut along the line of one unit after the other. A corner that lies on a line to within
  1e-12 of the largest coordinate of the box is taken to be on it, so that lines that repeat, or meet in
  one point, leave no slivers. Units with weights of zeros cut nothing.

  Args:
    A: [p, 2], p at least 1.
    c1: [p], or None for zeros.
    box: ((x0, x1), (y0, y1)).

  Returns:
    A list of convex polygons, float64 [k, 2], counterclockwise from the lowest corner (of those the
    leftmost), and in the order of these. p lines make at most p (p + 1) / 2 + 1 of them.

  Raises:
    ValueError: shapes that don't fit, values that are not finite, or a box without inside.

  >>> left, right = cells([[1, 0]], [-1], ((0, 3), (0, 1)))
  >>> left.tolist(), right.tolist()
  ([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [3.0, 0.0], [3.0, 1.0], [1.0, 1.0]])
  """
  A = matrix("A", A, columns=2)
  c1 = np.zeros(len(A)) if c1 is None else numbers("c1", c1)
  if c1.shape != (len(A),):
    raise ValueError(f"c1 has the shape {c1.shape}. Give {len(A)} entries, a bias for each unit.")
  points, corners, starts = arrangement(A, c1, check_box(box))
  polygons = [_from_the_lowest(points[loop]) for loop in np.split(corners, starts[1:])]
  return sorted(polygons, key=lambda polygon: tuple(polygon[0, ::-1]))


def arrangement(A, c1, box):
  """The same cells with the corners they share: what `cells` is made of.

  Args:
    A, c1: [p, 2] and [p], p may be 0.
    box: float64 [2, 2], as from `check_box`.

  Returns:
    (points [v, 2], corners [e], starts [k]): cell m has the points corners[starts[m] : starts[m + 1]],
    counterclockwise. Neighbours name the same points.
  """
  (x0, x1), (y0, y1) = box
  near = TOLERANCE * np.abs(box).max()
  points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
  corners, starts = np.arange(4), np.array([0])
  for line in lines(A, c1):
    side = points @ line[:2] + line[2]
    side[np.abs(side) <= near] = 0
    low = np.minimum.reduceat(side[corners], starts)
    high = np.maximum.reduceat(side[corners], starts)
    cut = (low < 0) & (high > 0)
    if cut.any():
      sizes = np.diff(starts, append=len(corners))
      loops = [
        corners[m : m + size].tolist() for m, size in zip(starts[cut], sizes[cut], strict=True)
      ]
      halves, edges = _halves(loops, side)
      points = np.concatenate([points, _crossings(points, side, edges)])
      corners = np.concatenate([corners[np.repeat(~cut, sizes)], *halves])
      sizes = np.concatenate([sizes[~cut], [len(half) for half in halves]])
      starts = np.cumsum(sizes) - sizes
  return points, corners, starts


def lines(A, c1):
  """[q, 3]: (a, c) with |a| = 1 of the lines <a, x> + c = 0 of those units that have weights."""
  largest = np.abs(A).max(1, initial=0)
  rows = np.column_stack([A, c1])[largest > 0]
  with np.errstate(over="ignore"):  # an offset of infinity: the line passes no box
    rows = rows / largest[largest > 0, None]
  return rows / np.hypot(rows[:, 0], rows[:, 1])[:, None]


def check_box(box):
  """`box` as a float64 array [[x0, x1], [y0, y1]]; refuses what has no inside."""
  try:
    array = matrix("box", box, columns=2)
    fits = len(array) == 2 and (array[:, 0] < array[:, 1]).all()
  except ValueError:
    fits = False
  if not fits:
    raise ValueError(
      f"box={box!r} must be ((x0, x1), (y0, y1)), finite, with x0 < x1 and y0 < y1, as ((-1, 1), (-1, 1))."
    )
  return array


def _halves(loops, side):
  """The two parts of each loop of points, and the edges (u, v) on which new points lie."""
  signs = np.sign(side).astype(int).tolist()
  edges, halves = {}, []
  for loop in loops:
    positive, negative = [], []
    for u, v in zip(loop, loop[1:] + loop[:1], strict=True):
      if signs[u] >= 0:
        positive.append(u)
      if signs[u] <= 0:
        negative.append(u)
      if signs[u] * signs[v] < 0:
        # Both cells of an edge take the same new point, whichever comes first.
        new = edges.setdefault((min(u, v), max(u, v)), len(signs) + len(edges))
        positive.append(new)
        negative.append(new)
    halves += [positive, negative]
  return halves, list(edges)


def _crossings(points, side, edges):
  u, v = np.array(edges, int).reshape(-1, 2).T
  share = side[u] / (side[u] - side[v])
  return points[u] + share[:, None] * (points[v] - points[u])


def _from_the_lowest(polygon):
  return np.roll(polygon, -np.lexsort(polygon.T)[0], axis=0)
