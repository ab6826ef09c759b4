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
  words = np.random.SeedSequence(seed).generate_state(2)
  key = _hash(tf.cast(step, tf.uint32) + tf.constant(words[0], tf.uint32)) ^ words[1]
  places = tf.cast(tf.range(int(np.prod(shape)), dtype=tf.int32), tf.uint32)
  bits = tf.bitwise.right_shift(_hash(_hash(places) ^ key), tf.constant(8, tf.uint32))
  return tf.reshape(tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24, shape)


def normal(shape, seed, step):
  """Standard normal float32 draws, a pure function of (seed, step)."""
  # The highest draw, 1 - 2^-24, would be rounded to 1, whose quantile is infinite.
  return tf.math.ndtri(tf.minimum(uniform(shape, seed, step) + 2.0**-25, 1 - 2.0**-24))


def _hash(words):
  """A bijection of uint32 whose bits all depend on all bits: Wellons' lowbias32."""
  for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
    words = words ^ tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32))
    words = words * tf.constant(factor, tf.uint32)
  return words ^ tf.bitwise.right_shift(words, tf.constant(16, tf.uint32))
