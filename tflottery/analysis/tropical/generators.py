"""Generators: the segments whose sums are the two zonotopes of a pair of classes."""

import operator

import numpy as np

from tflottery.analysis.tropical.arrays import matrix, points
from tflottery.analysis.tropical.network import Network


def generators(A, B, *, pair=(0, 1), c1=None):
  """G1 and G2 of f(x) = B max(A x + c1, 0) and two of its classes.

  G1 = diag(max(B_i, 0) + max(-B_j, 0)) A and G2 = diag(max(B_j, 0) + max(-B_i, 0)) A; a zonotope Z_G
  is the sum of the segments [0, g] over the rows g of G. With the support function
  h_G(x) = sum_g max(<g, x>, 0), f_i(x) - f_j(x) = h_G1(x) - h_G2(x).

  Alfarra et al. 2022, arXiv:2002.08838, theorem 2. Departs: there Z_G1 and Z_G2 are moved by
  (|B_i| + |B_j|) max(-A, 0), the same for both, which is left out here; and there are no biases.

  Args:
    A: [p, n].
    B: [m, p].
    pair: two classes (i, j), different rows of B.
    c1: [p], biases; the generators are then lifted by one dimension, rows of [A | c1], and
      f_i(x) - f_j(x) = h_G1((x, 1)) - h_G2((x, 1)). None: not lifted.

  Returns:
    (G1, G2), float64 [p, n], or [p, n + 1] with biases. Units without weight have rows of zeros.

  Raises:
    ValueError: as from `Network`, or a pair that names no two classes.

  >>> G1, G2 = generators([[1, 0], [0, 2]], [[1, -1], [3, 1]])
  >>> G1.tolist(), G2.tolist()
  ([[1.0, 0.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 4.0]])
  """
  network = Network(A, B, c1)
  first, second = network.B[list(check_pair(pair, len(network.B)))]
  rows = network.A if c1 is None else np.column_stack([network.A, network.c1])
  plus, minus = np.maximum(first, 0), np.maximum(-first, 0)
  return (
    (plus + np.maximum(-second, 0))[:, None] * rows,
    (minus + np.maximum(second, 0))[:, None] * rows,
  )


def check_pair(pair, classes):
  """`pair` as a tuple of two ints; refuses what names no two classes of so many."""
  try:
    i, j = (operator.index(index) for index in pair)
    is_pair = not any(isinstance(index, (bool, np.bool_)) for index in pair)
  except (TypeError, ValueError):
    is_pair = False
  if not is_pair or i == j or not (0 <= i < classes and 0 <= j < classes):
    raise ValueError(
      f"pair={pair!r} must name two different classes of 0 to {classes - 1}, as (0, 1)."
    )
  return i, j


def support(G, x):
  """h_G(x) = sum_g max(<g, x>, 0), the support function of a zonotope.

  Args:
    G: [p, n].
    x: [..., n].

  Returns:
    [...].

  Raises:
    ValueError: shapes that don't fit together, or a value that is not finite.

  >>> support([[1, 0], [0, -2]], [3, 4]).item()
  3.0
  """
  G = matrix("G", G)
  return np.maximum(points("x", x, columns=G.shape[1]) @ G.T, 0).sum(-1)
