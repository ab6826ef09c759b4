"""Networks of two inputs, random ones of several kinds, for the tests of tropical geometry."""

import numpy as np

from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polytopes import DecisionPolytopes


def polytopes_of(A, B, c1=None, c2=None):
  return DecisionPolytopes(Network(A, B, c1, c2))


def drawn(kind, units, seed, *, dead):
  """Polytopes of a random network of a kind; `dead` is the bias of every second unit of a dead one."""
  rng = np.random.default_rng(seed)
  A, B = rng.normal(size=(units, 2)), rng.normal(size=(2, units))
  c1, c2 = rng.normal(size=units), rng.normal(size=2)
  if kind == "ties":  # few values, so that lines repeat, meet in a point and run along the boundary
    A, B, c1, c2 = (rng.integers(-2, 3, array.shape) for array in (A, B, c1, c2))
  if kind == "bias-free":
    c1 = c2 = None
  if kind == "pruned":
    A, B, c1 = (array * (rng.random(array.shape) < 0.5) for array in (A, B, c1))
  if kind == "dead":
    c1[::2] = dead
  if kind == "repeated":
    again, scale = rng.integers(0, units, units), rng.choice([-2, 0.3, 1], units)
    A, c1 = A[again] * scale[:, None], c1[again] * scale
  return polytopes_of(A, B, c1, c2)


KINDS = ("random", "ties", "bias-free", "pruned", "dead", "repeated")
