"""Granularity: what is kept or masked as one unit: a weight, a block, one of every m, a channel.

Each pools the scores of weights to scores of units, which `masks.keep_top` ranks, and spreads what
is kept back over the weights. A score of -inf marks a weight that must not be kept: a unit of such
weights only has -inf too, and in any other unit it adds nothing.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tflottery import arguments, masks


@dataclasses.dataclass(frozen=True)
class Weight:
  """Single weights.

  >>> weight().pool([1.0, 2.0]).numpy().tolist(), weight().units((3, 4))
  ([1.0, 2.0], 12)
  """

  def check(self, shape, path="weight"):
    """Every shape will do."""

  def units(self, shape):
    """Number of units of a weight of this shape."""
    return math.prod(shape)

  def pool(self, scores):
    """Scores of the units, float32, from float scores of the weights."""
    return tf.cast(scores, tf.float32)

  def spread(self, kept, shape):
    """Bool mask of `shape` from bool units, True where the unit is kept."""
    return tf.reshape(kept, shape)


@dataclasses.dataclass(frozen=True)
class Block:
  """Blocks of h x w weights in the last two axes; the axes before them are kept apart.

  A block's score is the mean of its weights' scores. At the edges that is the mean over the weights
  that are there, as in tfmot; tfmot takes weights of two axes only.

  Attributes:
    shape: (h, w), whole numbers of at least 1.

  >>> scores = [[1.0, 3.0, 8.0], [5.0, 7.0, 2.0]]
  >>> block((2, 2)).pool(scores).numpy().tolist()
  [[4.0, 5.0]]
  >>> block((2, 2)).spread(tf.constant([[False, True]]), (2, 3)).numpy().tolist()
  [[False, False, True], [False, False, True]]
  """

  shape: tuple[int, int]

  def __post_init__(self):
    if not isinstance(self.shape, (tuple, list)) or len(self.shape) != 2:
      raise ValueError(f"shape={self.shape!r} must be the two sides of a block, as (4, 4).")
    object.__setattr__(self, "shape", tuple(self.shape))
    for side in self.shape:
      arguments.whole("shape", side, least=1)

  def check(self, shape, path="weight"):
    """Raises ValueError where `shape` has fewer than two axes."""
    if len(shape) < 2:
      raise ValueError(
        f"{path} of shape {tuple(shape)} has no blocks of {self.shape}: give weights of two axes or "
        "more, or exclude it."
      )

  def units(self, shape):
    """Number of blocks, those at the edges included."""
    return math.prod(self._grid(shape))

  def pool(self, scores):
    """Scores of the blocks, float32: the axes before the last two, then rows and columns."""
    scores = tf.cast(scores, tf.float32)
    may_live = scores > -np.inf
    means = self._blocked(tf.where(may_live, scores, 0.0)) / self._sizes(scores.shape)
    return tf.where(self._blocked(tf.cast(may_live, tf.float32)) > 0, means, -np.inf)

  def spread(self, kept, shape):
    """Bool mask of `shape` from bool blocks."""
    *outer, rows, columns = self._grid(shape)
    h, w = self.shape
    wide = tf.broadcast_to(
      tf.reshape(kept, [*outer, rows, 1, columns, 1]), [*outer, rows, h, columns, w]
    )
    return tf.reshape(wide, [*outer, rows * h, columns * w])[..., : shape[-2], : shape[-1]]

  def _grid(self, shape):
    """Shape of the blocks of a weight of `shape`."""
    self.check(shape)
    *outer, height, width = (int(n) for n in shape)
    return [*outer, -(-height // self.shape[0]), -(-width // self.shape[1])]

  def _sizes(self, shape):
    """Weights in each block [rows, columns], float32."""
    sides = [
      np.minimum(side, length - np.arange(0, length, side))
      for side, length in zip(self.shape, shape[-2:], strict=True)
    ]
    return np.outer(*sides).astype("float32")

  def _blocked(self, values):
    """Sums over each block."""
    *outer, rows, columns = self._grid(values.shape)
    h, w = self.shape
    missing = [[0, 0]] * len(outer)
    missing += [[0, rows * h - values.shape[-2]], [0, columns * w - values.shape[-1]]]
    padded = tf.reshape(tf.pad(values, missing), [*outer, rows, h, columns, w])
    return tf.reduce_sum(padded, [-3, -1])


@dataclasses.dataclass(frozen=True)
class NOfM:
  """n of every m weights that follow each other on the input axis: 2 of 4 for sparse hardware.

  Zhou et al. 2021, arXiv:2102.04010; Mishra et al. 2021, arXiv:2104.08378. The input axis is the
  last but one: `in` of a Dense kernel [in, out] and of a convolution's [h, w, in, out]. (It is `out`
  of a transposed convolution's, and the heads of an attention's projections.)

  Units are the weights, ranked anew: the best of every group comes before the second best of any.
  So the mask is exactly n:m at `sparsity`, and a schedule may lead there through sparsities between.
  Within a group ties go to the lower index. Groups whose weights have the same rank are ordered by
  score, of which some low bits are lost: scores that agree to about m parts in a million may tie.

  Attributes:
    n: whole number, how many are kept.
    m: whole number, of how many.

  >>> scores = tf.constant([[4.0], [9.0], [1.0], [8.0], [2.0], [0.0], [0.0], [3.0]])
  >>> masks.keep_top(n_of_m(2, 4).pool(scores), 4).numpy().ravel().tolist()
  [False, True, False, True, True, False, False, True]
  """

  n: int
  m: int

  def __post_init__(self):
    arguments.whole("m", self.m, least=2)
    arguments.whole("n", self.n, least=1)
    if self.n >= self.m:
      raise ValueError(f"n={self.n!r} must be below m={self.m!r}: n of every m weights are kept.")

  @property
  def sparsity(self):
    """Sparsity of an n:m mask: 1 - n/m."""
    return 1 - self.n / self.m

  def check(self, shape, path="weight"):
    """Raises ValueError where the input axis of `shape` is no multiple of m."""
    if len(shape) < 2 or shape[-2] % self.m:
      raise ValueError(
        f"{path} of shape {tuple(shape)} has no groups of m={self.m}: its last axis but one must be "
        "a multiple of m. Exclude it, or choose another m."
      )

  def units(self, shape):
    """Number of weights."""
    self.check(shape)
    return math.prod(shape)

  def pool(self, scores):
    """Scores of the weights' own shape, float32, by rank in the group and then by score."""
    shape = tf.convert_to_tensor(scores).shape.as_list()
    self.check(shape)
    keys = tf.reshape(masks.ordered(scores), [*shape[:-2], shape[-2] // self.m, self.m, shape[-1]])
    grouped = tf.reshape(_by_rank(keys, self._ranks(keys), self.m), shape)
    return tf.where(tf.cast(scores, tf.float32) > -np.inf, grouped, -np.inf)

  def spread(self, kept, shape):
    """Bool mask of `shape`, the units themselves."""
    return tf.reshape(kept, shape)

  def _ranks(self, keys):
    """Each weight's place in its group, 0 for the best."""
    places = tf.reshape(tf.range(self.m), [self.m, 1])
    ranks = tf.zeros_like(keys)
    for place in range(self.m):  # m is small; a sort would be slow where it is compiled
      other = keys[..., place : place + 1, :]
      beaten = (other > keys) | ((other == keys) & (place < places))
      ranks += tf.cast(beaten, tf.int32)
    return ranks


@dataclasses.dataclass(frozen=True)
class Channel:
  """Whole output channels: slices of the last axis.

  Li et al. 2017, arXiv:1608.08710: a channel's score is the mean over its weights, so that under
  magnitudes channels are ranked by their L1 norm. (In a transposed convolution, whose kernel is
  [h, w, out, in], the last axis is the input.)

  >>> channel().pool([[1.0, 5.0], [3.0, 0.0]]).numpy().tolist()
  [2.0, 2.5]
  >>> channel().spread(tf.constant([True, False]), (2, 2)).numpy().tolist()
  [[True, False], [True, False]]
  """

  def check(self, shape, path="weight"):
    """Raises ValueError where `shape` has no axis."""
    if not shape:
      raise ValueError(f"{path} is a single number and has no channels. Exclude it.")

  def units(self, shape):
    """Number of channels."""
    self.check(shape)
    return int(shape[-1])

  def pool(self, scores):
    """Scores of the channels, float32 [out]."""
    scores = tf.cast(scores, tf.float32)
    self.check(scores.shape)
    flat = tf.reshape(scores, [-1, scores.shape[-1]])
    means = tf.reduce_mean(tf.where(flat > -np.inf, flat, 0.0), 0)
    return tf.where(tf.reduce_any(flat > -np.inf, 0), means, -np.inf)

  def spread(self, kept, shape):
    """Bool mask of `shape` from bool channels."""
    return tf.broadcast_to(kept, shape)


weight, block, n_of_m, channel = Weight, Block, NOfM, Channel

GRANULARITIES = {"weight": weight, "block": block, "n_of_m": n_of_m, "channel": channel}


def _by_rank(keys, ranks, m):
  """Float32 scores that fall with the rank in [0, m), and within a rank rise with the int32 key.

  The range of the positive normal floats is cut into m equal parts, one for each rank, by their
  bits: a sum of rank and score would lose the order of small scores, and so would a logarithm, which
  besides differs from device to device.
  """
  lost = 2 + (m - 1).bit_length()  # m parts of 2^(32 - lost) are at most 2^30 floats
  part = 1 << (32 - lost)
  place = tf.bitwise.right_shift(keys, lost) + part // 2
  smallest_normal = 1 << 23  # below it, floats are flushed to zero on some devices
  return tf.bitcast(smallest_normal + (m - 1 - ranks) * part + place, tf.float32)
