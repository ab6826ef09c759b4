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
