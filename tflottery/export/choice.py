"""How each weight of an export is stored."""

import dataclasses
import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery.export import csr, fastest, packing

# What unpacking one weight adds to saved_model.pb and the checkpoint's index, in bytes (measured).
_OVERHEAD = 4096
_FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)  # the 8-bit ones can't be unpacked

# The formats that multiply some kernels as CSR, by how they choose them.
_SPARSE = {"csr": fastest.by_rule, "fastest": fastest.by_timing}


@dataclasses.dataclass(frozen=True, eq=False)
class Weight:
  """One weight that the exported functions read.

  Attributes:
    path: its path below the model, or its variable's name where it is none of the model's.
    variable: the variable that the model reads.
    array: its value.
    packed: a `packing.Packed`, or None where it is stored as it is.
    layout: `dense`, or `csr` where the graph multiplies by its nonzero entries.
  """

  path: str
  variable: Any
  array: Any
  packed: Any = None
  layout: str = "dense"

  @property
  def format(self):
    """What the report calls it: dense, bitmask, gaps, float16, csr."""
    if self.layout == "csr":
      return "csr"
    if self.packed is None:
      return "dense"
    return self.packed.values.dtype.name if self.packed.code == "dense" else self.packed.code

  @property
  def nbytes(self):
    return self.array.nbytes if self.packed is None else self.packed.nbytes


def weights(model, traced):
  """Every variable that the traced endpoints capture, as dense `Weight`s, in the model's order."""
  captured = {}
  for function in traced.values():
    handles = {id(outside) for outside, _ in function.graph.captures}
    captured |= {id(v.handle): v for v in function.graph.variables if id(v.handle) in handles}
  found = []
  for path, variable in _sites.weights(model).items():
    if captured.pop(id(variable.handle), None) is not None:
      found.append(Weight(path, variable, _sites.value(variable)))
  found += [Weight(v.name.split(":")[0], v, v.numpy()) for v in captured.values()]
  for weight in found:
    if np.issubdtype(weight.array.dtype, np.floating) and np.isnan(weight.array).any():
      count = int(np.isnan(weight.array).sum())
      warnings.warn(f"{weight.path} holds {count} NaN; they are kept.", stacklevel=4)
  return found


def choose(dense, *, format, values, traced, calls):
  """How to store the weights `dense`, and what to say of it.

  Args:
    dense: list of `Weight`s.
    format: as `saved_model` takes it.
    values: dtype that packed kernels are stored in.
    traced: dict from endpoint name to `ConcreteFunction`.
    calls: dict from endpoint name to its example arguments.

  Returns:
    A list of `Weight`s, and a list of sentences.
  """
  if format == "dense":
    return dense, []
  served, notes = _SPARSE[format](dense, traced, calls) if format in _SPARSE else ([], [])
  chosen = [
    _csr(weight, values=values) if weight in served else compact(weight, values=values)
    for weight in dense
  ]
  if any(weight.packed is not None for weight in chosen):
    return chosen, notes
  zeros = sum(int((weight.array == 0).sum()) for weight in dense)
  size = sum(weight.array.size for weight in dense)
  few = f"{zeros:,} of {size:,} weights are 0: too few to pack, so it is written dense."
  return dense, [*notes, few]


def format_of(weights):
  """`csr`, `compact` or `dense`: the most special that any weight has."""
  if any(weight.layout == "csr" for weight in weights):
    return "csr"
  return "compact" if any(weight.packed is not None for weight in weights) else "dense"


def compact(weight, *, values):
  """`weight` packed where that makes the export smaller, else as it is."""
  dtype = tf.as_dtype(weight.array.dtype)
  if not (dtype.is_integer or dtype in _FLOATS) or not weight.array.ndim:
    return weight
  # Vectors keep their values: a variance of 1e-8 is 0 in float16.
  packed = packing.pack(weight.array, values=None if weight.array.ndim < 2 else values)
  if weight.array.nbytes - packed.nbytes <= _OVERHEAD:
    return weight
  return dataclasses.replace(weight, packed=packed)


def _csr(weight, *, values):
  packed = csr.pack(weight.array, values=values)
  return dataclasses.replace(weight, packed=packed, layout="csr")
