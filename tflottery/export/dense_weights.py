"""Plain Keras files of sparse models: each weight as it is, the masked ones 0."""

import collections
import os
import sys
import tempfile

import h5py
import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery.export import (
  beside,
  choice,
  endpoints,
  fresh_keras,
  inputs,
  packing,
  report,
  trial,
)
from tflottery.export.stripped import restoring, stripped
from tflottery.export.uncompiled import uncompiled

_FORMATS = {".keras": "keras", ".weights.h5": "weights"}
_TOLERANCE = 1e-5  # relative to the largest output


def dense_weights(model, path, *, overwrite=False, verbose=True):
  """Write `model` as an ordinary Keras file that loads without tflottery.

  Masks that are held on the model, or are those of tfmot's wrappers, are laid on the weights, and
  wrappers taken off. The file holds no masks, no optimizer and no metrics, so the model that is
  loaded from it is to be compiled before it is trained; this model is left as it was. Nothing is
  packed: the file is as large as a dense model's, but compresses well.

  What was written is read again before it takes the place of `path`: a `.keras` file is loaded in a
  fresh process that imports Keras alone, and the modules of the model's own classes; its weights
  are compared bit for bit, and its outputs where examples for its inputs can be drawn. Of a
  `.weights.h5` file the arrays are compared.

  Args:
    model: a built model of either Keras: Sequential, functional or subclassed.
    path: the file. `.keras` is for `load_model(path)`, `.weights.h5` for `model.load_weights(path)`,
      both of the Keras that the model is of.
    overwrite: True replaces the file at `path`.
    verbose: True prints the report.

  Returns:
    A `Report`, without times of calls. It is also beside the file, as
    `<its name>.export_report.json`.

  Raises:
    FileExistsError: there is something at `path`; a directory is never replaced.
    NotImplementedError: a layer of the model has no `get_config` (Keras names it).
    OSError: it can't be written, or the disk is full.
    RuntimeError: the file can't be loaded, or what it holds is not the model.
    TypeError: `model` is no Keras model.
    ValueError: it is not built; the suffix is another; or a fresh process would not find one of its
      classes or functions.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [0.0]]), np.zeros(1)])
  >>> exported = dense_weights(model, "sparse.weights.h5", verbose=False)
  >>> model.set_weights([np.ones((2, 1)), np.ones(1)])
  >>> model.load_weights("sparse.weights.h5")
  >>> model.get_weights()[0].tolist()
  [[2.0], [0.0]]
  """
  path = beside.local("path", path)
  format = _format(path)
  with (
    stripped(model) as plain,
    beside.file(path, overwrite=overwrite) as work,
    uncompiled(plain),
  ):
    file = work / "new" / path.name
    with beside.naming("path", path):
      _check_room(work, plain)
      (plain.save if format == "keras" else plain.save_weights)(str(file))
    measured = _try(plain, file, work) if format == "keras" else _compare_arrays(plain, file)
    found = _report(path, format, plain, file, measured)
    found.save(report.place(file))
  if verbose:
    print(found)
  return found


def _format(path):
  for suffix, format in _FORMATS.items():
    if path.name.endswith(suffix):
      return format
  raise ValueError(
    f"path={str(path)!r} must end in .keras, for the whole model, or in .weights.h5, for its "
    "weights alone: Keras goes by the suffix."
  )


def _check_room(folder, model):
  """Raises OSError where the file would not fit: on a full disk HDF5 crashes Python."""
  with tempfile.TemporaryFile(dir=folder) as file:
    for array in fresh_keras.weights(model):
      file.write(bytes(array.nbytes + 4096))


def _try(model, file, work):
  """What a fresh process measures of a `.keras` file; refused where it does not load as `model`."""
  arguments, outputs, notes = _example(model)
  k = _sites.keras_of(model).__name__
  job = {
    "file": str(file),
    "keras": k,
    "path": [os.path.abspath(path) for path in sys.path],
    "arguments": arguments,
  }
  found = trial.run(fresh_keras.__file__, job, work)
  if found.get("missing"):
    raise ValueError(
      f"model {model.name!r} can't be loaded in a fresh process, which does not find "
      f"{', '.join(found['missing'])}. Define it at the top of a module that can be imported (not in "
      f"the script that is run, not in a function), decorate it with "
      f"@{k}.saving.register_keras_serializable(), and import that module before "
      f"{k}.models.load_model. {k} says: {found['error'][:500]}"
    )
  if "error" in found:
    raise RuntimeError(f"The file can't be loaded in a fresh process: {found['error'][:2000]}")
  if not _same_bits(found["weights"], fresh_keras.weights(model)):
    raise RuntimeError(
      f"The weights that a fresh process loads are not those of model {model.name!r}, so the file is "
      "not kept. Please report it, with the model."
    )
  measured = {"load_milliseconds": 1000 * found["load_seconds"], "notes": notes}
  if outputs is None:
    return measured
  difference = trial.largest_difference(found["outputs"], outputs)
  if not difference <= _TOLERANCE * trial.scale(outputs):
    raise RuntimeError(
      f"The outputs in a fresh process differ by up to {difference:.3g} from those of model "
      f"{model.name!r}, so the file is not kept. Do its layers' get_config hold all that they depend on?"
    )
  return measured | {"largest_difference": difference, "bit_identical": difference == 0}


def _example(model):
  """Arguments for a call, its outputs, and sentences; None and None where nothing can be compared."""
  said = "The weights are the model's to the last bit; outputs were not compared:"
  try:
    (traced,) = endpoints.trace(model).values()
    arguments = tf.nest.pack_sequence_as(endpoints.arguments(traced), inputs.arguments(traced))
    with restoring(inputs.written(traced)):
      first, second = (fresh_keras.outputs(model, arguments) for _ in range(2))
  except (TypeError, ValueError, tf.errors.OpError) as error:  # it takes what can't be drawn
    return None, None, (f"{said} {' '.join(str(error).split())[:300]}",)
  if trial.largest_difference(first, second):
    return None, None, (f"{said} they differ from call to call.",)
  return arguments, first, ()


def _compare_arrays(model, file):
  """What to say of a `.weights.h5` file; refused where it lacks a weight of `model`, bit for bit."""
  stored = collections.Counter()

  def count(_, item):
    if isinstance(item, h5py.Dataset):
      stored[_bits(item[()])] += 1

  with h5py.File(file) as opened:
    opened.visititems(count)
  lacking = collections.Counter(map(_bits, fresh_keras.weights(model))) - stored
  if lacking:
    shapes = ", ".join(str(shape) for shape, _ in lacking)
    raise RuntimeError(
      f"Weights of shape {shapes} are not in the file that Keras wrote of model {model.name!r}, so it "
      "is not kept. Please report it, with the model."
    )
  return {"notes": ("The weights are the model's to the last bit.",)}


def _report(path, format, model, file, measured):
  weights = [choice.Weight(p, v, _sites.value(v)) for p, v in _sites.weights(model).items()]
  raw, gzipped = report.sizes(file.parent)
  return report.Report(
    path=str(path),
    format=format,
    bytes=raw,
    gzip_bytes=gzipped,
    dense_bytes=raw,
    ideal_bytes=round(sum(packing.ideal_nbytes(weight.array) for weight in weights)),
    rows=tuple(map(report.row, weights)),
    **measured,
  )


def _bits(array):
  return array.shape, np.asarray(array).tobytes()


def _same_bits(found, expected):
  return [(a.dtype, _bits(a)) for a in found] == [(a.dtype, _bits(a)) for a in expected]
