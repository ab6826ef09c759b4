"""Criteria: scores worked by hand, for every site that has a mask."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from by_hand import top
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import criteria, draws, masks, rules
from tflottery.probe import Lazy, Probe


def probe(step=0, dtype="float32"):
  """Two sites; the masked weights are 0."""
  return Probe(
    weights={"a": tf.constant([[1.0, -2.0], [0.0, 4.0]], dtype), "b": tf.constant([-3.0], dtype)},
    masks={"a": tf.constant([[True, True], [False, True]]), "b": tf.constant([True])},
    gradients={"a": tf.constant([[-5.0, 1.0], [7.0, 0.5]]), "b": tf.constant([2.0])},
    step=tf.constant(step, tf.int64),
  )


def as_lists(scores):
  return {path: score.numpy().tolist() for path, score in scores.items()}


def test_magnitude_is_the_absolute_weight():
  assert as_lists(criteria.magnitude(probe())) == {"a": [[1, 2], [0, 4]], "b": [3]}


def test_gradient_is_the_absolute_gradient_of_masked_weights_too():
  assert as_lists(criteria.gradient(probe())) == {"a": [[5, 1], [7, 0.5]], "b": [2]}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_snip_is_the_absolute_product_in_float32(dtype):
  scores = criteria.snip(probe(dtype=dtype))
  assert as_lists(scores) == {"a": [[5, 2], [0, 2]], "b": [6]}
  assert {score.dtype for score in scores.values()} == {tf.float32}


def test_random_draws_by_seed_site_and_step():
  scores = criteria.random(4)(probe(step=9))
  for i, (path, shape) in enumerate({"a": (2, 2), "b": (1,)}.items()):
    assert (scores[path] == draws.uniform(shape, (4, i), 9)).numpy().all()
  for other in (criteria.random(4)(probe(step=8)), criteria.random(5)(probe(step=9))):
    assert not np.array_equal(scores["a"], other["a"])


@pytest.mark.parametrize(
  ("criterion", "asked"),
  [(criteria.magnitude, {"weights"}), (criteria.gradient, {"gradients"})],
)
def test_a_criterion_asks_for_no_more_than_it_uses(criterion, asked):
  computed = set()
  full = probe()

  def lazy(name):
    def function(path):
      computed.add(name)
      return getattr(full, name)[path]

    return Lazy(full.masks, function)

  criterion(Probe(lazy("weights"), full.masks, lazy("gradients"), full.step))
  assert computed == asked


def test_random_asks_for_neither_weights_nor_gradients():
  full = probe()
  assert set(criteria.random(0)(Probe(None, full.masks, None, full.step))) == {"a", "b"}


# --- Zhou et al.: criteria on the weights before and after training --------------------------------

BEFORE = [2.0, -1.0, 1.0, -4.0, -3.0, 0.0]
AFTER = [1.0, -2.0, 0.0, 4.0, -3.5, 0.5]
LIVE = [True, True, False, True, True, True]
SAME = np.array([True, True, False, False, True, False])  # + +, - -, + 0, - +, - -, 0 +
FIVE = {
  "large_final": [1, 2, 0, 4, 3.5, 0.5],
  "small_final": [-1, -2, 0, -4, -3.5, -0.5],
  "large_init": [2, 1, 1, 4, 3, 0],
  "small_init": [-2, -1, -1, -4, -3, 0],
  "magnitude_increase": [-1, 1, -1, 0, 0.5, 0.5],
  "movement": [1, 1, 1, 8, 0.5, 0.5],
  # Ranks of |before| among the five that live: 3 2 . 5 4 1, of |after|: 2 3 . 5 4 1.
  "large_init_large_final": [2 / 5, 2 / 5, 0, 5 / 5, 4 / 5, 1 / 5],
  # Of -|before|: 3 4 . 1 2 5, of -|after|: 4 3 . 1 2 5.
  "small_init_small_final": [3 / 5, 3 / 5, 0, 1 / 5, 2 / 5, 5 / 5],
}


def trained(after=AFTER, before=BEFORE, live=LIVE, step=0, dtype="float32"):
  """A site "a" in front of the one that is looked at, so that its index is 1."""
  return Probe(
    weights={"a": tf.constant([1.0]), "b": tf.constant(after, dtype)},
    masks={"a": tf.constant([True]), "b": tf.constant(live)},
    gradients={},
    step=tf.constant(step, tf.int64),
    initial_weights={"a": tf.constant([2.0]), "b": tf.constant(before, dtype)},
  )


def scores(name, probe, seed=0):
  return criteria.named(name, seed)(probe)["b"].numpy()


@pytest.mark.parametrize("name", FIVE)
def test_each_criterion_scores_the_five_live_weights_as_worked_by_hand(name):
  np.testing.assert_array_equal(scores(name, trained()), np.float32(FIVE[name]))


def test_there_are_nine_criteria_each_with_two_variants_of_signs():
  signs = {
    f"{name}{sign}" for name in [*FIVE, "random"] for sign in ("", "_same_sign", "_diff_sign")
  }
  assert set(criteria.DECONSTRUCTED) == signs
  assert len(signs) == 27


def test_large_final_is_the_magnitude():
  one, other = (criteria.named(name)(probe()) for name in ("large_final", "magnitude"))
  assert as_lists(one) == as_lists(other)


@pytest.mark.parametrize("sign", ["same_sign", "diff_sign"])
@pytest.mark.parametrize("name", [*FIVE, "random"])
def test_weights_of_the_wrong_sign_lie_below_all_others_in_the_order_of_their_draws(name, sign):
  found = scores(f"{name}_{sign}", trained(step=7), seed=3)
  stays = SAME if sign == "same_sign" else ~SAME
  draw = draws.uniform((6,), (3, 1), 7).numpy()
  expected = draw if name == "random" else np.float32(FIVE[name])
  np.testing.assert_array_equal(found[stays], expected[stays])
  assert (found[~stays] < -(2.0**75)).all() and np.isfinite(found).all()
  assert (np.argsort(found[~stays]) == np.argsort(-draw[~stays])).all()
  assert len(set(found[~stays])) == 3


def test_zero_is_a_sign_of_its_own():
  probe = trained(after=[0.0, 0.0, 0.0, -0.0, 1.0, -1.0], before=[1.0, -1.0, 0.0, 0.0, 0.0, 0.0])
  stays = scores("small_final_same_sign", probe) > -2
  assert stays.tolist() == [False, False, True, True, False, False]


def test_flipped_weights_go_first_under_every_criterion_and_then_the_lowest_scores():
  """Of the five that live 3 and 5 flipped; then goes the lowest score, of equal ones the last."""
  gone_third = {
    "large_final": 0,
    "small_final": 4,
    "large_init": 1,
    "small_init": 4,
    "magnitude_increase": 0,
    "movement": 4,
    "large_init_large_final": 1,
    "small_init_small_final": 4,
  }
  for name, third in gone_third.items():
    rule = rules.prune(criteria.named(f"{name}_same_sign"), lambda _: {"a": 0.0, "b": 2 / 3})
    kept = rule(trained(), None)["b"].numpy()
    assert kept.tolist() == [i not in (2, 3, 5, third) for i in range(6)], name


def test_ties_of_flipped_weights_are_no_pattern_in_space():
  count = 4000
  probe = trained(after=[1.0] * count, before=[-1.0] * count, live=[True] * count)
  kept = masks.keep_top(scores("large_final_same_sign", probe), count // 2).numpy()
  assert abs(kept[: count // 2].mean() - 0.5) < 0.05  # 0.5 +- 4 standard deviations
  assert (kept == top(-draws.uniform((count,), (0, 1), 0).numpy(), count // 2)).all()
  other = masks.keep_top(scores("large_final_same_sign", probe, seed=1), count // 2).numpy()
  assert 0.4 < (kept == other).mean() < 0.6


def test_of_equal_magnitudes_the_lower_index_ranks_higher():
  probe = trained(after=[1.0, -1.0, 1.0, 2.0], before=[5.0, 5.0, -5.0, 5.0], live=[True] * 4)
  # Ranks of |before|: 4 3 2 1, of |after|: 3 2 1 4.
  assert scores("large_init_large_final", probe).tolist() == [0.75, 0.5, 0.25, 0.25]


def test_what_is_masked_has_no_rank_however_large():
  probe = trained(after=[9.0, 1.0, 2.0], before=[9.0, 1.0, 2.0], live=[False, True, True])
  assert scores("large_init_large_final", probe).tolist() == [0.0, 0.5, 1.0]
  assert scores("small_init_small_final", probe).tolist() == [0.0, 1.0, 0.5]


def by_bisection(one, other, count):
  """The authors' procedure, in the words of the paper: one percentile of both, found by bisection.

  Returns:
    A bool array, or None where no percentile leaves exactly `count`.
  """
  low, high = 0.0, 100.0
  while high - low > 1e-4:
    middle = (low + high) / 2
    kept = (one >= np.percentile(one, middle)) & (other >= np.percentile(other, middle))
    if kept.sum() == count:
      return kept
    low, high = (middle, high) if kept.sum() > count else (low, middle)
  return None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.floats(0, 3))
def test_joint_criteria_keep_what_the_authors_bisection_keeps(seed, share, noise):
  rng = np.random.default_rng(seed)
  before = rng.normal(size=(12, 15)).astype("float32")
  after = before + noise * rng.normal(size=before.shape).astype("float32")
  live = rng.random(before.shape) < 0.7
  count, hits = max(1, round(share * live.sum())), 0
  probe = trained(after=after, before=before, live=live)
  for name, sign in (("large_init_large_final", 1), ("small_init_small_final", -1)):
    # In float64, for a percentile that is rounded could part two weights that enter at one.
    one, other = (sign * np.abs(np.float64(weight[live])) for weight in (before, after))
    found = scores(name, probe)[live]
    for wanted in range(max(1, count - 3), min(live.sum(), count + 3)):
      expected = by_bisection(one, other, wanted)
      if expected is not None:
        hits += 1
        np.testing.assert_array_equal(top(found, wanted), expected)
  assert hits  # where two weights enter at one percentile it jumps by two; not so everywhere


# One of each kind: a formula, ranks, draws, signs.
SOME = ["movement", "small_init_small_final", "random", "magnitude_increase_diff_sign"]


@pytest.mark.parametrize("name", SOME)
def test_scores_are_the_same_bits_in_a_graph_and_under_xla(name):
  rng = np.random.default_rng(1)
  after, before = (np.float32(rng.normal(size=(7, 9)).round(1)) for _ in range(2))
  live = rng.random((7, 9)) < 0.6
  eager = scores(name, trained(after, before, live, step=5), seed=2)

  def compute(after, before, live, step):
    probe = Probe(
      {"a": after[:1], "b": after},
      {"a": live[:1], "b": live},
      {},
      step,
      initial_weights={"a": before[:1], "b": before},
    )
    return criteria.named(name, 2)(probe)["b"]

  inputs = [tf.constant(x) for x in (after, before, live)] + [tf.constant(5, tf.int64)]
  found = tf.function(compute)(*inputs).numpy()
  np.testing.assert_array_equal(found, eager)
  compiled = tf.function(compute, jit_compile=True)(*inputs).numpy()
  np.testing.assert_array_equal(compiled, eager)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_compared_in_float32(dtype):
  # 1 + 2^-7 and 1 + 2^-6 exist in bfloat16; what they moved from 0.0625 does not.
  after, before = [1.0078125, 1.015625, 1.0], [0.0625, 0.0625, 0.0625]
  probe = trained(after, before, [True] * 3, dtype=dtype)
  assert scores("movement", probe).tolist() == [0.9453125, 0.953125, 0.9375]
  for name in criteria.DECONSTRUCTED:
    assert scores(name, probe).dtype == np.float32, name


def test_initial_weights_of_another_dtype_are_taken_as_the_weights_are():
  probe = trained()
  initial = {"a": np.ones(1), "b": np.array(BEFORE, ml_dtypes.bfloat16)}
  mixed = Probe(probe.weights, probe.masks, {}, 0, initial_weights=initial)
  assert scores("movement", mixed).tolist() == FIVE["movement"]


# --- Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["movment", "Movement", "", None, ["movement"], "_same_sign"])
def test_an_unknown_criterion_is_refused_with_those_that_there_are(name):
  with pytest.raises(ValueError) as caught:
    criteria.named(name)
  message = str(caught.value)
  assert message.startswith(f"criterion={name!r} is unknown")
  assert all(repr(known) in message for known in criteria.DECONSTRUCTED)


def test_an_unknown_criterion_is_told_the_closest():
  with pytest.raises(ValueError, match=r"'movment' is unknown. Did you mean 'movement'\?"):
    criteria.needs_initial("movment")


def test_which_criteria_need_initial_weights():
  free = {name for name in criteria.DECONSTRUCTED if not criteria.needs_initial(name)}
  assert free == {"large_final", "small_final", "random"}
  assert not criteria.needs_initial("magnitude")


@pytest.mark.parametrize("name", criteria.DECONSTRUCTED)
def test_a_criterion_that_needs_initial_weights_says_so_where_there_are_none(name):
  bare = Probe({"b": tf.ones(3)}, {"b": tf.ones(3, bool)}, {}, 0)
  if not criteria.needs_initial(name):
    assert criteria.named(name)(bare)["b"].shape == (3,)
    return
  with pytest.raises(
    ValueError, match=rf"'{name}' needs the weights from before.*capture.*initial=T"
  ):
    criteria.named(name)(bare)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "3", True, (0, -1)])
def test_a_seed_that_is_none_is_refused(seed):
  for name in ("random", "movement_same_sign"):
    with pytest.raises(ValueError, match="seed="):
      criteria.named(name, seed)


def test_a_seed_may_be_several_numbers():
  found = scores("random", trained(), seed=(4, 2))
  np.testing.assert_array_equal(found, draws.uniform((6,), (4, 2, 1), 0))
