"""RigL: three updates worked by hand, on both Kerases."""

import numpy as np
import pytest
import tensorflow as tf
from builders import one_kernel

import tflottery as tfl

GRADIENTS = np.float32(
  [
    [1, 1, 1, -5, 2, 1],  # step 0, due: 2 goes (0.3), 3 comes
    [1, 2, 9, -3, 4, 5],
    [0, 0, 1, -7, 2, 3],  # step 2, due: 3 goes (0.3) and comes back, its value and slot kept
    [0, 0, 5, 1, 0, 0],
    [1, 0, 2, 0, -2, 0],  # step 4, due: 0 goes (0.31), 2 and 4 tie and 2 comes
    [1, 1, 1, 1, 1, 1],
  ]
)
START = [0.5, -0.4, 0.3, 0.0, 0.0, 0.0]
MASK = np.array([True, True, True, False, False, False])


def linear(k, weights, optimizer, **options):
  """A model whose gradient is its input: loss = output, batches of one."""
  return one_kernel(k, weights, optimizer, loss=lambda y, output: output, **options)


class Weights(tf.keras.callbacks.Callback if False else __import__("tf_keras").callbacks.Callback):
  """The kernel, and the slots of its shape, after every step."""

  def __init__(self):
    super().__init__()
    self.kernels, self.momenta = [], []

  def on_train_batch_end(self, batch, logs=None):
    self.kernels.append(self.model.get_weights()[0].ravel())
    variables = self.model.optimizer.variables
    variables = variables() if callable(variables) else variables
    slots = [v for v in variables if tuple(v.shape) == (6, 1) and "float" in str(v.dtype)]
    self.momenta.append(np.array(slots[0].numpy()).ravel())


def trained(k, callback, optimizer, start=START, **options):
  model, seen = linear(k, start, optimizer, **options), Weights()
  data = tf.data.Dataset.from_tensor_slices((GRADIENTS, np.zeros(6, "float32"))).batch(1)
  model.fit(data, verbose=0, callbacks=[callback, seen])
  return seen


def test_three_updates_have_the_values_worked_by_hand(k):
  rigl = tfl.callbacks.RigL(
    masks={"fc/kernel": MASK.reshape(6, 1)},
    end_step=4,
    frequency=2,
    drop=0.34,
    drop_schedule="constant",
  )
  seen = trained(k, rigl, k.optimizers.SGD(0.1, momentum=0.9))
  kernels = [
    [0.5, -0.4, 0, 0, 0, 0],
    [0.4, -0.6, 0, 0.3, 0, 0],
    [0.4, -0.6, 0, 0.3, 0, 0],
    [0.31, -0.78, 0, 0.47, 0, 0],
    [0, -0.78, 0, 0.47, 0, 0],
    [0, -1.042, -0.1, 0.523, 0, 0],
  ]
  momenta = [
    [0, 0, 0, 0, 0, 0],
    [-0.1, -0.2, 0, 0.3, 0, 0],
    [-0.1, -0.2, 0, 0.3, 0, 0],
    [-0.09, -0.18, 0, 0.17, 0, 0],
    [0, -0.18, 0, 0.17, 0, 0],
    [0, -0.262, -0.1, 0.053, 0, 0],
  ]
  np.testing.assert_allclose(seen.kernels, kernels, atol=1e-6)
  np.testing.assert_allclose(seen.momenta, momenta, atol=1e-6)
