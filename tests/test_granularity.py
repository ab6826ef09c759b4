"""Units of every granularity: pooled, ranked and spread, on values by hand and against oracles."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import masks
from tflottery.granularity import GRANULARITIES, block, channel, n_of_m, weight

INF = np.inf


def kept(granularity, scores, count):
  """The mask that keeps `count` units."""
  scores = np.asarray(scores, "float32")
  units = masks.keep_top(granularity.pool(scores), count)
  return granularity.spread(units, scores.shape).numpy()


def test_single_weights_are_their_own_units():
  scores = [[1.0, 4.0], [3.0, 2.0]]
  assert weight().pool(scores).numpy().tolist() == scores
  assert kept(weight(), scores, 2).tolist() == [[False, True], [True, False]]
  assert weight().units((2, 2)) == 4


def test_a_blocks_score_is_its_mean_and_partial_blocks_count_the_weights_they_have():
  scores = [[1.0, 2.0, 9.0], [3.0, 6.0, 5.0], [4.0, 8.0, 7.0]]
  assert block((2, 2)).pool(scores).numpy().tolist() == [[3.0, 7.0], [6.0, 7.0]]
  assert block((2, 2)).units((3, 3)) == 4


def test_a_block_lives_as_a_whole():
  scores = [[1.0, 2.0, 9.0], [3.0, 6.0, 5.0], [4.0, 8.0, 7.0]]
  assert kept(block((2, 2)), scores, 2).astype(int).tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1]]
  assert kept(block((1, 3)), scores, 1).astype(int).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1]]


def test_blocks_of_convolution_kernels_lie_in_the_channels():
  scores = np.arange(2 * 1 * 2 * 4, dtype="float32").reshape(2, 1, 2, 4)
  pooled = block((2, 2)).pool(scores).numpy()
  assert pooled.tolist() == [[[[2.5, 4.5]]], [[[10.5, 12.5]]]]
  mask = kept(block((2, 2)), scores, 1)
  assert mask[1, 0].tolist() == [[False, False, True, True]] * 2
  assert mask.sum() == 4


def test_a_block_larger_than_the_weight_is_the_whole_weight():
  assert block((8, 8)).pool([[1.0, 3.0]]).numpy().tolist() == [[2.0]]
  assert block((8, 8)).spread(tf.constant([[True]]), (1, 2)).numpy().tolist() == [[True, True]]


def test_a_channel_is_a_slice_of_the_last_axis_with_its_mean():
  scores = np.array([[[1.0, 8.0, 3.0], [3.0, 0.0, 3.5]]])
  assert channel().pool(scores).numpy().tolist() == [2.0, 4.0, 3.25]
  assert kept(channel(), scores, 2).tolist() == [[[False, True, True]] * 2]
  assert channel().units((3, 3, 16, 32)) == 32


@pytest.mark.parametrize("granularity", [weight(), channel(), block((1, 2)), n_of_m(1, 2)])
def test_a_unit_of_nothing_but_what_must_not_be_kept_goes_last(granularity):
  scores = [[-INF, -5.0, -INF, -5.0], [-INF, -6.0, -INF, -6.0]]
  units = granularity.pool(scores).numpy()
  assert not np.isnan(units).any()
  assert np.isfinite(kept(granularity, scores, 1) * np.where(np.isinf(scores), 0, 1)).all()
  live = np.isfinite(units).sum()
  assert live == {"Weight": 4, "Channel": 2, "Block": 4, "NOfM": 4}[type(granularity).__name__]
  assert (units == -INF).sum() == units.size - live


@pytest.mark.parametrize("granularity", [channel(), block((2, 1))])
def test_a_weight_that_must_not_be_kept_adds_nothing_to_its_unit(granularity):
  scores = [[4.0, 3.0], [-INF, 3.0]]
  assert granularity.pool(scores).numpy().ravel().tolist() == [2.0, 3.0]


def test_two_of_four_by_hand():
  scores = [[5.0, 1.0], [4.0, 2.0], [3.0, 3.0], [9.0, 4.0]]
  mask = kept(n_of_m(2, 4), scores, 4).astype(int)
  assert mask.tolist() == [[1, 0], [0, 0], [0, 1], [1, 1]]


def test_the_best_of_every_group_comes_before_the_second_best_of_any():
  scores = [[100.0, 1.0], [99.0, 0.5]]
  order = [kept(n_of_m(1, 2), scores, count).astype(int).ravel().tolist() for count in range(5)]
  assert order == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_ties_within_a_group_go_to_the_lower_index():
  assert kept(n_of_m(2, 4), np.ones((8, 1)), 4).ravel().tolist() == [True, True, False, False] * 2
  assert kept(n_of_m(1, 2), [[-0.0], [0.0]], 1).ravel().tolist() == [True, False]


def by_rank_then_score(scores, m):
  """The order in which n_of_m keeps flat positions, by sorting."""
  shape = scores.shape
  grouped = scores.reshape(*shape[:-2], shape[-2] // m, m, shape[-1])
  order = np.argsort(-grouped, axis=-2, kind="stable")
  ranks = np.argsort(order, axis=-2, kind="stable").reshape(shape).ravel()
  flat = scores.ravel()
  return sorted(range(flat.size), key=lambda i: (ranks[i], -flat[i], i))


SCALES = st.sampled_from([0.0, 1e-35, 1e-20, 1e-7, 1.0, 1e9, 3e38])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([2, 3, 4, 8]))
def test_n_of_m_is_a_sort_by_rank_then_score_whatever_the_range_of_scores(data, m):
  shape = (data.draw(st.integers(1, 2)), m * data.draw(st.integers(1, 3)), 2)
  numbers = st.tuples(SCALES, st.integers(-64, 64)).map(lambda x: np.float32(x[0] * x[1] / 64))
  flat = data.draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))
  scores = np.array(flat, "float32").reshape(shape)
  count = data.draw(st.integers(0, scores.size))
  mask = kept(n_of_m(1, m), scores, count)
  assert sorted(by_rank_then_score(scores, m)[:count]) == np.flatnonzero(mask).tolist()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_mask_is_exactly_n_of_m_at_its_sparsity(data):
  m = data.draw(st.integers(2, 9))
  n = data.draw(st.integers(1, m - 1))
  shape = (data.draw(st.integers(1, 3)), m * data.draw(st.integers(1, 4)), 3)
  rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
  scores = (rng.normal(size=shape) * 10.0 ** rng.integers(-35, 37, shape)).astype("float32")
  scores[rng.random(shape) < 0.3] = data.draw(st.sampled_from([0.0, 1.0, INF]))
  granularity = n_of_m(n, m)
  mask = kept(granularity, scores, masks.kept_count(scores.size, granularity.sparsity))
  assert (mask.reshape(shape[0], -1, m, 3).sum(2) == n).all()


def test_what_a_schedule_has_masked_stays_masked_on_the_way_to_two_of_four():
  rng = np.random.default_rng(0)
  live = np.ones((16, 8), bool)
  for sparsity in (0.1, 0.25, 0.3, 0.45, 0.5):
    scores = np.where(live, rng.random(live.shape), -INF)
    mask = kept(n_of_m(2, 4), scores, masks.kept_count(live.size, sparsity))
    assert mask.sum() == masks.kept_count(live.size, sparsity)
    assert not (mask & ~live).any()
    live = mask
  assert (live.reshape(4, 4, 8).sum(1) == 2).all()


@pytest.mark.parametrize("granularity", [weight(), block((2, 3)), n_of_m(2, 4), channel()])
@pytest.mark.parametrize("shape", [(8, 5), (3, 3, 4, 6), (2, 12, 1)])
def test_every_granularity_compiles_to_static_shapes_and_the_same_mask(granularity, shape):
  scores = np.random.default_rng(0).random(shape).astype("float32")
  count = granularity.units(shape) // 2

  @tf.function(jit_compile=True)
  def compiled(scores):
    units = granularity.pool(scores)
    assert math.prod(units.shape) == granularity.units(shape)
    mask = granularity.spread(masks.keep_top(units, count), shape)
    assert mask.shape == shape and mask.dtype == tf.bool
    return mask

  assert compiled(scores).numpy().tolist() == kept(granularity, scores, count).tolist()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spreading_blocks_keeps_the_blocks_of_the_units(data):
  h, w = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
  shape = data.draw(st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)))
  rows, columns = -(-shape[1] // h), -(-shape[2] // w)
  rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
  units = rng.random((shape[0], rows, columns)) < 0.5
  mask = block((h, w)).spread(tf.constant(units), shape).numpy()
  for i, row, column in itertools.product(*map(range, shape)):
    assert mask[i, row, column] == units[i, row // h, column // w]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("granularity", [weight(), block((2, 2)), n_of_m(1, 2), channel()])
def test_every_float_is_taken(granularity, dtype):
  assert granularity.pool(tf.cast([[1.0, 2.0], [3.0, 4.0]], dtype)).dtype == tf.float32


def test_names_build_granularities_that_compare_and_print():
  assert GRANULARITIES["block"](shape=[4, 1]) == block((4, 1))
  assert GRANULARITIES["n_of_m"](n=2, m=4) == n_of_m(2, 4) != n_of_m(1, 4)
  assert repr(block((4, 1))) == "Block(shape=(4, 1))"
  assert GRANULARITIES["weight"]() == weight() and GRANULARITIES["channel"]() == channel()


def test_an_input_axis_that_is_no_multiple_of_m_is_refused():
  for call in (
    lambda: n_of_m(2, 4).check((6, 8), "fc/kernel"),
    lambda: n_of_m(2, 4).pool(np.ones((6, 8))),
    lambda: n_of_m(2, 4).units((6, 8)),
  ):
    with pytest.raises(ValueError, match=r"of shape \(6, 8\) has no groups of m=4.*Exclude it"):
      call()
  n_of_m(2, 4).check((3, 3, 8, 5))


@pytest.mark.parametrize("granularity", [n_of_m(2, 4), block((2, 2))])
def test_weights_of_one_axis_have_no_blocks_or_groups(granularity):
  with pytest.raises(ValueError, match=r"norm/gamma of shape \(8,\) has no"):
    granularity.check((8,), "norm/gamma")


def test_a_single_number_has_no_channels():
  with pytest.raises(ValueError, match="scale is a single number"):
    channel().check((), "scale")


@pytest.mark.parametrize(
  "n, m, message", [(4, 4, "n=4 must be below m=4"), (0, 4, "n=0"), (1, 1, "m=1"), (True, 2, "n=")]
)
def test_n_and_m_that_prune_nothing_or_all_are_refused(n, m, message):
  with pytest.raises(ValueError, match=message):
    n_of_m(n, m)


@pytest.mark.parametrize("shape", [(4,), 4, (0, 4), (2.0, 2), "44", (1, 2, 3)])
def test_a_block_of_no_sides_is_refused(shape):
  with pytest.raises(ValueError, match="shape="):
    block(shape)
