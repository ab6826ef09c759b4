"""Runs in a process of its own: loads a `.keras` file with Keras alone, and calls the model.

    python fresh_keras.py JOB RESULT

JOB and RESULT are pickles. A job: `file`, `keras` (the module's name), `path` (where modules are
looked for), `arguments` (of one call, None calls nothing). A result: `load_seconds`, `weights` and
`outputs` (lists of arrays, outputs None without a call), or instead `error` and `missing` (names of
the classes and functions that are not registered). The modules of the model's own classes are
imported first, as its user would.
"""

import contextlib
import importlib
import json
import pickle
import sys
import time
import zipfile

import numpy as np
import tensorflow as tf


def custom(file):
  """(module, name, registered name) of what a `.keras` file refers to that is not Keras's own.

  The module is None where Keras did not write it down: `__main__`, and that of functions.
  """
  with zipfile.ZipFile(file) as opened:
    config = json.loads(opened.read("config.json"))
  return list(dict.fromkeys(_custom(config)))


def _custom(config):
  if isinstance(config, dict):
    if {"module", "class_name", "config"} <= config.keys():
      is_function = config["class_name"] == "function"
      module = config["module"] if config["module"] != "builtins" else None  # of functions
      is_keras = (module or "").split(".")[0] in ("keras", "tf_keras")
      if is_function or not is_keras or config.get("registered_name"):
        name = config["config"] if is_function else config["class_name"]
        yield module, name, config.get("registered_name") or name
    config = list(config.values())
  for value in config if isinstance(config, list) else ():
    yield from _custom(value)


def missing(k, file):
  """The names among `custom(file)` that are not registered with the Keras `k` in this process."""
  return [
    f"{module}.{name}" if module else name
    for module, name, registered in custom(file)
    if k.saving.get_registered_object(registered) is None
  ]


def weights(model):
  """The weights of `model` as arrays, in its order."""
  # tf_keras counts the vocabulary of a lookup layer among them, which has no values.
  return [np.array(v.numpy()) for v in model.weights if hasattr(v, "numpy")]


def outputs(model, arguments):
  """What a call of `model` computes: a flat list of arrays."""
  result = model(*tf.nest.map_structure(tf.convert_to_tensor, arguments))
  return [tensor.numpy() for tensor in tf.nest.flatten(result, expand_composites=True)]


def tried(k, file, arguments):
  """The result of a job."""
  for module, _, _ in custom(file):
    with contextlib.suppress(Exception):  # what is not found is said after loading has failed
      importlib.import_module(module or "")
  begun = time.perf_counter()
  try:
    model = k.models.load_model(file)
  except Exception as error:  # a custom layer may raise anything
    said = " ".join(str(error).split())
    return {"error": f"{type(error).__name__}: {said}", "missing": missing(k, file)}
  seconds = time.perf_counter() - begun
  computed = None if arguments is None else outputs(model, arguments)
  return {"load_seconds": seconds, "weights": weights(model), "outputs": computed}


def main(job_path, result_path):
  """Do the job of one file and write its result to another."""
  with open(job_path, "rb") as file:
    job = pickle.load(file)
  sys.path[:] = job["path"]
  result = tried(importlib.import_module(job["keras"]), job["file"], job["arguments"])
  with open(result_path, "wb") as file:
    pickle.dump(result, file)


if __name__ == "__main__":
  main(*sys.argv[1:])
