"""What was written, tried in a process of its own."""

import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import tensorflow as tf

_FRESH = pathlib.Path(__file__).with_name("fresh.py")
_SECONDS = 3.0


def trial(models, endpoints, workdir):
  """Load SavedModels in a fresh process that imports TensorFlow alone, call and time them.

  Args:
    models: dict from name to directory.
    endpoints: dict from endpoint to the list of its arguments, as arrays.
    workdir: an existing directory for what goes back and forth.

  Returns:
    A dict as `fresh.py` describes it.

  Raises:
    RuntimeError: a model can't be loaded or called; with the end of what TensorFlow said.
  """
  threads = tf.config.threading
  content = {
    "models": {name: str(directory) for name, directory in models.items()},
    "endpoints": endpoints,
    "seconds": _SECONDS,
    "threads": (
      threads.get_intra_op_parallelism_threads(),
      threads.get_inter_op_parallelism_threads(),
    ),
  }
  return run(_FRESH, content, workdir)


def run(script, content, workdir):
  """What `script` answers to `content` in a fresh process.

  Args:
    script: a Python file whose `__main__` takes two paths: it reads the pickle `content` from the
      first and writes the pickle of its answer to the second.
    content: anything that can be pickled.
    workdir: an existing directory for what goes back and forth.

  Raises:
    RuntimeError: the script fails; with the end of what it said.
  """
  job, result = pathlib.Path(workdir, "job"), pathlib.Path(workdir, "result")
  job.write_bytes(pickle.dumps(content))
  # Not as a script: its own folder would come first where modules are looked for.
  code = "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
  command = [sys.executable, "-c", code, str(script), str(job), str(result)]
  environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
  # In `workdir`: files in the user's directory may be called as modules are.
  done = subprocess.run(
    command, capture_output=True, text=True, env=environment, cwd=workdir, check=False
  )
  if done.returncode:
    raise RuntimeError(f"The export does not work in a fresh process:\n{done.stderr[-3000:]}")
  return pickle.loads(result.read_bytes())


def largest_difference(found, expected):
  """The largest absolute difference over lists of arrays; NaN equals NaN, infinity otherwise.

  Strings and booleans differ by infinity or not at all.
  """
  differences = [0.0]
  for a, b in zip(found, expected, strict=True):
    if a.shape != b.shape or a.dtype != b.dtype:
      return float("inf")
    if np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
      continue
    if a.dtype.kind not in "fciuV":
      return float("inf")
    wider = "complex128" if a.dtype.kind == "c" else "float64"
    with np.errstate(invalid="ignore"):  # infinities that are the same
      wide = np.abs(a.astype(wider) - b.astype(wider))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    wide = np.where(same, 0.0, np.where(np.isnan(wide), np.inf, wide))
    differences.append(float(wide.max()))
  return max(differences)


def scale(arrays):
  """The largest absolute value in a list of arrays that is finite, at least 1."""
  numbers = [a[np.isfinite(a)] for a in arrays if a.dtype.kind in "fciu"]
  return max([1.0, *(float(np.abs(a).max(initial=0)) for a in numbers)])
