"""Decision polytopes: the two zonotopes of a network and a pair of classes, and their hull."""

import dataclasses
import functools

import numpy as np

from tflottery.analysis.tropical import planes
from tflottery.analysis.tropical.arrays import points
from tflottery.analysis.tropical.generators import check_pair, generators, support
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polygons import polygon
from tflottery.analysis.tropical.zonotopes import zonotope


@dataclasses.dataclass(frozen=True, eq=False)
class DecisionPolytopes:
  """What governs the decision boundary between two classes of a network.

  R = max(S1, S2) is a tropical polynomial with S1(x) - S2(x) = f_i(x) - f_j(x), so the boundary
  lies on its hypersurface T(R); ConvexHull(Z1, Z2) is its Newton polytope, and T(R) is dual to the
  subdivision of it (Alfarra et al. 2022, arXiv:2002.08838, theorem 2). A common translation of Z1 and
  Z2 is left out, see `generators`.

  Args:
    network: a `Network` of n inputs.
    pair: two of its classes (i, j).

  >>> polytopes = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, -1], [3, 1]]))
  >>> first, second = polytopes.zonotopes()
  >>> first.tolist(), second.tolist()
  ([[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
  """

  network: Network
  pair: tuple = (0, 1)

  def __post_init__(self):
    object.__setattr__(self, "pair", check_pair(self.pair, len(self.network.B)))

  @functools.cached_property
  def lifted(self):
    """(G1, G2) with the biases as their last coordinate, each [p, n + 1]."""
    return generators(self.network.A, self.network.B, pair=self.pair, c1=self.network.c1)

  @property
  def generators(self):
    """(G1, G2) without their last coordinate, each [p, n]."""
    return tuple(G[:, :-1] for G in self.lifted)

  @property
  def heights(self):
    """(c2_i, c2_j): what the last coordinates of the lifted zonotopes are moved by."""
    return tuple(self.network.c2[list(self.pair)])

  def values(self, x):
    """(S1, S2) at inputs [..., n], each [...]; S1 - S2 is f_i - f_j.

    Raises:
      ValueError: another number of inputs, or a value that is not finite.

    >>> network = Network([[1, 0], [0, 2]], [[1, -1], [3, 1]], c2=[0, 7])
    >>> first, second = DecisionPolytopes(network).values([1, 1])
    >>> (first - second).item(), np.subtract(*network([1, 1])).item()
    (-13.0, -13.0)
    """
    x = points("x", x, columns=self.network.A.shape[1])
    x = np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)
    return tuple(support(G, x) + c for G, c in zip(self.lifted, self.heights, strict=True))

  def on_plane(self, plane=None, origin=None):
    """The polytopes of the network's restriction to a plane: projections of these.

    Its inputs (s, t) are lengths along orthonormal directions: those that `planes.plane` makes of the two
    given, so not t along the second unless that is orthogonal to the first.

    Args:
      plane: [2, n], two directions; None takes the principal plane of the generators.
      origin: [n], the point of the plane at (0, 0); None is 0.

    Raises:
      ValueError: as from `planes.plane` and `Network.restrict`, or a network of one input.
    """
    plane = self.principal_plane() if plane is None else planes.plane(plane)
    return DecisionPolytopes(self.network.restrict(plane, origin), self.pair)

  def principal_plane(self):
    """[2, n], the orthonormal directions in which the generators reach farthest; n at least 2."""
    if self.network.A.shape[1] == 1:
      raise ValueError("the network has 1 input, and no plane: give it a second input of weight 0.")
    return planes.principal_plane(np.concatenate(self.generators))

  def zonotopes(self):
    """(Z1, Z2), the vertices of each, [k, 2], counterclockwise.

    Raises:
      ValueError: the network has not two inputs. See `on_plane`.
    """
    require_planar(self)
    return tuple(zonotope(G) for G in self.generators)

  def hull(self):
    """The Newton polygon ConvexHull(Z1, Z2), its vertices [k, 2], counterclockwise.

    Raises:
      ValueError: the network has not two inputs. See `on_plane`.
    """
    return polygon(np.concatenate(self.zonotopes()))


def require_planar(polytopes):
  """Refuse what has not two inputs, where a drawing or an exact polygon is asked for."""
  inputs = polytopes.network.A.shape[1]
  if inputs != 2:
    cure = (
      "take .on_plane() for the projection on the principal plane, or .on_plane(plane) for any."
      if inputs > 2
      else "give it a second input of weight 0."
    )
    raise ValueError(
      f"the network has {inputs} input{'s' * (inputs > 1)}, and only those of two have polygons: {cure}"
    )
