"""Lifts: the vertices of a network's two zonotopes, at the heights that its biases give them."""

import numpy as np
from scipy.spatial import cKDTree

from tflottery.analysis.tropical.cells import lines
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical.zonotopes import zonotope_vertices

_TOLERANCE = 1e-12  # of the extent: vertices nearer than this to each other are one
_ROUNDING = 1e-14  # of the distance by which lines are moved
_FLAT = 1e-6  # of the largest singular value: lines as parallel as this have no centre along them


def lifted(polytopes):
  """The vertices of both lifted zonotopes, those they share once.

  Heights would hold -<vertex, x>, x a point amid the lines, and its rounding would hide how they differ.
  So the lines are moved to 0 first, and their distances to about 1.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs.

  Returns:
    (points [v, 3], heights [v], owners [v]): the points lifted as seen from amid the lines; the constants
    of the terms, which are their heights as seen from 0; 0 for a vertex of Z1 alone, 1 for one of Z2
    alone, 2 for one of both.

  >>> network = Network([[2, 0]], [[1], [0]], c1=[-20], c2=[0, 3])
  >>> points, heights, owners = lifted(DecisionPolytopes(network))
  >>> points.tolist(), heights.tolist(), owners.tolist()
  ([[0.0, 0.0, -3.0], [2.0, 0.0, -3.0], [0.0, 0.0, 0.0]], [0.0, -20.0, 3.0], [0, 0, 1])
  """
  centred, centre, unit = _centred(polytopes)
  first, second = map(_vertices, centred.lifted, centred.heights)
  extent = np.ptp(np.concatenate([first, second]), axis=0)
  extent = np.array([max(extent[:2]), max(extent[:2]), extent[2]])
  extent[extent == 0] = 1
  distances, nearest = cKDTree(second / extent).query(first / extent)
  shared = distances <= _TOLERANCE
  alone = np.setdiff1d(np.arange(len(second)), nearest[shared])
  owners = np.concatenate([np.where(shared, 2, 0), np.ones(len(alone), int)])
  points = np.concatenate([first, second[alone]])
  return points, unit * points[:, 2] - points[:, :2] @ centre + polytopes.heights[1], owners


def _centred(polytopes):
  """The polytopes of the two classes as seen from amid the lines, less c2_j; that point [2]; their unit."""
  network, (first, second) = polytopes.network, polytopes.heights
  B = network.B[list(polytopes.pair)]
  every = lines(network.A[B.any(0)], network.c1[B.any(0)])
  every = every[np.isfinite(every[:, 2])]
  centre = np.linalg.lstsq(every[:, :2], -every[:, 2], _FLAT)[0] if len(every) else np.zeros(2)
  c1 = (network.A.astype(np.longdouble) @ centre + network.c1).astype(float)
  c1[np.abs(c1) <= _ROUNDING * np.hypot(*network.A.T) * np.hypot(*centre)] = 0
  sizes = np.abs(lines(network.A, c1)[:, 2])
  sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
  unit = np.median(sizes) if len(sizes) else 1.0
  network = Network(network.A, B, c1 / unit, [(first - second) / unit, 0])
  return DecisionPolytopes(network), centre, unit


def _vertices(G, height):
  # A unit without weights of inputs adds a constant: as a generator it would stand upright.
  upright = ~G[:, :-1].any(1)
  height += np.maximum(G[upright, -1], 0).sum()
  generators = np.where(upright[:, None], 0, G)
  return zonotope_vertices(generators) + np.array([0, 0, height])
