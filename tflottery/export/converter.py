"""TFLite's converter: from a traced model to the bytes of a file, or a reason why not."""

import contextlib
import os
import pathlib
import re
import sys
import tempfile
import warnings

import numpy as np
import tensorflow as tf

from tflottery.export import comparing, endpoints, inputs, module

_ROWS = 32


def trace(model):
  """The inference call of `model` as a `ConcreteFunction`.

  Raises:
    ValueError: its inputs are not known, or others than dense tensors.
  """
  (traced,) = endpoints.trace(model).values()
  for spec in tf.nest.flatten(endpoints.arguments(traced)):
    if not isinstance(spec, tf.TensorSpec):
      raise ValueError(f"model must take dense tensors: TFLite has no others. It takes {spec}.")
  return traced


def rows(representative, traced):
  """Every row of `representative` as the arguments of one call: flat lists of arrays.

  Raises:
    ValueError: there are none, no end of them, or they are not what `traced` takes.
  """
  if representative is None:
    return []
  batches = [representative]
  if isinstance(representative, tf.data.Dataset):
    if representative.cardinality() == tf.data.INFINITE_CARDINALITY:
      raise ValueError("representative= is an endless data set. Give representative.take(n).")
    batches = representative
  specs = tf.nest.flatten(endpoints.arguments(traced))
  found = []
  for batch in batches:
    arrays = [np.asarray(array) for array in tf.nest.flatten(batch)]
    if not _fit(arrays, specs):
      raise ValueError(
        f"representative must hold batches for the inputs {specs}, without labels: "
        "data.map(lambda x, y: x), or data.batch(32) where it has none. Received a batch of shapes "
        f"{[array.shape for array in arrays]}."
      )
    typed = [a.astype(s.dtype.as_numpy_dtype) for a, s in zip(arrays, specs, strict=True)]
    found += [[array[i : i + 1] for array in typed] for i in range(len(arrays[0]))]
  if not found:
    raise ValueError("representative holds no rows. Give some hundred.")
  return found


def _fit(arrays, specs):
  return (
    len(arrays) == len(specs)
    and all(s.shape.is_compatible_with(a.shape) for a, s in zip(arrays, specs, strict=True))
    and len({len(array) for array in arrays}) == 1
  )


def examples(traced, given, rows):
  """What to compare on: a flat list of arrays with a row per example.

  Args:
    traced: a `ConcreteFunction`.
    given: the model's inputs, in its structure; None takes 32 of `rows`, or draws 32.
    rows: what the function `rows` gives.
  """
  if given is not None or not rows:
    return inputs.arguments(traced, given)
  shapes = [array.shape for array in rows[0]]
  alike = [row for row in rows if [array.shape for array in row] == shapes][:_ROWS]
  return [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]


def feed(traced, arrays):
  """`arrays` by the names that the signature has for them."""
  specs = tf.nest.flatten(endpoints.arguments(traced))
  return {spec.name: array for spec, array in zip(specs, arrays, strict=True)}


def convert(model, traced, weights, *, values, sparse, rows):
  """The file, a dense float32 one to compare with, and what to say of both: bytes, bytes, sentences.

  Args:
    model: the model that `traced` is of.
    traced: a `ConcreteFunction`.
    weights: list of `choice.Weight`.
    values: as `tflite` takes it.
    sparse: True or False.
    rows: for int8, what the function `rows` gives.

  Raises:
    OSError: the disk of temporary files is full.
    ValueError: TFLite can't express the model.
  """
  with tempfile.TemporaryDirectory() as work:
    source, dense, notes = _dense(model, traced, weights, values, work)
    feeds = [feed(traced, row) for row in rows]
    return _converted(source, values, sparse, feeds), dense, notes


def _dense(model, traced, weights, values, work):
  """A SavedModel of `model`, the dense TFLite file made of it, and what to say of it."""
  source = pathlib.Path(work, "free")
  _write(source, model, {"serve": traced}, weights)
  try:
    return source, _converted(source, "float32", False, []), []
  except ValueError as error:
    if "TensorList" not in str(error.__cause__):
      raise
    if values == "int8":  # tf_keras's LSTM, which TFLite has as one operation, is refused with them
      raise ValueError(
        "values='int8' can't be had for recurrent layers: TFLite's calibration of their loops can "
        "crash Python. Give values='float16'."
      ) from error
  source = pathlib.Path(work, "rows")
  specs = tf.nest.map_structure(
    lambda spec: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name),
    endpoints.arguments(traced),
  )
  _write(source, model, endpoints.trace(model, {"serve": specs}), weights)
  said = (
    "TFLite has its recurrent layers for one row only, so a call takes one row. Some keep their state "
    "from call to call: call interpreter.reset_all_variables() between them."
  )
  return source, _converted(source, "float32", False, []), [said]


def _write(source, model, traced, weights):
  try:
    module.write(source, model, traced, weights)
  except tf.errors.OpError as error:
    raise OSError(
      f"The SavedModel that TFLite's converter reads can't be written to {tempfile.gettempdir()}: "
      f"{comparing.reason(error)}. Make room there, or set TMPDIR."
    ) from error


def _converted(source, values, sparse, feeds):
  """The SavedModel in `source` as the bytes of a TFLite file; `feeds` are int8's rows by input."""
  converter = tf.lite.TFLiteConverter.from_saved_model(
    str(source), signature_keys=["serving_default"]
  )
  converter.optimizations = [tf.lite.Optimize.DEFAULT] if values != "float32" else []
  if sparse:
    converter.optimizations.append(tf.lite.Optimize.EXPERIMENTAL_SPARSITY)
  if values == "float16":
    converter.target_spec.supported_types = [tf.float16]
  if values == "int8":
    converter.representative_dataset = lambda: iter(feeds)
  try:
    with quiet():
      return converter.convert()
  except Exception as error:  # ConverterError has no public name; calibration raises RuntimeError
    raise ValueError(
      f"TFLite can't express the model: {_reason(str(error))} Take that out of the model and do it "
      "before or after the call, or export with tfl.export.saved_model."
    ) from error


def _reason(said):
  """The converter's many lines in one sentence."""
  missing = dict.fromkeys(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", said))
  if missing:
    return f"it has no {', '.join(missing)}."
  return re.sub(r".*\): ", "", said.strip().split("\n")[0])[:300].rstrip(".") + "."


@contextlib.contextmanager
def quiet():
  """Keeps off standard error what the converter and the interpreter write there, also from C++."""
  sys.stderr.flush()
  kept = os.dup(2)
  with open(os.devnull, "wb") as nothing, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    os.dup2(nothing.fileno(), 2)
    try:
      yield
    finally:
      os.dup2(kept, 2)
      os.close(kept)
