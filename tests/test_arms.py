"""The arms: controls of the ticket's size."""

import keras
import numpy as np
import pytest

import tflottery as tfl
from tflottery import criteria
from tflottery.experiments import arms
from tflottery.seeds import seeds_of

INITIALIZERS = {p: keras.initializers.GlorotNormal() for p in ("fc/kernel", "out/kernel")}


@pytest.fixture
def ticket():
  """8 of 16 weights live; the standard deviation of fc's initial values is 2, of out's 3."""
  masks = {
    "fc/kernel": np.array([[True, True, False, True], [False, False, True, True]]),
    "out/kernel": np.array([[True, False], [False, False], [False, True], [False, True]]),
  }
  weights = {
    "fc/kernel": np.array([[1, -1, 3, -3], [1, -1, 2, -2]], "float32") * np.float32(2 / 3.75**0.5),
    "fc/bias": np.array([5, 6, 7, 8], "float32"),
    "out/kernel": np.array([[3, -3], [3, -3], [-3, 3], [-3, 3]], "float32"),
  }
  return tfl.Ticket(masks, weights, level=2)


def _draw(ticket, arm, seed=0, trained=None):
  """(weights, masks) of an arm that holds its pruned weights at 0."""
  weights, masks, frozen = arms.draw(ticket, arm, trained, seed=seed, initializers=INITIALIZERS)
  assert frozen == {}
  return weights, masks


_RESETS = (
  "reinit", "reinit_keep_sign", "resample", "resample_keep_sign", "reshuffle", "reshuffle_keep_sign",
  "constant", "constant_keep_sign",
)  # fmt: skip


def test_the_arms_are_the_resets_and_random_masks_and_the_matrix_of_actions():
  first = [*_RESETS, "random_mask", "random_mask_global"]
  assert list(arms.ARMS)[:10] == first, "an arm's place is part of its seed"
  kept, pruned = ["rewind", *_RESETS], [name for name in tfl.FREEZES if name != "zero"]
  assert set(arms.ARMS) - set(first) == {f"{one}_{other}" for one in kept for other in pruned}
  assert len(arms.ARMS) == 10 + 9 * 6


def test_an_arm_of_the_matrix_resets_the_kept_and_holds_the_pruned(ticket):
  # Of fc's pruned weights (0, 2), (1, 0) and (1, 1) the first shrank; of the kept (0, 0) did.
  ends = {"fc/kernel": np.array([[0, 9, 0, 9], [9, 9, 9, 9]], "float32")}
  trained = ticket.weights | ends
  draw = {"seed": 0, "initializers": INITIALIZERS}
  arm = "constant_keep_sign_freeze_init_zero_all"
  weights, masks, frozen = arms.draw(ticket, arm, trained, **draw)
  assert masks is ticket.masks
  initial = ticket.weights["fc/kernel"]
  np.testing.assert_array_equal(frozen["fc/kernel"][0, 2], 0)
  np.testing.assert_array_equal(frozen["fc/kernel"][1, :2], initial[1, :2])
  np.testing.assert_allclose(weights["fc/kernel"][0, [0, 1, 3]], [0, -2, -2], rtol=1e-6)
  np.testing.assert_allclose(weights["fc/kernel"][1, 2:], [2, -2], rtol=1e-6)
  weights, _, frozen = arms.draw(ticket, "rewind_freeze_init_zero_rev", trained, **draw)
  np.testing.assert_array_equal(weights["fc/kernel"], initial)
  assert frozen["fc/kernel"][0, 2] == initial[0, 2] and not frozen["fc/kernel"][1, :2].any()


def test_the_actions_of_an_arm_are_told_by_name():
  assert arms.actions("ticket") == ("rewind", "zero")
  assert arms.actions("constant") == ("constant", "zero")
  assert arms.actions("reinit_keep_sign_freeze_reinit") == ("reinit_keep_sign", "freeze_reinit")
  assert arms.actions("random_mask") is None


def test_the_ticket_is_trained_as_it_is(ticket):
  weights, masks = _draw(ticket, "ticket")
  assert weights is ticket.weights and masks is ticket.masks


@pytest.mark.parametrize("arm", _RESETS)
def test_a_reset_changes_the_kernels_alone_and_is_a_function_of_seed_level_and_arm(ticket, arm):
  before = {path: value.copy() for path, value in ticket.weights.items()}
  weights, masks = _draw(ticket, arm)
  assert masks is ticket.masks
  np.testing.assert_array_equal(weights["fc/bias"], [5, 6, 7, 8])
  for path in masks:
    assert weights[path].dtype == np.float32
    if arm.endswith("keep_sign"):
      np.testing.assert_array_equal(np.sign(weights[path]), np.sign(before[path]))
    np.testing.assert_array_equal(weights[path], _draw(ticket, arm)[0][path])
    np.testing.assert_array_equal(ticket.weights[path], before[path])
  if arm != "constant_keep_sign":  # which draws nothing that its signs do not overwrite
    later = tfl.Ticket(ticket.masks, ticket.weights, level=3)
    for other in (_draw(ticket, arm, seed=1), _draw(later, arm)):
      assert any((weights[p] != other[0][p]).any() for p in masks)
      assert (weights["fc/kernel"] != before["fc/kernel"]).any()


def test_a_constant_with_the_signs_is_worked_by_hand(ticket):
  weights, _ = _draw(ticket, "constant_keep_sign")
  signs = [[1, -1, 1, -1], [1, -1, 1, -1]]
  np.testing.assert_allclose(weights["fc/kernel"], 2 * np.array(signs), rtol=1e-6)
  np.testing.assert_allclose(weights["out/kernel"], ticket.weights["out/kernel"], rtol=1e-6)


def test_a_reshuffle_permutes_the_survivors_within_their_layer(ticket):
  weights, masks = _draw(ticket, "reshuffle")
  for path, mask in masks.items():
    assert sorted(weights[path][mask]) == sorted(ticket.weights[path][mask])


def test_random_masks_keep_the_counts_and_the_weights(ticket):
  weights, masks = _draw(ticket, "random_mask")
  assert weights is ticket.weights
  assert {path: int(mask.sum()) for path, mask in masks.items()} == {
    "fc/kernel": 5,
    "out/kernel": 3,
  }
  draws = [_draw(ticket, "random_mask", seed)[1]["fc/kernel"].tobytes() for seed in range(6)]
  assert len(set(draws)) > 1
  _, masks = _draw(ticket, "random_mask_global")
  assert sum(int(mask.sum()) for mask in masks.values()) == 8
  counts = {int(_draw(ticket, "random_mask_global", s)[1]["fc/kernel"].sum()) for s in range(8)}
  assert len(counts) > 1, "a shuffle over the network moves weights between layers"


def test_every_draw_has_a_seed_of_its_own():
  names = ["ticket", *arms.ARMS, *criteria.DECONSTRUCTED]
  seeds = [tuple(arms.arm_seed(s, n, arm)) for s in (0, 1) for n in (0, 1, 2) for arm in names]
  assert len(set(seeds)) == len(seeds)


def test_the_seeds_of_initialisation_order_and_masks_differ_and_stay():
  words = np.random.SeedSequence(7).generate_state(3)
  seeds = seeds_of(7)
  assert seeds == {"initialisation": words[0], "order": words[1], "masks": words[2]}
  assert all(type(seed) is int for seed in seeds.values()), "JSON must take them"
  every = [seed for run in range(20) for seed in seeds_of(run).values()]
  assert len(set(every)) == 60
