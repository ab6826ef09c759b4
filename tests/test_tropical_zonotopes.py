"""Zonotopes against brute force: all 2^p sums, exactly where the generators are whole numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from tflottery.analysis.tropical import planes
from tflottery.analysis.tropical.generators import generators, support
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical.zonotopes import support_points, zonotope, zonotope_vertices

FEW = settings(max_examples=60, deadline=None, derandomize=True)
SCALES = st.sampled_from([1e-8, 1.0, 1e8])


def whole(dimensions, most, size=3):
  """Generators of small whole numbers: zeros, duplicates and parallels abound."""
  row = st.lists(st.integers(-size, size), min_size=dimensions, max_size=dimensions)
  return st.lists(row, min_size=1, max_size=most).map(np.array)


def drawn(dimensions, p, seed):
  return np.random.default_rng(seed).normal(size=(p, dimensions))


def sums(G):
  """[2^p, n], the sum of each set of generators."""
  sums = np.zeros((1, G.shape[1]))
  for g in G:
    sums = np.concatenate([sums, sums + g])
  return sums


def chain(points):
  """The hull of planar points, as Andrew's chains in exact numbers, from the lowest and leftmost."""
  points = sorted({(Fraction(y), Fraction(x)) for x, y in points.tolist()})
  if len(points) == 1:
    return [[float(x), float(y)] for y, x in points]

  def half(points):
    ends = []
    for y, x in points:
      while len(ends) > 1:
        (a, b), (c, d) = ends[-2:]
        if (c - a) * (x - b) - (d - b) * (y - a) < 0:
          break
        ends.pop()
      ends.append((y, x))
    return ends[:-1]

  return [[float(x), float(y)] for y, x in half(points) + half(points[::-1])]


def corners(points):
  """The corners of a hull in n dimensions: points on facets whose normals span all n, none twice."""
  points = np.unique(points, axis=0)
  equations = ConvexHull(points).equations
  on = np.abs(points @ equations[:, :-1].T + equations[:, -1]) < 1e-9 * np.abs(points).max()
  ranks = [np.linalg.matrix_rank(equations[row, :-1], tol=1e-7) for row in on]
  return points[np.array(ranks) == points.shape[1]]


def ordered(points):
  return points[np.lexsort(points.round(9).T)]


@FEW
@given(whole(2, 10))
def test_a_planar_zonotope_of_whole_numbers_is_the_hull_of_all_sums_to_the_bit(G):
  assert zonotope(G).tolist() == chain(sums(G))


@FEW
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), SCALES)
def test_a_planar_zonotope_of_any_numbers_is_the_hull_of_all_sums(p, seed, scale):
  G = drawn(2, p, seed) * scale
  found, all_sums = zonotope(G), sums(G)
  hull = all_sums[ConvexHull(all_sums / scale).vertices] if p > 1 else all_sums
  assert len(found) == len(hull) == 2 * p
  np.testing.assert_allclose(ordered(found / scale), ordered(hull / scale), atol=1e-13)


@FEW
@given(whole(3, 8, size=2))
def test_vertices_in_three_dimensions_are_those_of_the_hull_of_all_sums(G):
  if np.linalg.matrix_rank(G) < 3:
    G = np.concatenate([G, np.eye(3)])
  assert zonotope_vertices(G).tolist() == corners(sums(G)).tolist()


@pytest.mark.parametrize("p", [3, 5, 12])
def test_generators_in_general_position_have_as_many_vertices_as_there_can_be(p):
  # 2 (1 + (p - 1) + (p - 1)(p - 2) / 2)
  G = drawn(3, p, seed=p)
  found = zonotope_vertices(G)
  assert len(found) == {3: 8, 5: 22, 12: 134}[p]
  all_sums = sums(G)
  hull = all_sums[ConvexHull(all_sums).vertices]
  np.testing.assert_allclose(ordered(found), ordered(hull), atol=1e-12)


def test_the_vertices_of_the_rhombic_dodecahedron_are_found_by_hand():
  # The four diagonals of a cube, moved so that 0 is the centre: (+-2, 0, 0)... and (+-1, +-1, +-1).
  G = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
  centred = zonotope_vertices(G) - G.sum(0) / 2
  signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
  expected = np.concatenate([2 * np.eye(3), -2 * np.eye(3), signs])
  assert sorted(centred.tolist()) == sorted(expected.tolist())


def test_a_hexagon_by_hand_begins_at_its_lowest_corner_and_goes_counterclockwise():
  found = zonotope([[2, 0], [1, 1], [-1, 1]])
  assert found.tolist() == [[0, 0], [2, 0], [3, 1], [2, 2], [0, 2], [-1, 1]]


@pytest.mark.parametrize(
  ("G", "expected"),
  [
    ([[0, 0]], [[0, 0]]),
    ([[0, 0], [0, 0]], [[0, 0]]),
    ([[3, -4]], [[3, -4], [0, 0]]),
    ([[1, 2], [-2, -4], [0, 0], [3, 6]], [[-2, -4], [4, 8]]),
    ([[-5, 0], [1, 0]], [[-5, 0], [1, 0]]),
    ([[1, 0], [1, 0], [0, 3], [0, -3]], [[0, -3], [2, -3], [2, 3], [0, 3]]),
    ([[1e8, 0], [0, 1e-8]], [[0, 0], [1e8, 0], [1e8, 1e-8], [0, 1e-8]]),
  ],
  ids=["zero", "zeros", "one", "collinear", "flat", "duplicates", "thin"],
)
def test_points_segments_and_boxes_are_handled(G, expected):
  assert zonotope(G).tolist() == expected
  assert zonotope_vertices(G).tolist() == expected
  lifted = zonotope_vertices(np.column_stack([G, np.zeros(len(G))]))
  assert (
    ordered(lifted).tolist()
    == ordered(np.column_stack([expected, 0 * np.sum(expected, 1)])).tolist()
  )


@FEW
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 2**32 - 1), SCALES)
def test_collinear_generators_of_many_dimensions_make_a_segment_on_every_plane(n, p, seed, scale):
  draws = np.random.default_rng(seed)
  G = draws.normal(size=(p, 1)) * draws.normal(size=n) * scale
  for plane in (planes.principal_plane(G), planes.plane(draws.normal(size=(2, n)))):
    assert len(zonotope(planes.project(G, plane))) == 2
  assert len(zonotope_vertices(G)) == 2


@FEW
@given(st.integers(1, 12), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_lengths_from_tiny_to_huge_in_one_zonotope_keep_its_support(p, n, seed):
  draws = np.random.default_rng(seed)
  G = draws.normal(size=(p, n)) * 10 ** draws.uniform(-8, 8, (p, 1))
  u = draws.normal(size=(50, n))
  reach = (u @ zonotope_vertices(G).T).max(axis=1)
  np.testing.assert_allclose(reach, support(G, u), atol=1e-13 * np.abs(G).sum())


@FEW
@given(whole(2, 8), st.randoms(use_true_random=False), st.sampled_from([0.25, 1.0, 8.0]))
def test_neurons_may_change_places_and_scales(A, random, scale):
  draws = np.random.default_rng(random.getrandbits(32))
  B = draws.integers(-3, 4, (2, len(A)))
  order = draws.permutation(len(A))
  scales = scale ** draws.integers(-1, 2, len(A))
  changed = generators((A * scales[:, None])[order], (B / scales)[:, order])
  for G, H in zip(generators(A, B), changed, strict=True):
    assert zonotope(G).tolist() == zonotope(H).tolist()


@FEW
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), SCALES)
def test_neurons_may_change_scales_by_any_factor(p, seed, scale):
  draws = np.random.default_rng(seed)
  # Twice each neuron: what is parallel must stay one edge after its rounding.
  A, B = np.tile(draws.normal(size=(p, 2)), (2, 1)), draws.normal(size=(2, 2 * p))
  scales = scale * draws.uniform(0.1, 10, 2 * p)
  changed = generators(A * scales[:, None], B / scales)
  for G, H in zip(generators(A, B), changed, strict=True):
    np.testing.assert_allclose(zonotope(G), zonotope(H), atol=1e-12)


def test_generators_that_are_parallel_but_for_rounding_make_one_edge():
  g = np.array([0.1, 0.7])
  found = zonotope([g, 3 * g, g / 3, -0.3 * g, [1, 0]])
  np.testing.assert_allclose(found, [-0.3 * g, [1, 0] - 0.3 * g, [1, 0] + 13 / 3 * g, 13 / 3 * g])


def test_generators_shorter_than_the_rounding_of_coordinates_make_no_edges():
  found = zonotope([[1, 0], [0, 1], [1e-17, 2e-17]])
  np.testing.assert_allclose(found, [[0, 0], [1, 0], [1, 1], [0, 1]], atol=1e-16)
  angles = np.linspace(0, np.pi, 10**5)
  G = np.concatenate([np.eye(2), 1e-17 * np.stack([np.cos(angles), np.sin(angles)], axis=1)])
  u = np.array([[1, 1], [1, -1], [-1, 2]])
  # All grains together reach 1e-12: none may be lost.
  np.testing.assert_allclose((u @ zonotope(G).T).max(axis=1), support(G, u), rtol=0, atol=1e-14)


def test_parallel_generators_are_not_torn_apart_where_angles_begin():
  found = zonotope([[1, 1e-16], [1, -1e-16], [0, 1]])
  np.testing.assert_allclose(found, [[0, 0], [2, 0], [2, 1], [0, 1]], atol=1e-15)


@FEW
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_lowest_edge_begins_at_its_left_whatever_the_rounding(p, seed):
  G = np.concatenate([drawn(2, p, seed), [[0.1, 0]]])
  found = zonotope(G)
  np.testing.assert_allclose(found[1] - found[0], [0.1, 0], atol=1e-14)


@FEW
@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_no_corner_is_given_twice_however_short_the_edges(p, seed):
  draws = np.random.default_rng(seed)
  grains = draws.normal(size=(p, 2)) * 10 ** draws.uniform(-18, -14, (p, 1))
  found = zonotope(np.concatenate([[[1, 0], [0, 1]], grains]))
  assert len(np.unique(found, axis=0)) == len(found)


def test_generators_of_one_plane_that_are_nearly_parallel_make_one_face():
  # The projections of the second and third along the first are short, and their rounding long.
  u, w = np.array([1e6, 2e6, 3e6]) / 7, np.array([1, -1, 2]) / 3
  for far in (1e-3, 1, 1e3):
    G = [far * u, far * u + w, far * u + 2 * w, [0, 1, -1]]
    assert len(zonotope_vertices(G)) == 12


@FEW
@given(st.integers(3, 6), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_projection_of_a_zonotope_is_the_zonotope_of_the_projected_generators(n, p, seed):
  draws = np.random.default_rng(seed)
  G = draws.integers(-2, 3, (p, n)).astype(float)
  plane = planes.plane(draws.normal(size=(2, n)))
  u = draws.normal(size=(20, 2))
  reach = (u @ (sums(G) @ plane.T).T).max(axis=1)
  np.testing.assert_allclose(
    (u @ zonotope(planes.project(G, plane)).T).max(axis=1), reach, atol=1e-9
  )


def test_a_plane_is_orthonormal_and_keeps_the_first_direction():
  found = planes.plane([[3e-9, 4e-9, 0], [1e9, 1e9, 1e9]])
  np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-15)
  np.testing.assert_allclose(found[0], [0.6, 0.8, 0], atol=1e-15)
  assert found[1] @ [1, 1, 1] > 0


def test_generators_orthogonal_to_a_plane_are_projected_to_zero():
  plane = planes.plane([[1, 2, 3], [3, 1, -2]])
  normal = np.array([-7, 11, -5])
  assert not planes.project([normal, 0.1 * normal, 1e9 * normal, normal / 3], plane).any()


def test_directions_of_a_plane_are_zero_where_only_rounding_is_left():
  A = [[-2, 0, -2, 2, 2], [-2, 0, 0, 0, 2], [-3, 0, -2, 1, -1], [0, 1, 0, 0, 0]]
  polytopes = DecisionPolytopes(Network(A, [[1, 1, 1, 1], [0, 1, 2, 3]]))
  assert not polytopes.on_plane().network.A[3].any()
  assert planes.plane([[-2, 3, 0, -2, -3], [2, -3, -1, 2, 3]])[1].tolist() == [0, 0, -1, 0, 0]


def test_the_principal_plane_is_that_of_the_longest_generators():
  G = [[0, 0, 0, -5], [0.1, 0, 0, 0], [0, -3, 0, 0]]
  np.testing.assert_allclose(planes.principal_plane(G), [[0, 0, 0, 1], [0, 1, 0, 0]], atol=1e-15)


def test_a_principal_plane_is_completed_where_the_generators_have_none():
  np.testing.assert_allclose(planes.principal_plane([[0, -2, 0]]), [[0, 1, 0], [1, 0, 0]])
  np.testing.assert_allclose(planes.principal_plane(np.zeros((4, 3))), np.eye(2, 3))


def test_support_points_leave_out_what_is_orthogonal_to_the_direction():
  G = [[2, 0, 0], [0, 3, 0], [0, 0, -4]]
  found = support_points(G, [[1, 1, 1], [-1, 0, -1], [0, 0, 0]])
  assert found.tolist() == [[2, 3, 0], [0, 0, -4], [0, 0, 0]]


def test_support_points_are_the_same_in_parts_of_a_large_matrix():
  G, u = drawn(4, 3000, seed=0), drawn(4, 3000, seed=1)
  np.testing.assert_allclose((support_points(G, u) * u).sum(1)[::500], support(G, u[::500]))


def test_a_million_generators_have_two_million_vertices():
  G = drawn(2, 10**6, seed=0)
  found = zonotope(G)
  assert len(found) == 2 * 10**6
  u = drawn(2, 3, seed=1)
  np.testing.assert_allclose((u @ found.T).max(axis=1), support(G, u), rtol=1e-12)


@pytest.mark.parametrize("function", [zonotope, zonotope_vertices, planes.principal_plane])
@pytest.mark.parametrize(
  ("G", "match"),
  [
    (np.zeros((0, 2)), "G has the shape"),
    ([[np.nan, 1.0]], "finite"),
    ([1.0, 2.0], "G has the shape"),
  ],
  ids=["none", "nan", "vector"],
)
def test_what_is_no_matrix_of_generators_is_refused(function, G, match):
  with pytest.raises(ValueError, match=match):
    function(G)


@pytest.mark.parametrize(
  ("directions", "match"),
  [
    ([[1, 0, 0]], "two directions"),
    ([[1], [2]], "two directions"),
    ([[1, 1, 0], [-2, -2, 0]], "collinear"),
    ([[0, 0, 0], [1, 0, 0]], "zeros"),
    ([[np.inf, 0], [1, 0]], "finite"),
  ],
)
def test_directions_that_span_no_plane_are_refused(directions, match):
  with pytest.raises(ValueError, match=match):
    planes.plane(directions)


def test_three_columns_are_no_planar_generators_and_a_plane_has_two_rows():
  with pytest.raises(ValueError, match="2 columns"):
    zonotope(np.eye(3))
  with pytest.raises(ValueError, match="two directions"):
    planes.project(np.eye(3), np.eye(3))


def test_one_column_has_no_principal_plane():
  with pytest.raises(ValueError, match="no plane"):
    planes.principal_plane([[1.0], [2.0]])


@pytest.mark.parametrize(("n", "p"), [(8, 60), (3, 464), (5, 60), (12, 14), (30, 30)])
def test_vertices_that_take_long_to_list_are_refused_with_another_way(n, p):
  with pytest.raises(ValueError, match="support_points"):
    zonotope_vertices(drawn(n, p, seed=0))


def test_all_sums_of_independent_generators_are_vertices():
  G = drawn(30, 14, seed=0)
  np.testing.assert_allclose(ordered(zonotope_vertices(G)), ordered(sums(G)), atol=1e-12)


def test_many_steps_below_the_angle_of_parallels_still_turn():
  # Angles from 0 to 9e-11, in edges of at most 4e-14, on both halves.
  G = np.column_stack([np.ones(10**4), np.arange(10**4) * 9e-15])
  found = zonotope(G)
  assert 2 * 9e-11 / 4e-14 <= len(found) <= 2 * 10**4
  # Across the chord the zonotope is 10^4 * 9e-11 / 8 wide, where a segment has no width.
  u = np.array([[-4.5e-11, 1]])
  np.testing.assert_allclose((u @ found.T).max(axis=1), support(G, u), rtol=1e-6)
