"""Fit: a training of a user's model in pieces that begin and end at any step."""

import itertools

import tensorflow as tf

from tflottery import durations


class Fit:
  """Trains steps [start, stop) of a training, epoch by epoch as `fit` counts them."""

  def __init__(self, model, train, validation, callbacks, verbose):
    self._model, self._train, self._length = model, train, int(train.cardinality())
    self._options = {
      "validation_data": validation,
      "callbacks": list(callbacks),
      "verbose": 2 if verbose > 1 else 0,
    }

  def __call__(self, start, stop):
    """Returns the last metrics as floats, {} where no step was trained."""
    logs = {}
    for first, last in self._pieces(start, stop):
      epoch, begin = divmod(first, self._length)
      whole, rest = divmod(last - first, self._length)
      data = self._train if not (begin or rest) else self._train.skip(begin).take(last - first)
      logs = self._model.fit(
        data, initial_epoch=epoch, epochs=epoch + max(whole, 1), **self._options
      ).history
    return {name: float(values[-1]) for name, values in logs.items()}

  def _pieces(self, start, stop):
    """[start, stop) cut where a whole epoch begins or the last one ends."""
    first = min(-(-start // self._length) * self._length, stop)
    last = max(stop // self._length * self._length, first)
    cuts = [start, first, last, stop]
    return [(a, b) for a, b in itertools.pairwise(cuts) if a < b]


def batched(data, batch_size, seed):
  """Batches; arrays are cut into them, shuffled where a seed is given."""
  if data is None or isinstance(data, tf.data.Dataset):
    return data
  dataset = tf.data.Dataset.from_tensor_slices(tuple(data))
  if seed is not None:
    dataset = dataset.shuffle(int(dataset.cardinality()), seed=seed)
  return dataset.batch(batch_size)


def lengths(train, epochs, steps, rewind_to):
  """(steps of the dense training, step rewound to)."""
  if (epochs is None) == (steps is None):
    raise ValueError(f"Give exactly one of epochs and steps. Received: {epochs=}, {steps=}.")
  length = int(train.cardinality())
  if length <= 0:
    raise ValueError(
      "train has no known number of batches. Give a dataset of one epoch, without repeat(), and "
      "state its length with tf.data.experimental.assert_cardinality where it is unknown."
    )
  asked = f"{epochs}ep" if steps is None else steps
  end = durations.steps(asked, length, argument="epochs" if steps is None else "steps")
  k = durations.steps(rewind_to, length, argument="rewind_to")
  if not 0 <= k < end:
    raise ValueError(f"rewind_to={rewind_to!r} is step {k}: not before the last of {end} steps.")
  return end, k
