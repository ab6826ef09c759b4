"""TFLite's interpreter: what a file computes, how far from the model, how fast, and what it stores."""

import random
import time

import numpy as np
import tensorflow as tf

from tflottery.export import fresh, inputs, report, trial
from tflottery.export.converter import feed, quiet
from tflottery.export.stripped import holding

# How far an output may be from the model's, relative to the largest. float32: threads and folded
# normalisation change the last bits of sums. float16: rounding to 11 bits once; what rounding all
# weights does to the model is measured and allowed beside it. int8: as wrong as answering 0.
_TOLERANCE = {"float32": 1e-5, "float16": 2.0**-11, "int8": 1.0}
# The converter rounds kernels after it has multiplied normalisation into them, so its errors are
# others than the model's, of the same size. The largest of a few hundred varies by less than this.
_OTHER_ROUNDING = 4
_SECONDS = 2.0


def compare(content, traced, calls, weights, values):
  """The largest difference of the file's outputs from the model's, and what to say of it.

  Args:
    content: the file, bytes.
    traced: the model, a `ConcreteFunction`.
    calls: a flat list of arrays with a row per example.
    weights: list of `choice.Weight`, the model's.
    values: as `tflite` takes it.

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


def loaded(contents):
  """Interpreters by name, ready to be called, and the seconds that each took to load.

  Args:
    contents: dict from name to a file, bytes.
  """
  interpreters, seconds = {}, {}
  with quiet():
    for name in random.sample(list(contents), len(contents)):
      begun = time.perf_counter()
      interpreters[name] = _interpreter(contents[name])
      interpreters[name].allocate_tensors()
      seconds[name] = time.perf_counter() - begun
  return interpreters, seconds


def timed(interpreters, row):
  """Seconds of a call by name: medians over rounds, each in random order; and the rounds.

  Args:
    interpreters: dict from name to one that is loaded.
    row: the arguments of the call, by input.
  """
  with quiet():
    for interpreter in interpreters.values():
      interpreter.get_signature_runner()(**row)  # sets the inputs; held, it would forbid invoke
  return fresh.timed({name: one.invoke for name, one in interpreters.items()}, _SECONDS)


def rows(content):
  """A `report.Row` per constant tensor that holds weights: floats, or integers with a scale."""
  with quiet():
    interpreter = _interpreter(content)
  found = []
  for detail in interpreter.get_tensor_details():
    is_float = np.issubdtype(detail["dtype"], np.floating)
    if not is_float and not detail["quantization_parameters"]["scales"].size:
      continue
    try:
      stored = interpreter.get_tensor(detail["index"])  # of sparse ones the values that are stored
    except ValueError:  # before tensors are allocated, what is computed has no data
      continue
    found.append(_row(detail, stored))
  return found


def _row(detail, stored):
  shape = tuple(detail["shape"].tolist())
  size = int(np.prod(shape))
  sparse = detail["sparsity_parameters"]
  return report.Row(
    path=detail["name"],
    shape=shape,
    sparsity=1 - np.count_nonzero(stored) / max(size, 1),
    format=f"{'sparse ' if sparse else ''}{stored.dtype.name}",
    bytes=stored.nbytes + _places_nbytes(sparse),
    dense_bytes=4 * size,
  )


def _places_nbytes(sparse):
  """What the places of a tensor's values take: each array in the smallest unsigned dtype."""
  arrays = [
    metadata[name]
    for metadata in sparse.get("dim_metadata", ())
    for name in ("array_segments", "array_indices")
    if name in metadata
  ]
  # The interpreter shows them as int32, whatever the file holds.
  return sum(np.min_scalar_type(array.max(initial=0)).itemsize * array.size for array in arrays)


def _interpreter(content):
  return tf.lite.Interpreter(model_content=content)


def _outputs(content, traced, calls):
  """What the interpreter computes: a flat list of arrays in the order of the model's outputs."""
  found = []
  with quiet():
    interpreter = _interpreter(content)
    runner = interpreter.get_signature_runner()
    fixed = any(d["shape_signature"][0] == 1 for d in runner.get_input_details().values())
    size = 1 if fixed else len(calls[0])
    for i in range(0, len(calls[0]), size):
      found.append(runner(**feed(traced, [array[i : i + size] for array in calls])))
      interpreter.reset_all_variables()
  structure = traced.structured_outputs
  count = len(tf.nest.flatten(structure))
  names = (
    sorted(structure) if isinstance(structure, dict) else [f"output_{i}" for i in range(count)]
  )
  if len(found) == 1:
    return [found[0][name] for name in names]
  return [np.concatenate([part[name] for part in found]) for name in names]


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
