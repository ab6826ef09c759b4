"""Subdivision: the faces into which the biases of a network cut its Newton polygon."""

import dataclasses
import functools

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from tflottery.analysis.tropical.polygons import polygon
from tflottery.analysis.tropical.polytopes import require_planar
from tflottery.analysis.tropical.zonotopes import zonotope_vertices

# Of the extent: points nearer than this to each other, to a face or to an edge are taken to lie on it.
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
  1e-12 of the extent to another, to an edge or to a face is taken to lie on it. So a unit whose line passes
  1e8 times farther out than the others' blurs them: leave such dead units out.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs. p units make about p^2 vertices.

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
  points, owners = _lifted(polytopes)
  scaled = _scaled(points)
  corners = len(polygon(points[:, :2]))
  faces = [_ring(scaled, face) for face in _upper(scaled, corners)]
  faces = [face for face in faces if len(face) >= min(corners, 3)]
  used = np.unique(np.concatenate(faces))
  used = used[np.lexsort(points[used, :2].T)]
  number = {old: new for new, old in enumerate(used.tolist())}
  faces = [[number[index] for index in face] for face in faces]
  faces = [(*face[first:], *face[:first]) for face in faces for first in [face.index(min(face))]]
  return Subdivision(points[used, :2], points[used, 2], tuple(sorted(faces)), owners[used])


def _lifted(polytopes):
  """The vertices [v, 3] of both lifted zonotopes, those they share once, and their owners."""
  first, second = (
    _vertices(G, height) for G, height in zip(polytopes.lifted, polytopes.heights, strict=True)
  )
  extent = np.ptp(np.concatenate([first, second]), axis=0)
  extent = np.array([max(extent[:2]), max(extent[:2]), extent[2]])
  extent[extent == 0] = 1
  distances, nearest = cKDTree(second / extent).query(first / extent)
  shared = distances <= _TOLERANCE
  alone = np.setdiff1d(np.arange(len(second)), nearest[shared])
  owners = np.concatenate([np.where(shared, 2, 0), np.ones(len(alone), int)])
  return np.concatenate([first, second[alone]]), owners


def _vertices(G, height):
  # A unit without weights of inputs adds a constant: as a generator it would stand upright.
  upright = ~G[:, :-1].any(1)
  height += np.maximum(G[upright, -1], 0).sum()
  generators = np.where(upright[:, None], 0, G)
  return zonotope_vertices(generators) + np.array([0, 0, height])


def _scaled(points):
  """The points in units of their extent; heights as they stand out from a plane through them."""
  xy, z = points[:, :2] - points[:, :2].mean(0), points[:, 2] - points[:, 2].mean()
  xy = xy / (np.abs(xy).max() or 1)
  size = np.abs(z).max()
  z = z - xy @ np.linalg.lstsq(xy, z)[0]
  return np.column_stack(
    [xy, z / np.abs(z).max() if np.abs(z).max() > _TOLERANCE * size else 0 * z]
  )


def _upper(scaled, corners):
  """Sets of points, one for each upper face, given how many corners the hull has from above."""
  if corners == 1:
    return [[int(scaled[:, 2].argmax())]]
  if corners == 2:
    axis = np.linalg.svd(scaled[:, :2])[2][0]
    scaled = np.column_stack([scaled[:, :2] @ axis, scaled[:, 2]])
  # With a point below all others the hull is never flat.
  below = np.append(scaled[:, :-1].mean(0), scaled[:, -1].min() - 1)
  hull = ConvexHull(np.vstack([scaled, below]))
  upper = np.flatnonzero(hull.equations[:, -2] > _TOLERANCE)
  return _merged(hull, scaled, upper)


def _merged(hull, scaled, upper):
  """The points of those simplices that lie in one plane, together."""
  group = {facet: {facet} for facet in upper.tolist()}
  for facet in group:
    for other in hull.neighbors[facet].tolist():
      if (
        other in group
        and group[other] is not group[facet]
        and _coplanar(hull, scaled, facet, other)
      ):
        group[facet] |= group[other]
        for member in group[other]:
          group[member] = group[facet]
  distinct = {id(facets): facets for facets in group.values()}.values()
  return [np.unique(hull.simplices[sorted(facets)]).tolist() for facets in distinct]


def _coplanar(hull, scaled, facet, other):
  both = scaled[hull.simplices[[facet, other]]]
  off = np.abs(both @ hull.equations[[facet, other], :-1].T + hull.equations[[facet, other], -1])
  return off.max() <= _TOLERANCE


def _ring(scaled, face):
  """The corners of one face, counterclockwise; no points on its edges."""
  if len(face) < 3:
    return face
  xy = scaled[:, :2]
  arms = xy[face] - xy[face].mean(0)
  ring = [face[index] for index in np.argsort(np.arctan2(arms[:, 1], arms[:, 0]))]
  while len(ring) > 2:
    before, here, after = xy[np.roll(ring, 1)], xy[ring], xy[np.roll(ring, -1)]
    (ax, ay), (bx, by) = (here - before).T, (after - before).T
    height = (ax * by - ay * bx) / np.hypot(bx, by)
    if height.min() > _TOLERANCE:
      break
    ring.pop(int(height.argmin()))
  return ring
