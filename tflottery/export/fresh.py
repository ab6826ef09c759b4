"""Runs in a process of its own: loads SavedModels with TensorFlow alone, calls and times them.

    python fresh.py JOB RESULT

JOB and RESULT are pickles. A job: `models` (dict from name to directory), `endpoints` (dict from
name to the flat list of arrays of a call), `seconds` (how long to time), `threads` (of one operation, and of
several). A result: `outputs` (name -> endpoint -> flat list of arrays), `load_seconds`, `seconds`
(name -> medians of one call of the first endpoint), `rounds`.
"""

import pickle
import random
import statistics
import sys
import time

if __name__ == "__main__":
  # `import tensorflow` imports Keras where it finds it; who loads an export may not have it.
  sys.modules.update(dict.fromkeys(("keras", "tf_keras", "tflottery")))

import tensorflow as tf


def load(models):
  """The SavedModels by name, loaded in random order, and the seconds that each took."""
  loaded, seconds = {}, {}
  tf.saved_model.load(next(iter(models.values())))  # the first load of a process takes longer
  for name in random.sample(list(models), len(models)):
    begun = time.perf_counter()
    loaded[name] = tf.saved_model.load(models[name])
    seconds[name] = time.perf_counter() - begun
  return loaded, seconds


def bound(model, endpoint, arrays):
  """A function without arguments that calls `endpoint` and gives its outputs, a list of arrays."""
  function = getattr(model, endpoint).concrete_functions[0]
  args, kwargs = tf.nest.pack_sequence_as(
    function.structured_input_signature, list(map(tf.constant, arrays)), expand_composites=True
  )

  def call():
    result = function(*args, **kwargs)
    return [tensor.numpy() for tensor in tf.nest.flatten(result, expand_composites=True)]

  return call


def timed(calls, budget):
  """Seconds of a call by name: medians over rounds, each in a new random order; and the rounds."""
  seconds = {name: [] for name in calls}
  end = time.perf_counter() + budget
  rounds = 0
  while rounds < 3 or (rounds < 300 and time.perf_counter() < end):
    for name in random.sample(list(calls), len(calls)):
      begun = time.perf_counter()
      calls[name]()
      seconds[name].append(time.perf_counter() - begun)
    rounds += 1
  return {name: statistics.median(values) for name, values in seconds.items()}, rounds


def main(job_path, result_path):
  """Do the job of one file and write its result to another."""
  with open(job_path, "rb") as file:
    job = pickle.load(file)
  tf.config.threading.set_intra_op_parallelism_threads(job["threads"][0])
  tf.config.threading.set_inter_op_parallelism_threads(job["threads"][1])
  loaded, load_seconds = load(job["models"])
  outputs = {
    name: {e: bound(model, e, arrays)() for e, arrays in job["endpoints"].items()}
    for name, model in loaded.items()
  }
  first, arrays = next(iter(job["endpoints"].items()))
  calls = {name: bound(model, first, arrays) for name, model in loaded.items()}
  seconds, rounds = timed(calls, job["seconds"])
  result = {
    "outputs": outputs,
    "load_seconds": load_seconds,
    "seconds": seconds,
    "rounds": rounds,
    "imported": sorted({name.split(".")[0] for name, module in sys.modules.items() if module}),
  }
  with open(result_path, "wb") as file:
    pickle.dump(result, file)


if __name__ == "__main__":
  main(*sys.argv[1:])
