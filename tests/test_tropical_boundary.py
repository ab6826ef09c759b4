"""Cells, the decision boundary and T(R), against hand-made ones and against bisection."""

import functools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planar_networks import KINDS, drawn, polytopes_of

from tflottery.analysis.tropical.boundaries import boundary, boundary_crossings
from tflottery.analysis.tropical.cells import cells
from tflottery.analysis.tropical.hypersurface import gap, hypersurface

BOX = ((-2.5, 2.0), (-2.0, 3.0))
SQUARE = ((-1, 1), (-1, 1))


_random = functools.partial(drawn, dead=-1e9)
NETWORKS = st.builds(_random, st.sampled_from(KINDS), st.integers(1, 12), st.integers(0, 10**6))


def _difference(polytopes, x):
  first, second = np.moveaxis(polytopes.network(x)[..., list(polytopes.pair)], -1, 0)
  return first - second


def _size(polytopes):
  """What the terms of f_i and f_j in the box can sum up to, dead units left out."""
  network = polytopes.network
  lengths = np.linalg.norm(network.A, axis=1) * 3 + np.abs(network.c1) * (network.c1 > -1e8)
  return np.abs(network.B).sum(0) @ lengths + np.abs(network.c2).sum() + 1e-300


def _inside(count, seed=0):
  return np.random.default_rng(seed).uniform(*np.array(BOX).T, (count, 2))


def _along(segments, share):
  return segments[:, 0] + share * (segments[:, 1] - segments[:, 0])


def _distance(points, segments):
  """From each point to the nearest segment."""
  if not len(segments):
    return np.full(len(points), np.inf)
  start, way = segments[:, 0], segments[:, 1] - segments[:, 0]
  length = np.maximum((way**2).sum(1), 1e-300)
  share = np.clip(((points[:, None] - start) * way).sum(-1) / length, 0, 1)
  return np.linalg.norm(points[:, None] - start - share[..., None] * way, axis=-1).min(1)


def _bisected(polytopes, count=100):
  """Points at which f_i - f_j changes its sign, found without the code under test."""
  low, high = _inside(count), _inside(count, seed=1)
  sign = np.sign(_difference(polytopes, low))
  crossing = sign * np.sign(_difference(polytopes, high)) < 0
  low, high, sign = low[crossing], high[crossing], sign[crossing]
  for _ in range(60):
    middle = (low + high) / 2
    same = (np.sign(_difference(polytopes, middle)) == sign)[:, None]
    low, high = np.where(same, middle, low), np.where(same, high, middle)
  return low


def _amid_zeros(polytopes, points):
  """Whether f_i = f_j, but for rounding, all around: there bisection ends anywhere."""
  around = points[:, None] + 1e-6 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
  return (np.abs(_difference(polytopes, around)) < 1e-12 * _size(polytopes)).all(1)


def _same(segments, expected):
  def normal(pieces):
    return sorted(sorted(map(tuple, np.round(piece, 9) + 0.0)) for piece in np.asarray(pieces))

  assert normal(segments) == normal(np.array(expected, float).reshape(-1, 2, 2))


def _area(polygon):
  x, y = polygon.T
  return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def test_two_lines_cut_a_square_into_four_cells():
  found = cells([[1, 0], [0, 1]], None, SQUARE)
  assert [cell.tolist() for cell in found] == [
    [[-1, -1], [0, -1], [0, 0], [-1, 0]],
    [[0, -1], [1, -1], [1, 0], [0, 0]],
    [[-1, 0], [0, 0], [0, 1], [-1, 1]],
    [[0, 0], [1, 0], [1, 1], [0, 1]],
  ]


def test_lines_that_repeat_or_miss_the_box_or_run_along_its_edge_cut_nothing():
  A = [[1, 0], [-2, 0], [0.1, 0], [1, 1], [0, 3], [0, 0], [1e-300, 0]]
  c1 = [0, 0, 0, 5, -3, 7, 1e300]
  assert [_area(cell) for cell in cells(A, c1, SQUARE)] == [2, 2]


def test_lines_through_one_point_leave_no_slivers():
  angles = np.linspace(0, np.pi, 13)[:-1] + 0.1
  A = np.column_stack([np.cos(angles), np.sin(angles)])
  point = np.array([0.1, 0.2])
  found = cells(A, -A @ point, SQUARE)
  assert len(found) == 24
  assert all(np.linalg.norm(cell - point, axis=1).min() < 1e-12 for cell in found)


@settings(max_examples=40, deadline=None)
@given(polytopes=NETWORKS)
def test_cells_tile_the_box_and_units_keep_their_sides_in_each(polytopes):
  network = polytopes.network
  found = cells(network.A, network.c1, BOX)
  areas = np.array([_area(cell) for cell in found])
  assert (areas > 0).all()
  assert areas.sum() == pytest.approx(4.5 * 5)
  for cell in found:
    sides = cell @ network.A.T + network.c1
    small = 1e-11 * (np.linalg.norm(network.A, axis=1) + np.abs(network.c1))
    assert ((sides >= -small).all(0) | (sides <= small).all(0)).all()


def test_forty_lines_in_general_position_make_all_the_cells_they_can():
  angles = np.random.default_rng(0).uniform(0, np.pi, 40)
  A = np.column_stack([np.cos(angles), np.sin(angles)])
  c1 = np.random.default_rng(1).uniform(-1, 1, 40)
  assert len(cells(A, c1, ((-1e5, 1e5), (-1e5, 1e5)))) == 40 * 41 // 2 + 1


def test_a_boundary_bends_where_a_unit_wakes():
  # f_0 - f_1 = max(x, 0) + 1 - max(2 y, 0)
  polytopes = polytopes_of([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[1, 0])
  _same(boundary(polytopes, SQUARE), [[[-1, 0.5], [0, 0.5]], [[0, 0.5], [1, 1]]])


def test_a_boundary_along_units_lines_comes_once():
  # max(x, 0) - max(-x, 0) = x, cut by a unit in y that only adds to the larger side.
  A, B = [[1, 0], [-1, 0], [0, 1]], [[1, 0, 0], [0, 1, 0]]
  _same(boundary(polytopes_of(A, B), SQUARE), [[[0, -1], [0, 1]]])
  # max(x, 0) + max(-x, 0) - 0 only touches 0 there.
  _same(boundary(polytopes_of(A, [[1, 1, 0], [0, 0, 0]]), SQUARE), [[[0, -1], [0, 1]]])


def test_a_region_of_equal_logits_has_its_outline():
  # max(x, 0) and max(y, 0), both 0 in a quadrant and equal on the diagonal.
  polytopes = polytopes_of([[1, 0], [0, 1]], [[1, 0], [0, 1]])
  outline = [[[-1, -1], [0, -1]], [[0, -1], [0, 0]], [[0, 0], [-1, 0]], [[-1, 0], [-1, -1]]]
  _same(boundary(polytopes, SQUARE), [*outline, [[0, 0], [1, 1]]])


def test_a_network_of_equal_classes_has_the_box_as_its_outline():
  found = boundary(polytopes_of([[1, 2]], [[3], [3]], c1=[1]), SQUARE)
  _same(found, [[[-1, -1], [1, -1]], [[1, -1], [1, 1]], [[1, 1], [-1, 1]], [[-1, 1], [-1, -1]]])


def test_a_line_between_two_regions_of_equal_logits_is_no_boundary():
  # Two units on the line x = 0 that cancel; the line cuts the box, and its edge below and above.
  found = boundary(polytopes_of([[1, 0], [1, 0]], [[1, 0], [0, 1]]), SQUARE)
  assert len(found) == 6
  assert _distance(np.zeros((1, 2)), found) == 1


def test_classes_that_touch_in_a_point_have_a_segment_of_no_length():
  A = [[1, 0], [-1, 0], [0, 1], [0, -1]]
  _same(boundary(polytopes_of(A, [[1] * 4, [0] * 4]), SQUARE), [[[0, 0], [0, 0]]])


def test_a_class_that_always_wins_has_no_boundary():
  polytopes = polytopes_of([[1, 0]], [[1], [0]], c2=[0.5, 0])
  assert boundary(polytopes, SQUARE).shape == (0, 2, 2)
  assert boundary_crossings(polytopes, [[-1, 0]], [[1, 0]]).shape == (0, 2)


def test_lines_belong_to_t_of_r_as_far_as_their_sum_is_the_larger():
  # S1 = max(x, 0) + 1 and S2 = max(2 y, 0): the line x = 0 counts below y = 0.5, the line y = 0 nowhere.
  polytopes = polytopes_of([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[1, 0])
  bends = [[[-1, 0.5], [0, 0.5]], [[0, 0.5], [1, 1]]]
  _same(hypersurface(polytopes, SQUARE), [[[0, -1], [0, 0.5]], *bends])


def test_a_unit_in_both_sums_has_its_whole_line_and_a_repeated_line_comes_once():
  A, B = [[1, 1], [-2, -2], [0, 0]], [[1, 1, 1], [-1, 0, 2]]
  _same(hypersurface(polytopes_of(A, B, c2=[9, 0]), SQUARE), [[[-1, 1], [1, -1]]])


def test_the_gap_is_to_the_next_term_of_either_sum():
  polytopes = polytopes_of([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[1, 0])
  x = [[2, 0.25], [2, 1.25], [2, 1.5], [0.25, -1], [0, -1], [0, 1], [-1, 0.25]]
  assert gap(polytopes, x).tolist() == [2, 0.5, 0, 0.25, 0, 1, 0.5]


def test_a_unit_without_weights_of_inputs_makes_no_gap_small():
  assert gap(polytopes_of([[1, 0], [0, 0]], [[1, 1], [0, 0]], c1=[0, 1e-3]), [2, 3]) == 2


def test_the_gap_is_defined_for_any_number_of_inputs():
  rng = np.random.default_rng(0)
  polytopes = polytopes_of(*(rng.normal(size=shape) for shape in ((6, 5), (2, 6), 6, 2)))
  starts, ends = rng.normal(size=(2, 50, 5))
  found = boundary_crossings(polytopes, starts, ends)
  assert len(found) > 5
  assert gap(polytopes, found).max() < 1e-13
  assert gap(polytopes, starts).min() > 0


def test_points_that_are_not_finite_are_refused():
  polytopes = polytopes_of([[1, 0]], [[1], [0]])
  for bad in (np.nan, np.inf):
    with pytest.raises(ValueError, match="x holds a value that is not finite"):
      gap(polytopes, [bad, 1])
    with pytest.raises(ValueError, match="starts holds a value that is not finite"):
      boundary_crossings(polytopes, [[bad, 1]], [[1, 2]])


def test_the_gap_at_many_points_takes_little_memory():
  rng = np.random.default_rng(0)
  polytopes = polytopes_of(rng.normal(size=(200, 2)), rng.normal(size=(2, 200)))
  x = rng.normal(size=(30, 1000, 2))
  polytopes.lifted  # noqa: B018 - it is kept
  tracemalloc.start()
  found = gap(polytopes, x)
  most = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert most < 30e6  # all points times all units are 48 MB
  assert found.shape == (30, 1000)
  np.testing.assert_allclose(found[29, 999], gap(polytopes, x[29, 999]), rtol=1e-9)


@pytest.mark.parametrize("scale", [1, 1e-170, 1e170])
def test_equal_logits_are_equal_in_any_unit(scale):
  # 0.1 r + 0.2 r - 0.3 r, which is not 0 but for rounding
  polytopes = polytopes_of(np.array([[0.7, 0.1]] * 3) * scale, [[0.1, 0.2, 0], [0, 0, 0.3]])
  left, right = np.array([[[-1, 1]], [[1, 1]]]) * 1.0
  found = boundary_crossings(polytopes, left, right)
  np.testing.assert_allclose(found, [*left, *right])


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS, share=st.floats(0, 1))
def test_on_every_piece_of_boundary_the_logits_are_equal(polytopes, share):
  found = boundary(polytopes, BOX)
  assert np.isfinite(found).all()
  points = np.concatenate([_along(found, share), _along(found, 0), _along(found, 1)])
  assert np.abs(_difference(polytopes, points)).max(initial=0) <= 1e-11 * _size(polytopes)
  ends = [tuple(sorted(map(tuple, np.round(piece, 9) + 0.0))) for piece in found]
  assert len(set(ends)) == len(ends)


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS)
def test_every_boundary_point_lies_on_a_piece_of_boundary_and_on_t_of_r(polytopes):
  points = _bisected(polytopes)
  points = points[~_amid_zeros(polytopes, points)]
  assert gap(polytopes, points).max(initial=0) <= 1e-12 * _size(polytopes)
  assert _distance(points, boundary(polytopes, BOX)).max(initial=0) < 2e-6
  assert _distance(points, hypersurface(polytopes, BOX)).max(initial=0) < 2e-6


@settings(max_examples=60, deadline=None)
@given(polytopes=NETWORKS, share=st.floats(0, 1))
def test_the_gap_vanishes_on_t_of_r_and_only_there(polytopes, share):
  found = hypersurface(polytopes, BOX)
  assert gap(polytopes, _along(found, share)).max(initial=0) <= 1e-11 * _size(polytopes)
  points = _inside(100)
  tied = np.abs(_difference(polytopes, points)) <= 1e-11 * _size(polytopes)
  apart = _distance(points, found) > 1e-3
  assert (gap(polytopes, points)[apart & ~tied] > 0).all()


@settings(max_examples=30, deadline=None)
@given(polytopes=NETWORKS)
def test_ways_cross_the_boundary_where_bisection_finds_it(polytopes):
  starts, ends = _inside(50), _inside(50, seed=1)
  found = boundary_crossings(polytopes, starts, ends)
  assert np.abs(_difference(polytopes, found)).max(initial=0) <= 1e-11 * _size(polytopes)
  points = _bisected(polytopes, 50)
  points = points[~_amid_zeros(polytopes, points)]
  assert _distance(points, np.stack([found, found], axis=1)).max(initial=0) < 2e-6


@settings(max_examples=20, deadline=None)
@given(polytopes=NETWORKS, seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3))
def test_the_order_and_scale_of_units_move_no_boundary(polytopes, seed, scale):
  network, order = (
    polytopes.network,
    np.random.default_rng(seed).permutation(len(polytopes.network.A)),
  )
  A, c1, B = network.A[order] * scale, network.c1[order] * scale, network.B[:, order] / scale
  other = boundary(polytopes_of(A, B, c1, network.c2), BOX)
  points = np.concatenate([_along(other, share) for share in (0, 0.3, 1)])
  assert np.abs(_difference(polytopes, points)).max(initial=0) <= 1e-10 * _size(polytopes)
  assert len(other) == len(boundary(polytopes, BOX))


@pytest.mark.parametrize(
  "box",
  [
    ((1, 1), (0, 1)),
    ((0, 1), (1, 0)),
    (0, 1),
    ((0, np.nan), (0, 1)),
    ((0, np.inf), (0, 1)),
    "ab",
    ((0, 1), (2,)),
    ((0, 1j), (0, 1)),
  ],
)
def test_a_box_without_inside_is_refused(box):
  with pytest.raises(ValueError, match=r"box=.* must be"):
    cells([[1, 0]], [0], box)
  for function in (boundary, hypersurface):
    with pytest.raises(ValueError, match=r"box=.* must be"):
      function(polytopes_of([[1, 0]], [[1], [0]]), box)


def test_units_that_cells_cannot_cut_by_are_refused():
  with pytest.raises(ValueError, match="A has the shape"):
    cells([[1, 0, 0]], [0], SQUARE)
  with pytest.raises(ValueError, match=r"c1 has the shape \(2,\). Give 1 entries"):
    cells([[1, 0]], [0, 0], SQUARE)
  with pytest.raises(ValueError, match="c1 holds a value that is not finite"):
    cells([[1, 0]], [np.nan], SQUARE)
  with pytest.raises(ValueError, match="c1 is no array of real numbers"):
    cells([[1, 0]], "a", SQUARE)


def test_networks_of_three_inputs_have_no_segments_and_inputs_of_another_number_no_gap():
  polytopes = polytopes_of([[1, 0, 0]], [[1], [0]])
  for function in (boundary, hypersurface):
    with pytest.raises(ValueError, match="3 inputs"):
      function(polytopes, SQUARE)
  with pytest.raises(ValueError, match="last dimension must be 3"):
    gap(polytopes, [1, 2])
  with pytest.raises(ValueError, match="one shape"):
    boundary_crossings(polytopes, [[1, 2, 3]], [1, 2, 3])
