"""Rules: which masks follow, by properties and against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import top
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import criteria, draws, granularity, masks, rules
from tflottery.probe import Probe

SIZE = 12
SCORES = st.lists(
  st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.5]), min_size=SIZE, max_size=SIZE
).map(lambda values: np.float32(values).reshape(3, 4))
MASKS = st.lists(st.booleans(), min_size=SIZE, max_size=SIZE).map(
  lambda values: np.array(values).reshape(3, 4)
)


def probe(weights, live, gradients=None, step=0):
  """Weights are 0 where they do not live, as in training."""
  weights = {path: tf.constant(np.where(live[path], w, 0.0)) for path, w in weights.items()}
  gradients = gradients or {path: tf.zeros_like(w) for path, w in weights.items()}
  live = {path: tf.constant(mask) for path, mask in live.items()}
  return Probe(weights, live, gradients, tf.constant(step, tf.int64))


def flat(array):
  return np.asarray(array).ravel()


# --- Drop and grow -------------------------------------------------------------------------------

replace = rules.drop_and_grow(criteria.gradient)


@settings(max_examples=60, deadline=None)
@given(SCORES, SCORES, MASKS, st.floats(0, 1, width=32))
def test_counts_are_conserved_the_kept_are_the_top_and_the_grown_the_top_of_the_rest(
  weights, gradients, mask, share
):
  dense = np.ones((2, 2), bool)
  found = replace(
    probe(
      {"a": weights, "dense": np.ones((2, 2), "float32")},
      {"a": mask, "dense": dense},
      {"a": tf.constant(gradients), "dense": tf.ones((2, 2))},
    ),
    tf.constant(share),
  )
  assert flat(found["dense"]).all()  # what goes comes back
  live = int(mask.sum())
  count = int(np.float32(live) * np.float32(share))
  kept = top(np.where(flat(mask), flat(weights), -np.inf), live - count)
  grown = top(np.where(kept, -np.inf, flat(gradients)), count)
  assert (flat(found["a"]) == (kept | grown)).all()
  assert int(tf.math.count_nonzero(found["a"])) == live
  assert not (kept & grown).any() and not (kept & ~flat(mask)).any()


def test_a_share_of_zero_changes_nothing_and_of_one_may_change_everything():
  weights, gradients = np.float32([[4, 3, 0, 0]]), tf.constant([[0.0, 0.0, 1.0, 2.0]])
  given_probe = probe(
    {"a": weights}, {"a": np.array([[True, True, False, False]])}, {"a": gradients}
  )
  assert flat(replace(given_probe, 0.0)["a"]).tolist() == [True, True, False, False]
  assert flat(replace(given_probe, 1.0)["a"]).tolist() == [False, False, True, True]


def test_ties_go_to_the_lower_index_to_be_kept_and_to_grow():
  live = np.array([[False, True, True, True, False]])
  ones = np.ones((1, 5), "float32")
  found = replace(probe({"a": ones}, {"a": live}, {"a": tf.constant(ones)}), 0.67)
  # Two go: 2 and 3. Of 0, 2, 3 and 4, which tie, 0 and 2 come.
  assert flat(found["a"]).tolist() == [True, True, True, False, False]


def test_another_criterion_may_say_what_is_dropped():
  rule = rules.drop_and_grow(criteria.magnitude, drop=criteria.gradient)
  gradients = tf.constant([[1.0, 5.0, 0.0]])
  found = rule(
    probe({"a": np.float32([[3, 2, 0]])}, {"a": np.array([[True, True, False]])}, {"a": gradients}),
    0.5,
  )
  assert flat(found["a"]).tolist() == [True, True, False]  # 0 goes, and its weight brings it back


def test_sites_are_ranked_by_themselves():
  weights = {"a": np.float32([9, 8, 0]), "b": np.float32([0.2, 0.1, 0])}
  live = {path: np.array([True, True, False]) for path in weights}
  gradients = {path: tf.constant([0.0, 0.0, 1.0]) for path in weights}
  found = replace(probe(weights, live, gradients), 0.5)
  assert [flat(mask).tolist() for mask in found.values()] == [[True, False, True]] * 2


# --- Prune ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SCORES, MASKS, st.floats(0, 1))
def test_the_live_of_the_highest_scores_stay_and_what_is_masked_stays_masked(
  weights, mask, sparsity
):
  rule = rules.prune(criteria.magnitude, lambda amount: {"a": amount})
  found = rule(probe({"a": weights}, {"a": mask}), tf.constant(sparsity, tf.float64))
  count = min(masks.kept_count(SIZE, sparsity), int(mask.sum()))
  assert (flat(found["a"]) == top(np.where(flat(mask), flat(weights), -np.inf), count)).all()


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES, MASKS, MASKS, st.floats(0, 1))
def test_global_scope_is_one_ranking_of_all_sites(one, other, mask, other_mask, sparsity):
  rule = rules.prune(criteria.magnitude, lambda amount: amount, scope="global")
  found = rule(probe({"a": one, "b": other}, {"a": mask, "b": other_mask}), sparsity)
  live = np.concatenate([flat(mask), flat(other_mask)])
  scores = np.where(live, np.concatenate([flat(one), flat(other)]), -np.inf)
  expected = top(scores, min(masks.kept_count(2 * SIZE, sparsity), int(live.sum())))
  assert (np.concatenate([flat(found["a"]), flat(found["b"])]) == expected).all()


def test_units_of_a_granularity_are_counted_and_ranked():
  weights = np.float32([[1, 9, 2], [1, 0, 3]])
  rule = rules.prune(
    criteria.magnitude, lambda amount: {"a": amount}, granularity=granularity.channel()
  )
  found = rule(probe({"a": weights}, {"a": np.ones((2, 3), bool)}), 0.3)
  assert np.asarray(found["a"]).tolist() == [[False, True, True]] * 2


def test_a_part_of_a_unit_that_is_masked_stays_masked():
  weights = np.float32([[1, 9, 2], [1, 8, 3]])
  live = np.array([[True, False, True], [True, True, True]])
  rule = rules.prune(
    criteria.magnitude, lambda amount: {"a": amount}, granularity=granularity.channel()
  )
  found = rule(probe({"a": weights}, {"a": live}), 0.3)
  assert np.asarray(found["a"]).tolist() == [[False, False, True], [False, True, True]]


def test_both_rules_compile_to_the_same_masks():
  rng = np.random.default_rng(0)
  weights = {path: rng.normal(size=(9, 7)).round(1).astype("float32") for path in "ab"}
  live = {path: rng.random((9, 7)) < 0.6 for path in "ab"}
  gradients = {path: tf.constant(rng.normal(size=(9, 7)).round(1), tf.float32) for path in "ab"}
  seen = probe(weights, live, gradients)
  together = rules.prune(criteria.snip, lambda amount: amount, scope="global")
  for rule in (replace, together, rules.drop_and_grow(criteria.random(3))):
    plain = rule(seen, tf.constant(0.7))
    compiled = tf.function(lambda share, rule=rule: rule(seen, share), jit_compile=True)
    for path, mask in compiled(tf.constant(0.7)).items():
      np.testing.assert_array_equal(mask, plain[path])


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 10**8), st.floats(0, 1))
def test_a_count_that_is_known_only_in_the_step_is_that_of_kept_count(size, sparsity):
  expected = masks.kept_count(size, sparsity)
  assert int(rules._kept_count(size, tf.constant(sparsity, tf.float64))) == expected


def test_halves_go_to_the_even_count_in_the_step_too():
  for size in range(1, 40, 2):
    assert int(rules._kept_count(size, 0.5)) == masks.kept_count(size, 0.5)


# --- What grown weights start from ---------------------------------------------------------------


def test_zeros_need_no_values():
  assert rules.grow_init("zeros", 1.0, 0) is None


def test_random_values_have_the_deviation_of_the_sites_weights():
  weights = {"a": np.float32([[1.0, 3.0, 0.0, 0.0]]), "b": np.full((40, 50), 2.0, "float32")}
  live = {"a": np.array([[True, True, False, False]]), "b": np.indices((40, 50)).sum(0) % 2 == 0}
  values = rules.grow_init("random", 0.5, 7)
  seen = probe(weights, live, step=3)
  expected = 0.5 * np.std([1.0, 3.0, 0.0, 0.0]) * draws.normal((1, 4), (7, 0, 1), 3)
  np.testing.assert_allclose(values(seen, "a"), expected, rtol=1e-5)
  assert np.std(values(seen, "b")) == pytest.approx(0.5 * 1.0, rel=0.1)


def test_gradient_values_are_scaled():
  gradients = {"a": tf.constant([1.0, -2.0])}
  seen = probe({"a": np.float32([1, 0])}, {"a": np.array([True, False])}, gradients)
  assert rules.grow_init("gradient", -0.5, 0)(seen, "a").numpy().tolist() == [-0.5, 1.0]


# --- Misuse --------------------------------------------------------------------------------------


def test_unknown_names_are_refused_with_the_known_ones():
  with pytest.raises(ValueError, match=r"grow_init='ones' is unknown.*zeros, random, gradient"):
    rules.grow_init("ones", 1.0, 0)
  with pytest.raises(ValueError, match=r"scope='all' is unknown.*layer, global"):
    rules.check_scope("all", "equal")


@pytest.mark.parametrize("allocation", ["erk", {"fc": 0.5}, lambda shapes, sparsity: {}])
def test_a_global_ranking_leaves_nothing_to_allocate(allocation):
  with pytest.raises(ValueError, match="scope='global' ranks all sites together"):
    rules.check_scope("global", allocation)
  rules.check_scope("layer", allocation)
  rules.check_scope("global", "equal")
