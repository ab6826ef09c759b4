"""Polygons: the corners of planar convex bodies, points and segments among them."""

import numpy as np
from scipy.spatial import ConvexHull

from tflottery.analysis.tropical.arrays import matrix

_FLAT = 1e-14  # of the extent: what stands out by less is rounding, as of projected generators


def polygon(points):
  """The convex hull of points in the plane.

  A corner that stands out by less than 1e-14 of the extent, or by the rounding of its coordinates, is
  left out, so collinear points make a segment.

  Args:
    points: [p, 2], in any order, p at least 1.

  Returns:
    float64 [k, 2]: corners out of `points`, strictly convex, counterclockwise, the lowest first, of those
    the leftmost. k = 1 is a point, k = 2 a segment.

  Raises:
    ValueError: another shape, or a value that is not finite or beyond half of the largest float.

  >>> polygon([[2, 2], [1, 0], [0, 0], [1, 1], [2, 0]]).tolist()
  [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]
  >>> polygon([[1, 1], [3, 3], [2, 2]]).tolist()
  [[1.0, 1.0], [3.0, 3.0]]
  """
  points = matrix("points", points, columns=2)
  if np.abs(points).max() > np.finfo(float).max / 2:
    raise ValueError("points are so far apart that no float holds it. Give them in another unit.")
  arms = points - points[np.lexsort(points.T)[0]]
  extent = np.abs(arms).max()
  rounding = _FLAT * extent + 2 * np.finfo(float).eps * np.abs(points).max()
  if extent <= rounding:
    return points[:1].copy()
  # In units of the extent, since the squares of tiny and huge coordinates are no floats.
  arms, rounding = arms / extent, rounding / extent
  lengths = np.hypot(*arms.T)
  far = lengths.argmax()
  axis = arms[far] / lengths[far]
  if np.abs(cross(axis, arms)).max() <= rounding:
    ring = [(arms @ axis).argmin(), far]
  else:
    # What is in order already, as most zonotopes are, needs no search.
    ring = np.arange(len(arms)) if _is_convex(arms, rounding) else ConvexHull(arms).vertices
    ring = ring[_corners(arms[ring], rounding, start=arms[far])]
  return from_lowest(points[ring])


def from_lowest(ring):
  """The same corners, beginning with the lowest (but for rounding), of those with the leftmost."""
  x, y = ring.T
  low = np.flatnonzero(y <= y.min() + _FLAT * np.ptp(y))
  return np.roll(ring, -low[x[low].argmin()], axis=0)


def cross(a, b):
  """a_x b_y - a_y b_x of vectors [..., 2]: above 0 where b is to the left of a."""
  return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _is_convex(ring, rounding):
  """Whether points go round their hull in order, once and counterclockwise, but for rounding."""
  after = np.roll(ring, -1, axis=0) - ring
  before = np.roll(after, 1, axis=0)
  turns, ahead = cross(before, after), (before * after).sum(1)
  slack = rounding * np.hypot(*(before + after).T)
  # Points that turn back, or stand on one another, could go round twice with turns that add up to once.
  if not np.where(ahead <= 0, turns > slack, turns >= -slack).all():
    return False
  return abs(np.arctan2(turns, ahead).sum() - 2 * np.pi) < 1


def _corners(ring, rounding, *, start):
  """Indices of those that are farther from the chord of their neighbours than rounding."""
  first = np.abs(ring - start).sum(1).argmin()
  chain = np.arange(first, first + len(ring) + 1) % len(ring)
  while len(chain) > 3:
    flat = _is_flat(np.diff(ring[chain], axis=0), rounding)
    # Never two neighbours at once: a round arc of many tiny edges would be lost.
    alternate = flat.copy()
    alternate[1::2] = False
    drop = alternate if alternate.any() else flat
    if not drop.any():
      break
    chain = np.delete(chain, 1 + np.flatnonzero(drop))
  return chain[:-1]


def _is_flat(edges, rounding):
  before, after = edges[:-1], edges[1:]
  lengths = np.hypot(*edges.T)
  # The tip of a thin body is near the line through its neighbours, and far from both of them.
  ahead = ((before * after).sum(1) >= 0) | (np.minimum(lengths[:-1], lengths[1:]) <= rounding)
  return ahead & (cross(before, after) <= rounding * np.hypot(*(before + after).T))


def mean_width(points):
  """The mean over all directions of the width of a convex body: its perimeter / pi.

  Args:
    points: [p, 2]; their hull is meant. A segment of length L has the perimeter 2 L.

  Returns:
    float, in the unit of the points; 0 for a point.

  Raises:
    ValueError: as from `polygon`.

  >>> round(mean_width([[0, 0], [3, 0], [3, 4], [0, 4]]) * np.pi, 9)
  14.0
  """
  ring = polygon(points)
  return float(np.hypot(*(np.roll(ring, -1, axis=0) - ring).T).sum() / np.pi)


def steiner_point(points):
  """The Steiner point: the corners' mean, each weighed by its exterior angle.

  Unlike the mean of the corners it moves little when the body does, and that of a Minkowski sum is the
  sum of those of its parts (Schneider, Convex Bodies, section 1.7).

  Args:
    points: [p, 2]; their hull is meant.

  Returns:
    [2].

  Raises:
    ValueError: as from `polygon`.

  >>> steiner_point([[0, 0], [2, 0], [2, 4], [0, 4]]).tolist()
  [1.0, 2.0]
  """
  ring = polygon(points)
  if len(ring) < 3:
    return ring.mean(0)
  after = np.roll(ring, -1, axis=0) - ring
  after /= np.abs(after).max()
  before = np.roll(after, 1, axis=0)
  angles = np.arctan2(cross(before, after), (before * after).sum(1))
  return ring[0] + angles / (2 * np.pi) @ (ring - ring[0])


def normalise(points):
  """The polygon with its Steiner point at 0 and mean width 1: its shape and how it is turned.

  Args:
    points: [p, 2]; their hull is meant.

  Returns:
    A polygon, see `polygon`; a point becomes 0.

  Raises:
    ValueError: as from `polygon`.

  >>> (normalise([[1, 5], [1, 7]]) / np.pi).tolist()
  [[0.0, -0.25], [0.0, 0.25]]
  """
  ring = polygon(points)
  centred = ring - steiner_point(ring)
  return centred / mean_width(ring) if len(ring) > 1 else np.zeros((1, 2))
