"""What becomes of the pruned: values worked by hand, controls by their properties."""

import keras
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflottery as tfl
from tflottery.tickets import freeze as freezes

INITIAL = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0])
FINAL = np.array([0.5, -4.0, -3.0, 1.0, -7.0, 0.0])  # shrank, grew, neither, shrank, grew, shrank
MASK = np.array([False, False, False, False, True, True])
START = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
BIAS = np.array([7.0])


def freeze(how, mask=MASK, initial=INITIAL, final=FINAL, **options):
  """(start weights, frozen values of the pruned) of the one site."""
  start = {"fc/kernel": np.reshape(START, np.shape(initial)), "fc/bias": BIAS}
  befores, afters = ({"fc/kernel": w, "fc/bias": BIAS + 1} for w in (initial, final))
  weights, frozen = tfl.freeze(how, start, befores, afters, {"fc/kernel": mask}, **options)
  assert weights["fc/bias"] is BIAS and set(weights) == set(start)
  assert set(frozen) == {"fc/kernel"} and frozen["fc/kernel"].shape == np.shape(initial)
  return weights["fc/kernel"], frozen["fc/kernel"][~mask]


@pytest.mark.parametrize(
  ("how", "expected"),
  [
    ("freeze_init", [1.0, -2.0, 3.0, -4.0]),
    ("freeze_init_zero_mask", [0.0, -2.0, 3.0, 0.0]),
    ("freeze_init_zero_all", [0.0, -2.0, 3.0, 0.0]),
    ("freeze_init_zero_rev", [1.0, 0.0, 3.0, -4.0]),
  ],
)
def test_the_pruned_are_held_at_the_values_worked_by_hand(how, expected):
  assert freeze(how)[1].tolist() == expected


def test_zero_holds_no_values():
  start = {"fc/kernel": START}
  weights, frozen = tfl.freeze("zero", start, None, None, {"fc/kernel": MASK})
  assert frozen == {} and weights["fc/kernel"] is START


@pytest.mark.parametrize("how", sorted(set(tfl.FREEZES) - {"zero", "freeze_reinit"}))
def test_only_variant_2_changes_what_the_kept_start_from(how):
  last = 0.0 if how == "freeze_init_zero_all" else 60.0  # the last weight is kept and shrank
  assert freeze(how)[0].tolist() == [10.0, 20.0, 30.0, 40.0, 50.0, last]


@given(st.integers(0, 10**6))
def test_the_reshuffled_control_has_as_many_zeros_as_variant_1(seed):
  frozen = freeze("freeze_init_zero_reshuffle", seed=seed)[1]
  assert (frozen == 0).sum() == 2
  assert ((frozen == 0) | (frozen == INITIAL[:4])).all()


def test_the_reshuffled_control_has_its_zeros_at_every_place():
  zeros = [freeze("freeze_init_zero_reshuffle", seed=s)[1] == 0 for s in range(300)]
  np.testing.assert_allclose(np.mean(zeros, 0), 0.5, atol=0.12)


def test_a_weight_that_begins_at_zero_can_not_shrink():
  initial, final = np.zeros(6), np.array([0.0, 1.0, -1.0, 0.0, 2.0, 0.0])
  options = {"initial": initial, "final": final}
  assert freeze("freeze_init_zero_all", **options)[0].tolist() == START.tolist()
  assert not freeze("freeze_init_zero_rev", **options)[1].any()


def test_a_flip_of_the_sign_alone_is_no_movement_towards_zero():
  assert freeze("freeze_init", final=-INITIAL)[1].tolist() == [1.0, -2.0, 3.0, -4.0]
  for how in ("freeze_init_zero_mask", "freeze_init_zero_rev"):
    assert freeze(how, final=-INITIAL)[1].tolist() == [1.0, -2.0, 3.0, -4.0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_frozen_values_have_the_dtype_and_the_shape_of_the_weight(dtype):
  initial, final = (np.reshape(w, (2, 3)).astype(dtype) for w in (INITIAL, FINAL))
  mask = MASK.reshape(2, 3)
  for how in sorted(set(tfl.FREEZES) - {"zero", "freeze_reinit"}):
    frozen = freeze(how, mask, initial, final)[1]
    assert frozen.dtype == dtype and len(frozen) == 4, how


@pytest.mark.parametrize("how", sorted(set(tfl.FREEZES) - {"freeze_reinit"}))
def test_arguments_are_left_alone(how):
  dicts = [{"a": w.copy()} for w in (START, INITIAL, FINAL)]
  tfl.freeze(how, *dicts, {"a": MASK})
  for found, expected in zip(dicts, (START, INITIAL, FINAL), strict=True):
    assert found["a"].tolist() == expected.tolist()


@pytest.mark.parametrize("how", ["freeze_reinit", "freeze_init_zero_reshuffle"])
def test_sites_draw_independently_and_by_the_seed(how):
  values = np.arange(1.0, 201.0, dtype="float32")
  initial, final = ({p: f * values for p in "ab"} for f in (1, np.tile([0.5, 2], 100)))
  masks = {p: np.zeros(200, bool) for p in "ab"}
  own = {"initializers": dict.fromkeys("ab", keras.initializers.RandomNormal(0.0, 2.0))}
  one, again, other = (
    tfl.freeze(how, initial, initial, final, masks, seed=s, **own)[1] for s in ([3, 1], [3, 1], 4)
  )
  assert (one["a"] == again["a"]).all() and (one["b"] == again["b"]).all()
  assert (one["a"] != one["b"]).any() and (one["a"] != other["a"]).any()


def test_reinit_draws_anew_from_the_layers_own_initializer(k):
  init = k.initializers.RandomNormal(3.0, 0.5, seed=1)
  layers = [k.layers.Input((40,)), k.layers.Dense(50, kernel_initializer=init, name="fc")]
  model = k.Sequential(layers)
  initial = tfl.capture(model).weights
  masks = {"fc/kernel": np.zeros((40, 50), bool)}
  initializers = tfl.initializers_of(model)
  options = {"initializers": initializers}
  weights, frozen = tfl.freeze("freeze_reinit", initial, initial, initial, masks, **options)
  drawn = frozen["fc/kernel"]
  assert (drawn != initial["fc/kernel"]).mean() > 0.99 and drawn.dtype == np.float32
  assert abs(drawn.mean() - 3) < 0.06 and abs(drawn.std() - 0.5) < 0.04
  assert (weights["fc/kernel"] == initial["fc/kernel"]).all()


def test_a_weight_keeps_the_value_that_its_last_training_ended_with():
  masks = [
    np.array([True, True, True]),
    np.array([True, True, False]),
    np.array([True, False, False]),
  ]
  ends = [np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 0.0]), np.array([6.0, 0.0, 0.0])]
  lived = {"a": ends[0], "bias": 1}
  for mask, end in zip(masks[1:], ends[1:], strict=True):
    lived = freezes.lived({"a": mask}, {"a": end, "bias": 2}, lived)
  assert lived["a"].tolist() == [6.0, 5.0, 3.0] and lived["bias"] == 2


def test_an_unknown_freeze_is_refused_with_the_choices():
  with pytest.raises(
    ValueError, match=r"how='frozen' is not a freeze. Choose one of zero, freeze_i"
  ):
    freeze("frozen")


def test_reinit_without_an_initializer_is_refused_with_the_site_and_a_cure():
  with pytest.raises(ValueError, match=r"freeze_reinit needs .* for fc/kernel.*use freeze_init"):
    freeze("freeze_reinit")


def test_masks_of_zeros_and_ones_are_masks():
  initial, final = {"a": np.array([1.0, 2.0, 3.0])}, {"a": np.array([0.5, 4.0, 1.0])}
  masks = {"a": np.array([1, 0, 0])}
  for how in ("freeze_init_zero_mask", "freeze_init_zero_reshuffle", "freeze_init_zero_all"):
    _, frozen = tfl.freeze(how, initial, initial, final, masks)
    assert np.count_nonzero(frozen["a"][1:]) == 1, how
  weights = tfl.reset("reshuffle", initial, None, masks)
  assert weights["a"].tolist() == [1.0, 2.0, 3.0]


def test_what_looks_at_the_end_of_training_needs_it():
  initial, masks = {"a": np.array([1.0, 2.0])}, {"a": np.array([True, False])}
  assert tfl.freeze("freeze_init", initial, initial, None, masks)[1]["a"].tolist() == [1.0, 2.0]
  with pytest.raises(ValueError, match="final=None: how='freeze_init_zero_mask' needs"):
    tfl.freeze("freeze_init_zero_mask", initial, initial, None, masks)
