"""Network: one hidden layer of ReLUs between two affine maps, as arrays."""

import dataclasses

import numpy as np

from tflottery.analysis.tropical import planes
from tflottery.analysis.tropical.arrays import numbers, points


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
  """f(x) = B max(A x + c1, 0) + c2, in float64.

  Alfarra et al. 2022, On the Decision Boundaries of Neural Networks: A Tropical Geometry Perspective,
  arXiv:2002.08838, section 3, which leaves the biases out; here they may be there.

  Args:
    A: [p, n], the weights of p hidden units with n inputs each; p and n at least 1.
    B: [m, p], the weights of m classes; m at least 2.
    c1, c2: [p] and [m], the biases; None is zeros.

  Raises:
    ValueError: what is no real numbers or not finite, shapes that don't fit together, no hidden unit, or
      fewer than two classes.

  >>> network = Network([[1, 0], [0, 2]], [[1, 0], [0, 1]])
  >>> network([[3, 4], [-3, 4]]).tolist()
  [[3.0, 8.0], [0.0, 8.0]]
  """

  A: np.ndarray
  B: np.ndarray
  c1: np.ndarray | None = None
  c2: np.ndarray | None = None

  def __post_init__(self):
    for name, ndim in (("A", 2), ("B", 2)):
      object.__setattr__(self, name, _array(name, getattr(self, name), ndim))
    for name, size in (("c1", len(self.A)), ("c2", len(self.B))):
      value = getattr(self, name)
      value = np.zeros(size) if value is None else _array(name, value, 1)
      object.__setattr__(self, name, value)
    self._check()

  def _check(self):
    (p, n), (m, units) = self.A.shape, self.B.shape
    if not p or not n:
      raise ValueError(
        f"A has the shape {(p, n)}: a network needs at least one hidden unit and one input."
      )
    if units != p:
      raise ValueError(f"B has {units} columns and A {p} rows: both are the hidden units.")
    if m < 2:
      raise ValueError(
        f"B has {m} row: a decision boundary lies between two classes. Give a row of weights for each; "
        "a single logit z stands for the rows 0 and z."
      )
    for name, size in (("c1", p), ("c2", m)):
      if len(getattr(self, name)) != size:
        raise ValueError(f"{name} has {len(getattr(self, name))} entries, and {size} are needed.")

  def __call__(self, x):
    """The logits [..., m] of inputs [..., n]; refuses others, by a ValueError."""
    x = points("x", x, columns=self.A.shape[1])
    return np.maximum(x @ self.A.T + self.c1, 0) @ self.B.T + self.c2

  def restrict(self, plane, origin=None):
    """The network of two inputs (s, t) that is f(origin + s plane[0] + t plane[1]).

    Where both directions are orthonormal, its generators are those of f, projected on the plane.

    Args:
      plane: [2, n], two directions of any lengths and angle; orthonormal ones as from `planes.plane`.
      origin: [n], the point at (0, 0); None is 0.

    Raises:
      ValueError: another shape, or a value that is not finite.

    >>> network = Network(np.eye(3), [[1, 0, 1], [0, 1, 0]])
    >>> network.restrict([[1, 0, 0], [0, 1, 0]], origin=[0, 0, 5])([2, 3]).tolist()
    [7.0, 3.0]
    """
    plane = _array("plane", plane, 2)
    if plane.shape != (2, self.A.shape[1]):
      raise ValueError(f"plane has the shape {plane.shape}; (2, {self.A.shape[1]}) is needed.")
    origin = np.zeros(self.A.shape[1]) if origin is None else _array("origin", origin, 1)
    if len(origin) != self.A.shape[1]:
      raise ValueError(f"origin has {len(origin)} entries, and {self.A.shape[1]} are needed.")
    return Network(planes.project(self.A, plane), self.B, self.c1 + self.A @ origin, self.c2)


def _array(name, value, ndim):
  array = numbers(name, value)
  if array.ndim != ndim:
    raise ValueError(f"{name} has the shape {array.shape}; {ndim} dimensions are needed.")
  return array
