"""A level removes exact counts, the smallest first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import criteria
from tflottery.tickets import prune

WEIGHTS = {"a": np.array([0.1, -4.0, 0.3, 2.0]), "b": np.array([[5.0, -6.0], [0.2, 7.0]])}
ALL = {path: np.ones(weight.shape, bool) for path, weight in WEIGHTS.items()}


def test_a_layer_loses_its_smallest_magnitudes():
  kept = prune.prune(WEIGHTS, ALL, rates={"a": 0.5, "b": 0.25})
  assert kept["a"].tolist() == [False, True, False, True]
  assert kept["b"].tolist() == [[True, True], [False, True]]


def test_a_global_ranking_takes_all_layers_together():
  kept = prune.prune(WEIGHTS, ALL, rates={"a": 0.5, "b": 0.5}, scope="global")
  # Magnitudes 0.1 0.2 0.3 2 | 4 5 6 7: half of eight stay.
  assert kept["a"].tolist() == [False, True, False, False]
  assert kept["b"].tolist() == [[True, True], [False, True]]


def test_a_global_ranking_leaves_a_layer_of_rate_zero_as_it_is():
  masks = {"a": np.array([True, False, True, True]), "b": ALL["b"]}
  kept = prune.prune(WEIGHTS, masks, rates={"a": 0.0, "b": 0.5}, scope="global")
  assert kept["a"].tolist() == [True, False, True, True]
  assert kept["b"].tolist() == [[False, True], [False, True]]


def test_what_is_masked_stays_masked_however_large():
  masks = {"a": np.array([True, False, True, True])}
  kept = prune.prune(WEIGHTS, masks, rates={"a": 1 / 3})
  assert kept["a"].tolist() == [False, False, True, True]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_counts_are_exact_over_levels(data):
  size = data.draw(st.integers(1, 60))
  rate = data.draw(st.floats(0, 0.95))
  weights = {
    "a": np.array(
      data.draw(st.lists(st.sampled_from([-2.0, 0.0, 1.0, 2.0]), min_size=size, max_size=size))
    )
  }
  masks, remaining = {"a": np.ones(size, bool)}, size
  for _ in range(4):
    pruned = prune.prune(weights, masks, rates={"a": rate})
    remaining = max(1, round((1 - rate) * remaining))
    assert pruned["a"].sum() == remaining
    assert not (pruned["a"] & ~masks["a"]).any()
    masks = pruned


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.6))
def test_a_global_count_is_exact(seed, rate):
  rng = np.random.default_rng(seed)
  weights = {"a": rng.normal(size=(4, 5)), "b": rng.normal(size=30)}
  masks = {"a": np.ones((4, 5), bool), "b": np.ones(30, bool)}
  kept = prune.prune(weights, masks, rates={"a": rate, "b": rate}, scope="global")
  assert sum(mask.sum() for mask in kept.values()) == max(1, round((1 - rate) * 50))
  floor = min(np.abs(weights[p][m]).min() for p, m in kept.items() if m.any())
  assert all((np.abs(weights[p][~m]) <= floor).all() for p, m in kept.items())


def test_of_equal_magnitudes_the_higher_index_goes_first():
  weights = {"a": np.array([1.0, -1.0, 1.0, -1.0])}
  kept = prune.prune(weights, {"a": np.ones(4, bool)}, rates={"a": 0.5})
  assert kept["a"].tolist() == [True, True, False, False]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
  with pytest.raises(ValueError, match=r"a holds weights that are not finite.*diverged"):
    prune.prune({"a": np.array([1.0, bad])}, {"a": np.ones(2, bool)}, rates={"a": 0.5})


def test_a_global_level_that_would_empty_a_layer_names_it_and_the_cures():
  weights = {"small": np.array([0.1, 0.1]), "large": np.array([5.0, 6.0, 7.0, 8.0])}
  masks = {path: np.ones(w.shape, bool) for path, w in weights.items()}
  with pytest.raises(ValueError, match=r"leave no weight in small.*scope='layer'"):
    prune.prune(weights, masks, rates=dict.fromkeys(weights, 0.5), scope="global")


def test_the_last_rate_that_matches_counts():
  paths = ["fc1/kernel", "fc2/kernel", "out/kernel"]
  rates = prune.site_rates(paths, 0.2, {"kernel": 0.3, "fc1": 0.4})
  assert rates == {"fc1/kernel": 0.4, "fc2/kernel": 0.3, "out/kernel": 0.3}


@pytest.mark.parametrize("bad", [1.0, -0.1, 20, "0.2", None, True, float("nan")])
def test_a_rate_out_of_range_names_the_argument_and_the_value(bad):
  with pytest.raises(ValueError) as caught:
    prune.site_rates(["a"], bad)
  assert f"rate={bad!r}" in str(caught.value)
  with pytest.raises(ValueError) as caught:
    prune.site_rates(["a"], 0.2, {"a": bad})
  assert f"rates['a']={bad!r}" in str(caught.value)


def test_a_rate_for_a_pattern_that_matches_nothing_is_refused():
  with pytest.raises(ValueError, match=r"rates='outptu' matches no.*out/kernel"):
    prune.site_rates(["out/kernel"], 0.2, {"outptu": 0.1})


def test_rates_that_remove_nothing_are_refused():
  with pytest.raises(ValueError, match="remove nothing"):
    prune.site_rates(["a"], 0.0)


def test_levels_that_would_empty_a_layer_name_level_and_layer():
  # 4 -> 2 -> 1 -> round(0.5) = 0
  prune.check({"a": 4}, {"a": 0.5}, levels=2, scope="layer")
  with pytest.raises(
    ValueError, match=r"levels=3: level 3 would leave 0 of 4 weights in a.*at most 2"
  ):
    prune.check({"a": 4}, {"a": 0.5}, levels=3, scope="layer")


def test_one_shot_levels_are_counted_from_the_dense_network():
  # 9 * 0.4^2 = 1.44 keeps 1; 9 * 0.4^3 = 0.576 keeps 1; 9 * 0.4^4 = 0.23 keeps none.
  prune.check({"a": 9}, {"a": 0.6}, levels=3, scope="layer", one_shot=True)
  with pytest.raises(ValueError, match="level 4"):
    prune.check({"a": 9}, {"a": 0.6}, levels=4, scope="layer", one_shot=True)


@pytest.mark.parametrize("levels", [-1, 1.5, True, "3"])
def test_levels_out_of_range_are_refused(levels):
  with pytest.raises(ValueError, match=f"levels={levels!r}"):
    prune.check({"a": 4}, {"a": 0.5}, levels=levels, scope="layer")


def test_an_unknown_scope_is_refused_with_the_choices():
  with pytest.raises(ValueError, match=r"scope='network' is unknown.*layer.*global"):
    prune.check({"a": 4}, {"a": 0.5}, levels=1, scope="network")


def test_a_global_ranking_ranks_the_sites_of_one_rate_together():
  weights = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0]), "c": np.array([0.1, 0.2])}
  every = {path: np.ones(2, bool) for path in weights}
  with pytest.raises(ValueError, match="no weight in a"):  # 1 and 2 are the smallest of a and b
    prune.prune(weights, every, rates={"a": 0.5, "b": 0.5, "c": 0.0}, scope="global")
  masks = prune.prune(weights, every, rates={"a": 0.25, "b": 0.25, "c": 0.5}, scope="global")
  assert {path: mask.tolist() for path, mask in masks.items()} == {
    "a": [False, True], "b": [True, True], "c": [False, True],
  }  # fmt: skip


def test_a_layer_of_a_rate_of_zero_stays_as_it_is():
  masks = {"a": np.array([True, True]), "b": np.array([True, False])}
  weights = {"a": np.array([2.0, 1.0]), "b": np.array([1.0, 1.0])}
  pruned = prune.prune(weights, masks, rates={"a": 0.5, "b": 0.0})
  assert {p: m.tolist() for p, m in pruned.items()} == {"a": [True, False], "b": [True, False]}


def test_levels_that_remove_nothing_are_warned_of():
  with pytest.warns(UserWarning, match="54 of them remove nothing.*at most 6 levels"):
    prune.check({"a": 10}, {"a": 0.2}, levels=60, scope="layer")


# --- Other criteria than the magnitude -----------------------------------------------------------

BEFORE = {"a": np.array([0.2, -4.1, 2.3, 2.5]), "b": np.array([[5.0, -6.3], [0.1, 7.2]])}


def test_movement_keeps_what_moved_most():
  # a moved by 0.1, 0.1, 2, 0.5 and b by 0, 0.3, 0.1, 0.2.
  rates = {"a": 0.5, "b": 0.25}
  kept = prune.prune(WEIGHTS, ALL, rates=rates, criterion="movement", initial=BEFORE)
  assert kept["a"].tolist() == [False, False, True, True]
  assert kept["b"].tolist() == [[False, True], [True, True]]


def test_movement_over_the_network_ranks_all_layers_together():
  options = {"rates": {"a": 0.5, "b": 0.5}, "scope": "global", "criterion": "movement"}
  kept = prune.prune(WEIGHTS, ALL, initial=BEFORE, **options)
  assert kept["a"].tolist() == [False, False, True, True]
  assert kept["b"].tolist() == [[False, True], [False, True]]


@pytest.mark.parametrize("criterion", criteria.DECONSTRUCTED)
def test_every_criterion_has_exact_counts_and_brings_nothing_back(criterion):
  """Masked weights are 0, which "small" criteria and their likes would rank first."""
  rng = np.random.default_rng(0)
  masks = {"a": rng.random((6, 9)) < 0.7, "b": rng.random(20) < 0.7}
  weights = {path: rng.normal(size=m.shape) * m for path, m in masks.items()}
  initial = {path: rng.normal(size=m.shape) for path, m in masks.items()}
  for scope in ("layer", "global"):
    options = {"rates": {"a": 0.3, "b": 0.3}, "scope": scope, "criterion": criterion}
    kept = prune.prune(weights, masks, initial=initial, **options)
    before, after = ({p: int(m.sum()) for p, m in found.items()} for found in (masks, kept))
    if scope == "layer":
      assert after == {path: round(0.7 * count) for path, count in before.items()}
    else:
      assert sum(after.values()) == round(0.7 * sum(before.values()))
    assert all(not (kept[path] & ~mask).any() for path, mask in masks.items())


def test_where_every_sign_flipped_what_is_masked_still_stays_masked():
  masks = {"a": np.array([False, True, True])}
  weights, initial = {"a": np.array([5.0, 1.0, 1.0])}, {"a": np.array([5.0, -1.0, -1.0])}
  options = {"rates": {"a": 0.5}, "criterion": "large_final_same_sign", "initial": initial}
  kept = prune.prune(weights, masks, **options)["a"]
  assert not kept[0] and kept.sum() == 1


def test_joint_criteria_rank_among_the_weights_that_remain():
  """Of the three that remain the ranks are 1 2 3 and 3 2 1; among all five, 1 2 5 and 5 4 3."""
  initial = {"a": np.array([1.0, 2.0, 3.0, 2.4, 2.6])}
  final = {"a": np.array([3.0, 2.0, 1.0, 0.0, 0.0])}
  masks = {"a": np.array([True, True, True, False, False])}
  options = {"rates": {"a": 2 / 3}, "criterion": "large_init_large_final", "initial": initial}
  assert prune.prune(final, masks, **options)["a"].tolist() == [False, True, False, False, False]


def test_random_masks_go_by_the_seed_and_the_site():
  weights = {path: np.ones(400) for path in "ab"}
  masks = {path: np.ones(400, bool) for path in "ab"}
  options = {"rates": {"a": 0.5, "b": 0.5}, "criterion": "random"}
  one, again, other = (prune.prune(weights, masks, seed=s, **options) for s in ([3, 1], [3, 1], 3))
  assert (one["a"] == again["a"]).all() and (one["b"] == again["b"]).all()
  assert 0.4 < (one["a"] == one["b"]).mean() < 0.6 and 0.4 < (one["a"] == other["a"]).mean() < 0.6


def test_more_initial_weights_than_sites_are_fine():
  more = BEFORE | {"bias": np.array([np.nan])}
  kept = prune.prune(WEIGHTS, ALL, rates={"a": 0.5, "b": 0.0}, criterion="movement", initial=more)
  assert kept["a"].tolist() == [False, False, True, True]


@pytest.mark.parametrize(
  ("initial", "message"),
  [
    (None, r"criterion='movement' needs the weights from before the training"),
    ({"a": BEFORE["a"]}, r"initial= does not fit the masks: b: missing"),
    (BEFORE | {"b": np.ones(4)}, r"initial= does not fit the masks: b: \(4,\), not \(2, 2\)"),
    (BEFORE | {"a": np.full(4, np.nan)}, r"a holds initial weights that are not finite"),
  ],
)
def test_initial_weights_that_do_not_fit_are_refused(initial, message):
  with pytest.raises(ValueError, match=message):
    prune.prune(WEIGHTS, ALL, rates={"a": 0.5, "b": 0.5}, criterion="movement", initial=initial)


def test_an_unknown_criterion_is_refused_with_the_known_ones():
  with pytest.raises(ValueError, match=r"criterion='large' is unknown.*'large_final'.*'movement'"):
    prune.prune(WEIGHTS, ALL, rates={"a": 0.5, "b": 0.5}, criterion="large")
