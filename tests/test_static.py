"""Static: exact counts by every allocation, drawn from the seed, and never changed."""

import numpy as np
import pytest
from builders import batches, mlp, values

import tflottery as tfl
from tflottery import allocations, masks

SHAPES = {"fc1/kernel": (8, 6), "fc2/kernel": (6, 5), "out/kernel": (5, 3)}


def drawn(model, **options):
  callback = tfl.callbacks.Static(options.pop("sparsity", 0.6), **options)
  with callback.hold(model) as held:
    return held.masks


@pytest.mark.parametrize(
  ("allocation", "counts"),
  [
    ("equal", [19, 12, 6]),
    ("uniform", [48, 12, 6]),
    # epsilon (14, 11, 8) live weights of (48, 30, 15), 37.2 in all: epsilon = 37.2 / 33.
    ("erk", [16, 12, 9]),
    ("erdos_renyi", [16, 12, 9]),
    ({"fc1": 0.5, "out": 0.0}, [24, 12, 15]),
  ],
)
def test_counts_are_exact_for_every_allocation(k, allocation, counts):
  found = drawn(mlp(k), allocation=allocation)
  assert [int(mask.sum()) for mask in found.values()] == counts
  assert {path: mask.shape for path, mask in found.items()} == SHAPES


def test_without_a_sparsity_what_no_pattern_names_stays_dense(k):
  found = drawn(mlp(k), sparsity=None, allocation={"fc1": 0.75})
  assert [int(mask.sum()) for mask in found.values()] == [12, 30, 15]


def test_the_masks_are_a_function_of_the_seed_and_the_same_on_both_kerases(k):
  expected = masks.random(SHAPES, allocations.erk(SHAPES, 0.6), seed=7)
  found = drawn(mlp(k), seed=7)
  assert all((found[path] == mask).all() for path, mask in expected.items())
  assert any((found[path] != mask).any() for path, mask in drawn(mlp(k), seed=8).items())


def test_they_never_change_and_dense_sites_are_left_out_of_the_count(k):
  model = mlp(k)
  callback = tfl.callbacks.Static(0.6, only="fc", log_sites=True)
  history = model.fit(batches(), epochs=2, verbose=0, callbacks=[callback]).history
  found = drawn(mlp(k), only="fc")
  assert set(found) == {"fc1/kernel", "fc2/kernel"}
  for path, mask in found.items():
    assert (callback.masks[path] == mask).all()
    assert (values(model)[path] != 0)[mask].all() and not values(model)[path][~mask].any()
  assert history["replaced"] == [0.0, 0.0]
  live = sum(int(mask.sum()) for mask in found.values())
  np.testing.assert_allclose(history["sparsity"], [1 - live / 78] * 2)


@pytest.mark.parametrize("sparsity", [0, 1, 1.5, -0.1, float("nan"), True, None])
def test_a_sparsity_that_is_none_is_refused(sparsity):
  with pytest.raises(ValueError, match=r"sparsity=.* is out of range"):
    tfl.callbacks.Static(sparsity)


@pytest.mark.parametrize("seed", [-1, 1.5, None, True, (0, 1)])
def test_a_seed_that_is_none_is_refused(seed):
  with pytest.raises(ValueError, match=r"seed=.* is out of range"):
    tfl.callbacks.Static(0.5, seed=seed)


def test_a_pattern_that_matches_nothing_is_refused(k):
  with pytest.raises(ValueError, match="only='conv' matches no prunable weight"):
    mlp(k).fit(batches(), verbose=0, callbacks=[tfl.callbacks.Static(0.5, only="conv")])
  with pytest.raises(ValueError, match="'conv' matches no site"):
    drawn(mlp(k), allocation={"conv": 0.5})


def test_an_erk_that_can_not_fit_is_refused(k):
  with pytest.raises(ValueError, match=r"sparsity=0\.99 leaves 0\.93 of 93 weights"):
    mlp(k).fit(batches(), verbose=0, callbacks=[tfl.callbacks.Static(0.99)])
