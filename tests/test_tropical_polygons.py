"""Polygons and distances, against brute force and on values worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery.analysis.tropical.distances import (
  hausdorff,
  hausdorff_bound,
  shape_distance,
  support_distance,
)
from tflottery.analysis.tropical.generators import support
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polygons import mean_width, normalise, polygon, steiner_point
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical.zonotopes import zonotope

FEW = settings(max_examples=100, deadline=None, derandomize=True)
SCALES = st.sampled_from([1e-8, 1.0, 1e8])
SQUARE = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
CIRCLE = np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 2 * np.pi, 20, endpoint=False)])
WHOLE = st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=9).map(
  lambda rows: np.array(rows, float)
)


@st.composite
def bodies(draw):
  """Points whose hulls are points, segments, thin, whole, round or any."""
  if draw(st.booleans()):
    return draw(WHOLE)
  draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
  points = draws.normal(size=(draw(st.integers(1, 9)), 2))
  kind = draw(st.sampled_from(["any", "thin", "segment", "point", "zonotope"]))
  if kind == "thin":
    points *= [1, 1e-7]
  elif kind == "segment":
    points = points[:, :1] * points[0]
  elif kind == "point":
    points = np.repeat(points[:1], len(points), axis=0)
  elif kind == "zonotope":
    points = zonotope(points)
  return points


def farthest(P, Q):
  """The distance from Q's hull of the corner of P that is farthest from it."""
  return max(_to(corner, polygon(Q)) for corner in polygon(P))


def _to(point, ring):
  edges = np.roll(ring, -1, axis=0) - ring
  arms = point - ring
  if len(ring) > 2 and (edges[:, 0] * arms[:, 1] - edges[:, 1] * arms[:, 0] >= 0).all():
    return 0.0
  squares = np.maximum((edges**2).sum(1), np.finfo(float).tiny)
  shares = np.clip((arms * edges).sum(1) / squares, 0, 1)
  return np.hypot(*(arms - shares[:, None] * edges).T).min()


@FEW
@given(WHOLE)
def test_a_polygon_is_strictly_convex_begins_lowest_and_holds_all_points(points):
  ring = polygon(points)
  assert {tuple(corner) for corner in ring} <= {tuple(point) for point in points}
  assert tuple(ring[0][::-1]) == min(tuple(point[::-1]) for point in points)
  edges = np.roll(ring, -1, axis=0) - ring
  if len(ring) > 2:
    after = np.roll(edges, -1, axis=0)
    assert (edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0] > 0).all()
  assert max(_to(point, ring) for point in points) < 1e-12


@FEW
@given(bodies(), SCALES)
def test_a_polygon_is_its_own_hull_in_any_order(points, scale):
  ring = polygon(points * scale)
  assert polygon(ring).tolist() == ring.tolist()
  assert polygon(ring[::-1]).tolist() == ring.tolist()


@pytest.mark.parametrize(
  ("points", "expected"),
  [
    ([[3, 4]], [[3, 4]]),
    ([[3, 4], [3, 4]], [[3, 4]]),
    ([[1, 1], [-1, 3], [0, 2]], [[1, 1], [-1, 3]]),
    ([[0.1, 0.3], [0.2, 0.6], [0.3, 0.9], [0.7, 2.1]], [[0.1, 0.3], [0.7, 2.1]]),
    ([[1, 0], [1, 1], [0, 1], [0, 1e-16]], [[0, 1e-16], [1, 0], [1, 1], [0, 1]]),
    ([[5, 0], [0, 0], [1, 0]], [[0, 0], [5, 0]]),
    ([[0, 0], [1e8, 0], [0, 1e-5]], [[0, 0], [1e8, 0], [0, 1e-5]]),
    ([[3, 1], [3, 1], [-1, -1], [-1, -1], [2, -1], [3, 2], [-2, 0], [-1, -2]], [[-1, -2], [2, -1], [3, 1], [3, 2], [-2, 0]]),
  ],
  ids=["point", "points", "segment", "rounded", "level", "flat", "thin", "star"],
)  # fmt: skip
def test_degenerate_points_are_handled(points, expected):
  assert polygon(points).tolist() == expected


@pytest.mark.parametrize("thickness", [1e-16, 1e-15, 1e-14, 2e-14, 1e-13, 1e-12])
def test_a_body_as_thin_as_rounding_keeps_its_ends(thickness):
  draws = np.random.default_rng(0)
  for _ in range(50):
    points = draws.normal(size=(12, 2)) * [1, thickness]
    for turned in (points, points[:, ::-1], points @ [[0.6, 0.8], [-0.8, 0.6]]):
      ring = polygon(turned)
      assert max(_to(point, ring[[0, *range(len(ring))]]) for point in turned) < 1e-13


@pytest.mark.parametrize("height", [1.1e-14, 2e-14, 1e-13, 1e-8])
def test_a_corner_above_rounding_is_kept_however_flat(height):
  points = [[0, 0], [1, 0], [0.5, height], [0.5, height / 2], [0.5, 0]]
  assert polygon(points).tolist() == points[:3]


def test_what_goes_round_twice_is_no_polygon_yet():
  star = CIRCLE[[0, 8, 16, 4, 12]]
  assert sorted(polygon(star).tolist()) == sorted(star.tolist())
  assert mean_width(star) == pytest.approx(10 * np.sin(np.pi / 5) / np.pi)


@pytest.mark.parametrize(
  ("points", "width", "point"),
  [
    ([[7, 8]], 0, [7, 8]),
    ([[0, 0], [3, 4]], 10 / np.pi, [1.5, 2]),
    (SQUARE, 8 / np.pi, [1, 1]),
    # Exterior angles of 3/8, 3/8 and 1/4 of a turn.
    ([[0, 0], [4, 0], [0, 4]], (8 + 32**0.5) / np.pi, [1.5, 1.5]),
  ],
  ids=["point", "segment", "square", "triangle"],
)
def test_mean_width_and_steiner_point_by_hand(points, width, point):
  assert mean_width(points) == pytest.approx(width)
  np.testing.assert_allclose(steiner_point(points), point)


@FEW
@given(WHOLE, WHOLE)
def test_widths_and_steiner_points_of_a_minkowski_sum_add_up(P, Q):
  both = (P[:, None] + Q).reshape(-1, 2)
  assert mean_width(both) == pytest.approx(mean_width(P) + mean_width(Q))
  np.testing.assert_allclose(steiner_point(both), steiner_point(P) + steiner_point(Q), atol=1e-12)


@FEW
@given(bodies(), SCALES)
def test_what_is_normalised_has_its_steiner_point_at_zero_and_width_one(points, scale):
  found = normalise(points * scale)
  np.testing.assert_allclose(steiner_point(found), 0, atol=1e-12)
  assert mean_width(found) == pytest.approx(1 if len(found) > 1 else 0)


@FEW
@given(bodies(), bodies(), SCALES)
def test_the_hausdorff_distance_is_that_of_the_farthest_corner(P, Q, scale):
  expected = max(farthest(P, Q), farthest(Q, P))
  size = 1 + max(np.abs(P).max(), np.abs(Q).max())
  assert hausdorff(P * scale, Q * scale) / scale == pytest.approx(expected, abs=1e-13 * size)
  assert hausdorff(Q, P) == pytest.approx(expected, abs=1e-13 * size)


@pytest.mark.parametrize(
  ("P", "Q", "expected"),
  [
    ([[0, 0]], [[3, 4]], 5),
    ([[0, 0]], SQUARE, 8**0.5),
    ([[0, 0], [2, 0]], [[0, 1], [2, 1]], 1),
    ([[-1, 0], [1, 0]], [[0, -1], [0, 1]], 1),
    (SQUARE, SQUARE + np.array([3, 4]), 5),
    (SQUARE, 2 * SQUARE - 1, 2**0.5),
    (SQUARE, [*SQUARE, [1, 5]], 3),
    (SQUARE, SQUARE, 0),
  ],
  ids=["points", "corner", "parallel", "cross", "moved", "grown", "tip", "same"],
)
def test_hausdorff_distances_by_hand(P, Q, expected):
  assert hausdorff(P, Q) == pytest.approx(expected, abs=1e-15)
  assert hausdorff(Q, P) == pytest.approx(expected, abs=1e-15)


def test_polygons_of_two_hundred_thousand_corners_are_compared():
  G = np.random.default_rng(0).normal(size=(10**5, 2))
  P = zonotope(G)
  assert hausdorff(P, P + np.array([3e3, 4e3])) == pytest.approx(5e3)


@FEW
@given(bodies(), bodies(), st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_the_shape_distance_knows_no_translation_and_no_scale(P, Q, scale, seed):
  move = np.random.default_rng(seed).normal(size=2)
  expected = shape_distance(P, Q)
  assert shape_distance(scale * P + move, Q) == pytest.approx(expected, abs=1e-9)
  assert shape_distance(Q, scale * P) == pytest.approx(expected, abs=1e-9)
  assert shape_distance(P, scale * P + move) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
  ("P", "Q", "expected"),
  [
    ([[0, 0], [1, 0]], [[5, 5], [5, 9]], np.pi / 4),
    ([[0, 0], [1, 0]], [[9, 9]], np.pi / 4),
    (SQUARE, [[0, 0]], 2**0.5 * np.pi / 8),
    ([[0, 0]], [[1, 1]], 0),
    # Half a diagonal less half a side, in mean widths of 4 sides / pi.
    (SQUARE, [[1, 0], [2, 1], [1, 2], [0, 1]], (2**0.5 - 1) * np.pi / 8),
  ],
  ids=["cross", "to a point", "square", "points", "turned"],
)
def test_shape_distances_by_hand(P, Q, expected):
  assert shape_distance(P, Q) == pytest.approx(expected, abs=1e-15)


@FEW
@given(st.integers(1, 8), st.integers(0, 2**32 - 1), st.floats(0, 2))
def test_the_generator_bound_holds(p, seed, far):
  draws = np.random.default_rng(seed)
  pairs = draws.normal(size=(2, p, 2)), draws.normal(size=(2, p, 2))
  G, H = pairs[0], pairs[0] + far * pairs[1]
  G[draws.random((2, p)) < 0.3] = 0
  assert hausdorff(zonotope(G[0]), zonotope(H[0])) <= hausdorff_bound(G[0], H[0]) + 1e-12
  hulls = [np.concatenate([zonotope(part) for part in body]) for body in (G, H)]
  assert hausdorff(*hulls) <= hausdorff_bound(tuple(G), tuple(H)) + 1e-12


def test_the_generator_bound_is_reached_by_one_generator_and_by_hand():
  assert hausdorff_bound([[3.0, 4.0], [1, 1]], [[0, 0], [1, 1]]) == 5
  assert hausdorff(zonotope([[3, 4], [1, 1]]), zonotope([[1, 1]])) == pytest.approx(5)
  assert hausdorff_bound(([[1.0]], [[2.0]]), ([[4.0]], [[7.0]])) == 5
  assert hausdorff_bound([[3e200, 4e200]], [[0, 0]]) == pytest.approx(5e200)


@FEW
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_support_distance_is_a_lower_bound_that_many_directions_reach(p, seed):
  draws = np.random.default_rng(seed)
  G, H = draws.normal(size=(2, p, 2)), draws.normal(size=(2, p + 1, 2))
  hulls = [np.concatenate([zonotope(part) for part in body]) for body in (G, H)]
  angles = np.linspace(0, 2 * np.pi, 2000)
  u = np.stack([np.cos(angles), 3 * np.sin(angles)], axis=1)
  found, exact = support_distance(tuple(G), tuple(H), u), hausdorff(*hulls)
  assert found <= exact + 1e-12
  assert found == pytest.approx(exact, rel=0.02)


def test_support_distances_by_hand_in_four_dimensions():
  e = np.eye(4)
  assert support_distance(5 * e[:2], 2 * e[:1], e) == 5
  assert support_distance(5 * e[:2], 2 * e[:1], [[9, 9, 0, 0]]) == pytest.approx(8 / 2**0.5)
  assert support_distance((e[:1], 7 * e[3:]), e[:1], -e) == 0


def test_the_support_distance_is_the_same_in_parts():
  draws = np.random.default_rng(0)
  G, u = draws.normal(size=(3000, 3)), draws.normal(size=(3000, 3))
  parts = [support_distance(G, G[:10], part) for part in np.split(u, 30)]
  assert support_distance(G, G[:10], u) == pytest.approx(max(parts))


@pytest.mark.parametrize("function", [polygon, mean_width, steiner_point, normalise])
@pytest.mark.parametrize(
  "points", [np.zeros((0, 2)), [1, 2], [[1, 2, 3]], [[np.nan, 0]], [[1, 2], [3]]]
)
def test_what_are_no_points_of_a_plane_is_refused(function, points):
  with pytest.raises(ValueError, match="points"):
    function(points)


def test_distances_name_the_body_that_they_refuse():
  for function in (hausdorff, shape_distance):
    with pytest.raises(ValueError, match="Q holds a value"):
      function(SQUARE, [[np.inf, 0]])


@pytest.mark.parametrize(
  ("G", "H"),
  [
    ([[1, 0]], [[1, 0], [0, 1]]),
    (([[1, 0]], [[1, 0]]), [[1, 0]]),
    ([[1, 0]], [[1, 0, 0]]),
  ],
  ids=["numbers", "pairs", "dimensions"],
)
def test_the_bound_refuses_what_cannot_be_paired(G, H):
  with pytest.raises(ValueError, match="paired by their index"):
    hausdorff_bound(G, H)


def test_support_distances_refuse_directions_of_zeros_and_other_dimensions():
  with pytest.raises(ValueError, match="row of zeros"):
    support_distance([[1, 0]], [[1, 0]], [[0, 0]])
  with pytest.raises(ValueError, match="others"):
    support_distance([[1, 0]], [[1, 0, 0]], [[1, 0]])
  with pytest.raises(ValueError, match="names no zonotope"):
    support_distance((), [[1, 0]], [[1, 0]])


def test_a_restriction_leaves_no_rounding_of_generators_that_are_orthogonal_to_the_plane():
  A = np.array([[1, 2, 3], [2, 4, 6], [-7, 11, -5]])  # the last is orthogonal to both directions
  polytopes = DecisionPolytopes(Network(A, [[1, 1, 1], [0, 0, 0]]))
  assert len(polytopes.on_plane([[1, 2, 3], [3, 1, -2]]).zonotopes()[0]) == 2


@pytest.mark.parametrize(
  ("arguments", "match"),
  [
    (([[1, 2], [1]], [[1, 1], [0, 1]]), "A is no array of real numbers"),
    (("abc", [[1], [2]]), "A is no array"),
    (([[1]], [[1j], [2]]), "B is no array"),
    (([[1]], [[1], [2]], "b"), "c1 is no array"),
    (([[1]], [[1], [2]], None, [np.nan, 0]), "c2 holds a value that is not finite"),
  ],
)
def test_a_network_names_what_are_no_numbers(arguments, match):
  with pytest.raises(ValueError, match=match):
    Network(*arguments)


def test_inputs_of_another_length_or_without_a_value_are_named():
  network = Network(np.eye(3), np.eye(2, 3))
  for function in (network, DecisionPolytopes(network).values, lambda x: support(np.eye(3), x)):
    for x, match in (([1, 2], "x has the shape"), ([1, 2, np.nan], "x holds"), (["a"], "x is no")):
      with pytest.raises(ValueError, match=match):
        function(x)
  with pytest.raises(ValueError, match="origin has 2 entries, and 3 are needed"):
    DecisionPolytopes(network).on_plane(origin=[1, 2])


def test_a_network_of_one_input_is_told_that_it_has_no_plane():
  polytopes = DecisionPolytopes(Network([[1], [2]], np.eye(2)))
  for function in (polytopes.on_plane, polytopes.zonotopes):
    with pytest.raises(ValueError, match=r"network has 1 input,? .*second input of weight 0"):
      function()


def test_bodies_in_a_list_are_asked_for_as_a_tuple():
  G, H = np.eye(2), np.eye(3, 2)
  for body in ([G, G], [G, H], [G.tolist()]):
    with pytest.raises(ValueError, match=r"G is a list of matrices\. Give a tuple"):
      hausdorff_bound(body, (G, G))


def test_points_whose_differences_are_no_floats_are_refused():
  with pytest.raises(ValueError, match="another unit"):
    polygon([[-1.5e308, 0], [1.5e308, 0], [0, 1]])
