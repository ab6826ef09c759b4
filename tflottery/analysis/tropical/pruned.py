"""Pruned: what is left of a network's two matrices after pruning, and which entries that is."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Pruned:
  """The two matrices of f(x) = B max(A x + c1, 0) + c2 with entries set to 0.

  Attributes:
    A: float64 [p, n].
    B: float64 [m, p]. What is kept of both has its value from before.
    masks: (bool [p, n], bool [m, p]), True where an entry is kept and not 0.
    share: share of the entries of A and B together that are 0, in [0, 1].
    penalty: the penalty at which the last entry went, 0.0 if none had to or only such as are without
      effect, of units with zeros alone in A or in B; None for rules without one.
  """

  A: np.ndarray
  B: np.ndarray
  masks: tuple
  share: float
  penalty: float | None = None


def pruned(A, B, masks, *, penalty=None):
  """The `Pruned` that keeps the entries under two bool masks that are not 0.

  >>> found = pruned(np.array([[3.0, 0.0]]), np.array([[1.0], [2.0]]), ([[True, True]], [[False], [True]]))
  >>> found.A.tolist(), found.B.tolist(), found.share
  ([[3.0, 0.0]], [[0.0], [2.0]], 0.5)
  """
  masks = tuple((w != 0) & mask for w, mask in zip((A, B), masks, strict=True))
  zeros = int(sum(np.count_nonzero(~mask) for mask in masks))
  A, B = (np.where(mask, w, 0.0) for w, mask in zip((A, B), masks, strict=True))
  return Pruned(A, B, masks, zeros / (A.size + B.size), penalty)
