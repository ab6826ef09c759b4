"""Sparse arrays as bytes: where the values are, by bit mask or gap code, and the values in order.

Encoding is NumPy's, at export; decoding is TensorFlow's, in the graph that runs once at load.
"""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

_BITS = {1: tf.int8, 2: tf.int16, 4: tf.int32, 8: tf.int64}  # by bytes
_FAR = 255  # a gap's byte that says: go this far, there is no value here


@dataclasses.dataclass(frozen=True)
class Packed:
  """One array, packed.

  Attributes:
    code: `bitmask` (one bit an entry, eight to a byte, the first in the highest bit), `gaps` (one
      byte a value: how many zeros stand before it; 255 skips 255 entries and holds no value), or
      `dense` (every entry is a value).
    positions: uint8 array of the code's bytes; empty for `dense`.
    values: the values in C order, [count], in the dtype that they are stored in.
    shape: the array's shape.
    dtype: the array's NumPy dtype.
  """

  code: str
  positions: Any
  values: Any
  shape: tuple
  dtype: Any

  @property
  def nbytes(self):
    return self.positions.nbytes + self.values.nbytes

  def array(self):
    """What decoding gives back, by NumPy: the array, its values rounded to the stored dtype."""
    flat = np.zeros(int(np.prod(self.shape)), self.dtype)
    kept = slice(None) if self.code == "dense" else _NUMPY[self.code](self.positions, flat.size)
    flat[kept] = self.values.astype(self.dtype)
    return flat.reshape(self.shape)


def pack(array, *, values=None):
  """`array` in the code that takes the fewest bytes; on ties `dense`, then `bitmask`.

  A zero is what equals 0: -0.0 comes back as 0.0. NaN and infinities are values and come back as
  they are. Any dtype that NumPy compares with 0.

  Args:
    array: array of any shape.
    values: `float16` rounds wider floats to it, unless that would turn a finite value into an
      infinite one. `float32` and None keep the array's dtype.

  >>> packed = pack(np.array([0, 0, 7, 0, 0, 0, 0, 0, 0, 5], "float32"))
  >>> packed.code, packed.positions.tolist(), packed.values.tolist()
  ('bitmask', [32, 64], [7.0, 5.0])
  >>> pack(np.eye(1, 1000, 9)).positions.tolist()
  [9]
  """
  array = np.asarray(array)
  kept = array.ravel() != 0
  stored = _narrowed(array.ravel(), values)
  places = np.flatnonzero(kept)
  gaps = np.diff(places, prepend=-1) - 1
  itemsize, count = stored.dtype.itemsize, len(places)
  nbytes = {
    "dense": stored.nbytes,
    "bitmask": -(-kept.size // 8) + count * itemsize,
    "gaps": count + int((gaps // _FAR).sum()) + count * itemsize,
  }
  code = min(nbytes, key=nbytes.get)
  if code == "dense":
    return Packed(code, np.zeros(0, np.uint8), stored, array.shape, array.dtype)
  positions = np.packbits(kept) if code == "bitmask" else _gap_bytes(gaps)
  return Packed(code, positions, stored[kept], array.shape, array.dtype)


def ideal_nbytes(array, *, dtype=None):
  """The values that are not 0, and their places at the entropy of a random mask, in bytes.

  No code of the places does better on masks without structure: size * H(share kept) / 8.

  Args:
    array: array of any shape.
    dtype: what the values are stored in; None is the array's.

  >>> ideal_nbytes(np.array([1, 0, 0, 0, 0, 0, 0, 0], "float32"))  # 4 + H(1/8)
  4.543564443199596
  """
  array = np.asarray(array)
  share = np.count_nonzero(array) / max(array.size, 1)
  entropy = -sum(p * np.log2(p) for p in (share, 1 - share) if p > 0)
  return float(
    np.count_nonzero(array) * np.dtype(dtype or array.dtype).itemsize + array.size * entropy / 8
  )


def places(code, positions, size):
  """The flat indices, int64 [count], of the values: `positions` decoded by TensorFlow.

  Args:
    code: `bitmask` or `gaps`.
    positions: uint8 tensor [bytes].
    size: how many entries the array has.
  """
  return _TENSORFLOW[code](positions, tf.constant(size, tf.int64))


def spread(values, places, shape):
  """The array of `shape` with `values` at the flat indices `places` and 0 elsewhere."""
  flat = _spread(values.dtype)(values, places, tf.constant([int(np.prod(shape))], tf.int64))
  return tf.reshape(flat, shape)


def _narrowed(flat, dtype):
  if dtype in (None, "float32") or flat.dtype.kind != "f" or flat.itemsize <= 2:
    return flat
  with np.errstate(over="ignore"):
    narrow = flat.astype(dtype)
  finite = np.isfinite(flat)
  return narrow if np.isfinite(narrow[finite]).all() else flat


def _gap_bytes(gaps):
  """Every gap as so many 255s and the rest: [300, 2] is [255, 45, 2]."""
  jumps, rest = gaps // _FAR, gaps % _FAR
  found = np.full(len(gaps) + int(jumps.sum()), _FAR, np.uint8)
  found[np.arange(len(gaps)) + np.cumsum(jumps)] = rest
  return found


def _numpy_bitmask(positions, size):
  return np.unpackbits(positions, count=size).astype(bool)


def _numpy_gaps(positions, size):
  del size  # the last gap says where the last value is
  is_value = positions != _FAR
  return (np.cumsum(positions.astype(np.int64) + is_value) - 1)[is_value]


# Functions of tensors of any length, so that all weights of an export share one graph of each.
_CODED = [tf.TensorSpec([None], tf.uint8), tf.TensorSpec([], tf.int64)]


@tf.function(input_signature=_CODED, autograph=False)
def _tensorflow_bitmask(positions, size):
  shifts = tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
  bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(positions[:, None], shifts), 1)
  return tf.reshape(tf.where(tf.reshape(bits, [-1])[:size] > 0), [-1])


@tf.function(input_signature=_CODED, autograph=False)
def _tensorflow_gaps(positions, size):
  del size
  is_value = positions < _FAR
  ends = tf.cumsum(tf.cast(positions, tf.int64) + tf.cast(is_value, tf.int64)) - 1
  return tf.boolean_mask(ends, is_value)


@functools.cache
def _spread(dtype):
  def spread(values, places, size):
    # Not onto tf.zeros: folded into a constant, they stay in memory beside the variable. As integers:
    # tf.scatter_nd adds to zeros of its own, which flushes denormal floats.
    bits = tf.bitcast(values, _BITS[dtype.size])
    return tf.bitcast(tf.scatter_nd(places[:, None], bits, size), dtype)

  signature = [tf.TensorSpec([None], t) for t in (dtype, tf.int64)]
  return tf.function(
    spread, input_signature=[*signature, tf.TensorSpec([1], tf.int64)], autograph=False
  )


_NUMPY = {"bitmask": _numpy_bitmask, "gaps": _numpy_gaps}
_TENSORFLOW = {"bitmask": _tensorflow_bitmask, "gaps": _tensorflow_gaps}
