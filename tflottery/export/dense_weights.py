"""Plain Keras files of sparse models: each weight as it is, the masked ones 0."""

import collections
import contextlib
import os
import pathlib
import pickle
import shutil
import subprocess
import sys

import h5py
import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery.export import endpoints, fresh_keras, inputs, trial
from tflottery.export.stripped import stripped

_SUFFIXES = (".keras", ".weights.h5")
_TOLERANCE = 1e-5  # relative to the largest output

# What `compile` and `fit` leave on a model of either Keras that its files would hold.
_COMPILED = (
  "optimizer",
  "compiled",
  "_is_compiled",
  "_compile_config",
  "_compile_loss",
  "_compile_metrics",
  "_loss_tracker",
  "compiled_loss",
  "compiled_metrics",
)


def dense_weights(model, path, *, overwrite=False):
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

  Raises:
    FileExistsError: there is something at `path`.
    NotImplementedError: a layer of the model has no `get_config` (Keras names it).
    OSError: it can't be written, or the disk is full.
    RuntimeError: the file can't be loaded, or what it holds is not the model.
    TypeError: `model` is no Keras model.
    ValueError: it is not built; the suffix is another; or a fresh process would not find one of its
      classes or functions.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [0.0]]), np.zeros(1)])
  >>> dense_weights(model, "sparse.weights.h5")
  >>> model.set_weights([np.ones((2, 1)), np.ones(1)])
  >>> model.load_weights("sparse.weights.h5")
  >>> model.get_weights()[0].tolist()
  [[2.0], [0.0]]
  """
  path = pathlib.Path(path).absolute()
  _check(path, overwrite)
  with stripped(model) as plain, _beside(path) as new, _uncompiled(plain):
    if path.name.endswith(".keras"):
      plain.save(str(new))
      _try(plain, new)
    else:
      plain.save_weights(str(new))
      _compare_arrays(plain, new)


def _check(path, overwrite):
  if not path.name.endswith(_SUFFIXES):
    raise ValueError(
      f"path={str(path)!r} must end in .keras, for the whole model, or in .weights.h5, for its "
      "weights alone: Keras goes by the suffix."
    )
  if path.is_dir():
    raise FileExistsError(f"path={str(path)!r} is a directory. Give a file.")
  if path.exists() and not overwrite:
    raise FileExistsError(f"path={str(path)!r} exists. Choose another, or give overwrite=True.")


@contextlib.contextmanager
def _beside(path):
  """A file name in a directory of its own beside `path`, renamed to `path` when the block ends."""
  work = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
  except OSError as error:
    raise type(error)(
      f"path={str(path)!r} can't be written: {error.strerror or error}. Choose a file that you may "
      "write."
    ) from error
  try:
    new = work / path.name
    yield new
    os.replace(new, path)
  finally:
    shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _uncompiled(model):
  """`model`, and the models in it, as if never compiled, for the length of a `with` block."""
  hidden = []
  for _, layer, _ in _sites.layers(model):
    own = vars(layer)
    if isinstance(layer, _sites.keras_of(model).Model):
      hidden.append((own, {name: own[name] for name in _COMPILED if name in own}))
  try:
    # Past Keras's own __setattr__, which would track and untrack the variables.
    for own, values in hidden:
      own.update(dict.fromkeys(values))
    yield
  finally:
    for own, values in hidden:
      own.update(values)


def _try(model, file):
  """Refuse a `.keras` file that a fresh process does not load as `model`."""
  arguments, outputs = _example(model)
  found = _fresh(model, file, arguments)
  k = _sites.keras_of(model).__name__
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
  if outputs is None:
    return
  difference = trial.largest_difference(found["outputs"], outputs)
  scale = max([1.0, *(float(np.abs(a).max(initial=0)) for a in outputs if a.dtype.kind == "f")])
  if not difference <= _TOLERANCE * scale:
    raise RuntimeError(
      f"The outputs in a fresh process differ by up to {difference:.3g} from those of model "
      f"{model.name!r}, so the file is not kept. Do its layers' get_config hold all that they depend on?"
    )


def _example(model):
  """Arguments for one call and the outputs, or None and None where there is nothing to compare."""
  try:
    arguments = inputs.arguments(next(iter(endpoints.trace(model).values())))
    first, second = (fresh_keras.outputs(model, arguments) for _ in range(2))
  except (TypeError, ValueError, tf.errors.OpError):  # it takes what can't be drawn
    return None, None
  if trial.largest_difference(first, second):  # noise: the outputs prove nothing
    return None, None
  return arguments, first


def _fresh(model, file, arguments):
  """What `fresh_keras.py` says of `file`."""
  job, result = file.with_name("job"), file.with_name("result")
  content = {
    "file": str(file),
    "keras": _sites.keras_of(model).__name__,
    "path": sys.path,
    "arguments": arguments,
  }
  job.write_bytes(pickle.dumps(content))
  # Not as a script: its own folder would come first where modules are looked for.
  code = "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
  command = [sys.executable, "-c", code, fresh_keras.__file__, str(job), str(result)]
  environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
  done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
  if done.returncode:
    raise RuntimeError(f"The file does not work in a fresh process:\n{done.stderr[-3000:]}")
  return pickle.loads(result.read_bytes())


def _compare_arrays(model, file):
  """Refuse a `.weights.h5` file that does not hold the weights of `model`, bit for bit."""
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


def _bits(array):
  return array.shape, np.asarray(array).tobytes()


def _same_bits(found, expected):
  return [(a.dtype, _bits(a)) for a in found] == [(a.dtype, _bits(a)) for a in expected]
