"""Boundaries: where two classes have the same logit, as exact segments or points."""

import numpy as np

from tflottery.analysis.tropical import differences
from tflottery.analysis.tropical.cells import arrangement, check_box
from tflottery.analysis.tropical.polytopes import require_planar


def boundary(polytopes, box):
  """The decision boundary, all x in a box with f_i(x) = f_j(x): exact segments.

  f_i - f_j is affine in each of the `cells` of the units for which B_i and B_j differ. Where it is 0 on a
  whole cell, the outline of the region of such cells is returned, as far as it lies in the box with the
  box's edge. Where the two classes only touch in a point, that is a segment of length 0. No piece
  comes twice. A value at a corner is taken to be 0 when rounding may have made it, see
  `differences.snapped`; the points found are true to about 1e-12 of the box.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs. p units make up to about p^2 / 2 cells:
      300 take about a second, 1000 half a minute and more.
    box: ((x0, x1), (y0, y1)).

  Returns:
    float64 [b, 2, 2], segments from one point (x, y) to another; b may be 0.

  Raises:
    ValueError: the network has not two inputs, or the box no inside.

  >>> from tflottery.analysis.tropical.network import Network
  >>> from tflottery.analysis.tropical.polytopes import DecisionPolytopes
  >>> polytopes = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[0, -2]))
  >>> boundary(polytopes, ((-1, 4), (-1, 2))).tolist()
  [[[2.0, 2.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 1.0]]]
  """
  require_planar(polytopes)
  box = check_box(box)
  network, bends = polytopes.network, differences.weights(polytopes) != 0
  points, corners, starts = arrangement(network.A[bends], network.c1[bends], box)
  values = differences.snapped(polytopes, points, np.hypot(*np.abs(box).max(1)))
  sizes = np.diff(starts, append=len(corners))
  following = np.append(corners[1:], 0)
  following[starts + sizes - 1] = corners[starts]
  sides = np.repeat(np.arange(len(sizes)), sizes), corners, following
  zero = np.maximum.reduceat(np.abs(values)[corners], starts) == 0
  mixed = np.minimum.reduceat(values[corners], starts) < 0
  mixed &= np.maximum.reduceat(values[corners], starts) > 0
  through, ends = _through(points, values, sides, mixed)
  along, inner = _along_sides(values, sides, zero)
  alone = np.setdiff1d(
    np.flatnonzero(values == 0), np.concatenate([ends, inner.ravel(), along.ravel()])
  )
  return np.concatenate([through, points[along], points[alone][:, None].repeat(2, 1)])


def boundary_crossings(polytopes, starts, ends):
  """Where straight ways cross the decision boundary: exact points of it for any number of inputs.

  Args:
    polytopes: `DecisionPolytopes` of any number of inputs.
    starts, ends: [r, n], the ways' ends.

  Returns:
    float64 [b, n], way after way from its start on. Of a stretch on which f_i = f_j, its two ends.

  Raises:
    ValueError: starts and ends that have not the same shape [r, n], or hold what is not finite.

  >>> from tflottery.analysis.tropical.network import Network
  >>> from tflottery.analysis.tropical.polytopes import DecisionPolytopes
  >>> polytopes = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[0, -2]))
  >>> boundary_crossings(polytopes, [[-1, 0], [0, -1]], [[-1, 5], [9, -1]]).tolist()
  [[-1.0, 1.0]]
  """
  starts = differences.check_inputs(polytopes, starts, "starts")
  ends = differences.check_inputs(polytopes, ends, "ends")
  if starts.ndim != 2 or starts.shape != ends.shape:
    raise ValueError(f"starts {starts.shape} and ends {ends.shape} must be of one shape, [r, n].")
  points = [np.empty((0, starts.shape[1]))]
  for start, end in zip(starts, ends, strict=True):
    shares, values = differences.along(polytopes, start, end)
    zero = np.pad(values == 0, 1)
    found = shares[zero[1:-1] & ~(zero[:-2] & zero[2:])]
    points.append(start + found[:, None] * (end - start))
  return np.concatenate(points)


def _through(points, values, sides, mixed):
  """Segments through the cells that have both signs, and those corners in which they end."""
  cell, u, v = sides
  crossed = (np.sign(values[u]) * np.sign(values[v]) < 0) | ((values[u] == 0) & (values[v] != 0))
  cell, u, v = (index[crossed & mixed[cell]] for index in sides)
  # Both cells of an edge go along it the same way, and find the same point.
  low = np.where(values[u] == 0, u, np.minimum(u, v))
  high = u + v - low
  share = values[low] / (values[low] - values[high])
  found = points[low] + share[:, None] * (points[high] - points[low])
  same = cell[1:] == cell[:-1]
  return np.stack([found[:-1][same], found[1:][same]], axis=1), u[values[u] == 0]


def _along_sides(values, sides, zero):
  """Pairs of corners: the sides on which the value is 0, without those, given apart, between cells of zeros."""
  cell, u, v = sides
  flat = (values[u] == 0) & (values[v] == 0)
  pairs = np.stack([np.minimum(u, v), np.maximum(u, v)], axis=1)[flat]
  pairs, which = np.unique(pairs, axis=0, return_inverse=True)
  zeros = np.bincount(which.ravel(), zero[cell[flat]], minlength=len(pairs))
  return pairs[zeros < 2], pairs[zeros == 2]
