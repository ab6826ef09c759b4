"""Records: the examples of a prepared data set as they lie in its files, in order or shuffled."""

import dataclasses

import tensorflow as tf

_FILES = 32  # that are read at a time
_WINDOW = 2048  # examples that are shuffled among themselves


@dataclasses.dataclass(frozen=True)
class Split:
  """Examples on disk: of each file (path, examples to skip, examples to take; -1 for the rest)."""

  files: tuple
  examples: int

  def __len__(self):
    return self.examples


def split(builder, name, begin, end):
  """The examples [begin, end) of a split of a `tfds.core.DatasetBuilder`, as it counts them."""
  if begin == end:
    return Split((), 0)
  instructions = builder.info.splits[f"{name}[{begin}:{end}]"].file_instructions
  return Split(tuple((i.filename, i.skip, i.take) for i in instructions), end - begin)


def in_order(examples):
  """All examples of a `Split`, once and in order: a `tf.data.Dataset` of serialized ones, string."""
  return tf.data.Dataset.from_tensor_slices(_columns(examples)).flat_map(_read)


def shuffled(examples, *, batch_size, seed, start, stop):
  """The examples of the steps [start, stop) of a training, a function of (seed, step) alone.

  An epoch reads the files in a new order, 32 at a time, and shuffles what comes in windows of 2,048
  examples: near to a permutation, not one of all. It leaves out what comes after its last full batch.
  What lies before `start` in its epoch is read again, but nobody has to decode it.

  Args:
    examples: a `Split`.
    batch_size: examples in a step.
    seed: int; another seed gives another order.
    start, stop: the first step, and the one after the last.

  Returns:
    A `tf.data.Dataset` of (place int64, counted from the first step of all; serialized example).

  Raises:
    ValueError: `batch_size` or the steps out of range.
  """
  if not 1 <= batch_size <= len(examples):
    raise ValueError(f"batch_size={batch_size}: must lie in 1..{len(examples)}, the split's size")
  if not 0 <= start <= stop:
    raise ValueError(f"start={start}, stop={stop}: must be 0 <= start <= stop")
  seed = tf.constant(seed, tf.int64)
  epoch_steps = len(examples) // batch_size

  def epoch(number):
    return _epoch(examples, tf.stack([seed, number])).take(epoch_steps * batch_size)

  epochs = tf.data.Dataset.range(start // epoch_steps, -(-stop // epoch_steps))
  records = epochs.flat_map(epoch).skip(start % epoch_steps * batch_size)
  return records.take((stop - start) * batch_size).enumerate(start * batch_size)


def _epoch(examples, key):
  # `Dataset.shuffle` would mix in TensorFlow's global seed, which belongs to the network.
  def permuted(values, number):
    return tf.random.experimental.stateless_shuffle(values, seed=tf.random.fold_in(key, number))

  places = permuted(tf.range(len(examples.files), dtype=tf.int64), 0)
  files = tuple(tf.gather(column, places) for column in _columns(examples))
  records = tf.data.Dataset.from_tensor_slices(files).interleave(
    _read, cycle_length=_FILES, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
  )
  windows = records.batch(_WINDOW).enumerate(2)  # 0 was for files; augmentation folds in 1
  return windows.map(lambda number, window: permuted(window, number)).prefetch(1).unbatch()


def _columns(examples):
  """The files as columns: paths, examples to skip, examples to take."""
  columns = zip(*examples.files, strict=True) if examples.files else ((), (), ())
  kinds = (tf.string, tf.int64, tf.int64)
  return tuple(tf.constant(column, kind) for column, kind in zip(columns, kinds, strict=True))


def _read(path, skip, take):
  return tf.data.TFRecordDataset(path).skip(skip).take(take)
