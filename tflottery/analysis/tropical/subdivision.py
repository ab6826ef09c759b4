"""Subdivision: the faces into which the biases of a network cut its Newton polygon."""

import collections
import dataclasses
import functools
import itertools

import numpy as np
from scipy.spatial import ConvexHull

from tflottery.analysis.tropical.lifts import lifted
from tflottery.analysis.tropical.polytopes import require_planar

# Of the extent: points nearer than this to a face are taken to lie on it.
_TOLERANCE = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Subdivision:
  """The dual subdivision of ConvexHull(Z1, Z2): the upper faces of the lifted hull, seen from above.

  It mirrors the tropical hypersurface T(R): a vertex stands for a region in which one term of R is the
  largest (the vertex is the gradient there, its height the constant), an edge for a piece of T(R) orthogonal
  to it, and a face for a corner at which these pieces meet.

  Args:
    vertices: float64 [v, 2].
    heights: [v], the constants of the terms.
    faces: tuples of indices of vertices, counterclockwise. Pairs if the hull is a segment, one
      index if it is a point.
    owners: int [v]: 0 for a vertex of Z1 alone, 1 for one of Z2 alone, 2 for one of both.
  """

  vertices: np.ndarray
  heights: np.ndarray
  faces: tuple
  owners: np.ndarray

  @functools.cached_property
  def edges(self):
    """int [e, 2], each edge once, the lower index first."""
    sides = {
      tuple(sorted(side))
      for face in self.faces
      for side in zip(face, (*face[1:], face[0]), strict=True)
      if len(face) > 1
    }
    return np.array(sorted(sides), int).reshape(-1, 2)

  @functools.cached_property
  def crossing_edges(self):
    """int [e, 2], the edges from Z1 to Z2: each is orthogonal to a piece of the decision boundary.

    A vertex of both stands for a region where f_i = f_j; its edges to others, for that region's outline.
    Where the classes touch without changing places, there may be a boundary and no such edge.
    """
    return self.edges[np.diff(self.owners[self.edges], axis=1)[:, 0] != 0]


def subdivision(polytopes):
  """The dual subdivision of the Newton polygon of a network with two inputs.

  The zonotopes are lifted by the biases, [G | c], and moved up by c2_i and c2_j; the upper faces of
  their hull are projected back. Without biases all is flat, and the hull is the one face.

  Alfarra et al. 2022, arXiv:2002.08838, theorem 2 (without biases). Departs: a vertex that is nearer than
  1e-12 of the extent to another or to a face is taken to lie on it. So a unit whose line passes 1e8 times
  farther out than the others' blurs them: leave such dead units out. Lines that are all far from 0 are
  moved there first; whether three of them meet in a point is then for the rounding of their biases to say.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs. p units make about p^2 vertices: 200
      take some seconds.

  Returns:
    A `Subdivision`.

  Raises:
    ValueError: the network has not two inputs; or more units than `zonotope_vertices` takes.

  >>> from tflottery.analysis.tropical.network import Network
  >>> from tflottery.analysis.tropical.polytopes import DecisionPolytopes
  >>> network = Network([[1, 0], [0, 1]], [[1, 1], [0, 0]], c1=[0, -1], c2=[0, 2])
  >>> dual = subdivision(DecisionPolytopes(network))
  >>> dual.vertices.tolist(), dual.heights.tolist(), dual.owners.tolist()
  ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [2.0, 0.0, -1.0, -1.0], [1, 0, 0, 0])
  >>> dual.faces, dual.crossing_edges.tolist()
  (((0, 1, 3), (0, 3, 2)), [[0, 1], [0, 2], [0, 3]])
  """
  require_planar(polytopes)
  points, heights, owners = lifted(polytopes)
  faces = _faces(_scaled(points))
  used = np.unique(np.concatenate(faces))
  used = used[np.lexsort(points[used, :2].T)]
  number = {old: new for new, old in enumerate(used.tolist())}
  faces = [[number[index] for index in face] for face in faces]
  faces = [(*face[first:], *face[:first]) for face in faces for first in [face.index(min(face))]]
  return Subdivision(points[used, :2], heights[used], tuple(sorted(faces)), owners[used])


def _scaled(points):
  """The points in units of their extent; heights as they stand out from a plane through them."""
  xy, z = points[:, :2] - points[:, :2].mean(0), points[:, 2] - points[:, 2].mean()
  xy = xy / (np.abs(xy).max() or 1)
  size = np.abs(z).max()
  z = z - xy @ np.linalg.lstsq(xy, z)[0]
  return np.column_stack(
    [xy, z / np.abs(z).max() if np.abs(z).max() > _TOLERANCE * size else 0 * z]
  )


def _faces(scaled):
  """Indices of the points around each upper face."""
  axes = np.linalg.svd(scaled[:, :2], full_matrices=False)[2] if len(scaled) > 1 else np.eye(2)
  length, width = np.abs(scaled[:, :2] @ axes.T).max(0)
  if length == 0:
    return [[int(scaled[:, 2].argmax())]]
  thin = width <= 10 * _TOLERANCE
  if thin:
    scaled = np.column_stack([scaled[:, :2] @ axes[0], scaled[:, 2]])
  # With a point below all others the hull is never flat.
  below = np.append(scaled[:, :-1].mean(0), scaled[:, -1].min() - 1)
  hull = ConvexHull(np.vstack([scaled, below]))
  upper = np.flatnonzero(hull.equations[:, -2] > _TOLERANCE)
  groups = [hull.simplices[sorted(facets)] for facets in _coplanar(hull, scaled, upper.tolist())]
  if thin:
    ends = [sorted(np.unique(group), key=lambda index: scaled[index, 0]) for group in groups]
    return [[int(points[0]), int(points[-1])] for points in ends]
  return list(_counterclockwise([ring for group in groups for ring in _rings(group)], scaled))


def _coplanar(hull, scaled, upper):
  """Sets of neighbouring facets that lie in one plane."""
  group = {facet: {facet} for facet in upper}
  for facet in upper:
    for other in hull.neighbors[facet].tolist():
      if other in group and group[other] is not group[facet]:
        pair = [facet, other]
        planes = hull.equations[pair]
        off = scaled[hull.simplices[pair]] @ planes[:, :-1].T + planes[:, -1]
        if np.abs(off).max() <= _TOLERANCE:
          group[facet] |= group[other]
          group.update(dict.fromkeys(group[other], group[facet]))
  return {id(facets): facets for facets in group.values()}.values()


def _rings(triangles):
  """The points around a union of triangles; the triangles themselves if that is no simple ring."""
  sides = collections.Counter(
    frozenset(side)
    for triangle in triangles.tolist()
    for side in itertools.combinations(triangle, 2)
  )
  near = collections.defaultdict(list)
  for u, v in (side for side, times in sides.items() if times == 1):
    near[u].append(v)
    near[v].append(u)
  if any(len(both) != 2 for both in near.values()):
    return triangles.tolist()
  start = min(near)
  ring = [start, near[start][0]]
  while (step := sum(near[ring[-1]]) - ring[-2]) != start:  # the neighbour it did not come from
    ring.append(step)
  return [ring] if len(ring) == len(near) else triangles.tolist()


def _counterclockwise(rings, scaled):
  """The rings turned left, without those that are upright but for rounding."""
  for ring in rings:
    x, y = arms = (scaled[ring, :2] - scaled[ring[0], :2]).T
    area = x @ np.roll(y, -1) - y @ np.roll(x, -1)
    if abs(area) > _TOLERANCE * np.abs(arms).max():
      yield ring if area > 0 else ring[::-1]
