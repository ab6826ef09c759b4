"""Models from files: `.keras` files of either Keras, tf_keras SavedModels, and tickets."""

import contextlib
import inspect
import json
import pathlib
import pkgutil
import zipfile

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import site as _sites
from tflottery.export import endpoints, fresh_keras
from tflottery.tickets.ticket import Ticket

_WRAPPER = "PruneLowMagnitude"
_AGAIN = "Save it again with model.save, or copy it again."


def open_model(path, *, builder=None):
  """The model in a file or directory, uncompiled but for what a builder compiled.

  Args:
    path: a `.keras` file of Keras 3 or tf_keras, a SavedModel directory that tf_keras saved, or a
      ticket, which is any other file.
    builder: `"module:function"` of a function without arguments that returns the ticket's network,
      built, in either Keras; the ticket's start weights, masked, are put into it. None with models.

  Raises:
    FileNotFoundError: there is nothing at `path`.
    ModuleNotFoundError: the builder's module, or one that it imports, is not found.
    ValueError: it can't be read, holds no Keras model, or uses classes that are not registered; the
      builder is missing, superfluous or unfit.

  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.save("small.keras")
  >>> open_model("small.keras").count_params()
  3
  """
  path = pathlib.Path(path)
  if not path.exists():
    raise FileNotFoundError(f"{str(path)!r}: no such file or directory.")
  is_model = path.is_dir() or path.suffix == ".keras"
  if builder is not None and is_model:
    raise ValueError(f"builder={builder!r} is for tickets; {str(path)!r} brings its own model.")
  if path.suffix in (".h5", ".hdf5"):
    raise ValueError(
      f"{str(path)!r} is an HDF5 file. Load it with the Keras that wrote it, and save it as .keras."
    )
  if not is_model:
    return _ticket(path, builder)
  return _saved_model(path) if path.is_dir() else _keras_file(path)


def open_examples(path, model):
  """The inputs of one call of `model` from a file of arrays, in the structure that it takes.

  Args:
    path: `.npy` for one input, or `.npz` with an array per input, in order (those of a dict in the
      order of its sorted keys). They are cast to the inputs' dtypes.
    model: a built model of either Keras.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it holds no arrays, or not as many as the model has inputs.
  """
  try:
    loaded = np.load(path, allow_pickle=False)
  except (EOFError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"examples={str(path)!r} is no file of arrays ({error}). Write it with numpy.save or numpy.savez."
    ) from error
  arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
  signature = endpoints.input_signature(model)
  specs = tf.nest.flatten(signature)
  if len(arrays) != len(specs):
    raise ValueError(
      f"examples={str(path)!r} holds {len(arrays)} arrays, but model {model.name!r} takes "
      f"{len(specs)} inputs: {', '.join(str(spec) for spec in specs)}."
    )
  cast = [
    a.astype(object if s.dtype == tf.string else s.dtype.as_numpy_dtype)
    for a, s in zip(arrays, specs, strict=True)
  ]
  packed = tf.nest.pack_sequence_as(signature, cast)
  return packed[0] if len(packed) == 1 else packed


def _keras_file(path):
  try:
    with zipfile.ZipFile(path) as file:
      version = json.loads(file.read("metadata.json"))["keras_version"]
    wrapped = any(name == _WRAPPER for _, name, _ in fresh_keras.custom(path))
  except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"{str(path)!r} is no .keras file, or is damaged ({error}). {_AGAIN}"
    ) from error
  k = tf_keras if version.startswith("2.") else keras
  with _wrappers(wrapped):
    try:
      return k.models.load_model(path, compile=False)
    except Exception as error:  # the layers' own code may raise anything
      missing = fresh_keras.missing(k, path)
      if missing:
        raise ValueError(
          f"{str(path)!r} needs {', '.join(missing)}, unknown here. Import the module that registers "
          f"it with @{k.__name__}.saving.register_keras_serializable(): --import=MODULE."
        ) from error
      raise ValueError(f"{str(path)!r} can't be loaded: {_line(error)} {_AGAIN}") from error


def _saved_model(path):
  if not (path / "keras_metadata.pb").is_file():
    kind = "a SavedModel without its Keras model" if (path / "saved_model.pb").is_file() else "none"
    raise ValueError(
      f"{str(path)!r} must be a SavedModel that tf_keras's model.save wrote, and is {kind}: give the "
      ".keras file of the model. What model.export and tfl.export write can only be called."
    )
  wrapped = _WRAPPER.encode() in (path / "keras_metadata.pb").read_bytes()
  try:
    with _wrappers(wrapped):
      return tf_keras.models.load_model(str(path), compile=False)
  except Exception as error:  # TensorFlow raises errors of many classes
    raise ValueError(f"{str(path)!r} can't be loaded: {_line(error)} {_AGAIN}") from error


def _wrappers(found):
  """The scope in which tf_keras knows tfmot's wrapper, where one was found."""
  if not found:
    return contextlib.nullcontext()
  from tflottery import tfmot

  return tfmot.load().sparsity.keras.prune_scope()


def _ticket(path, builder):
  ticket = Ticket.load(path)
  if builder is None:
    raise ValueError(
      f"{str(path)!r} is a ticket, which holds no network. Give builder='module:function', a function "
      "without arguments that returns it, built."
    )
  model = _built(builder)
  ticket.apply(model)
  return model


def _built(builder):
  name, _, function = builder.partition(":")
  if not name or not function:
    raise ValueError(f"builder={builder!r} must be written as 'module:function'.")
  try:
    build = pkgutil.resolve_name(builder)
    inspect.signature(build).bind()
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"builder={builder!r}: {error}.", name=error.name) from error
  except (AttributeError, TypeError, ValueError) as error:
    raise ValueError(
      f"builder={builder!r} is no function that can be called without arguments: {error}."
    ) from error
  model = build()
  try:
    _sites.keras_of(model)
  except TypeError as error:
    raise ValueError(f"builder={builder!r} returned no Keras model: {error}") from error
  return model


def _line(error):
  """What an error of Keras or TensorFlow says, as one line: some print a whole model's config."""
  return " ".join(str(error).split())[:500]
