"""Sparse SavedModels: small on disk, as fast as dense, loaded by plain TensorFlow."""

import shutil

import tensorflow as tf

from tflottery.export import (
  beside,
  choice,
  comparing,
  endpoints,
  inputs,
  module,
  packing,
  report,
  trial,
)
from tflottery.export.stripped import stripped

FORMATS = ("auto", "compact", "csr", "fastest", "dense")
VALUES = ("float32", "float16")


def saved_model(
  model,
  directory,
  *,
  format="auto",
  values="float32",
  signatures=None,
  examples=None,
  overwrite=False,
  verbose=True,
):
  """Write `model` as a SavedModel that is small where its weights are 0.

  The weights that are mostly 0 are packed: their values, and where they are as a bit mask or as
  gaps, whichever is smaller. When the SavedModel is loaded (in Python, by TF Serving's C++ loader, in
  a session) they are unpacked once into ordinary variables; from then on it computes exactly what a
  dense one does, as fast, in the memory of a dense one and of the packed weights. No code of
  tflottery or Keras is needed to load it. Two loaders can't run the unpacking and need
  `format="dense"`: `keras.layers.TFSMLayer`, and `tf.saved_model.load` inside a `MirroredStrategy`'s
  scope.

  The export is loaded in a fresh process and its outputs are compared with the model's before it
  takes the place of `directory`; a failed export leaves there what was there.

  Masks that are held on the model, or are those of tfmot's wrappers, are laid on the weights, and
  wrappers taken off; the model itself is left as it was.

  Args:
    model: a built model of either Keras: Sequential, functional or subclassed.
    directory: where to; missing or empty.
    format: `auto` is `compact` where that is smaller, else `dense`. `compact` packs each weight
      that becomes smaller by it. `csr` also multiplies by the nonzero weights alone, in Dense and
      1x1 convolutions where that is known to be faster (from 95 % zeros, 32 rows and a million
      weights on); XLA can't compile these. `fastest` measures here which of them are. `dense`
      writes each weight as it is, once.
    values: how packed kernels are stored. `float32` keeps the model's dtype, whatever it is.
      `float16` halves them and rounds each to 11 bits; loaded, they have the model's dtype again.
      Kernels with weights beyond 65,504 are kept as they are.
    signatures: dict from endpoint name to a `tf.function` with an `input_signature`, or to the list
      of `tf.TensorSpec`s to call the model with. None is Keras's own: `serve`, the batch size free.
      The first is also the signature `serving_default`.
    examples: inputs to compare and time with, in the structure that the first endpoint takes, as
      arrays; None draws 32 rows. Their rows are what `csr` and `fastest` go by.
    overwrite: True replaces the SavedModel in `directory`.
    verbose: True prints the report.

  Returns:
    A `Report`, which is also in `directory` as `export_report.json`.

  Raises:
    FileExistsError: `directory` is not empty.
    OSError: it can't be written, or the disk is full.
    RuntimeError: the export can't be loaded, or its outputs are not the model's.
    TypeError: `model` is no Keras model.
    ValueError: it is not built, can't be exported (it says why), or an argument has no such value.

  >>> import keras
  >>> import numpy as np
  >>> model = keras.Sequential([keras.Input((200,)), keras.layers.Dense(100, name="fc")])
  >>> kernel, bias = model.get_weights()
  >>> model.set_weights([kernel * (np.arange(20_000).reshape(200, 100) % 10 == 0), bias])
  >>> exported = saved_model(model, "serving/1", verbose=False)
  >>> exported.rows[0].format, exported.rows[0].bytes, exported.rows[0].dense_bytes
  ('gaps', 10000, 80000)
  >>> exported.bit_identical
  True
  """
  _check(format, values)
  with stripped(model) as plain, beside.beside(directory, overwrite=overwrite) as work:
    traced = endpoints.trace(plain, signatures)
    calls = _calls(traced, examples)
    expected = comparing.outputs(traced, calls)
    if signatures is None:
      called = endpoints.inference(plain)
      comparing.check_trace(called, traced["serve"], calls["serve"], expected["serve"])
    dense, chosen, notes = _weights(plain, traced, calls, format, values)
    written = {"export": work / "new", "dense": work / "dense"}
    _write(written["export"], plain, traced, chosen)
    _write(written["dense"], plain, traced, dense)
    if format == "auto" and report.nbytes(work / "new") > report.nbytes(work / "dense"):
      shutil.rmtree(work / "new")
      shutil.copytree(work / "dense", work / "new")
      chosen, notes = dense, [*notes, "Packed it would be larger, so it is written dense."]
    tried = trial.trial({**written, "again": written["dense"]}, calls, work)
    difference, said = comparing.compare(tried["outputs"], expected, traced, calls, chosen)
    found = _report(directory, values, written, chosen, tried, difference, [*notes, *said])
    found.save(report.place(written["export"]))
  if verbose:
    print(found)
  return found


def _check(format, values):
  for name, value, known in (("format", format, FORMATS), ("values", values, VALUES)):
    if value not in known:
      raise ValueError(f"{name} must be one of {', '.join(known)}. Received: {value!r}.")


def _write(directory, model, traced, weights):
  try:
    module.write(directory, model, traced, weights)
  except tf.errors.OpError as error:
    raise OSError(
      f"The export can't be written: {comparing.reason(error)}. Beside the export itself a dense one is "
      "written for comparison; make room for both. What stood there before stands there still."
    ) from error


def _calls(traced, examples):
  """The arguments to try each endpoint on; `examples` are the first's."""
  given = {next(iter(traced)): examples}
  return {name: inputs.arguments(f, given.get(name)) for name, f in traced.items()}


def _weights(model, traced, calls, format, values):
  """The weights as a dense export holds them, as this one does, and what to say of that."""
  dense = choice.weights(model, traced)
  chosen, notes = choice.choose(dense, format=format, values=values, traced=traced, calls=calls)
  return dense, chosen, notes


def _report(directory, values, written, chosen, tried, difference, notes):
  milliseconds = {name: 1000 * s for name, s in tried["load_seconds"].items()}
  seconds = tried["seconds"]
  sizes = {name: report.sizes(path) for name, path in written.items()}
  ideal = sum(
    packing.ideal_nbytes(w.array, dtype=w.packed and w.packed.values.dtype) for w in chosen
  )
  return report.Report(
    path=str(directory),
    format=choice.format_of(chosen),
    values=values,
    bytes=sizes["export"][0],
    gzip_bytes=sizes["export"][1],
    dense_bytes=sizes["dense"][0],
    dense_gzip_bytes=sizes["dense"][1],
    ideal_bytes=round(ideal),
    load_milliseconds=milliseconds["export"],
    dense_load_milliseconds=milliseconds["dense"],
    latency_ratio=seconds["export"] / seconds["dense"],
    control_ratio=seconds["again"] / seconds["dense"],
    rounds=tried["rounds"],
    largest_difference=difference,
    bit_identical=difference == 0,
    rows=tuple(map(report.row, chosen)),
    notes=tuple(notes),
  )
