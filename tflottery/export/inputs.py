"""Inputs to try an export on, where the user gives none."""

import numpy as np
import tensorflow as tf

from tflottery.export import endpoints

_ROWS = 32
_FREE = 64  # for dimensions that are free beside the batch: pixels, words


def arguments(traced, given=None):
  """The positional arguments of one call of `traced`, as arrays.

  Args:
    traced: a `ConcreteFunction`.
    given: the model's inputs, in the structure that the model takes; None draws 32 rows: normal
      floats, integers 0 and 1, the string "a".
  """
  specs = endpoints.arguments(traced)
  if given is not None:
    given = [given] if len(specs) == 1 else list(given)
    return tf.nest.map_structure(np.asarray, given)
  rng = np.random.default_rng(0)
  return tf.nest.map_structure(lambda spec: _draw(spec, rng), specs)


def _draw(spec, rng):
  if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
    raise ValueError(f"No examples can be drawn for an input of {spec}. Give examples=.")
  shape = [n or (_FREE if i else _ROWS) for i, n in enumerate(spec.shape.as_list())]
  if spec.dtype == tf.string:
    return np.full(shape, b"a", object)
  if spec.dtype.is_floating:
    return rng.normal(size=shape).astype(spec.dtype.as_numpy_dtype)
  return rng.integers(0, 2, shape).astype(spec.dtype.as_numpy_dtype)
