"""Masks: which weights live. Pure functions of tensors; nothing here knows Keras.

Masks are bool tensors of the weight's shape, True where the weight lives.
"""

import numpy as np
import tensorflow as tf

_LOWEST = np.int32(-(2**31))


def kept_count(size, sparsity):
  """Number of weights that live among `size` at `sparsity`: `max(1, round((1 - sparsity) * size))`.

  >>> kept_count(10, 0.9), kept_count(10, 0.99), kept_count(5, 0.5)
  (1, 1, 2)
  """
  return max(1, round((1 - sparsity) * size))


def keep_top(scores, count):
  """Keep exactly the `count` highest scores.

  The threshold is found by bisection over the bits of the float, which needs no sort, has static
  shapes, and so compiles everywhere. Source: DESIGN.md, section 6.

  Args:
    scores: float tensor of any shape, without NaN; -inf marks what must not be kept.
    count: int or int32 scalar tensor in [0, size].

  Returns:
    A bool tensor of the shape of `scores` with exactly `count` True entries. Ties go to the lower
    index of the flattened tensor: a threshold alone would keep them all.

  >>> keep_top([3.0, 1.0, 3.0, 3.0], 2).numpy()
  array([ True, False,  True, False])
  """
  keys = _ordered(scores)
  count = tf.cast(count, tf.int32)

  def at_least(threshold):
    return tf.math.count_nonzero(keys >= threshold, dtype=tf.int32) >= count

  def lower_bits(bit, threshold):
    raised = threshold + tf.bitwise.left_shift(tf.constant(1, tf.int32), bit)
    return bit - 1, tf.where(at_least(raised), raised, threshold)

  first = tf.where(at_least(0), tf.constant(0, tf.int32), _LOWEST)
  _, threshold = tf.while_loop(lambda bit, _: bit >= 0, lower_bits, (tf.constant(30), first))
  above = keys > threshold
  tied = keys == threshold
  room = count - tf.math.count_nonzero(above, dtype=tf.int32)
  first_ties = tied & (tf.cumsum(tf.cast(tied, tf.int32)) <= room)
  return tf.reshape(above | first_ties, tf.shape(scores))


def _ordered(scores):
  """Flat int32 keys in the order of the float scores; -0.0 and 0.0 are equal."""
  flat = tf.reshape(tf.cast(scores, tf.float32), [-1]) + 0.0
  bits = tf.bitcast(flat, tf.int32)
  return tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, 0x7FFFFFFF), bits)


def keep_top_jointly(scores, count):
  """Keep exactly the `count` highest scores of a whole dict, as one ranking.

  Ties go to the earlier key of the dict, then to the lower index.

  >>> kept = keep_top_jointly({"a": [1.0, 4.0], "b": [3.0, 2.0]}, 2)
  >>> {path: mask.numpy().tolist() for path, mask in kept.items()}
  {'a': [False, True], 'b': [True, False]}
  """
  shapes = {path: np.shape(score) for path, score in scores.items()}
  flat = [tf.reshape(tf.cast(score, tf.float32), [-1]) for score in scores.values()]
  joint = keep_top(tf.concat(flat, 0), count)
  parts = tf.split(joint, [int(np.prod(shape)) for shape in shapes.values()])
  return {path: tf.reshape(part, shapes[path]) for path, part in zip(shapes, parts, strict=True)}


def shuffled(masks, *, seed, scope="layer"):
  """Random masks with the counts of `masks`: the control of random sparsity.

  Args:
    masks: dict from path to bool array.
    seed: int or sequence of ints; site i draws from (seed, i).
    scope: "layer" keeps each layer's count, "global" only the network's.

  Raises:
    ValueError: a global shuffle left a layer without any weight.

  >>> masks = {"a": np.array([True, False, False, False])}
  >>> int(shuffled(masks, seed=3)["a"].sum())
  1
  """
  if scope not in ("layer", "global"):
    raise ValueError(f"scope={scope!r} is unknown. Choose 'layer' or 'global'.")
  if scope == "layer":
    rngs = [np.random.default_rng([*np.atleast_1d(seed), i]) for i in range(len(masks))]
    return {
      path: rng.permutation(mask.ravel()).reshape(mask.shape)
      for rng, (path, mask) in zip(rngs, masks.items(), strict=True)
    }
  joint = np.concatenate([mask.ravel() for mask in masks.values()])
  joint = np.random.default_rng([*np.atleast_1d(seed), 0]).permutation(joint)
  ends = np.cumsum([mask.size for mask in masks.values()])[:-1]
  parts = zip(masks.items(), np.split(joint, ends), strict=True)
  found = {path: part.reshape(mask.shape) for (path, mask), part in parts}
  empty = [path for path, mask in found.items() if not mask.any()]
  if empty:
    raise ValueError(
      f"seed={seed!r}: a shuffle over the network left no weight in {', '.join(empty)}. Use "
      "scope='layer', another seed, or fewer levels."
    )
  return found


def sparsity(masks):
  """Share of the weights under `masks` that are masked, in [0, 1].

  >>> sparsity({"a": np.array([True, False]), "b": np.array([False, False])})
  0.75
  """
  size = sum(np.size(mask) for mask in masks.values())
  kept = sum(int(np.count_nonzero(mask)) for mask in masks.values())
  return 1 - kept / size
