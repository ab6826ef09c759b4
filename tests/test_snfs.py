"""SNFS: three updates worked by hand, and the moving average that they grow by, on both Kerases."""

import numpy as np
import pytest
import tf_keras
from by_hand import (
  GRADIENTS,
  MASKS,
  START,
  Weights,
  assert_same,
  inputs,
  linear,
  momentum,
  trained,
  written_out,
)

import tflottery as tfl

# What grows by the average is not what grows by the step's own gradient.
FADING = np.float32(
  [
    [1, 1, 1, -5, 2, 9],  # 5 is the largest
    [1, 2, 0, -3, 4, -9],
    [0, 0, 1, -1, 2, 2],  # 4 by the average, 5 ties by the gradient
    [0, 0, -9, 0, 0, -9],
    [0, 0, 4, 0, 5, 1],  # 2 and 5 by the average
    [1, 1, 1, 1, 1, 1],
  ]
)

pytestmark = pytest.mark.slow  # `tests/algorithms.py` has the fast ones


def averages(gradients, share=0.9):
  found, average = [], np.zeros(6)
  for gradient in np.float64(gradients):
    average = share * average + (1 - share) * gradient
    found.append(average)
  return found


def changing_three_times(**options):
  options = {"drop": 0.34, "drop_schedule": "constant"} | options
  return tfl.callbacks.SNFS(masks=MASKS, end_step=4, frequency=2, **options)


@pytest.mark.parametrize("gradients", [GRADIENTS, FADING], ids=["gradients", "fading"])
def test_three_updates_have_the_values_worked_by_hand(k, gradients):
  seen, _ = trained(
    k, changing_three_times(), k.optimizers.SGD(0.1, momentum=0.9), gradients=gradients
  )
  average = averages(gradients)
  np.testing.assert_allclose(seen.memories, average, atol=1e-6)

  def grown_by(scores):
    options = {"skip": False, "gradients": gradients}
    return written_out(momentum(0.1, 0.9), scores, {0: 1, 2: 1, 4: 1}, **options)

  expected = grown_by(lambda step, gradient, w: abs(average[step]))
  assert_same(seen, expected)
  if gradients is FADING:
    by_gradient = grown_by(lambda step, gradient, w: abs(gradient))
    assert any((a[2] != b[2]).any() for a, b in zip(expected, by_gradient, strict=True))


def test_the_share_of_the_average_is_an_argument(k):
  seen, _ = trained(k, changing_three_times(momentum=0.5), k.optimizers.SGD(0.1))
  np.testing.assert_allclose(seen.memories, averages(GRADIENTS, 0.5), atol=1e-6)


def test_new_weights_start_at_the_scaled_average(k):
  callback = changing_three_times(grow_init="gradient", grow_scale=0.1)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1))
  # The average of step 0 is a tenth of its gradient: 3 comes at 0.1 * -0.5.
  np.testing.assert_allclose(seen.kernels[0], [0.4, -0.5, 0, -0.05, 0, 0], atol=1e-6)


@pytest.mark.xfail(strict=True, reason="the average is forgotten when masks are released")
def test_two_fits_of_one_model_are_one_fit_of_as_many_epochs():
  def averages_of(*fits):
    callback = changing_three_times()
    model, seen = linear(tf_keras, START, "sgd"), Weights(callback)
    for gradients in fits:
      model.fit(inputs(gradients), verbose=0, callbacks=[callback, seen])
    return seen.memories

  np.testing.assert_allclose(averages_of(FADING), averages_of(FADING[:3], FADING[3:]), atol=1e-6)


@pytest.mark.parametrize("momentum", [1.0, -0.1, float("nan")])
def test_a_share_of_the_average_that_is_none_is_refused(momentum):
  with pytest.raises(ValueError, match=r"momentum=.* is out of range"):
    tfl.callbacks.SNFS(0.5, end_step=4, momentum=momentum)
