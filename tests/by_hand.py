"""One kernel of six weights whose gradients are given, and the same training written out in NumPy."""

import numpy as np
import tensorflow as tf
import tf_keras
from builders import one_kernel

GRADIENTS = np.float32(
  [
    [1, 1, 1, -5, 2, 1],
    [1, 2, 9, -3, 4, 5],
    [0, 0, 1, -7, 2, 3],
    [0, 0, 5, 1, 0, 0],
    [1, 0, 2, 0, -2, 0],
    [1, 1, 1, 1, 1, 1],
  ]
)
START = [0.5, -0.4, 0.3, 0.0, 0.0, 0.0]
MASK = np.array([True, True, True, False, False, False])
PATH = "fc/kernel"
MASKS = {PATH: MASK.reshape(6, 1)}


def linear(k, weights, optimizer, **options):
  """A model whose gradient is its input: loss = output, batches of one."""
  return one_kernel(k, weights, optimizer, loss=lambda y, output: output, **options)


def inputs(gradients=GRADIENTS):
  """A dataset of them, a step each."""
  targets = np.zeros(len(gradients), "float32")
  return tf.data.Dataset.from_tensor_slices((np.float32(gradients), targets)).batch(1)


class Weights(tf_keras.callbacks.Callback):
  """The kernel, its mask and its slots after every step.

  Attributes:
    kernels, masks: lists of arrays of shape [6].
    slots: list over steps of lists of arrays of shape [6], in the optimizer's order.
    memories: list of arrays of shape [6], where gradients are remembered.
  """

  def __init__(self, callback):
    super().__init__()
    self._callback = callback
    self.kernels, self.masks, self.slots, self.memories = [], [], [], []

  def on_train_batch_end(self, batch, logs=None):
    self.kernels.append(self.model.get_weights()[0].ravel())
    self.masks.append(self._callback.masks[PATH].ravel())
    variables = self.model.optimizer.variables
    variables = variables() if callable(variables) else variables
    found = [v for v in variables if tuple(v.shape) == (6, 1) and "float" in str(v.dtype)]
    values = {id(v): np.array(v.numpy()).ravel() for v in found}
    remembered = {id(v) for v in found if "memory" in getattr(v, "path", v.name)}
    self.slots.append([value for key, value in values.items() if key not in remembered])
    self.memories += [values[key] for key in remembered]


def trained(k, callback, optimizer, *, start=START, gradients=GRADIENTS, **options):
  """(what `Weights` saw, the model) of a training of one step for every gradient."""
  model, seen = linear(k, start, optimizer, **options), Weights(callback)
  model.fit(inputs(gradients), verbose=0, callbacks=[callback, seen])
  return seen, model


def top(scores, count):
  """The highest `count` scores; ties go to the lower index."""
  kept = np.zeros(len(scores), bool)
  kept[np.argsort(-scores, kind="stable")[:count]] = True
  return kept


def momentum(rate, share):
  """(w, slots, gradient, step from 1) -> (w, slots)."""

  def update(w, slots, gradient, step):
    moved = share * slots[0] - rate * gradient
    return w + moved, [moved]

  return update, 1


def adam(rate, decay=0.0, b1=0.9, b2=0.999, epsilon=1e-7):
  """The same for Adam, with AdamW's decay of the weights."""

  def update(w, slots, gradient, step):
    m = b1 * slots[0] + (1 - b1) * gradient
    v = b2 * slots[1] + (1 - b2) * gradient**2
    length = rate * np.sqrt(1 - b2**step) / (1 - b1**step)
    return w - decay * rate * w - length * m / (np.sqrt(v) + epsilon), [m, v]

  return update, 2


def written_out(optimizer, grow, replaced, *, skip, start=START, mask=MASK, gradients=GRADIENTS):
  """The training in NumPy: lists over steps of (w, slots, mask).

  Args:
    optimizer: (update, number of slots) as above.
    grow: (step, gradient, w) -> scores of what grows.
    replaced: dict from the steps that change masks to how many weights they replace.
    skip: whether those steps leave out the update.
  """
  update, number = optimizer
  w, slots = np.where(mask, np.float64(start), 0), [np.zeros(6)] * number
  found = []
  for t, gradient in enumerate(np.float64(gradients)):
    if not (skip and t in replaced):
      w, slots = update(w, slots, np.where(mask, gradient, 0), t + 1)
    if t in replaced:
      kept = top(np.where(mask, abs(w), -np.inf), mask.sum() - replaced[t])
      after = kept | top(np.where(kept, -np.inf, grow(t, gradient, w)), replaced[t])
      stays, mask = mask & after, after
      w, *slots = (np.where(stays, values, 0) for values in (w, *slots))
    found.append((w, slots, mask))
  return found


def assert_same(seen, expected, atol=1e-6):
  """What `Weights` saw is what was written out, after every step."""
  assert len(seen.kernels) == len(expected)
  for step, (w, slots, mask) in enumerate(expected):
    message = f"step {step}"
    np.testing.assert_array_equal(seen.masks[step], mask, message)
    np.testing.assert_allclose(seen.kernels[step], w, atol=atol, err_msg=message)
    np.testing.assert_allclose(seen.slots[step], slots, atol=atol, err_msg=message)
    assert not seen.kernels[step][~mask].any() and not np.array(seen.slots[step])[:, ~mask].any()
