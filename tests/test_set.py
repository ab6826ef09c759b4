"""SET: three updates worked by hand, on both Kerases."""

import numpy as np
import pytest
from builders import batches, mlp, values
from by_hand import MASKS, adam, assert_same, momentum, trained, written_out

import tflottery as tfl
from tflottery import draws

SEED = 5


def by_chance(step, gradient, w):
  return draws.uniform((6, 1), (SEED, 0), step).numpy().ravel()


def changing_three_times(**options):
  return tfl.callbacks.SET(
    masks=MASKS,
    end_step=4,
    frequency=2,
    drop=0.34,
    drop_schedule="constant",
    seed=SEED,
    **options,
  )


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_three_updates_have_the_values_worked_by_hand(k, name):
  optimizers = {
    "momentum": (lambda k: k.optimizers.SGD(0.1, momentum=0.9), momentum(0.1, 0.9)),
    "adam": (lambda k: k.optimizers.Adam(0.1), adam(0.1)),
  }
  optimizer, reference = optimizers[name]
  seen, _ = trained(k, changing_three_times(), optimizer(k))
  expected = written_out(reference, by_chance, {0: 1, 2: 1, 4: 1}, skip=False)
  assert_same(seen, expected, atol=1e-5)


def test_the_optimizer_moves_the_weights_before_the_masks_change(k):
  """Step 0 moves 0.5, -0.4, 0.3 to 0.4, -0.5, 0.2; then 2 goes and what is drawn highest comes."""
  seen, _ = trained(k, changing_three_times(), k.optimizers.SGD(0.1, momentum=0.9))
  comes = 2 + int(np.argmax(by_chance(0, None, None)[2:]))
  assert comes != 2, "the seed should let another weight come"
  np.testing.assert_allclose(seen.kernels[0], [0.4, -0.5, 0, 0, 0, 0], atol=1e-6)
  np.testing.assert_allclose(seen.slots[0], [[-0.1, -0.1, 0, 0, 0, 0]], atol=1e-6)
  assert np.flatnonzero(seen.masks[0]).tolist() == [0, 1, comes]
  assert seen.kernels[1][comes] != 0


def test_new_weights_start_at_the_scaled_gradient_of_the_step(k):
  callback = changing_three_times(grow_init="gradient", grow_scale=0.01)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1))
  comes = 2 + int(np.argmax(by_chance(0, None, None)[2:]))
  expected = np.array([0.4, -0.5, 0, 0, 0, 0])
  expected[comes] = 0.01 * [1, 1, 1, -5, 2, 1][comes]
  np.testing.assert_allclose(seen.kernels[0], expected, atol=1e-6)


def test_counts_are_exact_and_dense_sites_stay_dense(k):
  callback = tfl.callbacks.SET(
    0.6, allocation="uniform", end_step=14, frequency=3, drop=1.0, drop_schedule="constant"
  )
  model = mlp(k)
  history = model.fit(batches(), verbose=0, callbacks=[callback])
  counts = {path: int(mask.sum()) for path, mask in callback.masks.items()}
  assert counts == {"fc1/kernel": 48, "fc2/kernel": 12, "out/kernel": 6}
  for path, weight in values(model).items():
    assert not weight[~callback.masks[path]].any()
  assert 0 < history.history["replaced"][0] < 18 / 66
