"""TFLite files: zeros not stored, float16 or int8 values, tried by the interpreter before they stay."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import statistics
import sys
import tempfile
import time
import warnings

import numpy as np
import tensorflow as tf

from tflottery import files
from tflottery.export import choice, endpoints, inputs, module, report, trial
from tflottery.export.stripped import holding, stripped

VALUES = ("float32", "float16", "int8")

# How far an output may be from the model's, relative to the largest. float32: threads and folded
# normalisation change the last bits of sums. float16: rounding to 11 bits once; what rounding all
# weights does to the model is measured and allowed beside it. int8: as wrong as answering 0.
_TOLERANCE = {"float32": 1e-5, "float16": 2.0**-11, "int8": 1.0}
# The converter rounds kernels after it has multiplied normalisation into them, so its errors are
# others than the model's, of the same size. The largest of a few hundred varies by less than this.
_OTHER_ROUNDING = 4
_SECONDS = 2.0
_ROWS = 32


@dataclasses.dataclass(frozen=True, repr=False)
class TFLiteReport:
  """What a TFLite export became.

  Attributes:
    path: where the file lies.
    values: dtype of the stored weights.
    sparse_tensors: how many tensors are stored without their zeros.
    bytes, gzip_bytes: size of the file, raw and gzipped.
    dense_bytes, dense_gzip_bytes: the same of a float32 TFLite file that stores the zeros.
    latency_ratio: time of one row (lower quartile) in `tf.lite.Interpreter`, divided by the dense file's.
    control_ratio: the same of a second load of the dense file: what noise alone does.
    rounds: over how many rounds, each in random order.
    largest_difference: of an output from the model's, on the examples.
    bit_identical: whether all outputs are the model's to the last bit.
    notes: what there is to say, sentences.
  """

  path: str
  values: str
  sparse_tensors: int
  bytes: int
  gzip_bytes: int
  dense_bytes: int
  dense_gzip_bytes: int
  latency_ratio: float
  control_ratio: float
  rounds: int
  largest_difference: float
  bit_identical: bool
  notes: tuple = ()

  def save(self, path):
    """Write the report as JSON."""
    files.write(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

  def __str__(self):
    identical = "bit for bit the model's" if self.bit_identical else "not bit for bit the model's"
    share, gzipped = self.bytes / self.dense_bytes, self.gzip_bytes / self.dense_gzip_bytes
    lines = [
      f"{self.path}: tflite, {self.values} values, {self.sparse_tensors} tensors without zeros",
      f"  bytes           {self.bytes:>13,}  {share:.3f} of dense ({self.dense_bytes:,})",
      f"  bytes, gzipped  {self.gzip_bytes:>13,}  {gzipped:.3f} of dense, gzipped "
      f"({self.dense_gzip_bytes:,})",
      f"  latency         {self.latency_ratio:>11.2f} x  of dense; dense against itself: "
      f"{self.control_ratio:.2f} ({self.rounds} rounds)",
      f"  outputs         differ by at most {self.largest_difference:.2g}: {identical}",
      *(f"  {note}" for note in self.notes),
    ]
    return "\n".join(lines)


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
    A `TFLiteReport`.

  Raises:
    FileExistsError: there is a file at `path`.
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
  >>> exported.sparse_tensors, round(exported.bytes / exported.dense_bytes, 1)
  (1, 0.2)

  Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
  """
  sparse = _checked(values, sparse, representative)
  target = _writable(path, overwrite)
  with stripped(model) as plain, tempfile.TemporaryDirectory() as work:
    traced = _traced(plain)
    rows = _rows(representative, traced)
    calls = _calls(traced, examples, rows)
    weights = _weights(plain, traced, values)
    source, dense, notes = _dense(plain, traced, weights, values, work)
    content = _converted(source, values, sparse, [_feed(traced, row) for row in rows])
    difference, said = _compare(content, traced, calls, weights, values)
  row = _feed(traced, [array[:1] for array in calls])
  found = _report(path, values, sparse, content, dense, row, difference, notes + said)
  with _naming(target):
    files.write(target, content)
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


def _writable(path, overwrite):
  """`path` made absolute, in a folder that exists and can be written to."""
  target = pathlib.Path(path).absolute()
  if target.is_dir():
    raise IsADirectoryError(
      f"path={str(target)!r} is a directory. Give a file, as in model.tflite."
    )
  if target.exists() and not overwrite:
    raise FileExistsError(f"path={str(target)!r} exists. Choose another, or give overwrite=True.")
  with _naming(target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent):
      return target


@contextlib.contextmanager
def _naming(target):
  """Has errors of the file system say which argument they are about."""
  try:
    yield
  except OSError as error:
    raise type(error)(
      f"path={str(target)!r} can't be written: {error.strerror or error}. Choose a folder that you "
      "may write, on a disk with room."
    ) from error


def _traced(model):
  (traced,) = endpoints.trace(model).values()
  for spec in tf.nest.flatten(endpoints.arguments(traced)):
    if not isinstance(spec, tf.TensorSpec):
      raise ValueError(f"model must take dense tensors: TFLite has no others. It takes {spec}.")
  return traced


def _rows(representative, traced):
  """Every row of `representative` as the arguments of one call: flat lists of arrays."""
  if representative is None:
    return []
  batches = [representative]
  if isinstance(representative, tf.data.Dataset):
    if representative.cardinality() == tf.data.INFINITE_CARDINALITY:
      raise ValueError("representative= is an endless data set. Give representative.take(n).")
    batches = representative
  specs = tf.nest.flatten(endpoints.arguments(traced))
  rows = []
  for batch in batches:
    arrays = [np.asarray(array) for array in tf.nest.flatten(batch)]
    if not _fit(arrays, specs):
      raise ValueError(
        f"representative must hold batches for the inputs {specs}, without labels: "
        "data.map(lambda x, y: x), or data.batch(32) where it has none. Received a batch of shapes "
        f"{[array.shape for array in arrays]}."
      )
    typed = [a.astype(s.dtype.as_numpy_dtype) for a, s in zip(arrays, specs, strict=True)]
    rows += [[array[i : i + 1] for array in typed] for i in range(len(arrays[0]))]
  if not rows:
    raise ValueError("representative holds no rows. Give some hundred.")
  return rows


def _fit(arrays, specs):
  return (
    len(arrays) == len(specs)
    and all(s.shape.is_compatible_with(a.shape) for a, s in zip(arrays, specs, strict=True))
    and len({len(array) for array in arrays}) == 1
  )


def _calls(traced, examples, rows):
  """What to compare on: a flat list of arrays with a row per example."""
  if examples is not None or not rows:
    return inputs.arguments(traced, examples)
  shapes = [array.shape for array in rows[0]]
  alike = [row for row in rows if [array.shape for array in row] == shapes][:_ROWS]
  return [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]


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


def _dense(model, traced, weights, values, work):
  """A SavedModel of `model`, the dense TFLite file made of it, and what to say of it."""
  source = pathlib.Path(work, "free")
  module.write(source, model, {"serve": traced}, weights)
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
  module.write(source, model, endpoints.trace(model, {"serve": specs}), weights)
  said = (
    "TFLite has its recurrent layers for one row only, so a call takes one row. Some keep their state "
    "from call to call: call interpreter.reset_all_variables() between them."
  )
  return source, _converted(source, "float32", False, []), [said]


def _converted(source, values, sparse, feeds):
  """The SavedModel in `source` as the bytes of a TFLite file.

  Args:
    source: the directory.
    values: as `tflite` takes it.
    sparse: True or False.
    feeds: for int8, dicts from the names of inputs to arrays with one row.
  """
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
    with _quiet():
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
def _quiet():
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


def _feed(traced, arrays):
  """`arrays` by the names that the signature has for them."""
  specs = tf.nest.flatten(endpoints.arguments(traced))
  return {spec.name: array for spec, array in zip(specs, arrays, strict=True)}


def _interpreter(content):
  with _quiet():
    return tf.lite.Interpreter(model_content=content)


def _outputs(content, traced, calls):
  """What the interpreter computes: a flat list of arrays in the order of the model's outputs."""
  interpreter = _interpreter(content)
  runner = interpreter.get_signature_runner()
  fixed = any(d["shape_signature"][0] == 1 for d in runner.get_input_details().values())
  size = 1 if fixed else len(calls[0])
  found = []
  with _quiet():
    for i in range(0, len(calls[0]), size):
      found.append(runner(**_feed(traced, [array[i : i + size] for array in calls])))
      interpreter.reset_all_variables()
  structure = traced.structured_outputs
  count = len(tf.nest.flatten(structure))
  names = (
    sorted(structure) if isinstance(structure, dict) else [f"output_{i}" for i in range(count)]
  )
  if len(found) == 1:
    return [found[0][name] for name in names]
  return [np.concatenate([part[name] for part in found]) for name in names]


def _compare(content, traced, calls, weights, values):
  """The largest difference of the file's outputs from the model's, and what to say of it.

  Raises:
    RuntimeError: the file can't be run, or the difference is more than `values` explains.
  """
  expected = inputs.call(traced, calls)
  rounded = expected
  if values == "float16":
    with holding([(weight.variable, _rounded(weight.array)) for weight in weights]):
      rounded = inputs.call(traced, calls)
  row = [array[:1] for array in calls]  # some files run for many rows only
  try:
    _outputs(content, traced, row)
    found = _outputs(content, traced, calls)
  except (RuntimeError, ValueError) as error:
    raise RuntimeError(
      f"tf.lite.Interpreter can't run the file, so it is not kept: {str(error)[:500]}"
    ) from error
  difference = trial.largest_difference(found, expected)
  if trial.largest_difference(inputs.call(traced, calls), expected):
    return difference, ["The model's outputs differ from call to call, so they prove nothing."]
  for mine, model, other in zip(found, expected, rounded, strict=True):
    _check_output(mine, model, other, values)
  return difference, []


def _check_output(found, expected, rounded, values):
  error = trial.largest_difference([found], [expected])
  if not error:
    return
  bound = 0.0
  if expected.dtype.kind == "f":
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    rounding = trial.largest_difference([rounded], [expected])
    bound = max(_TOLERANCE[values] * largest, _OTHER_ROUNDING * rounding)
  elif values != "float32" and np.isfinite(error):
    return  # integers: the class is another one where two are nearly equal
  if error > bound:
    raise RuntimeError(
      f"The file's outputs differ from the model's by up to {error:.3g}, where values={values!r} "
      f"explains {bound:.3g}, so it is not kept. Please report it, with the model."
    )


def _rounded(array):
  """`array` rounded to float16; as it is where that would make it infinite, as some statistics."""
  if array.dtype.kind != "f":
    return array
  with np.errstate(over="ignore"):
    narrow = array.astype("float16").astype(array.dtype)
  return np.where(np.isfinite(narrow), narrow, array)


def _report(path, values, sparse, content, dense, row, difference, notes):
  count = sum(bool(d["sparsity_parameters"]) for d in _interpreter(content).get_tensor_details())
  seconds, rounds = _timed({"export": content, "dense": dense, "again": dense}, row)
  sizes, dense_sizes = _sizes(content), _sizes(dense)
  if sparse and not count:
    notes = [*notes, "No weight has so many zeros that it is smaller without them."]
  elif sizes[0] > dense_sizes[0]:
    notes = [*notes, "What the format adds is more than it saves here."]
  return TFLiteReport(
    path=str(path),
    values=values,
    sparse_tensors=count,
    bytes=sizes[0],
    gzip_bytes=sizes[1],
    dense_bytes=dense_sizes[0],
    dense_gzip_bytes=dense_sizes[1],
    latency_ratio=seconds["export"] / seconds["dense"],
    control_ratio=seconds["again"] / seconds["dense"],
    rounds=rounds,
    largest_difference=difference,
    bit_identical=difference == 0,
    notes=tuple(notes),
  )


def _sizes(content):
  """Bytes, raw and gzipped as `report.sizes` does."""
  with tempfile.TemporaryDirectory() as directory:
    pathlib.Path(directory, "model.tflite").write_bytes(content)
    return report.sizes(directory)


def _timed(contents, row):
  """Seconds of one row by file, the lower quartile over rounds, each in random order; and the rounds."""
  interpreters = {name: _interpreter(content) for name, content in contents.items()}
  with _quiet():
    for interpreter in interpreters.values():
      interpreter.get_signature_runner()(**row)  # sets the inputs; held, it would forbid invoke
  seconds = {name: [] for name in interpreters}
  end, rounds = time.perf_counter() + _SECONDS, 0
  while rounds < 3 or (rounds < 300 and time.perf_counter() < end):
    for name in random.sample(list(interpreters), len(interpreters)):
      begun = time.perf_counter()
      interpreters[name].invoke()
      seconds[name].append(time.perf_counter() - begun)
    rounds += 1
  # Not medians: where others use the processor half of the time, those jump between two times.
  return {name: statistics.quantiles(values)[0] for name, values in seconds.items()}, rounds
