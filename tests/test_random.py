"""Random: exact counts on Magnitude's schedule, drawn from seed, site and step."""

import numpy as np
import pytest
import tf_keras
from builders import batches, mlp
from by_hand import top
from test_magnitude import Steps

import tflottery as tfl
from tflottery import draws, masks

pytestmark = pytest.mark.slow  # `tests/algorithms.py` has the fast ones

SHAPES = {"fc1/kernel": (8, 6), "fc2/kernel": (6, 5), "out/kernel": (5, 3)}


def pruned(model, **options):
  callback = tfl.callbacks.Random(options.pop("sparsity", 0.6), **options)
  steps = Steps(callback)
  model.fit(batches(), verbose=0, callbacks=[callback, steps])
  return steps


def test_what_stays_is_what_is_drawn_highest_among_the_living(k):
  steps = pruned(mlp(k), begin_step=2, end_step=11, frequency=5, seed=4)
  live = {path: np.ones(shape, bool) for path, shape in SHAPES.items()}
  for step in (2, 7, 11):
    sparsity = 0.6 - 0.6 * (1 - (step - 2) / 9) ** 3
    for i, (path, mask) in enumerate(live.items()):
      draw = draws.uniform(mask.shape, (4, i), step).numpy()
      count = masks.kept_count(mask.size, sparsity)
      live[path] = top(np.where(mask, draw, -np.inf).ravel(), count).reshape(mask.shape)
      assert (steps.masks[step][path] == live[path]).all()
  assert steps.counts[14] == {"fc1/kernel": 19, "fc2/kernel": 12, "out/kernel": 6}


def test_another_seed_prunes_other_weights_and_global_scope_all_sites_together():
  options = {"end_step": 4, "frequency": 2, "scope": "global"}
  one, other = (pruned(mlp(tf_keras), seed=seed, **options) for seed in (0, 1))
  assert sum(one.counts[14].values()) == sum(other.counts[14].values()) == 37
  assert any((one.masks[14][path] != other.masks[14][path]).any() for path in SHAPES)


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_a_seed_that_is_none_is_refused(seed):
  with pytest.raises(ValueError, match=r"seed=.* is out of range"):
    tfl.callbacks.Random(0.5, end_step=10, seed=seed)


@pytest.mark.parametrize("sparsity", [0, 1, 1.5, -0.1, float("nan"), True, None])
def test_a_sparsity_that_is_none_is_refused(sparsity):
  with pytest.raises(ValueError, match=r"sparsity=.* is out of range"):
    tfl.callbacks.Random(sparsity, end_step=10)
