"""Draws: random tensors that are the same bits wherever they are computed.

TensorFlow's own stateless draws are others under XLA than without it (measured, for every `alg`), so
masks that depend on them would be too. These are a hash of the place, the seed and the step, in
unsigned integers: shifts, products and exclusive ors, which every device computes alike.
"""

import numpy as np
import tensorflow as tf


def uniform(shape, seed, step):
  """Float32 draws, uniform in [0, 1) on a grid of 2^-24: a pure function of (seed, step).

  Args:
    shape: static shape.
    seed: sequence of ints of at least 0.
    step: integer scalar tensor, or int.

  >>> bool((uniform((3,), (0, 1), 7) == uniform((3,), (0, 1), 7)).numpy().all())
  True
  """
  return tf.reshape(_share(_words(int(np.prod(shape)), _key(seed, step))), shape)


def normal(shape, seed, step):
  """Standard normal float32 draws, a pure function of (seed, step)."""
  # The highest draw, 1 - 2^-24, would be rounded to 1, whose quantile is infinite.
  return tf.math.ndtri(tf.minimum(uniform(shape, seed, step) + 2.0**-25, 1 - 2.0**-24))


def gaussian(shape, seed, step, replica=0):
  """Standard normal float32 draws of a shape that need not be known: quicker than `normal`.

  By Box and Muller: a pair of draws is made of a pair of uniform ones, so no draw lies beyond 5.8.

  Args:
    shape: static shape, or int32 vector tensor.
    seed: sequence of ints of at least 0.
    step, replica: integer scalar tensors, or ints. The draws are a pure function of seed and both.

  >>> gaussian(tf.constant([2, 3]), (0, 1), 7).shape
  TensorShape([2, 3])
  """
  size = tf.reduce_prod(shape) if tf.is_tensor(shape) else int(np.prod(shape))
  key = _hash(_key(seed, step) + tf.cast(replica, tf.uint32))
  words = _words((size + 1) // 2, key)
  radius = tf.sqrt(-2 * tf.math.log(_share(words) + 2.0**-25))
  angle = 2 * np.pi * _share(_hash(words))
  pairs = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], 0)
  return tf.reshape(pairs[:size], shape)


def _key(seed, step):
  words = np.random.SeedSequence(seed).generate_state(2)
  return _hash(tf.cast(step, tf.uint32) + tf.constant(words[0], tf.uint32)) ^ words[1]


def _words(size, key):
  places = tf.cast(tf.range(size, dtype=tf.int32), tf.uint32)
  return _hash(_hash(places) ^ key)


def _share(words):
  """The first 24 bits as a number in [0, 1)."""
  bits = tf.bitwise.right_shift(words, tf.constant(8, tf.uint32))
  return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24


def _hash(words):
  """A bijection of uint32 whose bits all depend on all bits: Wellons' lowbias32."""
  for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
    words = words ^ tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32))
    words = words * tf.constant(factor, tf.uint32)
  return words ^ tf.bitwise.right_shift(words, tf.constant(16, tf.uint32))
