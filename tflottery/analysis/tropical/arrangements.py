"""Arrangements: on which sides of a direction generators can be at the same time."""

import numpy as np

_NOISE = 5e-15  # radians: how far rounding may turn a generator
_RANK = 1e-13  # of the largest singular value
_CHUNK = 2**22  # entries of the largest array at a time: 32 MB


def half_turn(G, noise):
  """Planar generators as edges of half a polygon: turned to one side and ordered by their angles.

  The half begins after the widest gap between their angles, so that no two parallel ones are its ends.

  Args:
    G: [p, 2], none of them zero.
    noise: radians by which each may be off, a number or [p]: parallel is what may be, each to the next.

  Returns:
    (order [p], starts [q], signs [p]): signs[:, None] * G[order] turns left from each edge to the next;
    edge e is made of those from starts[e] to starts[e + 1], which are parallel. signs are 1 or -1.
  """
  below = (G[:, 1] < 0) | ((G[:, 1] == 0) & (G[:, 0] < 0))
  signs = np.where(below, -1.0, 1.0)
  angles = np.arctan2(*(signs[:, None] * G).T[::-1])
  order = angles.argsort(kind="stable")
  gaps = np.diff(angles[order], append=angles[order[0]] + np.pi)
  cut = gaps.argmax() + 1
  signs = signs[order]
  signs[:cut] *= -1
  order, signs, gaps = (np.roll(array, -cut) for array in (order, signs, gaps))
  noise = np.broadcast_to(noise, len(G))[order]
  starts = np.flatnonzero(np.append(True, gaps[:-1] > noise[:-1] + noise[1:]))
  return order, starts, signs


def sides(G):
  """Each set of generators that have <g, x> > 0 at some x, while all others have <g, x> < 0.

  These are the cells of an arrangement of hyperplanes, and the vertices of the zonotope. Every cell has
  a wall on some <g, x> = 0, where it is a cell of the other generators' projections: so they are found,
  down to the plane, where they lie between two angles. Only the directions of generators count, not
  their lengths; an angle that may be rounding counts as zero.

  Args:
    G: [p, n].

  Returns:
    bool [v, p], different rows, False for rows of zeros.

  >>> found = sides(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0], [-3.0, 0.0]]))
  >>> sorted(found.astype(int).tolist())
  [[0, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]]
  """
  live = G.any(axis=1)
  found = np.zeros((1, len(G)), bool)
  if live.any():
    units = directions(G[live])
    p, n = units.shape
    if p == n:  # Independent, so no side depends on another.
      own = np.arange(2**p)[:, None] >> np.arange(p) & 1 > 0
    else:
      own = _inside(units, np.full(p, _NOISE), np.eye(n), {}) @ units.T > 0
    found = np.repeat(found, len(own), axis=0)
    found[:, live] = own
  return found


def directions(G):
  """Generators, none of them zero, as unit vectors in coordinates of their span."""
  units = G / np.abs(G).max(axis=1, keepdims=True)
  units /= np.linalg.norm(units, axis=1, keepdims=True)
  _, sizes, axes = np.linalg.svd(units, full_matrices=False)
  return units @ axes[sizes > _RANK * sizes[0]].T


def _inside(units, noise, basis, known):
  """[v, n], a direction inside of each cell, of units [p, d] in a basis [d, n]; rows of zeros are none."""
  live = units.any(axis=1)
  key = live.tobytes()  # Those that are zero span what the basis leaves out.
  if key not in known:
    if len(basis) == 1:
      inside = np.array([[-1.0], [1.0]])
    elif len(basis) == 2:
      inside = _between(units[live], noise[live])
    else:
      inside = _distinct(_along_walls(units, noise, basis, known), units)
    known[key] = inside @ basis
  return known[key]


def _between(units, noise):
  """The directions half-way between the edges of a polygon."""
  order, starts, signs = half_turn(units, noise)
  edges = (signs[:, None] * units[order])[starts]
  angles = np.unwrap(np.arctan2(edges[:, 1], edges[:, 0]))
  angles = np.append(angles[-1] - np.pi, angles)
  normals = (angles[1:] + angles[:-1] - np.pi) / 2
  half = np.stack([np.cos(normals), np.sin(normals)], axis=1)
  return np.concatenate([half, -half])


def _along_walls(units, noise, basis, known):
  """The directions on both sides of each wall, those of one cell once for each of its walls."""
  done, found = set(), []
  for unit, own in zip(units, noise, strict=True):
    if not unit.any():
      continue
    wall = _orthogonal(unit)
    rest = units @ wall.T
    sines = np.linalg.norm(rest, axis=1)
    parallel = sines <= noise + own
    if parallel.tobytes() in done:
      continue
    done.add(parallel.tobytes())
    sines[parallel] = np.inf
    rest[parallel] = 0
    rest /= sines[:, None]
    on_wall = _inside(rest, (noise + own) / sines, wall @ basis, known) @ basis.T
    step = _step(on_wall, units[~parallel], unit)
    found += [on_wall + step, on_wall - step]
  return np.concatenate(found)


def _orthogonal(unit):
  """[d - 1, d], an orthonormal basis of what is orthogonal to a unit vector: a reflection's other rows."""
  normal = unit.copy()
  normal[0] += np.copysign(1, unit[0])
  return (np.eye(len(unit)) - np.outer(normal, normal) * 2 / (normal @ normal))[1:]


def _step(on_wall, units, unit):
  """[v, n], how far along `unit` to go from directions on its wall, half-way to the next wall."""
  slopes = np.abs(units @ unit)
  crossing = slopes > 0
  room = np.abs(on_wall @ units[crossing].T) / slopes[crossing]
  return np.outer(room.min(axis=1, initial=1.0) / 2, unit)


def _distinct(inside, units):
  """One direction for each cell."""
  chunk = max(1, _CHUNK // len(units))
  bits = [
    np.packbits(inside[i : i + chunk] @ units.T > 0, axis=1) for i in range(0, len(inside), chunk)
  ]
  return inside[np.unique(np.concatenate(bits), axis=0, return_index=True)[1]]
