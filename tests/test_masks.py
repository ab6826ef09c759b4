"""keep_top is a stable sort that ends after `count`; counts are exact."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import masks

LARGEST = float(np.finfo("float32").max)
FLOATS = st.one_of(
  st.floats(width=32, allow_nan=False, allow_subnormal=False),
  st.sampled_from([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, LARGEST, -LARGEST]),
)


def oracle(scores, count):
  """Positions of the `count` highest scores by Python's stable sort: ties go to the lower index."""
  best = sorted(range(len(scores)), key=lambda i: -scores[i])[:count]
  return [i in best for i in range(len(scores))]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_keep_top_agrees_with_a_stable_sort(data):
  scores = data.draw(st.lists(FLOATS, min_size=1, max_size=40))
  count = data.draw(st.integers(0, len(scores)))
  assert masks.keep_top(scores, count).numpy().tolist() == oracle(scores, count)


@settings(max_examples=60, deadline=None)
@given(
  st.lists(st.sampled_from([-0.0, 0.0, 1.0, 2.0, -np.inf]), min_size=1, max_size=30), st.data()
)
def test_keep_top_breaks_many_ties_by_index(scores, data):
  count = data.draw(st.integers(0, len(scores)))
  assert masks.keep_top(scores, count).numpy().tolist() == oracle(scores, count)


def test_a_hundred_equal_weights_at_one_half_keep_the_first_fifty():
  kept = masks.keep_top(np.ones(100), masks.kept_count(100, 0.5)).numpy()
  assert kept.tolist() == [True] * 50 + [False] * 50


def test_negative_zero_ties_with_zero():
  assert masks.keep_top([-0.0, 0.0, -0.0], 2).numpy().tolist() == [True, True, False]
  assert masks.keep_top([-2e-38, -0.0, 0.0], 2).numpy().tolist() == [False, True, True]


def test_minus_infinity_goes_last_but_counts():
  assert masks.keep_top([-np.inf, 1.0, -np.inf], 2).numpy().tolist() == [True, True, False]


def test_keep_top_keeps_the_shape():
  scores = np.array([[[3.0, 1.0], [2.0, 5.0]]])
  assert masks.keep_top(scores, 2).numpy().tolist() == [[[True, False], [False, True]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_keep_top_takes_every_float(dtype):
  kept = masks.keep_top(tf.cast([1.0, 4.0, -2.0, 3.0], dtype), 2)
  assert kept.numpy().tolist() == [False, True, False, True]


def test_keep_top_compiles_with_a_tensor_for_count():
  compiled = tf.function(masks.keep_top, jit_compile=True)
  scores = np.random.default_rng(0).normal(size=(7, 9)).astype("float32").round(1)
  for count in (0, 1, 31, 63):
    kept = compiled(scores, tf.constant(count)).numpy()
    assert kept.ravel().tolist() == oracle(scores.ravel().tolist(), count)


@settings(max_examples=60, deadline=None)
@given(
  st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.lists(FLOATS, min_size=1, max_size=9), min_size=1
  ),
  st.data(),
)
def test_keep_top_jointly_is_one_ranking_of_all(scores, data):
  joint = [score for array in scores.values() for score in array]
  count = data.draw(st.integers(0, len(joint)))
  kept = masks.keep_top_jointly(scores, count)
  assert list(kept) == list(scores)
  assert [bool(b) for mask in kept.values() for b in mask.numpy()] == oracle(joint, count)


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_kept_count_is_exact_and_never_empty(size, sparsity):
  count = masks.kept_count(size, sparsity)
  assert 1 <= count <= size
  assert count == max(1, round((1 - sparsity) * size))


def test_sparsity_weighs_sites_by_their_size():
  masked = {"a": np.array([True]), "b": np.array([False, True, False])}
  assert masks.sparsity(masked) == 0.5


# --- The same, compiled, against NumPy -----------------------------------------------------------

SIZE = 24
SMALLEST = float(np.finfo("float32").tiny)
ALL_FLOATS = st.one_of(
  st.floats(width=32, allow_nan=False),
  st.sampled_from([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, LARGEST, -LARGEST]),
  st.sampled_from([1e-40, -1e-40, 3e-45, SMALLEST, -SMALLEST, SMALLEST / 2, -SMALLEST / 2]),
)
TRACED = tf.function(masks.keep_top, jit_compile=False)
COMPILED = tf.function(masks.keep_top, jit_compile=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(ALL_FLOATS, min_size=SIZE, max_size=SIZE), st.integers(0, SIZE))
def test_keep_top_is_numpys_stable_sort_eager_traced_and_compiled(scores, count):
  """Magnitudes below 2^-126 count as 0: some devices flush them, and the masks must be the same."""
  scores = np.float32(scores)
  flushed = np.where(abs(scores) < SMALLEST, 0, scores)
  expected = np.zeros(SIZE, bool)
  expected[np.argsort(-flushed, kind="stable")[:count]] = True
  for keep in (masks.keep_top, TRACED, COMPILED):
    found = keep(tf.constant(scores), tf.constant(count))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("keep", [masks.keep_top, TRACED, COMPILED])
def test_all_or_nothing_may_be_kept(keep):
  scores = tf.constant([-np.inf, 1.0, np.inf, 0.0] + [2.0] * 20)
  assert not keep(scores, tf.constant(0)).numpy().any()
  assert keep(scores, tf.constant(SIZE)).numpy().all()
  assert keep(scores, tf.constant(1)).numpy().tolist() == [False, False, True] + [False] * 21


def test_scores_that_differ_in_their_last_bit_are_told_apart():
  one = np.float32(1)
  scores = [one, np.nextafter(one, np.float32(2)), np.nextafter(one, np.float32(0)), one]
  assert masks.keep_top(scores, 1).numpy().tolist() == [False, True, False, False]
  assert masks.keep_top(scores, 3).numpy().tolist() == [True, True, False, True]


@settings(max_examples=100, deadline=None)
@given(
  st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
  st.floats(0, 1, width=32),
)
def test_drop_and_grow_conserves_the_count_and_takes_the_best(weights, share):
  mask, drop, grow = (np.array(column) for column in zip(*weights, strict=True))
  found = masks.drop_and_grow(tf.constant(mask), np.float32(drop), np.float32(grow), share).numpy()
  replaced = int(np.float32(mask.sum()) * np.float32(share))
  kept = oracle(np.where(mask, drop, -np.inf).tolist(), mask.sum() - replaced)
  assert found.sum() == mask.sum()
  assert not (np.array(kept) & ~mask).any()
  grown = oracle(np.where(kept, -np.inf, grow).tolist(), replaced)
  assert (found == (np.array(kept) | grown)).all()


@pytest.mark.slow
def test_a_share_of_one_conserves_counts_that_float32_rounds_up():
  live = 2**24 + 3
  assert int(np.float32(live)) == live + 1
  mask = np.arange(live + 5) < live
  scores = np.random.default_rng(0).random(mask.size, "float32")
  found = masks.drop_and_grow(tf.constant(mask), scores, scores, 1.0)
  assert int(tf.math.count_nonzero(found)) == live


def test_random_masks_have_exact_counts_and_other_places_for_other_seeds_and_sites():
  shapes = {"a": (30, 20), "b": (30, 20), "dense": (4,)}
  found = masks.random(shapes, {"a": 0.9, "b": 0.9}, seed=0)
  assert {path: int(mask.sum()) for path, mask in found.items()} == {"a": 60, "b": 60, "dense": 4}
  assert (found["a"] != found["b"]).any()
  again, other = (masks.random(shapes, {"a": 0.9, "b": 0.9}, seed=seed) for seed in (0, 1))
  assert (found["a"] == again["a"]).all() and (found["a"] != other["a"]).any()


def test_select_leaves_a_nan_out():
  found = masks.select(tf.constant([True, False]), tf.constant([1.0, np.nan]), tf.zeros(2))
  assert found.numpy().tolist() == [1.0, 0.0]
