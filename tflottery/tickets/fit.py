"""Fit: a training of a user's model in pieces that begin and end at any step."""

import itertools

import keras
import tensorflow as tf

from tflottery import durations
from tflottery import site as _sites


class Fit:
  """Trains steps [start, stop) of a training, epoch by epoch as `fit` counts them.

  Args:
    model: a compiled model.
    train: `Shuffled`, of which every piece gets its own steps; or a `tf.data.Dataset`, one epoch long,
      that every `fit` iterates anew: a piece that begins inside an epoch skips its first batches.
    validation, callbacks, verbose: as in `tflottery.find_ticket`.
  """

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
      epoch = first // self._length
      epochs = max((last - first) // self._length, 1)
      data = self._data(first, last)
      logs = self._model.fit(
        **data, initial_epoch=epoch, epochs=epoch + epochs, **self._options
      ).history
    return {name: float(values[-1]) for name, values in logs.items()}

  def _data(self, first, last):
    """The arguments of `fit` that hold the data of these steps."""
    if isinstance(self._train, Shuffled):
      steps = min(last - first, self._length)
      return {"x": self._train(first, last), "steps_per_epoch": steps}
    begin, rest = first % self._length, last % self._length
    return {"x": self._train.skip(begin).take(last - first) if begin or rest else self._train}

  def _pieces(self, start, stop):
    """[start, stop) cut where a whole epoch begins or the last one ends."""
    first = min(-(-start // self._length) * self._length, stop)
    last = max(stop // self._length * self._length, first)
    each = self._length if self._runs_over else max(last - first, 1)
    cuts = [start, *range(first, last, each), last, stop]
    return [(a, b) for a, b in itertools.pairwise(cuts) if a < b]

  @property
  def _runs_over(self):
    """Whether `fit` would take steps of the next epoch into the last execution of an epoch.

    Keras 3 does, where epochs come from one iterator and steps_per_execution does not divide them.
    """
    shuffled = isinstance(self._train, Shuffled) and _sites.keras_of(self._model) is keras
    return shuffled and self._length % self._model.steps_per_execution > 0


class Shuffled:
  """Batches of arrays in memory, every epoch in an order that is a pure function of (seed, epoch).

  So a training may be cut anywhere: steps [0, 20) are [0, 7) followed by [7, 20), example by example.
  The last batch of an epoch may be smaller. Iterated, it gives its first epoch, every time the same.

  Args:
    arrays: (inputs, targets) or more, each an array or a structure of arrays, examples first.
    batch_size: examples in a batch.
    seed: int; another seed gives another order.

  Raises:
    ValueError: the arrays differ in their number of examples.

  >>> data = Shuffled((tf.range(5), tf.range(5)), batch_size=2, seed=0)
  >>> [len(x) for x, _ in data(2, 5)]
  [1, 2, 2]
  """

  def __init__(self, arrays, batch_size, seed):
    with tf.device("CPU"):
      # As a data set reads it: a tuple or a dict is a structure, a list is an array.
      self._arrays = tf.data.Dataset.from_tensors(tuple(arrays)).get_single_element()
      self._size = int(tf.data.Dataset.from_tensor_slices(self._arrays).cardinality())
    self._batch_size, self._seed = batch_size, seed

  def cardinality(self):
    """The number of batches in an epoch."""
    return -(-self._size // self._batch_size)

  def __iter__(self):
    return iter(self(0, self.cardinality()))

  def __call__(self, start, stop):
    """The batches of the steps [start, stop), a `tf.data.Dataset`."""
    length, seed = self.cardinality(), tf.constant(self._seed, tf.int64)

    def order(epoch):
      key = tf.stack([seed, epoch])
      indices = tf.random.experimental.stateless_shuffle(tf.range(self._size), seed=key)
      return tf.data.Dataset.from_tensor_slices(indices).batch(self._batch_size)

    def batch(indices):
      return tf.nest.map_structure(lambda array: tf.gather(array, indices), self._arrays)

    epochs = tf.data.Dataset.range(start // length, -(-stop // length))
    steps = epochs.flat_map(order).skip(start % length).take(stop - start)
    return steps.map(batch).apply(tf.data.experimental.assert_cardinality(stop - start))


def batched(data, batch_size, seed):
  """Batches; arrays are cut into them, `Shuffled` where a seed is given."""
  if data is None or isinstance(data, tf.data.Dataset):
    return data
  if seed is not None:
    return Shuffled(data, batch_size, seed)
  return tf.data.Dataset.from_tensor_slices(tuple(data)).batch(batch_size)


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
