"""Differences: f_i - f_j of two classes, at points and along segments, with zeros in spite of rounding."""

import numpy as np

from tflottery.analysis.tropical.arrays import points

# Of the largest sum that the terms of f_i - f_j can make. Rounding makes about 1e-15 of it, and a point
# that was moved onto a line, see `cells.TOLERANCE`, up to 1e-12.
TOLERANCE = 4e-12
_CHUNK = 4096  # points at a time, [_CHUNK, p] in memory


def weights(polytopes):
  """B_i - B_j, [p]: 0 for the units that do not bend f_i - f_j."""
  i, j = polytopes.pair
  return polytopes.network.B[i] - polytopes.network.B[j]


def difference(polytopes, x):
  """f_i - f_j at inputs [..., n], as [...]; the same as S1 - S2, with less rounding."""
  network = polytopes.network
  first, second = polytopes.heights
  return np.maximum(x @ network.A.T + network.c1, 0) @ weights(polytopes) + (first - second)


def snapped(polytopes, x, reach):
  """f_i - f_j at points [k, n], as [k], with exact zeros for what may be rounding.

  A value is taken to be 0 when it is below 4e-12 of the sum of |B_i - B_j| (|a| reach + |c1|) over the
  units that are not dead at the point, and |c2_i - c2_j|. A dead unit has no say, however large its bias.

  Args:
    reach: a bound of |x|; positions are held to be exact to 1e-12 of it.
  """
  network = polytopes.network
  size = np.hypot.reduce(network.A, axis=1) * reach + np.abs(network.c1)
  return np.concatenate([_snapped(polytopes, part, size) for part in chunks(x)])


def _snapped(polytopes, x, size):
  network = polytopes.network
  first, second = polytopes.heights
  values = difference(polytopes, x)
  live = x @ network.A.T + network.c1 >= -TOLERANCE * size
  rounding = live @ (np.abs(weights(polytopes)) * size) + abs(first - second)
  values[np.abs(values) <= TOLERANCE * rounding] = 0
  return values


def chunks(x):
  """Points [k, n] in parts of so few that they take little memory with all units; one part at least."""
  return np.split(x, range(_CHUNK, len(x), _CHUNK))


def along(polytopes, start, end):
  """f_i - f_j on the segment from start to end, [n] each: exact, for it is affine between two kinks.

  Returns:
    (shares, values), [k] each: the shares in [0, 1] of the way, ascending from 0 to 1, of the ends, of all
    kinks and of all zeros; and f_i - f_j there, `snapped`. Between two of them its sign does not change.
  """
  network = polytopes.network
  sides = np.stack([start, end]) @ network.A.T + network.c1
  here, there = sides[:, np.sign(sides[0]) * np.sign(sides[1]) < 0]
  shares = np.unique(np.concatenate([[0.0, 1.0], here / (here - there)]))
  reach = max(np.hypot.reduce(start), np.hypot.reduce(end))
  values = snapped(polytopes, start + shares[:, None] * (end - start), reach)
  changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
  before, after = values[changes], values[changes + 1]
  roots = shares[changes] + (shares[changes + 1] - shares[changes]) * (before / (before - after))
  return np.insert(shares, changes + 1, roots), np.insert(values, changes + 1, 0.0)


def check_inputs(polytopes, x, name="x"):
  """`x` as float64 [..., n]; refuses what is not finite, or not of the network's number of inputs."""
  return points(name, x, columns=polytopes.network.A.shape[1])
