"""Resets by hand-worked values and by their properties."""

import subprocess
import sys

import keras
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflottery as tfl
from tflottery.tickets import reset as resets

INITIAL = np.array([[1.0, -2.0], [3.0, -4.0]])
FINAL = np.array([[9.0, 8.0], [-7.0, 6.0]])
MASK = np.array([[True, False], [True, True]])


def reset(how, **options):
  initial = {"fc/kernel": INITIAL, "fc/bias": np.array([5.0, 6.0])}
  final = {"fc/kernel": FINAL, "fc/bias": np.array([0.0, 0.0])}
  return tfl.reset(how, initial, final, {"fc/kernel": MASK}, **options)


@pytest.mark.parametrize("keep_sign", [False, True])
def test_rewind_returns_the_initial_weights(keep_sign):
  assert (reset("rewind", keep_sign=keep_sign)["fc/kernel"] == INITIAL).all()


@pytest.mark.parametrize("how", ["rewind", "resample", "reshuffle", "constant"])
def test_whatever_is_no_site_returns_to_its_initial_value(how):
  assert reset(how)["fc/bias"].tolist() == [5.0, 6.0]


@given(st.integers(0, 10**6))
def test_resample_draws_from_all_the_initial_values(seed):
  assert set(reset("resample", seed=seed)["fc/kernel"].ravel()) <= {1.0, -2.0, 3.0, -4.0}


def test_resample_draws_with_replacement():
  draws = [sorted(reset("resample", seed=seed)["fc/kernel"].ravel()) for seed in range(8)]
  assert any(len(set(draw)) < 4 for draw in draws)


@given(st.integers(0, 10**6))
def test_reshuffle_permutes_the_survivors_among_themselves(seed):
  shuffled = reset("reshuffle", seed=seed)["fc/kernel"]
  assert sorted(shuffled[MASK]) == [-4.0, 1.0, 3.0]
  assert shuffled[0, 1] == -2.0


def test_reshuffle_moves_something():
  assert len({tuple(reset("reshuffle", seed=s)["fc/kernel"][MASK]) for s in range(10)}) > 3


def test_resets_leave_their_arguments_alone():
  before = INITIAL.copy(), FINAL.copy(), MASK.copy()
  for how in ("rewind", "resample", "reshuffle", "constant"):
    reset(how, keep_sign=True)
  assert all((a == b).all() for a, b in zip(before, (INITIAL, FINAL, MASK), strict=True))


@given(st.integers(0, 10**6))
def test_constant_is_plus_or_minus_the_standard_deviation(seed):
  # The mean of 1, -2, 3, -4 is -0.5; the squared deviations are 2.25, 2.25, 12.25, 12.25.
  drawn = reset("constant", seed=seed)["fc/kernel"]
  np.testing.assert_allclose(np.abs(drawn), np.full((2, 2), 7.25**0.5), rtol=1e-12)


def test_constant_with_the_initial_signs():
  deviation = 7.25**0.5
  drawn = reset("constant", keep_sign=True)["fc/kernel"]
  np.testing.assert_allclose(drawn, [[deviation, -deviation]] * 2, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_the_deviation_of_half_precision_is_computed_in_float32(dtype):
  """Summed in float16 the squares of 3e-4 underflow; in bfloat16 a sum stops where 1 is too little."""
  values = (np.tile([1.0, -1.0], 2000) * (3e-4 if dtype == np.float16 else 1)).astype(dtype)
  options = {"keep_sign": True}
  drawn = tfl.reset("constant", {"a": values}, None, {"a": np.ones(4000, bool)}, **options)["a"]
  assert drawn.dtype == dtype
  np.testing.assert_array_equal(drawn, values)


def test_signless_constants_have_signs_of_their_own():
  values = np.linspace(1.0, 2.0, 1000)
  drawn = tfl.reset("constant", {"a": values}, None, {"a": np.ones(1000, bool)})["a"]
  assert abs((drawn > 0).mean() - 0.5) < 0.07  # half of them, +- 4 standard deviations
  np.testing.assert_allclose(np.abs(drawn), values.std(), rtol=1e-12)


@pytest.mark.parametrize("how", tfl.RESETS)
def test_every_reset_has_a_signed_and_a_signless_form(how):
  """Signed: the signs of the initial weights, 0 where those are 0. Signless: as they come."""
  initial = np.concatenate([[0.0], np.random.default_rng(0).normal(size=999)])
  initializers = {"a": keras.initializers.RandomNormal()}
  masks = {"a": np.ones(1000, bool)}
  plain, signed = (
    tfl.reset(how, {"a": initial}, None, masks, keep_sign=s, initializers=initializers, seed=1)["a"]
    for s in (False, True)
  )
  assert (np.sign(signed) == np.sign(initial))[signed != 0].all() and signed[0] == 0
  assert (np.abs(signed) == np.where(initial == 0, 0, np.abs(plain))).all()
  if how != "rewind":
    assert 0.4 < (np.sign(plain) != np.sign(initial)).mean() < 0.6


@given(st.integers(0, 10**6), st.sampled_from(["resample", "reshuffle", "constant"]))
def test_keep_sign_carries_the_initial_signs_over(seed, how):
  plain, signed = reset(how, seed=seed), reset(how, seed=seed, keep_sign=True)
  assert (np.sign(signed["fc/kernel"]) == np.sign(INITIAL)).all()
  assert (np.abs(signed["fc/kernel"]) == np.abs(plain["fc/kernel"])).all()


def test_reinit_differs_from_the_initial_values_and_has_their_distribution(k):
  init = k.initializers.GlorotNormal(seed=1)
  model = k.Sequential(
    [k.layers.Input((60,)), k.layers.Dense(40, name="fc", kernel_initializer=init)]
  )
  initial = {path: np.array(v.numpy()) for path, v in _weights(model).items()}
  masks = {"fc/kernel": np.ones((60, 40), bool)}
  options = {"initializers": resets.initializers_of(model)}
  drawn = [
    tfl.reset("reinit", initial, initial, masks, seed=s, **options)["fc/kernel"] for s in (0, 1)
  ]
  assert (drawn[0] != initial["fc/kernel"]).mean() > 0.99
  assert (drawn[0] != drawn[1]).mean() > 0.99
  # Glorot normal: variance 2 / (60 + 40) before truncation; Keras corrects for it.
  assert abs(drawn[0].std() / (2 / 100) ** 0.5 - 1) < 0.1
  assert drawn[0].dtype == np.float32


def _weights(model):
  from tflottery import site

  return site.weights(model)


def test_reinit_with_the_initial_signs(k):
  model = k.Sequential([k.layers.Input((6,)), k.layers.Dense(5, name="fc")])
  initial = {path: np.array(v.numpy()) for path, v in _weights(model).items()}
  masks = {"fc/kernel": np.ones((6, 5), bool)}
  drawn = tfl.reset(
    "reinit", initial, initial, masks, keep_sign=True, initializers=resets.initializers_of(model)
  )["fc/kernel"]
  assert (np.sign(drawn) == np.sign(initial["fc/kernel"])).all()
  assert (drawn != initial["fc/kernel"]).all()


def test_the_initializers_of_every_kind_of_kernel_are_found(k):
  model = k.Sequential(
    [
      k.layers.Input((5,)),
      k.layers.Embedding(7, 4, name="embedding", embeddings_initializer="uniform"),
      k.layers.SeparableConv1D(
        3,
        2,
        depthwise_initializer="he_normal",
        pointwise_initializer="he_uniform",
        name="separable",
      ),
      k.layers.LSTM(3, recurrent_initializer="orthogonal", name="lstm"),
      k.layers.Dense(2, kernel_initializer="lecun_normal", name="fc"),
    ]
  )
  found = {path: type(i).__name__ for path, i in resets.initializers_of(model).items()}
  assert set(found) == set(tfl.sites(model))
  by_name = {path.rsplit("/", 1)[-1]: name for path, name in found.items() if "fc" not in path}
  assert by_name == {
    "embeddings": "RandomUniform",
    "depthwise_kernel": "HeNormal",
    "pointwise_kernel": "HeUniform",
    "kernel": "GlorotUniform",
    "recurrent_kernel": k.initializers.get("orthogonal").__class__.__name__,
  }


@pytest.mark.parametrize("how", ["resample", "reshuffle", "constant"])
def test_sites_draw_independently_and_seeds_differ(how):
  initial = {name: np.arange(1.0, 41.0) for name in "ab"}
  masks = {name: np.ones(40, bool) for name in "ab"}
  one, other = (tfl.reset(how, initial, initial, masks, seed=s) for s in (0, [0, 1]))
  assert (one["a"] != one["b"]).any()
  assert (one["a"] != other["a"]).any()


@pytest.mark.slow
def test_a_seed_gives_the_same_in_another_process():
  program = """
import numpy as np, keras, tflottery as tfl
from tflottery.tickets import reset
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
initial = {"fc/kernel": np.arange(12.0, dtype="float32").reshape(4, 3) - 5}
masks = {"fc/kernel": np.ones((4, 3), bool)}
for how in sorted(tfl.RESETS):
  options = {"initializers": reset.initializers_of(model), "seed": [3, 1]}
  print(how, tfl.reset(how, initial, initial, masks, **options)["fc/kernel"].tolist())
"""
  outs = [
    subprocess.run(
      [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    for _ in range(2)
  ]
  assert outs[0] == outs[1]
  assert outs[0].count("\n") == len(tfl.RESETS) == 5


def test_an_unknown_reset_is_refused_with_the_choices():
  with pytest.raises(ValueError, match=r"how='rewnd' is not a reset. Choose one of rewind, reinit"):
    reset("rewnd")


def test_reinit_without_an_initializer_is_refused_with_the_site_and_a_cure():
  with pytest.raises(ValueError, match=r"fc/kernel.*resample"):
    reset("reinit")
