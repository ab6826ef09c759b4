"""Masks: which weights live. Pure functions of tensors; nothing here knows Keras.

Masks are bool tensors of the weight's shape, True where the weight lives.
"""

import numpy as np
import tensorflow as tf

_SMALLEST_NORMAL = 1 << 23  # the bits of 2^-126
# XLA halves the time of a selection, and takes half a second once for every size.
_WORTH_COMPILING = 1 << 14


def select(mask, values, others):
  """`values` where `mask`, `others` elsewhere: tensors of one shape; a NaN that is left out is gone.

  As `tf.where`, which may broadcast, and so takes 2.5 times as long on a CPU (0.10 ms against 0.04
  for 235,200 weights).
  """
  return tf.raw_ops.Select(condition=mask, x=values, y=others)


def kept_count(size, sparsity):
  """Number of weights that live among `size` at `sparsity`: `max(1, round((1 - sparsity) * size))`.

  >>> kept_count(10, 0.9), kept_count(10, 0.99), kept_count(5, 0.5)
  (1, 1, 2)
  """
  return max(1, round((1 - sparsity) * size))


def keep_top(scores, count):
  """Keep exactly the `count` highest scores.

  The threshold is searched over the bits of the float, by interpolation and bisection in turn: no
  sort, static shapes, one pass over the scores for each of some 20 guesses (64 at the most), so the
  time grows linearly and it compiles everywhere. `benchmarks/mask_update.py` measures it.

  Args:
    scores: float tensor of any shape, without NaN; -inf marks what must not be kept. Magnitudes
      below 2^-126, which some devices flush to 0, are 0.
    count: int or int32 scalar tensor in [0, size].

  Returns:
    A bool tensor of the shape of `scores` with exactly `count` True entries. Ties go to the lower
    index of the flattened tensor: a threshold alone would keep them all.

  >>> keep_top([3.0, 1.0, 3.0, 3.0], 2).numpy()
  array([ True, False,  True, False])
  """
  scores = tf.cast(scores, tf.float32)
  is_large = scores.shape.num_elements() >= _WORTH_COMPILING
  return (_compiled if is_large else _kept)(scores, tf.cast(count, tf.int32))


def _kept(scores, count):
  keys = ordered(scores)
  threshold, reached = _threshold(keys, count)

  def with_ties():
    tied = keys == threshold
    room = count - live_count(keys > threshold)
    return (keys > threshold) | (tied & (tf.cumsum(tf.cast(tied, tf.int32)) <= room))

  kept = tf.cond(reached == count, lambda: keys >= threshold, with_ties)
  return tf.reshape(kept, tf.shape(scores))


_compiled = tf.function(_kept, jit_compile=True)


def _threshold(keys, count):
  """(threshold, how many keys reach it): the highest that `count` of them reach, or one of several."""

  # `low` is reached by `at_low` >= count keys, `high` by `at_high` < count of them.
  def is_open(low, high, at_low, at_high, turn):
    return (at_low > count) & (high - low > 1)

  def narrowed(low, high, at_low, at_high, turn):
    share = tf.cast(at_low - count, tf.float64) / tf.cast(at_low - at_high, tf.float64)
    share = tf.where(turn % 2 == 0, share, tf.constant(0.5, tf.float64))
    guess = low + tf.cast(share * tf.cast(high - low, tf.float64), tf.int64)
    guess = tf.clip_by_value(guess, low + 1, high - 1)
    at_guess = live_count(keys >= tf.cast(guess, tf.int32))
    lower = at_guess >= count
    return (
      tf.where(lower, guess, low),
      tf.where(lower, high, guess),
      tf.where(lower, at_guess, at_low),
      tf.where(lower, at_high, at_guess),
      turn + 1,
    )

  low = tf.cast(tf.reduce_min(keys), tf.int64)
  high = tf.cast(tf.reduce_max(keys), tf.int64) + 1
  start = (low, high, tf.size(keys), tf.constant(0), tf.constant(0))
  low, _, at_low, _, _ = tf.while_loop(is_open, narrowed, start)
  return tf.cast(low, tf.int32), at_low


def live_count(mask):
  """How many are True, int32 scalar tensor."""
  return tf.reduce_sum(tf.cast(mask, tf.int32))


def ordered(scores):
  """Flat int32 keys in the order of the float scores, 0 for all of magnitude below 2^-126.

  Some devices, and some functions on one, flush those subnormal floats to 0 and others do not.
  """
  bits = tf.bitcast(tf.reshape(tf.cast(scores, tf.float32), [-1]), tf.int32)
  magnitude = tf.bitwise.bitwise_and(bits, 0x7FFFFFFF)
  magnitude *= tf.cast(magnitude >= _SMALLEST_NORMAL, tf.int32)
  return tf.where(bits < 0, -magnitude, magnitude)


def keep_top_jointly(scores, count):
  """Keep exactly the `count` highest scores of a whole dict, as one ranking.

  Ties go to the earlier key of the dict, then to the lower index.

  >>> kept = keep_top_jointly({"a": [1.0, 4.0], "b": [3.0, 2.0]}, 2)
  >>> {path: mask.numpy().tolist() for path, mask in kept.items()}
  {'a': [False, True], 'b': [True, False]}
  """
  tensors = {path: tf.cast(score, tf.float32) for path, score in scores.items()}
  shapes = {path: tensor.shape for path, tensor in tensors.items()}
  joint = keep_top(tf.concat([tf.reshape(t, [-1]) for t in tensors.values()], 0), count)
  parts = tf.split(joint, [int(np.prod(shape)) for shape in shapes.values()])
  return {path: tf.reshape(part, shapes[path]) for path, part in zip(shapes, parts, strict=True)}


def drop_and_grow(mask, drop, grow, share):
  """Replace `int(share * live)` of the live weights of one site; see `rules.drop_and_grow`.

  Args:
    mask: bool tensor, the weights that live.
    drop: float tensor of its shape; the lowest among the live go.
    grow: float tensor of its shape; the highest among all that are not kept come.
    share: float scalar in [0, 1].

  >>> mask = tf.constant([True, True, False, False])
  >>> drop_and_grow(mask, [2.0, 1.0, 0.0, 0.0], [0.0, 3.0, 1.0, 4.0], 0.5).numpy()
  array([ True, False, False,  True])
  """
  live = live_count(mask)
  replaced = tf.cast(tf.cast(live, tf.float32) * tf.cast(share, tf.float32), tf.int32)
  replaced = tf.minimum(replaced, live)  # float32 rounds counts above 2^24, some of them up
  kept = keep_top(tf.where(mask, tf.cast(drop, tf.float32), -np.inf), live - replaced)
  return kept | keep_top(tf.where(kept, -np.inf, tf.cast(grow, tf.float32)), replaced)


def random(shapes, sparsities, *, seed):
  """Random masks: each site keeps `kept_count` of its weights, site i drawn from (seed, i).

  Args:
    shapes: dict from path to shape.
    sparsities: dict from path to sparsity in [0, 1); an absent site is dense.
    seed: int or sequence of ints.

  >>> int(random({"fc/kernel": (4, 5)}, {"fc/kernel": 0.9}, seed=0)["fc/kernel"].sum())
  2
  """
  ordered = {
    path: np.arange(size := int(np.prod(shape))) < kept_count(size, sparsities.get(path, 0.0))
    for path, shape in shapes.items()
  }
  drawn = shuffled(ordered, seed=seed)
  return {path: drawn[path].reshape(shape) for path, shape in shapes.items()}


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
