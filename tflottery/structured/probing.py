"""Probing: what a layer without weights does to channels, found by calling a copy of it."""

import dataclasses
import random

import numpy as np
import tensorflow as tf

from tflottery.structured import copies

_CHANNELS = 4
_SIZES = (1, 300)  # what mixes channels a little shows in large numbers
_FREE = 8  # for axes whose length the model leaves open


@dataclasses.dataclass(frozen=True)
class Behaviour:
  """Of a function that computes channel c of its output from channels c of its inputs.

  Attributes:
    zero: whether zeros in all inputs give zeros.
    kills: for each input, whether zeros in it alone give zeros, as in a product.
  """

  zero: bool
  kills: tuple[bool, ...]


def of_activation(function, rank):
  """The `Behaviour` of an activation function for tensors of this rank; None if it mixes channels."""
  shape = (2, *[3] * (rank - 2), _CHANNELS)
  return _behaviour(lambda arrays: function(tf.constant(arrays[0])), {0: shape}, "float32")


def of_call(call, graph):
  """The `Behaviour` of a call by its different inputs, in order; None if it mixes channels."""
  numbers = list(dict.fromkeys(call.inputs))
  tensors = {number: graph.tensors[number] for number in numbers}
  dtypes = {tf.as_dtype(tensor.dtype) for tensor in tensors.values()}
  if len(dtypes) != 1 or not (dtype := dtypes.pop()).is_floating or len(call.outputs) != 1:
    return None
  widths = {number: graph.channels(number) for number in numbers}
  if 0 in widths.values() or len(set(widths.values()) - {1}) > 1:
    return None
  is_narrow = {number: widths[number] < max(widths.values()) for number in numbers}
  shapes = {}
  for number, tensor in tensors.items():
    middle = [_FREE if n is None else int(n) for n in tuple(tensor.shape)[1:-1]]
    shapes[number] = (2, *middle, 1 if is_narrow[number] else _CHANNELS)
  state = random.getstate()  # Keras 3 draws the seed of a new Dropout from it
  try:
    layer = copies.copied(call.layer)
  except ValueError:
    return None
  finally:
    random.setstate(state)
  return _behaviour(lambda arrays: call.function(layer, arrays), shapes, dtype.name)


def _behaviour(function, shapes, dtype):
  rng = np.random.default_rng(0)
  arrays = {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}

  def result(values):
    cast = {key: tf.cast(value, dtype) for key, value in values.items()}
    return np.array(tf.cast(function(cast), tf.float32))

  def without(keys):
    zeros = {key: np.zeros_like(arrays[key]) for key in keys}
    return not result({**arrays, **zeros}).any()

  # Any error means that the layer can't do without the number of channels that it was built for.
  try:
    for size in _SIZES:
      sized = {key: size * array for key, array in arrays.items()}
      whole = result(sized)
      some = [3, 1]  # fewer, and in another order
      part = result({k: a if a.shape[-1] == 1 else a[..., some] for k, a in sized.items()})
      is_apart = whole.shape[-1] == _CHANNELS and part.shape == (*whole.shape[:-1], len(some))
      if not is_apart or not np.allclose(whole[..., some], part, 1e-3, 1e-5, equal_nan=True):
        return None
    return Behaviour(without(arrays), tuple(without([key]) for key in arrays))
  except Exception:
    return None
