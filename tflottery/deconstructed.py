"""What Zhou et al. score a weight by: where it began, where it ended, and its sign at both.

Zhou et al., Deconstructing Lottery Tickets: Zeros, Signs, and the Supermask, NeurIPS 2019,
arXiv:1905.01067, section 2 and, for the signs, section 5.1. Pure tensors; `tflottery.criteria` makes
criteria of them.

`SCORES` holds functions (initial, final, live) -> float tensor of the weight's shape. `live` is the
mask in force; what it leaves out counts for nothing in a joint criterion. `initial` is None for those
that look at the final weights alone.

Departs, everywhere: of equal scores the lower index stays, where the authors' code draws lots. Of the
joint criteria, large_init_large_final and small_init_small_final: the authors keep what lies above one
percentile of both magnitudes and find that percentile by bisection, which misses the count where
weights tie; the lower of a weight's two ranks orders the weights alike, and hits every count.
"""

import tensorflow as tf

from tflottery import masks

_SMALLEST_DRAW = 2.0**-24  # draws lie on this grid, from 0 on
_BELOW_ALL = 2.0**100  # times the smallest draw it is 2^76, and no weight is as large


def ranks(scores, live):
  """The rank of every live weight among the live ones, as a share in (0, 1]; 1 is the highest.

  Of equal scores the lower index ranks higher. What does not live has 0.

  >>> scores, live = tf.constant([5.0, 1.0, 5.0, 9.0]), tf.constant([True, True, True, False])
  >>> [round(float(rank), 2) for rank in ranks(scores, live)]
  [1.0, 0.33, 0.67, 0.0]
  """
  flat = tf.reshape(live, [-1])
  keys = tf.where(flat, masks.ordered(scores), tf.int32.min)
  downwards = tf.math.top_k(
    keys, flat.shape[0]
  ).indices  # of equal keys the lower index comes first
  place = tf.cast(tf.math.invert_permutation(downwards), tf.float64)
  count = tf.cast(masks.live_count(flat), tf.float64)
  share = tf.cast((count - place) / count, tf.float32)
  return tf.reshape(tf.where(flat, share, tf.zeros_like(share)), live.shape)


def _joint(one, other, live):
  """The lower of two ranks: above a percentile of both scores lies what this lies above."""
  return tf.minimum(ranks(one, live), ranks(other, live))


SCORES = {
  "large_final": lambda initial, final, live: tf.abs(final),
  "small_final": lambda initial, final, live: -tf.abs(final),
  "large_init": lambda initial, final, live: tf.abs(initial),
  "small_init": lambda initial, final, live: -tf.abs(initial),
  "large_init_large_final": lambda initial, final, live: _joint(
    tf.abs(initial), tf.abs(final), live
  ),
  "small_init_small_final": lambda initial, final, live: _joint(
    -tf.abs(initial), -tf.abs(final), live
  ),
  "magnitude_increase": lambda initial, final, live: tf.abs(final) - tf.abs(initial),
  "movement": lambda initial, final, live: tf.abs(final - initial),
}
FINAL_ONLY = ("large_final", "small_final", "random")

# Which weights stay above the others, by the signs of (initial, final). 0 is a sign of its own.
SIGNS = {
  "same_sign": lambda initial, final: tf.sign(initial) == tf.sign(final),
  "diff_sign": lambda initial, final: tf.sign(initial) != tf.sign(final),
}


def below(scores, stays, draws):
  """`scores` where `stays`; elsewhere scores below all others, in the order of `draws`.

  Departs: the authors' code gives score 0 instead. Scores such as -|w| lie below 0, so that there
  the weights which ought to go first would stay longest.

  Args:
    scores: float tensor, whose magnitudes are below 2^76.
    stays: bool tensor of its shape.
    draws: float tensor of its shape, uniform in [0, 1): a fixed order would be a pattern in space.
  """
  return tf.where(stays, scores, -_BELOW_ALL * (draws + _SMALLEST_DRAW))


def ends(initial, final):
  """Both weights as float32, or as float64 where the final one is: half precision would tie them."""
  final = tf.convert_to_tensor(final)
  final = final if final.dtype == tf.float64 else tf.cast(final, tf.float32)
  return None if initial is None else tf.cast(initial, final.dtype), final
