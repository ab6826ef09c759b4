"""Arrays that the geometry takes: float64, finite, of the shape that is needed."""

import numpy as np


def matrix(name, value, *, columns=None):
  """`value` as a float64 array of at least one row and `columns` columns (None: at least one).

  >>> matrix("G", [[1, 0], [0, 2]], columns=2).dtype
  dtype('float64')
  """
  try:
    array = np.asarray(value, float)
  except (TypeError, ValueError):
    raise ValueError(f"{name} is no matrix of numbers. Give rows of one length.") from None
  width = "any number of" if columns is None else columns
  fits = array.ndim == 2 and array.size and columns in (None, array.shape[1])
  if not fits:
    raise ValueError(
      f"{name} has the shape {array.shape}. Give a matrix of at least one row and {width} columns."
    )
  if not np.isfinite(array).all():
    raise ValueError(f"{name} holds a value that is not finite (NaN or infinity).")
  return array
