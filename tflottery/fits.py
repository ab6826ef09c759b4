"""Fits: whether masks, and the values that they freeze, are those of a model's sites."""

import numpy as np
import tensorflow as tf

from tflottery import site as _sites


def sites(model, masks):
  """The sites that `masks` name, in the order of the model.

  Raises:
    ValueError: a path or shape does not fit, with all the mismatches listed.
  """
  known = _sites.candidates(model)
  problems = []
  for path, mask in masks.items():
    if path not in known:
      problems.append(f"{path}: no such prunable weight")
    elif tuple(np.shape(mask)) != known[path].shape:
      problems.append(f"{path}: mask of shape {np.shape(mask)} for {known[path].shape}")
  if problems or not masks:
    raise ValueError(
      f"The masks do not fit model {model.name!r}: {'; '.join(problems) or 'there are none'}. "
      f"Its prunable weights are: {', '.join(f'{p} {s.shape}' for p, s in known.items())}."
    )
  return {path: site for path, site in known.items() if path in masks}


def frozen(held, values):
  """`values` as arrays of the dtypes of the weights that are `held`, a dict of sites.

  Raises:
    TypeError: `values` is no dict.
    ValueError: a path, shape, dtype or value does not fit, or a site is in tfmot's wrapper, with all
      the mismatches listed.
  """
  if not isinstance(values, dict):
    raise TypeError(f"frozen={values!r} must be a dict from site path to array of floats.")
  found, problems = {}, []
  for path, array in values.items():
    array = np.asarray(array)
    problem = _problem(held.get(path), array)
    if problem is None:
      with np.errstate(over="ignore"):  # it is named below
        found[path] = array.astype(tf.as_dtype(held[path].variable.dtype).as_numpy_dtype)
      if not np.isfinite(found[path].astype("float64")).all():
        problem = f"not finite in its dtype {found[path].dtype}"
    problems += [f"{path}: {problem}"] if problem else []
  if problems:
    raise ValueError(
      f"The frozen values do not fit: {'; '.join(problems)}. Held are: "
      f"{', '.join(f'{p} {s.shape}' for p, s in held.items())}."
    )
  return found


def _problem(site, array):
  """Why `array` can't be what a site's masked weights hold, None where it can."""
  if site is None:
    return "no mask is held there"
  if site.wrapper is not None:
    return "tfmot's wrapper multiplies it by its mask; strip_pruning first"
  if array.shape != site.shape:
    return f"values of shape {array.shape} for {site.shape}"
  kinds = {"b": "bools for floats, a mask?", "c": "complex numbers for floats"}
  return kinds.get(array.dtype.kind)
