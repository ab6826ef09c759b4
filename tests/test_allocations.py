"""How sparse each site is to be: the papers' numbers, what cannot be reached, and properties."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tflottery import allocations, masks

LENET = {"fc1/kernel": (784, 300), "fc2/kernel": (300, 100), "out/kernel": (100, 10)}
CONV_2 = {
  "conv1/kernel": (3, 3, 3, 64),
  "conv2/kernel": (3, 3, 64, 64),
  "fc1/kernel": (16 * 16 * 64, 256),
  "fc2/kernel": (256, 256),
  "out/kernel": (256, 10),
}
BOTH = pytest.mark.parametrize("scaled", [allocations.erdos_renyi, allocations.erk])


def total(shapes, found):
  """The sparsity of the network as a whole."""
  sizes = {path: math.prod(shape) for path, shape in shapes.items()}
  return sum(found[p] * n for p, n in sizes.items()) / sum(sizes.values())


@BOTH
@pytest.mark.parametrize(
  "sparsity, expected",
  [(0.8, [0.8378, 0.5306, 0]), (0.9, [0.9204, 0.7698, 0]), (0.98, [0.9846, 0.9555, 0.6326])],
)
def test_lenet_300_100_is_scaled_as_in_the_paper(scaled, sparsity, expected):
  assert list(scaled(LENET, sparsity).values()) == pytest.approx(expected, abs=5e-5)


def test_conv_2_counts_its_kernels_height_and_width_under_erk_only():
  renyi = allocations.erdos_renyi(CONV_2, 0.9)
  kernel = allocations.erk(CONV_2, 0.9)
  assert list(renyi.values()) == pytest.approx([0, 0.273, 0.9077, 0.8183, 0], abs=5e-5)
  assert list(kernel.values()) == pytest.approx([0, 0.9105, 0.9023, 0.8076, 0], abs=5e-5)


def test_erk_by_hand():
  # Of 600 weights 120 stay. Shares (20 + 10)/200 = 0.15 and (20 + 20)/400 = 0.1 ask for weights
  # as 0.15 * 200 = 30 to 0.1 * 400 = 40, so epsilon = 120 / 70.
  found = allocations.erk({"a": (20, 10), "b": (20, 20)}, 0.8)
  assert found == pytest.approx({"a": 1 - 0.15 * 120 / 70, "b": 1 - 0.1 * 120 / 70})


def test_a_site_that_asks_for_more_than_it_has_is_dense_and_takes_no_more():
  # Of 104 weights 26 stay. Shares of 0.2 and 1 ask for 20 to 4, so "b" would get 26 / 24 * 4, more
  # than its 4. They leave 22 of 100 to "a".
  found = allocations.erk({"a": (10, 10), "b": (2, 2)}, 0.75)
  assert found == pytest.approx({"a": 0.78, "b": 0.0})


def test_uniform_leaves_the_first_site_dense_and_equal_does_not():
  assert list(allocations.uniform(CONV_2, 0.9).values()) == [0.0, 0.9, 0.9, 0.9, 0.9]
  assert list(allocations.equal(CONV_2, 0.9).values()) == [0.9] * 5


def test_extended_by_hand():
  # Of 200 weights 40 stay: all 20 of "a", a fifth of the 50 of "c", so 10 of 130 are left to "b".
  found = allocations.extended({"a": (4, 5), "b": (13, 10), "c": (10, 5)}, 0.8)
  assert found == pytest.approx({"a": 0.0, "b": 1 - 10 / 130, "c": 0.8})


def test_extended_shares_what_is_left_equally_among_all_in_between():
  found = allocations.extended(CONV_2, 0.9)
  assert next(iter(found)) == "conv1/kernel" and found["conv1/kernel"] == 0.0
  assert found["out/kernel"] == 0.8
  assert len({found[path] for path in ("conv2/kernel", "fc1/kernel", "fc2/kernel")}) == 1
  assert total(CONV_2, found) == pytest.approx(0.9)


def test_extended_gives_its_last_site_no_more_than_the_sparsity_that_is_asked_for():
  found = allocations.extended(CONV_2, 0.5)
  assert found["out/kernel"] == 0.5 and total(CONV_2, found) == pytest.approx(0.5)


def test_extended_refuses_a_sparsity_that_its_dense_first_site_forbids():
  # 235,200 weights stay, and fc2 is empty where (1 - s) (235,200 + 30,000) = 235,200, at 11.31 %.
  with pytest.raises(ValueError, match=r"leave 0 of 30000 .*below 0.1131"):
    allocations.extended(LENET, 0.9)
  assert allocations.extended(LENET, 0.11)["fc2/kernel"] < 1


def test_extended_says_below_which_sparsity_it_is_right():
  # The others are empty where (1 - s) (90 + 10) = 90, or (1 - s) (10 + 90 + 10) = 10 + 0.2 * 10.
  for first, between, limit in ((90, 10, "0.1"), (10, 90, "0.8909")):
    shapes = {"a": (first, 1), "b": (between, 1), "c": (10, 1)}
    with pytest.raises(ValueError, match=rf"must be below {limit}, or"):
      allocations.extended(shapes, float(limit) + 0.05)
    assert allocations.extended(shapes, float(limit) - 0.02)["b"] < 1


@pytest.mark.parametrize("count", [1, 2])
def test_extended_needs_a_site_between_the_first_and_the_last(count):
  with pytest.raises(ValueError, match=r"only fc1/kernel.*'equal'"):
    allocations.extended(dict(list(LENET.items())[:count]), 0.5)


@settings(deadline=None)
@given(shapes=st.integers(3, 6), sparsity=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_extended_reaches_exactly_what_is_asked_for_where_it_can(shapes, sparsity, seed):
  sides = np.random.default_rng(seed).integers(2, 40, (shapes, 2))
  shapes = {f"site_{i}": tuple(map(int, side)) for i, side in enumerate(sides)}
  try:
    found = allocations.extended(shapes, sparsity)
  except ValueError:
    assume(False)
  assert total(shapes, found) == pytest.approx(sparsity)
  assert all(0 <= value < 1 for value in found.values())


SHAPES = st.lists(st.lists(st.integers(1, 40), min_size=2, max_size=4), min_size=1, max_size=6).map(
  lambda shapes: {f"site_{i}/kernel": tuple(shape) for i, shape in enumerate(shapes)}
)
SPARSITIES = st.floats(0.01, 0.99)


def fits(shapes, sparsity):
  return round((1 - sparsity) * sum(map(math.prod, shapes.values()))) >= len(shapes)


@BOTH
@settings(deadline=None)
@given(shapes=SHAPES, sparsity=SPARSITIES)
def test_scaled_allocations_have_the_sparsity_that_was_asked_for(scaled, shapes, sparsity):
  assume(fits(shapes, sparsity))
  found = scaled(shapes, sparsity)
  assert list(found) == list(shapes)
  assert all(0 <= value < 1 for value in found.values())
  assert total(shapes, found) == pytest.approx(sparsity)


@settings(deadline=None)
@given(shapes=SHAPES, sparsity=SPARSITIES)
def test_erk_shares_are_in_proportion_unless_dense(shapes, sparsity):
  assume(fits(shapes, sparsity))
  found = allocations.erk(shapes, sparsity)
  share = {path: sum(shape) / math.prod(shape) for path, shape in shapes.items()}
  pruned = [path for path in found if found[path] > 0]
  epsilons = [(1 - found[path]) / share[path] for path in pruned]
  assert epsilons == pytest.approx([epsilons[0]] * len(pruned), rel=1e-6)
  assert all(epsilons[0] * share[path] >= 1 - 1e-6 for path in found if not found[path])


@settings(deadline=None)
@given(shapes=SHAPES, low=SPARSITIES, high=SPARSITIES)
def test_no_site_of_erk_gets_denser_as_the_network_gets_sparser(shapes, low, high):
  low, high = sorted([low, high])
  assume(fits(shapes, high))
  before, after = allocations.erk(shapes, low), allocations.erk(shapes, high)
  assert all(before[path] <= after[path] + 1e-9 for path in shapes)


@given(shapes=SHAPES, sparsity=SPARSITIES)
def test_two_axes_make_erk_and_erdos_renyi_the_same(shapes, sparsity):
  flat = {path: shape[:2] for path, shape in shapes.items()}
  assume(fits(flat, sparsity))
  assert allocations.erk(flat, sparsity) == allocations.erdos_renyi(flat, sparsity)


def test_a_sparsity_too_small_to_be_seen_leaves_all_dense():
  assert allocations.erk(LENET, 1e-18) == dict.fromkeys(LENET, 0.0)


def test_kept_counts_of_erk_miss_the_total_by_no_more_than_their_rounding():
  found = allocations.erk(CONV_2, 0.95)
  sizes = {path: math.prod(shape) for path, shape in CONV_2.items()}
  kept = sum(masks.kept_count(sizes[path], found[path]) for path in found)
  assert abs(kept - 0.05 * sum(sizes.values())) <= 0.5 * len(found)


@pytest.mark.parametrize("name", allocations.ALLOCATIONS)
def test_a_name_is_its_function(name):
  by_name = allocations.sparsities(CONV_2, 0.9, name)
  assert by_name == getattr(allocations, name)(CONV_2, 0.9)
  assert by_name == allocations.sparsities(CONV_2, 0.9, getattr(allocations, name))


def test_a_function_of_ones_own_may_leave_sites_out_which_are_dense():
  found = allocations.sparsities(LENET, 0.5, lambda shapes, sparsity: {"fc2/kernel": sparsity})
  assert found == {"fc1/kernel": 0.0, "fc2/kernel": 0.5, "out/kernel": 0.0}


def test_patterns_are_searched_in_paths_and_the_last_match_counts():
  patterns = {"fc": 0.9, "^fc2/": 0.6}
  assert list(allocations.sparsities(LENET, 0.8, patterns).values()) == [0.9, 0.6, 0.8]
  assert list(allocations.sparsities(LENET, None, patterns).values()) == [0.9, 0.6, 0.0]
  reordered = {"^fc2/": 0.6, re.compile("fc"): 0.9}
  assert list(allocations.sparsities(LENET, 0.8, reordered).values()) == [0.9, 0.9, 0.8]


def test_a_pattern_may_leave_its_sites_dense():
  assert list(allocations.sparsities(LENET, 0.8, {"out": 0}).values()) == [0.8, 0.8, 0.0]


def test_numbers_of_numpy_are_numbers():
  found = allocations.sparsities(LENET, np.float32(0.5), {"out": np.float64(0.25)})
  assert list(found.values()) == [0.5, 0.5, 0.25]
  assert all(type(value) is float for value in found.values())


OUTSIDE = [0, 0.0, 1, 1.0, -0.1, 1.5, math.nan, math.inf, True, False, "0.9", None]


@pytest.mark.parametrize("sparsity", OUTSIDE, ids=repr)
@pytest.mark.parametrize("name", allocations.ALLOCATIONS)
def test_a_sparsity_outside_0_and_1_is_refused(name, sparsity):
  for call in (allocations.ALLOCATIONS[name], lambda *a: allocations.sparsities(*a, name)):
    with pytest.raises(ValueError, match=re.escape(f"sparsity={sparsity!r} is out of range")):
      call(LENET, sparsity)


def test_patterns_do_not_excuse_a_sparsity_outside_0_and_1():
  with pytest.raises(ValueError, match=r"sparsity=1\.0 is out of range"):
    allocations.sparsities(LENET, 1.0, {"fc": 0.5})


@pytest.mark.parametrize("value", [1, 1.0, -0.1, math.nan, True, "0.5", None], ids=repr)
def test_a_patterns_sparsity_outside_0_and_1_is_refused(value):
  with pytest.raises(ValueError, match=re.escape(f"allocation['fc']={value!r} is out of range")):
    allocations.sparsities(LENET, 0.5, {"fc": value})


def test_a_pattern_that_matches_no_site_names_itself_and_the_sites():
  with pytest.raises(ValueError, match=r"'dense_7' matches no site.*fc1/kernel.*out/kernel"):
    allocations.sparsities(LENET, 0.5, {"fc": 0.9, "dense_7": 0.5})


@pytest.mark.parametrize("pattern", ["fc(", 7])
def test_a_pattern_that_is_no_regular_expression_is_refused(pattern):
  with pytest.raises(ValueError, match=rf"{re.escape(repr(pattern))} is no regular expression"):
    allocations.sparsities(LENET, 0.5, {pattern: 0.5})


def test_an_unknown_name_lists_the_known_ones():
  with pytest.raises(ValueError, match=r"'erdos' is unknown.*uniform.*equal.*erdos_renyi.*erk"):
    allocations.sparsities(LENET, 0.5, "erdos")


def test_what_is_no_allocation_is_refused():
  with pytest.raises(TypeError, match=r"allocation=0\.5 must be a name .*function.*dict"):
    allocations.sparsities(LENET, 0.5, 0.5)


def test_uniform_with_a_single_site_would_prune_nothing():
  with pytest.raises(ValueError, match=r"fc/kernel is the only one.*'equal'"):
    allocations.uniform({"fc/kernel": (3, 4)}, 0.5)


@BOTH
def test_a_sparsity_that_leaves_less_than_a_weight_for_each_site_cannot_be_reached(scaled):
  shapes = {"a": (4, 4), "b": (4, 4), "c": (2, 4)}
  assert total(shapes, scaled(shapes, 0.925)) == pytest.approx(0.925)  # 3 of 40, one for each
  with pytest.raises(ValueError, match=r"sparsity=0.95 leaves 2 of 40 .* each of 3 sites"):
    scaled(shapes, 0.95)


@pytest.mark.parametrize("patterns", [{}, {"fc": 0.0}])
def test_patterns_that_prune_nothing_are_refused(patterns):
  with pytest.raises(ValueError, match="leaves every site dense"):
    allocations.sparsities(LENET, None, patterns)


def test_a_network_without_sites_is_refused():
  with pytest.raises(ValueError, match=r"shapes=\{\} has no sites"):
    allocations.sparsities({}, 0.5, "erk")


@pytest.mark.parametrize(
  "result, message",
  [
    ({"fc9/kernel": 0.5}, "'fc9/kernel', which are no sites"),
    ({"fc1/kernel": 1.0}, "allocation: fc1/kernel=1.0 is out of range"),
  ],
)
def test_what_a_function_of_ones_own_answers_is_checked(result, message):
  with pytest.raises(ValueError, match=message):
    allocations.sparsities(LENET, 0.5, lambda shapes, sparsity: result)


@pytest.mark.parametrize(
  "sparsity, allocation, message",
  [
    (1.0, "erk", "sparsity=1.0 is out of range"),
    (None, "erk", "sparsity=None is out of range"),
    (0.0, {"fc": 0.5}, "sparsity=0.0 is out of range"),
    (None, {"fc": 1.0}, r"allocation\['fc'\]=1.0 is out of range"),
    (None, {}, "has no patterns"),
    (0.9, "erdos", "'erdos' is unknown"),
  ],
)
def test_what_no_network_could_satisfy_is_refused_before_there_is_one(
  sparsity, allocation, message
):
  with pytest.raises(ValueError, match=message):
    allocations.check(sparsity, allocation)


@pytest.mark.parametrize("sparsity, allocation", [(0.9, "erk"), (None, {"fc": 0.5}), (0.9, max)])
def test_what_a_network_may_satisfy_is_not_refused_before_there_is_one(sparsity, allocation):
  allocations.check(sparsity, allocation)
