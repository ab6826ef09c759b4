"""Checkpoints: the state of a training as one file, from which it goes on bit for bit."""

import io
import json
import zipfile

import keras
import numpy as np

from tflottery import files
from tflottery import site as _sites


def save(path, model, record):
  """Write what training has changed in `model`, and `record` with it, as one file or not at all.

  Args:
    path: `pathlib.Path`.
    model: a compiled model with a built optimizer; masks that are held on it are among the
      optimizer's variables.
    record: JSON values.
  """
  values = {str(i): _sites.value(variable) for i, variable in enumerate(variables(model))}
  buffer = io.BytesIO()
  np.savez(buffer, record=np.array(json.dumps(record)), **values)
  files.write(path, buffer.getvalue())


def load(path):
  """(values of the variables, record) of a checkpoint; (None, None) where there is none.

  Raises:
    ValueError: the file is damaged.
  """
  if not path.exists():
    return None, None
  try:
    with np.load(path, allow_pickle=False) as file:
      record = json.loads(str(file["record"]))
      return [file[str(i)] for i in range(len(file.files) - 1)], record
  except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"{str(path)!r} is damaged ({error}). Delete it: the training then starts from the beginning."
    ) from error


def restore(model, values):
  """Put the values of a checkpoint into a model that was built in the same way.

  Raises:
    ValueError: they are those of another model, optimizer or algorithm.
  """
  places = variables(model)
  there, here = [v.shape for v in values], [tuple(v.shape) for v in places]
  if there != here:
    raise ValueError(
      f"The checkpoint does not fit: it has {len(there)} variables, model {model.name!r} and its "
      f"optimizer have {len(here)}, or their shapes differ. Give a new workdir."
    )
  for variable, value in zip(places, values, strict=True):
    variable.assign(value)


def variables(model):
  """Everything that training changes: weights, statistics, random states, the optimizer's."""
  found = list(_sites.weights(model).values())
  if _sites.keras_of(model) is keras:
    found += [v for v in model.variables if v.path.endswith("seed_generator_state")]
  optimizer = model.optimizer
  while optimizer is not None:  # inside a LossScaleOptimizer there is another one
    listed = optimizer.variables
    found += listed() if callable(listed) else listed
    optimizer = getattr(optimizer, "inner_optimizer", None)
  return list({id(variable): variable for variable in found}.values())
