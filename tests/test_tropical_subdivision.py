"""The dual subdivision, against hand-made ones, R itself and the pieces of boundary."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planar_networks import KINDS, drawn, polytopes_of

from tflottery.analysis.tropical.boundaries import boundary
from tflottery.analysis.tropical.hypersurface import gap
from tflottery.analysis.tropical.subdivision import subdivision

_random = functools.partial(drawn, dead=-1e4)
NETWORKS = st.builds(_random, st.sampled_from(KINDS), st.integers(1, 9), st.integers(0, 10**6))


def _area(polygon):
  x, y = polygon.T
  return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _size(polytopes, reach):
  generators = sum(np.abs(G).sum(0) @ [reach, reach, 1] for G in polytopes.lifted)
  return generators + np.abs(polytopes.heights).sum() + 1e-300


def _named(dual):
  """Faces and crossing edges by the vertices themselves."""
  faces = {tuple(map(tuple, dual.vertices[list(face)].tolist())) for face in dual.faces}
  crossing = {tuple(map(tuple, dual.vertices[edge].tolist())) for edge in dual.crossing_edges}
  return faces, crossing


def test_a_bias_cuts_the_polygon_where_lines_and_boundary_meet():
  # R = max(max(x, 0) + max(y - 1, 0), 2)
  dual = subdivision(polytopes_of([[1, 0], [0, 1]], [[1, 1], [0, 0]], c1=[0, -1], c2=[0, 2]))
  faces, crossing = _named(dual)
  assert faces == {((0, 0), (1, 0), (1, 1)), ((0, 0), (1, 1), (0, 1))}
  assert crossing == {((0, 0), (1, 0)), ((0, 0), (0, 1)), ((0, 0), (1, 1))}
  assert dual.heights.tolist() == [2, 0, -1, -1]
  assert dual.owners.tolist() == [1, 0, 0, 0]


def test_without_biases_the_hull_is_the_one_face():
  # Z1 is the segment to (1, 0), Z2 that to (0, 2); the origin is of both.
  dual = subdivision(polytopes_of([[1, 0], [0, 2]], [[1, 0], [0, 1]]))
  assert _named(dual)[0] == {((0, 0), (1, 0), (0, 2))}
  assert dual.owners.tolist() == [2, 0, 1]
  assert dual.edges.tolist() == dual.crossing_edges.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_a_vertex_on_an_edge_of_the_other_zonotope_is_none():
  # Z1 is the segment from 0 to (3, 0) and Z2 that from 0 to (0.1, 0) and to (0, 1), a rectangle.
  dual = subdivision(polytopes_of([[3, 0], [0.1, 0], [0, 1]], [[1, 0, 0], [0, 1, 1]]))
  assert _named(dual)[0] == {((0, 0), (3, 0), (0.1, 1), (0, 1))}


def test_parallel_generators_make_a_segment_of_intervals():
  # R = max(max(x, 0) + max(x - 1, 0), 0.5): its corners are at x = 0.5 and 1.
  dual = subdivision(polytopes_of([[1, 0], [1, 0]], [[1, 1], [0, 0]], c1=[0, -1], c2=[0, 0.5]))
  assert dual.vertices.tolist() == [[0, 0], [1, 0], [2, 0]]
  assert dual.heights.tolist() == [0.5, 0, -1]
  assert dual.faces == ((0, 1), (1, 2))
  assert dual.crossing_edges.tolist() == [[0, 1]]


@pytest.mark.parametrize(("c2", "owner"), [([0, 0], 2), ([1, 0], 0), ([0, 1], 1)])
def test_no_generators_make_a_point_of_the_higher_sum(c2, owner):
  dual = subdivision(polytopes_of([[0, 0], [1, 1]], [[1, 0], [1, 0]], c1=[-1, 2], c2=c2))
  assert dual.vertices.tolist() == [[0, 0]]
  assert dual.faces == ((0,),)
  assert dual.heights.tolist() == [max(c2)]
  assert dual.owners.tolist() == [owner]
  assert dual.edges.shape == dual.crossing_edges.shape == (0, 2)


def test_a_unit_without_weights_of_inputs_lifts_its_zonotope():
  dual = subdivision(polytopes_of([[0, 0], [1, 0]], [[1, 1], [0, 0]], c1=[2, 0]))
  assert dual.vertices.tolist() == [[0, 0], [1, 0]]
  assert dual.heights.tolist() == [2, 2]
  assert dual.owners.tolist() == [0, 0]


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS, reach=st.sampled_from([0.1, 1, 10]))
def test_the_terms_of_the_vertices_have_r_as_their_maximum(polytopes, reach):
  dual = subdivision(polytopes)
  x = reach * np.random.default_rng(0).normal(size=(200, 2))
  terms = x @ dual.vertices.T + dual.heights
  expected = np.max(polytopes.values(x), axis=0)
  np.testing.assert_allclose(terms.max(1), expected, rtol=0, atol=1e-11 * _size(polytopes, 30))


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS)
def test_faces_are_convex_and_tile_the_hull(polytopes):
  dual, hull = subdivision(polytopes), polytopes.hull()
  extent = np.ptp(hull, axis=0).max()
  faces = [dual.vertices[list(face)] for face in dual.faces]
  assert {len(face) for face in faces} <= ({len(hull)} if len(hull) < 3 else set(range(3, 99)))
  assert sum(map(_area, faces)) == pytest.approx(_area(hull), abs=1e-11 * extent**2)
  for face in faces:
    side = np.roll(face, -1, axis=0) - face
    after = np.roll(side, -1, axis=0)
    turn = side[:, 0] * after[:, 1] - side[:, 1] * after[:, 0]
    assert len(face) < 3 or turn.min() > 0
  assert sorted({index for face in dual.faces for index in face}) == list(range(len(dual.owners)))


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS)
def test_every_piece_of_boundary_is_orthogonal_to_a_crossing_edge(polytopes):
  dual, box = subdivision(polytopes), np.array([[-30.0, 30.0]] * 2)
  edges = dual.vertices[dual.crossing_edges]
  across = edges[:, 1] - edges[:, 0]
  for start, end in boundary(polytopes, box):
    way, middle = end - start, (start + end) / 2
    length = np.linalg.norm(way)
    framed = (np.abs(np.abs([start, end]) - 30) < 1e-9).all(0).any()
    normal = np.array([-way[1], way[0]]) * 1e-3
    first, second = np.subtract(*polytopes.values([middle + normal, middle - normal]))
    touching = first * second > 0
    if length < 1e-3 or framed or touching:
      continue
    terms = dual.vertices @ middle + dual.heights
    highest = terms >= terms.max() - 1e-11 * _size(polytopes, 30)
    found = across[highest[dual.crossing_edges].all(1)]
    assert (np.abs(found @ way) <= 1e-7 * length * np.linalg.norm(found, axis=1)).any()


def test_every_crossing_edge_is_orthogonal_to_a_piece_of_boundary():
  seen = 0
  for seed in range(20):
    polytopes = _random("random", 6, seed)
    dual, pieces = subdivision(polytopes), boundary(polytopes, ((-1e4, 1e4), (-1e4, 1e4)))
    edges = dual.vertices[dual.crossing_edges]
    across, ways = edges[:, 1] - edges[:, 0], pieces[:, 1] - pieces[:, 0]
    sizes = np.linalg.norm(across, axis=1)[:, None] * np.linalg.norm(ways, axis=1)
    assert (np.abs(across @ ways.T) <= 1e-6 * sizes).any(1).all()
    seen += len(across)
  assert seen > 50


def test_a_face_stands_for_a_point_where_its_terms_meet():
  polytopes = _random("random", 8, 0)
  dual = subdivision(polytopes)
  for face in dual.faces:
    terms = np.column_stack([dual.vertices, dual.heights])[list(face)]
    x = np.linalg.lstsq(terms[1:, :2] - terms[0, :2], terms[0, 2] - terms[1:, 2])[0]
    values = dual.vertices @ x + dual.heights
    assert np.ptp(values[list(face)]) < 1e-9 * np.abs(values).max()
    assert values[list(face)].min() >= values.max() - 1e-9 * np.abs(values).max()
    assert gap(polytopes, x) < 1e-9 * np.abs(values).max()


def test_an_upright_face_of_the_lifted_hull_is_no_face():
  # Units 0 and 2 wake 1e4 away; seen from above, the wall over their common edge has no area.
  dual = subdivision(_random("dead", 3, 1033))
  assert len(dual.faces) == 4
  assert len(np.unique(dual.vertices.round(9), axis=0)) == len(dual.vertices)


def test_what_both_logits_have_more_changes_nothing_but_heights():
  rng = np.random.default_rng(0)
  A, B, c1 = rng.normal(size=(5, 2)), rng.normal(size=(2, 5)), rng.normal(size=5)
  low, high = (subdivision(polytopes_of(A, B, c1, [c2, c2])) for c2 in (0, 1e9))
  assert low.faces == high.faces
  assert low.owners.tolist() == high.owners.tolist()
  np.testing.assert_allclose(high.heights - 1e9, low.heights, atol=1e-6)


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e7])
def test_lines_far_from_the_origin_have_the_same_faces(shift):
  rng = np.random.default_rng(2)
  A, c1, B, c2 = (rng.normal(size=shape) for shape in ((4, 2), 4, (2, 4), 2))
  x = np.array([shift, -shift / 4])
  near, far = (
    subdivision(polytopes_of(A, B, c1, c2)),
    subdivision(polytopes_of(A, B, c1 - A @ x, c2)),
  )
  assert far.faces == near.faces
  assert far.owners.tolist() == near.owners.tolist()
  np.testing.assert_allclose(far.heights, near.heights - near.vertices @ x, atol=1e-14 * shift)


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e100])
def test_the_unit_of_the_inputs_changes_nothing_but_heights(scale):
  rng = np.random.default_rng(2)
  A, c1, B, c2 = (rng.normal(size=shape) for shape in ((4, 2), 4, (2, 4), 2))
  one, other = (
    subdivision(polytopes_of(A, B, c1, c2)),
    subdivision(polytopes_of(A, B, c1 * scale, c2 * scale)),
  )
  assert other.faces == one.faces
  np.testing.assert_allclose(other.heights, one.heights * scale, rtol=1e-12)


def test_lines_through_a_point_far_from_the_origin_leave_one_face():
  A, B = [[3, 1], [1, -2], [-2, 5]], [[1, 2, -1], [-2, 1, 1]]
  assert len(subdivision(polytopes_of(A, B, -np.array(A) @ [1e5 / 3, 7.1])).faces) == 1


def test_networks_of_three_inputs_are_refused():
  with pytest.raises(ValueError, match="3 inputs"):
    subdivision(polytopes_of([[1, 0, 0]], [[1], [0]]))
