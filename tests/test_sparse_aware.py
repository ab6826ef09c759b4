"""Initial weights widened for their sparsity: the layer's own initializer, by hand."""

import numpy as np
import pytest

from tflottery.algorithms.sparse_aware import sparse_aware


def _network(k, initializer="glorot_uniform"):
  dense = k.layers.Dense(60, kernel_initializer=initializer, name="fc")
  return k.Sequential([k.layers.Input((40,)), dense, k.layers.Dense(3, name="out")])


def _mask(live):
  """A mask of the first kernel that keeps one of so many weights."""
  return {"fc/kernel": np.arange(40 * 60).reshape(40, 60) % live == 0}


def test_a_quarter_of_the_weights_is_drawn_twice_as_wide(k):
  model = _network(k)
  dense = sparse_aware(model, _mask(1), seed=3)["fc/kernel"]
  sparse = sparse_aware(model, _mask(4), seed=3)["fc/kernel"]
  mask = _mask(4)["fc/kernel"]
  assert not sparse[~mask].any() and np.count_nonzero(sparse) == 600
  np.testing.assert_allclose(sparse[mask], 2 * dense[mask], rtol=1e-6)


def test_it_is_glorots_distribution_of_fans_that_count_live_weights(k):
  drawn = sparse_aware(_network(k), _mask(4))["fc/kernel"]
  limit = (6 / (0.25 * 40 + 0.25 * 60)) ** 0.5
  assert 0.98 * limit < np.abs(drawn).max() <= limit * (1 + 1e-6)
  assert drawn[_mask(4)["fc/kernel"]].std() == pytest.approx(limit / 3**0.5, rel=0.06)


def test_it_draws_anew_by_the_seed_and_leaves_the_model_alone(k):
  model = _network(k)
  before = model.get_weights()
  one, same, other = (sparse_aware(model, _mask(2), seed=s)["fc/kernel"] for s in (1, 1, 2))
  assert (one == same).all() and (one != other)[_mask(2)["fc/kernel"]].all()
  assert not np.isin(one[one != 0], before[0]).any()
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_site_without_a_live_weight_is_0_and_one_without_a_mask_is_not_drawn(k):
  drawn = sparse_aware(_network(k), {"fc/kernel": np.zeros((40, 60), bool)})
  assert list(drawn) == ["fc/kernel"] and not drawn["fc/kernel"].any()


def test_masks_of_another_network_are_refused(k):
  with pytest.raises(ValueError, match=r"fc/kernel: mask of shape \(2, 2\) for \(40, 60\)"):
    sparse_aware(_network(k), {"fc/kernel": np.ones((2, 2), bool)})
