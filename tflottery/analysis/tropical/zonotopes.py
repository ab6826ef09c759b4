"""Zonotopes: the vertices of sums of segments, in the plane and in any dimension."""

import itertools
import math

import numpy as np

from tflottery.analysis.tropical.arrangements import directions, half_turn, sides
from tflottery.analysis.tropical.arrays import matrix
from tflottery.analysis.tropical.polygons import from_lowest

_PARALLEL = 1e-14  # radians: generators at a smaller angle make one edge
_MOST = 10**8  # numbers that listing the vertices of one zonotope may go through
_CHUNK = 2**22  # entries of the largest array at a time: 32 MB


def zonotope(G):
  """The exact vertices of a planar zonotope, the sum of the segments [0, g] over the rows g of G.

  In the order of their angles the generators are the edges of one half, which a point reflection turns
  into the other: O(p log p). Generators that are parallel make one edge: each to 1e-14 radians with the
  next, and all within 4e-14. One too short for the rounding of coordinates is left to the next. Sums run
  in extended precision, so vertices are exact but for their own rounding.

  Args:
    G: [p, 2], p at least 1; rows of zeros add nothing.

  Returns:
    A polygon, see `polygons.polygon`, strictly convex but for the rounding of its vertices: float64
    [k, 2], k = 1 if all is zero, 2 if all is collinear, at most 2 p.

  Raises:
    ValueError: another shape, or a value that is not finite.

  >>> zonotope([[1, 0], [0, 2], [3, 0]]).tolist()
  [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
  >>> zonotope([[-1, -1]]).tolist()
  [[-1.0, -1.0], [0.0, 0.0]]
  """
  G = matrix("G", G, columns=2)
  G = G[G.any(axis=1)]
  if not len(G):
    return np.zeros((1, 2))
  order, starts, signs = half_turn(G, _PARALLEL / 2)
  G = G[order]
  starts = _within(signs[:, None] * G, starts)
  G = G.astype(np.longdouble)
  edges = np.add.reduceat(signs[:, None] * G, starts, axis=0)
  first = G[signs < 0].sum(axis=0)
  half = np.concatenate([first[None], edges[:-1]]).cumsum(axis=0)[_apart(edges)]
  ring = np.concatenate([half, G.sum(axis=0) - half]).astype(float) + 0.0
  moved = (ring != np.roll(ring, 1, axis=0)).any(axis=1)
  return from_lowest(ring[moved])


def _within(G, starts):
  """Where edges start when those of generators that turn left in small steps are cut: at each 4e-14."""
  angles = np.unwrap(np.arctan2(G[:, 1], G[:, 0]))
  firsts = np.repeat(angles[starts], np.diff(starts, append=len(G)))
  # Towards 0: a step back is rounding.
  parts = np.trunc((angles - firsts) / (4 * _PARALLEL))
  return np.union1d(starts, 1 + np.flatnonzero(np.diff(parts) > 0))


def _apart(edges):
  """Which edges are longer than the rounding of coordinates, alone or with short ones before them."""
  reach = np.abs(edges).sum(axis=0)
  sizes = (np.abs(edges) / np.where(reach > 0, reach, 1)).max(axis=1)
  rounding = 4 * np.finfo(float).eps
  short = np.where(sizes < rounding, sizes, 0)
  ticks = np.floor(np.append(0, short.cumsum()) / rounding)
  return (sizes >= rounding) | (ticks[1:] > ticks[:-1])


def zonotope_vertices(G):
  """The exact vertices of a zonotope in any dimension, for few generators.

  A vertex is the sum of the generators on one side of a hyperplane through 0; `arrangements.sides` finds
  all sides there are, of generators in the plane by their angles, in higher dimensions along each
  generator in turn. With p generators that span n dimensions there are at most
  2 sum_{k<n} C(p - 1, k) vertices. Time and memory are about p times that in three dimensions, and in n
  the plane is swept for each choice of n - 2 generators; p = n is quick, as all 2^p sums are vertices.
  What may take more than about 10 s or 450 MB is refused: more generators than 5000 in a plane of three
  dimensions, 243, 64, 31 and 21 that span three to six, 13 that span ten, 18 that are independent.

  Args:
    G: [p, n], p at least 1; rows of zeros add nothing.

  Returns:
    float64 [v, n], each vertex once: as a polygon for n = 2, otherwise by their first entries, then their
    second, and so on. v = 1 if all is zero.

  Raises:
    ValueError: another shape, a value that is not finite, or more generators than that.

  >>> zonotope_vertices([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [1, 1, 0]]).tolist()
  [[-1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [2.0, 2.0, 0.0]]
  """
  G = matrix("G", G)
  if G.shape[1] == 2:
    return zonotope(G)
  live = G[G.any(axis=1)]
  rank = directions(live).shape[1] if len(live) else 0
  if _is_too_much(len(live), rank):
    raise ValueError(
      f"G has {len(live)} generators that span {rank} dimensions, and so too many vertices to list. Take "
      "support_points(G, directions), or project G on a plane."
    )
  return np.unique(_sums(sides(G), G), axis=0)


def _is_too_much(p, n):
  """Whether `arrangements.sides` may go through more than _MOST numbers: its cells, on all walls of walls."""
  if p == n:
    return 2**p * p * n > _MOST

  def cells(p, n):
    return 2 * sum(math.comb(p - 1, k) for k in range(n))

  walls = range(n - 1)  # How many a cell lies on, down to the plane.
  steps = (math.comb(p, k) * cells(p - k, n - k) * (p - k) * (n - k) for k in walls)
  return any(total > _MOST for total in itertools.accumulate(steps))


def support_points(G, directions):
  """The point of a zonotope that is farthest in each direction: the sum of the g with <g, u> > 0.

  It is a vertex where no generator is orthogonal to the direction; those which are, are left out, so
  that it is one point of the farthest face.

  Args:
    G: [p, n], p at least 1.
    directions: [d, n], of any lengths; all points of Z are the farthest in the direction 0, and 0 is given.

  Returns:
    float64 [d, n].

  Raises:
    ValueError: shapes that don't fit together, or a value that is not finite.

  >>> support_points([[1, 0, 0], [0, 2, 0]], [[1, 1, 0], [1, -1, 5], [-1, -1, 1]]).tolist()
  [[1.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
  """
  G = matrix("G", G)
  directions = matrix("directions", directions, columns=G.shape[1])
  chunk = max(1, _CHUNK // len(G))
  return np.concatenate(
    [_sums(directions[i : i + chunk] @ G.T > 0, G) for i in range(0, len(directions), chunk)]
  )


def _sums(sides, G):
  """[v, n], the sums of the generators that bool [v, p] names."""
  chunk = max(1, _CHUNK // len(G))
  return np.concatenate(
    [sides[i : i + chunk].astype(float) @ G for i in range(0, len(sides), chunk)]
  )
