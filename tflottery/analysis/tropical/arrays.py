"""Arrays that the geometry takes: float64, finite, of the shape that is needed."""

import numpy as np


def numbers(name, value):
  """`value` as a float64 array of any shape, all of it finite.

  >>> numbers("x", 3).tolist()
  3.0
  """
  try:
    array = None if np.iscomplexobj(value) else np.asarray(value, float)
  except (TypeError, ValueError, OverflowError):
    array = None
  if array is None:
    raise ValueError(f"{name} is no array of real numbers. Give numbers, in rows of one length.")
  if not np.isfinite(array).all():
    raise ValueError(f"{name} holds a value that is not finite (NaN or infinity).")
  return array


def points(name, value, *, columns):
  """`value` as float64 [..., columns]: a point, or any number of them.

  >>> points("x", [1, 2], columns=2).tolist()
  [1.0, 2.0]
  """
  array = numbers(name, value)
  if array.shape[-1:] != (columns,):
    raise ValueError(f"{name} has the shape {array.shape}; its last dimension must be {columns}.")
  return array


def matrix(name, value, *, columns=None):
  """`value` as a float64 array of at least one row and `columns` columns (None: at least one).

  >>> matrix("G", [[1, 0], [0, 2]], columns=2).dtype
  dtype('float64')
  """
  array = numbers(name, value)
  width = "any number of" if columns is None else columns
  fits = array.ndim == 2 and array.size and columns in (None, array.shape[1])
  if not fits:
    raise ValueError(
      f"{name} has the shape {array.shape}. Give a matrix of at least one row and {width} columns."
    )
  return array
