"""Examples: the few batches that a criterion looks at before training."""

import itertools
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

_BATCH = 128  # SNIP's


def batches(data, count, *, seed=0):
  """The first `count` batches of a data set, or as many drawn from arrays without replacement.

  Args:
    data: an iterable of (x, y) or (x, y, sample weights), such as a `tf.data.Dataset`; or a tuple
      of arrays, or of structures of arrays: then a batch is 128 examples, the last one what is left.
    count: at least 1.
    seed: int, from which the order of the examples in arrays follows.

  Returns:
    A list of (x, y, sample weights or None), all of tensors.

  Raises:
    ValueError: there is no data, or not enough.
    TypeError: the data is neither.

  >>> [x.shape[0] for x, y, _ in batches((np.ones((200, 4)), np.ones(200)), 2)]
  [128, 72]
  """
  if data is None:
    raise ValueError(
      "data=None: this criterion looks at examples. Give a data set of batches (x, y), or arrays."
    )
  if isinstance(data, tuple):
    data = _drawn(_checked(data), seed)
  elif not isinstance(data, Iterable) or hasattr(data, "shape"):
    raise TypeError(
      f"data must be a tf.data.Dataset of batches (x, y) or a tuple of arrays (x, y). Received: "
      f"{type(data).__name__}."
    )
  found = [_checked(batch) for batch in itertools.islice(data, count)]
  if len(found) < count:
    raise ValueError(
      f"batches={count}, but data has only {len(found)}. Give more data, or ask for fewer batches."
    )
  return [tuple(tf.nest.map_structure(_tensor, part) for part in (*b, None)[:3]) for b in found]


def _drawn(arrays, seed):
  size = len(tf.nest.flatten(arrays)[0])
  order = np.random.default_rng(seed).permutation(size)
  for start in range(0, size, _BATCH):
    chosen = order[start : start + _BATCH]
    yield tf.nest.map_structure(lambda array: np.asarray(array)[chosen], arrays)  # noqa: B023


def _checked(batch):
  if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
    number = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
    raise TypeError(
      "data must give inputs and targets, as (x, y) or (x, y, sample weights). Received: "
      f"{type(batch).__name__}{number}."
    )
  return tuple(batch)


def _tensor(values):
  return None if values is None else tf.convert_to_tensor(values)
