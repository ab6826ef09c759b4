"""Initial weights that know their sparsity: variances by hand, from live weights alone."""

import numpy as np
import pytest

from tflottery import site
from tflottery.algorithms.sparse_normal import sparse_normal


def _model(k, shape, *layers):
  return k.Sequential([k.layers.Input(shape), *layers])


def _mask(shape, live):
  """A mask with so many live weights, drawn at random."""
  return np.random.default_rng(0).permutation(np.arange(np.prod(shape)) < live).reshape(shape)


# The kernel's shape, live weights, and how many of them each input channel feeds on average.
KERNELS = {
  "a convolution": ("Conv2D", dict(filters=64, kernel_size=5), (9, 9, 8), 6400, 800),
  "of two groups": ("Conv2D", dict(filters=64, kernel_size=5, groups=2), (9, 9, 8), 3200, 400),
  "transposed": ("Conv2DTranspose", dict(filters=64, kernel_size=5), (9, 9, 8), 6400, 800),
  "depthwise": ("DepthwiseConv2D", dict(kernel_size=5, depth_multiplier=40), (9, 9, 4), 2000, 500),
  "in one dimension": ("Conv1D", dict(filters=200, kernel_size=9), (20, 4), 3600, 900),
  "dense": ("Dense", dict(units=500), (20,), 5000, 250),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_variance_is_two_over_the_live_weights_of_an_input_channel(k, name):
  layer, arguments, shape, live, fan_out = KERNELS[name]
  model = _model(k, shape, getattr(k.layers, layer)(**arguments, name="one"))
  [(path, variable)] = [(p, v) for p, v in site.weights(model).items() if "kernel" in p]
  mask = _mask(tuple(variable.shape), live)
  weights = sparse_normal(model, {path: mask}, seed=1)[path]
  assert weights.dtype == np.float32 and not weights[~mask].any()
  # The deviation of so many draws is known to 1 / sqrt(2 live), 1.6 % at the most: three of those.
  assert weights[mask].std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
  assert abs(weights[mask].mean()) < 4 * (2 / fan_out) ** 0.5 / live**0.5


def test_a_network_half_as_dense_gets_weights_larger_by_the_root_of_two(k):
  model = _model(k, (9, 9, 4), k.layers.Conv2D(32, 3, name="conv"))
  shape = (3, 3, 4, 32)
  dense, half = np.ones(shape, bool), np.ones(shape, bool)
  half[..., 16:] = False
  first, second = (sparse_normal(model, {"conv/kernel": m})["conv/kernel"] for m in (dense, half))
  np.testing.assert_allclose(second[half], first[half] * 2**0.5, rtol=1e-6)


def test_a_site_without_live_weights_is_0(k):
  model = _model(k, (9, 9, 4), k.layers.Conv2D(2, 3, name="conv"))
  found = sparse_normal(model, {"conv/kernel": np.zeros((3, 3, 4, 2), bool)})
  assert not found["conv/kernel"].any()


def test_draws_are_those_of_the_seed_and_no_two_sites_share_them(k):
  layers = [k.layers.Dense(6, name="a"), k.layers.Dense(6, name="b")]
  model = _model(k, (6,), *layers)
  before = model.get_weights()
  masks = {"a/kernel": np.ones((6, 6), bool), "b/kernel": np.ones((6, 6), bool)}
  found, again = (sparse_normal(model, masks, seed=[3, 4]) for _ in range(2))
  other = sparse_normal(model, masks, seed=[3, 5])
  assert all((found[path] == again[path]).all() for path in masks)
  assert (found["a/kernel"] != found["b/kernel"]).all()
  assert (found["a/kernel"] != other["a/kernel"]).all()
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_masks_of_another_model_are_refused(k):
  model = _model(k, (6,), k.layers.Dense(6, name="a"))
  with pytest.raises(ValueError, match=r"b/kernel: no such prunable weight"):
    sparse_normal(model, {"b/kernel": np.ones((6, 6), bool)})
