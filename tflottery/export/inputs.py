"""Inputs to try an export on, where the user gives none."""

import numpy as np
import tensorflow as tf

from tflottery.export import endpoints
from tflottery.export.stripped import restoring

_READS = ("ReadVariableOp", "ResourceGather")
_ROWS = 32
_FREE = 64  # for dimensions that are free beside the batch: pixels, words


def arguments(traced, given=None):
  """The arguments of one call of `traced`, as a flat list of arrays.

  Args:
    traced: a `ConcreteFunction`.
    given: the model's inputs, in the structure that the model takes; None draws 32 rows: floats in
      [0, 1), integers 0 and 1, the string "a".

  Raises:
    ValueError: `given` is not what `traced` takes, or none can be drawn (ragged inputs).
  """
  specs = endpoints.arguments(traced)
  if given is not None:
    return _given(specs, given)
  rng = np.random.default_rng(0)
  return [_draw(spec, rng) for spec in tf.nest.flatten(specs)]


def call(function, arrays):
  """The outputs of a `ConcreteFunction` as a flat list of arrays. No variable changes by the call."""
  args, kwargs = packed(function, arrays)
  with restoring(written(function)):
    return [t.numpy() for t in tf.nest.flatten(function(*args, **kwargs), expand_composites=True)]


def written(function):
  """The variables that a call may write to: states of recurrent layers, seeds of random ones."""
  inside = {id(outer): inner for outer, inner in function.graph.captures}
  return [
    variable
    for variable in function.graph.variables
    if id(variable.handle) in inside
    and any(user.type not in _READS for user in inside[id(variable.handle)].consumers())
  ]


def packed(function, arrays):
  """(args, kwargs) of a call, in the structure that `function` was traced with."""
  tensors = list(map(tf.constant, arrays))
  return tf.nest.pack_sequence_as(
    function.structured_input_signature, tensors, expand_composites=True
  )


def _given(specs, given):
  flat = tf.nest.flatten(specs, expand_composites=True)
  arrays = [np.asarray(array) for array in tf.nest.flatten(given, expand_composites=True)]
  fits = len(flat) == len(arrays) and all(
    spec.shape.is_compatible_with(array.shape) for spec, array in zip(flat, arrays, strict=False)
  )
  if not fits:
    shapes = [array.shape for array in arrays]
    raise ValueError(f"examples must be arrays for the inputs {flat}. Received shapes: {shapes}.")
  return [_as(array, spec.dtype) for array, spec in zip(arrays, flat, strict=True)]


def _as(array, dtype):
  if dtype == tf.string:
    return array.astype(object)
  with np.errstate(invalid="ignore"):
    cast = array.astype(dtype.as_numpy_dtype)
  if dtype.is_integer and not np.array_equal(cast, array):
    raise ValueError(f"examples must be whole numbers for an input of {dtype.name}.")
  return cast


def _draw(spec, rng):
  if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
    raise ValueError(f"No examples can be drawn for an input of {spec}. Give examples=.")
  shape = [n or (_FREE if i else _ROWS) for i, n in enumerate(spec.shape.as_list())]
  if spec.dtype == tf.string:
    return np.full(shape, b"a", object)
  if spec.dtype.is_floating:
    return rng.random(shape).astype(spec.dtype.as_numpy_dtype)
  return rng.integers(0, 2, shape).astype(spec.dtype.as_numpy_dtype)
