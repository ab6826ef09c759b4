"""Batches of a data set in memory, each a pure function of (seed, step)."""

import numpy as np
import tensorflow as tf

from tflottery.experiments import planar

_CROP_PADDING = 4  # pixels on each side, as in He et al., arXiv:1512.03385, section 4.2


def moments(split):
  """Mean and standard deviation of each channel of the images in [0, 1], float32 [channels].

  Those of points are of their coordinates as they are. A channel or a coordinate that never changes
  gets a standard deviation of 1, so that it can be divided by.
  """
  if split.images.dtype != np.uint8:
    return _moments_of_points(split.images.astype(float))
  levels = np.arange(256) / 255
  means, stds = [], []
  for channel in range(split.images.shape[-1]):
    share = np.bincount(split.images[..., channel].ravel(), minlength=256)
    share = share / share.sum()
    means.append(share @ levels)
    stds.append(np.sqrt(share @ (levels - means[-1]) ** 2) or 1.0)
  return np.float32(means), np.float32(stds)


def _moments_of_points(points):
  # A mean is rounded, so that the deviation of equal numbers need not come out as exactly 0.
  stds = np.where(np.ptp(points, axis=0), points.std(0), 1)
  return np.float32(points.mean(0)), np.float32(stds)


def training(
  split, *, batch_size, seed, start, stop, augment=False, augment_seed=None, moments=None
):
  """Shuffled batches for the steps [start, stop), each a pure function of (seed, step).

  So a run may be cut anywhere: [0, 20) equals [0, 7) followed by [7, 20), element by element.
  Every epoch is a new permutation, and drops the examples after its last full batch.

  Args:
    split: a `data.Split`.
    batch_size: examples in a step, over all replicas.
    seed: int; another seed gives another order.
    start: the first step, counted from the beginning of training.
    stop: the step after the last.
    augment: flip half of the images, and crop each from an image padded by 4 black pixels.
    augment_seed: int, the seed of the augmentation; None takes `seed`.
    moments: (mean, std) as from the function `moments`, to standardise by; None: images in [0, 1],
      points as they are.

  Returns:
    A `tf.data.Dataset` of (images float32 [batch_size, h, w, c], labels int32 [batch_size]); of
    points, float32 [batch_size, 2].

  Raises:
    ValueError: `batch_size` or the steps out of range, or points that are to be augmented.

  >>> from tflottery.experiments import data
  >>> train = data.load("digits").train
  >>> for images, labels in training(train, batch_size=60, seed=0, start=7, stop=8):
  ...   print(images.shape, labels.shape)
  (60, 8, 8, 1) (60,)
  """
  if augment:
    planar.require_images(split.images, ("augment=True", "Set it to False."))
  drawn = tf.constant(seed if augment_seed is None else augment_seed, tf.int64)
  order = shuffled(len(split), batch_size=batch_size, seed=seed, start=start, stop=stop)
  examples = _examples(split, moments)

  def batch(step, indices):
    # Folded, or epoch 3's order and step 3's augmentation would be drawn from the same numbers.
    key = tf.random.fold_in(tf.stack([drawn, step]), 1) if augment else None
    return examples(indices, key)

  return lean(order.map(batch))


def shuffled(count, *, batch_size, seed, start, stop):
  """Which of `count` examples each of the steps [start, stop) takes, as `training` does.

  Returns:
    A `tf.data.Dataset` of (step int64, indices int32 [batch_size]).

  Raises:
    ValueError: `batch_size` or the steps out of range.

  >>> [(step, indices)] = shuffled(4, batch_size=4, seed=0, start=7, stop=8).as_numpy_iterator()
  >>> step.item(), sorted(indices.tolist())
  (7, [0, 1, 2, 3])
  """
  if not 1 <= batch_size <= count:
    raise ValueError(f"batch_size={batch_size}: must lie in 1..{count}, the split's size")
  if not 0 <= start <= stop:
    raise ValueError(f"start={start}, stop={stop}: must be 0 <= start <= stop")
  seed = tf.constant(seed, tf.int64)
  epoch_steps = count // batch_size

  def order(epoch):
    indices = tf.range(count)
    indices = tf.random.experimental.stateless_shuffle(indices, seed=tf.stack([seed, epoch]))
    kept = tf.reshape(indices[: epoch_steps * batch_size], [epoch_steps, batch_size])
    return tf.data.Dataset.from_tensor_slices(kept)

  epochs = tf.data.Dataset.range(start // epoch_steps, -(-stop // epoch_steps))
  indices = epochs.flat_map(order).skip(start % epoch_steps)
  steps = tf.data.Dataset.zip((tf.data.Dataset.range(start, stop), indices))
  return steps.apply(tf.data.experimental.assert_cardinality(stop - start))


def whole(split, *, batch_size, moments=None):
  """All examples once and in order, scaled as by `training`; the last batch may be smaller."""
  return lean(tf.data.Dataset.range(len(split)).batch(batch_size).map(_examples(split, moments)))


def _examples(split, moments):
  """The function (indices, key) -> (images, labels); a key augments."""
  with tf.device("CPU"):
    images, labels = tf.constant(split.images), tf.constant(split.labels)
  white = 255.0 if split.images.dtype == np.uint8 else 1.0
  if moments is not None:
    # A plain row of channels broadcasts ten times slower than an image of them.
    shift, scale = (np.broadcast_to(white * m, split.images.shape[1:]) for m in moments)

  def examples(indices, key=None):
    image = tf.gather(images, indices)
    if key is not None:
      image = _flip_and_crop(image, key)
    image = tf.cast(image, tf.float32)
    image = image / white if moments is None else (image - shift) / scale
    return image, tf.gather(labels, indices)

  return examples


def _flip_and_crop(images, key):
  count, height, width, _ = images.shape
  keys = tf.unstack(tf.random.split(key, 2))
  flip = tf.random.stateless_uniform([count, 1], keys[0]) < 0.5
  corner = tf.random.stateless_uniform(
    [2, count, 1], keys[1], maxval=2 * _CROP_PADDING + 1, dtype=tf.int32
  )
  rows = corner[0] + tf.range(height)
  columns = corner[1] + tf.where(flip, tf.range(width)[::-1], tf.range(width))
  pad = [_CROP_PADDING, _CROP_PADDING]
  images = tf.pad(images, [[0, 0], pad, pad, [0, 0]])
  images = tf.gather(images, rows, axis=1, batch_dims=1)
  return tf.gather(images, columns, axis=2, batch_dims=1)


def lean(dataset):
  """Prefetch on one thread: a training step needs the cores more than its input does."""
  options = tf.data.Options()
  options.deterministic = True
  options.autotune.enabled = False
  options.experimental_optimization.apply_default_optimizations = False
  options.threading.private_threadpool_size = 1
  options.threading.max_intra_op_parallelism = 1
  return dataset.prefetch(16).with_options(options)
