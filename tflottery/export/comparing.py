"""What a model computes, and whether an export computes the same."""

import numpy as np
import tensorflow as tf

from tflottery.export import inputs, trial
from tflottery.export.stripped import holding, restoring

# Relative to the largest output. Threads and fused kernels may change the last bits of sums.
_TOLERANCE = 1e-5
_TRACED = 1e-2  # between a model's call and its trace, also in half precision


def outputs(traced, calls):
  """What the traced endpoints compute, by name: flat lists of arrays. No variable changes by it.

  Raises:
    ValueError: a call fails.
  """
  found = {}
  for name, function in traced.items():
    try:
      found[name] = inputs.call(function, calls[name])
    except tf.errors.OpError as error:
      raise ValueError(
        f"Endpoint {name!r} fails on the examples that the export is to be tried on: "
        f"{reason(error)}. Give others by examples=."
      ) from error
  return found


def check_trace(call, function, arrays, expected):
  """Refuse a trace that computes something else than the model's own call, which Keras can give.

  Args:
    call: the model's inference call.
    function: its trace, a `ConcreteFunction`.
    arrays: the arguments, a flat list.
    expected: the trace's outputs, a flat list.
  """
  with restoring(inputs.written(function)):
    args = inputs.packed(function, arrays)[0]
    found = [t.numpy() for t in tf.nest.flatten(call(*args), expand_composites=True)]
  if any(_far(a, b) for a, b in zip(found, expected, strict=True)):
    shapes = [a.shape for a in found], [a.shape for a in expected]
    raise ValueError(
      f"Traced for any batch, the model computes something else than called: outputs of shapes "
      f"{shapes[1]} where the call gives {shapes[0]}. Keras's own export does the same. A layer "
      "goes by dimensions that are free: fix them in Input, or give signatures=."
    )


def compare(found, expected, traced, calls, chosen):
  """The largest difference of an export's outputs from the model's, and what to say of it.

  Args:
    found: as `trial.trial` gives it: of `export`, `dense` and `again`, by endpoint.
    expected: as `outputs` gives it.
    traced, calls: the endpoints and their example arguments.
    chosen: the export's weights, a list of `choice.Weight`.

  Raises:
    RuntimeError: the outputs are not what the stored weights give.
  """
  with holding([(w.variable, w.packed.array()) for w in chosen if w.packed is not None]):
    stored = outputs(traced, calls)  # other than expected where values were rounded
  difference = _largest(found["export"], expected)
  if _largest(found["again"], found["dense"]) or _largest(outputs(traced, calls), expected):
    return difference, ["The model's outputs differ from call to call, so they prove nothing."]
  error = _largest(found["export"], stored)
  if error > _TOLERANCE * trial.scale([a for arrays in stored.values() for a in arrays]):
    raise RuntimeError(
      f"The export's outputs differ by up to {error:.3g} from what its weights give in the model, so "
      "it is not kept. Please report it, with the model."
    )
  if error and not _largest(found["export"], found["dense"]):
    return difference, ["Bit for bit what the dense export computes in the same process."]
  return difference, []


def reason(error):
  """The sentence of TensorFlow's message, without the traceback before it and the node after it."""
  lines = [
    line for line in error.message.splitlines() if not line.strip().startswith(("[[", "File"))
  ]
  return next(line for line in reversed(lines) if line.strip())


def _far(called, traced):
  """Whether shapes differ, or floats by more than rounding explains; NaN may come of other kernels."""
  if called.shape != traced.shape or called.dtype.kind not in "fc":
    return called.shape != traced.shape
  both = np.isfinite(called) & np.isfinite(traced)
  difference = np.abs(called[both] - traced[both]).max(initial=0)
  return difference > _TRACED * trial.scale([called])


def _largest(found, expected):
  return max(trial.largest_difference(found[name], expected[name]) for name in expected)
