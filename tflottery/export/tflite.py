"""TFLite files: zeros not stored, float16 or int8 values, tried by the interpreter before they stay."""

import gzip

import numpy as np

from tflottery import files
from tflottery.export import beside, choice, converter, interpreter, packing, report
from tflottery.export.stripped import stripped

VALUES = ("float32", "float16", "int8")


def tflite(
  model,
  path,
  *,
  values="float32",
  sparse=None,
  representative=None,
  examples=None,
  overwrite=False,
  verbose=True,
):
  """Write `model` as a TFLite file that is small where its weights are 0.

  Smaller, not faster: interpreters unpack the zeros when they load the file. int8 is what is faster
  on many devices.

  The file has one signature, `serving_default`, with the names of the model's inputs and outputs and
  the batch size free; a model with recurrent layers takes one row at a time
  (`interpreter.reset_all_variables()` between them). Before the call returns,
  `tf.lite.Interpreter` has loaded the file and its outputs have been compared with the model's; a
  failed export leaves at `path` what was there. Operations that TFLite has no kernels for are
  refused, not left to TensorFlow's (Select TF ops), which most interpreters lack.

  Masks that are held on the model, or are those of tfmot's wrappers, are laid on the weights, and
  wrappers taken off; the model itself is left as it was.

  Args:
    model: a built model of either Keras whose inputs are dense tensors.
    path: the file; folders that are missing are made.
    values: what weights are stored as. `float32` is exact. `float16` halves them and rounds each to
      11 bits; computed is in float32. `int8` computes in 8-bit integers, weights and activations,
      where TFLite can, else in float32; inputs and outputs keep the model's dtypes.
    sparse: whether kernels are stored without their zeros, where that makes them smaller; None is
      True for the floats and False for int8, of which interpreters can't load it.
    representative: inputs from which the ranges of int8 activations are taken, some hundred typical
      rows: arrays in the model's structure, or a finite, batched `tf.data.Dataset` of such. Needed
      for int8, and for nothing else.
    examples: inputs to compare on, in the model's structure; None is 32 rows, of `representative`
      or drawn.
    overwrite: True replaces the file at `path`.
    verbose: True prints the report.

  Returns:
    A `Report`, with a row per constant tensor of weights. It is also beside the file, as
    `<its name>.export_report.json`.

  Raises:
    FileExistsError: there is something at `path`; a directory is never replaced.
    OSError: it can't be written, or the disk is full.
    RuntimeError: the interpreter can't run the file, or its outputs are not the model's: further off
      than 1e-5 of the largest output for float32; 2**-11 of it, or four times what rounding its
      weights does to the model, for float16; the largest output itself for int8.
    TypeError: `model` is no Keras model.
    ValueError: it is not built, TFLite can't express it, or an argument has no such value.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(200, name="fc")])
  >>> kernel, bias = model.get_weights()
  >>> model.set_weights([np.where(np.abs(kernel) < np.quantile(np.abs(kernel), 0.9), 0, kernel), bias])
  >>> exported = tflite(model, "fc.tflite", verbose=False)
  >>> [(row.shape, row.format) for row in exported.rows], round(exported.bytes / exported.dense_bytes, 1)
  ([((200, 64), 'sparse float32')], 0.2)

  Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
  """
  sparse = _checked(values, sparse, representative)
  path = beside.local("path", path)
  with stripped(model) as plain, beside.file(path, overwrite=overwrite) as work:
    traced = converter.trace(plain)
    rows = converter.rows(representative, traced)
    calls = converter.examples(traced, examples, rows)
    weights = _weights(plain, traced, values)
    content, dense, notes = converter.convert(
      plain, traced, weights, values=values, sparse=sparse, rows=rows
    )
    difference, said = interpreter.compare(content, traced, calls, weights, values)
    row = converter.feed(traced, [array[:1] for array in calls])
    notes = [*notes, *said]
    found = _report(path, values, sparse, content, dense, row, weights, difference, notes)
    with beside.naming("path", path):
      files.write(work / "new" / path.name, content)
      found.save(report.place(work / "new" / path.name))
  if verbose:
    print(found)
  return found


def _checked(values, sparse, representative):
  """What `sparse` stands for, once the arguments fit each other."""
  if values not in VALUES:
    raise ValueError(f"values must be one of {', '.join(VALUES)}. Received: {values!r}.")
  if sparse not in (None, True, False):
    raise ValueError(f"sparse must be True, False or None. Received: {sparse!r}.")
  if values == "int8" and sparse:
    raise ValueError(
      "sparse=True and values='int8' don't go together: LiteRT's interpreter fails when it loads such "
      "a file. Leave out sparse (gzip finds the zeros of an int8 file), or give values='float16'."
    )
  if values == "int8" and representative is None:
    raise ValueError(
      "values='int8' needs representative=: some hundred typical inputs, from which the ranges of "
      "activations are taken."
    )
  if values != "int8" and representative is not None:
    raise ValueError(
      f"representative= is for values='int8'; it would be unused. Received: values={values!r}. Inputs "
      "to compare on are given by examples=."
    )
  return values != "int8" if sparse is None else bool(sparse)


def _weights(model, traced, values):
  weights = choice.weights(model, {"serve": traced})
  for weight in weights if values == "float16" else []:
    if weight.array.ndim > 1 and weight.array.dtype.kind == "f":
      finite = weight.array[np.isfinite(weight.array)]
      if np.abs(finite).max(initial=0) > np.finfo("float16").max:
        raise ValueError(
          f"values='float16' can't hold {weight.path}, which goes up to {np.abs(finite).max():.3g}: "
          "65,504 is the largest. Give values='float32'."
        )
  return weights


def _report(path, values, sparse, content, dense, row, weights, difference, notes):
  rows = interpreter.rows(content)
  interpreters, load_seconds = interpreter.loaded(
    {"export": content, "dense": dense, "again": dense}
  )
  seconds, rounds = interpreter.timed(interpreters, row)
  if sparse and rows and not any(row.format.startswith("sparse") for row in rows):
    notes = [*notes, "No weight has so many zeros that it is smaller without them."]
  elif len(content) > len(dense):
    notes = [*notes, "What the format adds is more than it saves here."]
  ideal = sum(packing.ideal_nbytes(w.array, dtype=_stored(w.array, values)) for w in weights)
  return report.Report(
    path=str(path),
    format="tflite",
    values=values,
    bytes=len(content),
    gzip_bytes=_gzipped(content),
    dense_bytes=len(dense),
    dense_gzip_bytes=_gzipped(dense),
    ideal_bytes=round(ideal),
    load_milliseconds=1000 * load_seconds["export"],
    dense_load_milliseconds=1000 * load_seconds["dense"],
    latency_ratio=seconds["export"] / seconds["dense"],
    control_ratio=seconds["again"] / seconds["dense"],
    rounds=rounds,
    largest_difference=difference,
    bit_identical=difference == 0,
    rows=tuple(rows),
    notes=tuple(notes),
  )


def _stored(array, values):
  """The dtype that TFLite stores a weight in: an int8 model's vectors are int32."""
  if array.dtype.kind != "f":
    return array.dtype
  return "int32" if values == "int8" and array.ndim < 2 else values


def _gzipped(content):
  return len(gzip.compress(content, 6))
