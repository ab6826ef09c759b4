"""Distances: how far apart two convex bodies are, and two shapes."""

import numpy as np

from tflottery.analysis.tropical.arrays import matrix
from tflottery.analysis.tropical.generators import support
from tflottery.analysis.tropical.polygons import normalise, polygon

_CHUNK = 2**22  # entries of the largest array at a time: 32 MB


def hausdorff(P, Q):
  """The exact Hausdorff distance of two convex bodies in the plane, max_u |h_P(u) - h_Q(u)|.

  Between two neighbours of all the edges' normals the farthest corners v of P and w of Q don't change, so
  the largest |<v - w, u>| is at one of both normals, or |v - w| where the direction of v - w or its opposite lies
  between them: O((k + l) log(k + l)) for k and l corners.

  Args:
    P, Q: [k, 2] and [l, 2], any points; their hulls are meant.

  Returns:
    float, in the unit of the points.

  Raises:
    ValueError: another shape, or a value that is not finite.

  >>> hausdorff([[0, 0], [2, 0], [2, 2], [0, 2]], [[0, 0], [1, 0], [1, 1], [0, 1]]) ** 2
  2.0000000000000004
  >>> hausdorff([[0, 0]], [[-3, 4], [1, 0]])
  5.0
  """
  P, p_angles, p_normals = _fan(polygon(matrix("P", P, columns=2)))
  Q, q_angles, q_normals = _fan(polygon(matrix("Q", Q, columns=2)))
  angles = np.concatenate([p_angles, q_angles])
  if not len(angles):
    return float(np.hypot(*(P[0] - Q[0])))
  order = angles.argsort()
  angles, normals = angles[order], np.concatenate([p_normals, q_normals])[order]
  v = P[np.searchsorted(p_angles, angles, side="right") % len(P)]
  w = Q[np.searchsorted(q_angles, angles, side="right") % len(Q)]
  apart = v - w
  at_normals = np.abs((apart * normals).sum(1)).max()
  widths = np.diff(angles, append=angles[0] + 2 * np.pi)
  # Modulo half a turn: the direction of v - w, or its opposite.
  towards = np.mod(np.arctan2(apart[:, 0], -apart[:, 1]) - angles, np.pi)
  return float(max(at_normals, np.hypot(*apart[towards <= widths].T).max(initial=0)))


def shape_distance(P, Q):
  """The Hausdorff distance after both bodies were moved and scaled by `polygons.normalise`.

  To move both zonotopes of a decision polytope alike, or to scale it, leaves the boundary of a network
  without biases in its place, so this is taken out. A rotation is not: the boundary turns as well.

  Args:
    P, Q: [k, 2] and [l, 2], any points; their hulls are meant.

  Returns:
    float, in mean widths. That of a segment and one that crosses it is up to pi / 4; that of any body and
    a point, which becomes 0, is half a mean width or more.

  Raises:
    ValueError: another shape, or a value that is not finite.

  >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
  >>> round(shape_distance(square, 5 * square - 3), 9)
  0.0
  """
  return hausdorff(normalise(matrix("P", P, columns=2)), normalise(matrix("Q", Q, columns=2)))


def hausdorff_bound(G, H):
  """How far apart two zonotopes can be at most: sum_j |g_j - h_j|, generator by generator.

  Since h_G(u) = sum_j max(<g_j, u>, 0), and max(., 0) changes by no more than what is in it. For the hulls
  of two zonotopes each it is the larger of the two bounds: the support function of a hull is the larger.

  Args:
    G, H: [p, n] each; or each a tuple of as many such arrays, whose hulls are meant.

  Returns:
    float, in the unit of the generators. It depends on their order, as neurons are paired by their index.

  Raises:
    ValueError: shapes that are not the same, or a value that is not finite.

  >>> hausdorff_bound([[1, 0], [0, 1]], [[1, 0], [3, 5]])
  5.0
  """
  G, H = _bodies("G", G), _bodies("H", H)
  shapes = [[part.shape for part in body] for body in (G, H)]
  if shapes[0] != shapes[1]:
    raise ValueError(
      f"G and H have the shapes {shapes[0]} and {shapes[1]}: generators are paired by their index. "
      "Give both the same number, with rows of zeros for those that were pruned."
    )
  return max(float(_lengths(g - h).sum()) for g, h in zip(G, H, strict=True))


def support_distance(bodies, others, directions):
  """The largest |h_P(u) - h_Q(u)| over given directions: a lower bound of the Hausdorff distance.

  Args:
    bodies, others: P and Q, each a tuple of generators [p, n] of zonotopes whose hull is meant, or one
      such array; the numbers of generators may differ.
    directions: [d, n], none of them zero; their lengths don't count.

  Returns:
    float, in the unit of the generators.

  Raises:
    ValueError: shapes that don't fit together, a direction of zeros, or a value that is not finite.

  >>> support_distance(([[3, 0]], [[0, 1]]), [[1, 0]], [[1, 0], [0, 2]])
  2.0
  """
  directions = matrix("directions", directions)
  if not directions.any(axis=1).all():
    raise ValueError("directions holds a row of zeros. Leave it out.")
  directions = directions / np.abs(directions).max(axis=1, keepdims=True)
  directions /= np.linalg.norm(directions, axis=1, keepdims=True)
  bodies, others = (
    _bodies(name, value, columns=directions.shape[1])
    for name, value in (("bodies", bodies), ("others", others))
  )
  chunk = max(1, _CHUNK // max(len(G) for G in bodies + others))
  return max(
    float(np.abs(_reach(bodies, u) - _reach(others, u)).max())
    for u in (directions[i : i + chunk] for i in range(0, len(directions), chunk))
  )


def _reach(bodies, directions):
  """[d], the support function of a hull of zonotopes."""
  return np.max([support(G, directions) for G in bodies], axis=0)


def _bodies(name, value, *, columns=None):
  """A list of matrices: of those in a tuple, or of one."""
  if isinstance(value, list) and value and np.ndim(value[0]) == 2:
    raise ValueError(f"{name} is a list of matrices. Give a tuple of them for the hull of several.")
  value = value if isinstance(value, tuple) else (value,)
  if not value:
    raise ValueError(f"{name}=() names no zonotope. Give one array of generators or more.")
  return [matrix(name, G, columns=columns) for G in value]


def _lengths(G):
  """[p], without squares of huge or tiny entries."""
  scale = np.abs(G).max() or 1.0
  return np.linalg.norm(G / scale, axis=1) * scale


def _fan(ring):
  """(ring [k, 2], angles [e], normals [e, 2]) of a polygon and its edges, by increasing angles in [0, 2 pi].

  Corner i is the farthest between the unit normals of edges i - 1 and i.
  """
  if len(ring) == 1:
    return ring, np.zeros(0), np.zeros((0, 2))
  edges = np.roll(ring, -1, axis=0) - ring
  angles = np.mod(np.arctan2(edges[:, 1], edges[:, 0]), 2 * np.pi)
  first = angles.argmin()
  ring, edges, angles = (np.roll(array, -first, axis=0) for array in (ring, edges, angles))
  edges = edges / np.hypot(*edges.T)[:, None]
  return ring, angles, np.stack([edges[:, 1], -edges[:, 0]], axis=1)
