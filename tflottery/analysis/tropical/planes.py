"""Planes: two orthonormal directions on which generators of many dimensions are drawn."""

import numpy as np

from tflottery.analysis.tropical.arrays import matrix

_COLLINEAR = 1e-12  # sine of the angle below which two directions are taken for one
_ROUNDING = 1e-14  # of a sum's terms, and of the length of a direction


def plane(directions):
  """Orthonormal directions that span the plane of two given ones.

  Args:
    directions: [2, n], n at least 2.

  Returns:
    [2, n]: the first is that of directions[0]; the second is orthogonal to it, on the side of
    directions[1], with 0 for its entries of no more than 1e-14.

  Raises:
    ValueError: another shape, a value that is not finite, or directions that are collinear or zero.

  >>> plane([[0, 2, 0], [3, 1, 0]]).tolist()
  [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
  """
  directions = matrix("directions", directions)
  if len(directions) != 2 or directions.shape[1] < 2:
    raise ValueError(
      f"directions has the shape {directions.shape}. Give two directions of at least two entries."
    )
  if not directions.any(axis=1).all():
    raise ValueError("directions holds a row of zeros. Give two directions that are not collinear.")
  first, second = (_unit(direction) for direction in directions)
  rest = second - (second @ first) * first
  if np.linalg.norm(rest) <= _COLLINEAR:
    raise ValueError("directions are collinear and span no plane. Give two that are not.")
  rest = _unit(rest)
  return np.stack([first, _clean(_unit(rest - (rest @ first) * first))])


def principal_plane(G):
  """The plane on which the generators keep most of their squared lengths.

  Args:
    G: [p, n], n at least 2.

  Returns:
    [2, n], orthonormal, the first direction the farthest; the largest entry of each is positive, and
    those of no more than 1e-14 are 0. For generators along one line the second is the part orthogonal to
    it of the axis least along it; for none but zeros they are the first two axes.

  Raises:
    ValueError: another shape, n = 1, or a value that is not finite.

  >>> principal_plane([[0, 0, 3], [1, 0, 0], [0, 0, 1]]).round(9).tolist()
  [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
  """
  G = matrix("G", G)
  n = G.shape[1]
  if n < 2:
    raise ValueError(f"G has the shape {G.shape}: generators of one entry have no plane.")
  if not G.any():
    return np.eye(2, n)
  # A row of zeros changes nothing, and gives a lone generator its second direction.
  G = np.concatenate([G / np.abs(G).max(), np.zeros((1, n))])
  _, sizes, directions = np.linalg.svd(G, full_matrices=False)
  first, second = (_positive(direction) for direction in directions[:2])
  if sizes[1] <= _COLLINEAR * sizes[0]:
    second = _positive(plane([first, np.eye(n)[np.abs(first).argmin()]])[1])
  return np.stack([first, second])


def project(G, plane):
  """The coordinates of generators on a plane.

  The projection of a zonotope is the zonotope of its projected generators.

  Args:
    G: [p, n].
    plane: [2, n], orthonormal, as from `plane` or `principal_plane`.

  Returns:
    [p, 2]. What is no more than rounding, as of generators orthogonal to the plane, is 0.

  Raises:
    ValueError: shapes that don't fit together, or a value that is not finite.

  >>> project([[1, 2, 3]], plane([[0, 0, 1], [1, 0, 0]])).tolist()
  [[3.0, 1.0]]
  """
  G = matrix("G", G)
  plane = matrix("plane", plane, columns=G.shape[1])
  if len(plane) != 2:
    raise ValueError(f"plane has the shape {plane.shape}. Give two directions, as from `plane`.")
  coordinates = G @ plane.T
  rounding = _ROUNDING * (np.abs(G) @ np.abs(plane).T)
  return np.where(np.abs(coordinates) > rounding, coordinates, 0.0)


def _unit(vector):
  # First by its largest entry: the square of a tiny or huge one is no float.
  vector = vector / np.abs(vector).max()
  return vector / np.linalg.norm(vector)


def _positive(direction):
  return _clean(direction * np.sign(direction[np.abs(direction).argmax()]))


def _clean(direction):
  # Else a generator orthogonal to the plane along an axis is left with a length of pure rounding.
  return np.where(np.abs(direction) <= _ROUNDING, 0.0, direction)
