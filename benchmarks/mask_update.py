"""What it costs to choose the largest weights exactly: ours, tfmot's update, and numpy.partition.

    python benchmarks/mask_update.py [--rounds=5] [--sizes=100000,1000000,5000000,25000000]

Milliseconds to find a mask of 90 % sparsity over normal weights, in one process, the arms in a new
random order in every round, medians. `ours again` is the same function a second time: its ratio is
what noise alone does. tfmot sorts all weights; `numpy.partition` runs on the host, finds the
threshold only, and knows no ties.
"""

import argparse
import random
import statistics
import time

import numpy as np
import tensorflow as tf
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

from tflottery import masks

SPARSITY = 0.9


def arms(weights):
  """Dict from arm to a function without arguments that returns the mask as an array."""
  tensor = tf.constant(weights)
  kept = masks.kept_count(weights.size, SPARSITY)
  tfmot = pruning_impl.Pruning(
    training_step_fn=lambda: tf.constant(0),
    pruning_vars=[],
    pruning_schedule=lambda step: (tf.constant(True), tf.constant(SPARSITY)),
    block_size=(1, 1),
    block_pooling_type="AVG",
  )
  signature = [tf.TensorSpec(weights.shape)]

  def ours(values):
    return masks.keep_top(tf.abs(values), kept)

  plain = tf.function(ours, input_signature=signature)
  compiled = tf.function(ours, input_signature=signature, jit_compile=True)
  theirs = tf.function(lambda values: tfmot._update_mask(values)[1], input_signature=signature)

  def partition():
    magnitudes = np.abs(weights)
    return magnitudes >= np.partition(magnitudes, -kept)[-kept]

  return {
    "ours": lambda: plain(tensor).numpy(),
    "ours again": lambda: plain(tensor).numpy(),
    "ours, jit_compile": lambda: compiled(tensor).numpy(),
    "numpy.partition": partition,
    "tfmot": lambda: theirs(tensor).numpy(),
  }


def measure(size, rounds):
  """Median milliseconds of every arm; all must keep the same weights, but for what ties with them."""
  weights = np.random.default_rng(0).normal(size=size).astype("float32")
  functions = arms(weights)
  found = {name: function() for name, function in functions.items()}  # traces
  for name, mask in found.items():
    others = np.abs(weights[(mask != 0) & ~found["ours"]])
    if (found["ours"] & (mask == 0)).any() or (
      others != np.abs(weights[found["ours"]]).min()
    ).any():
      raise AssertionError(f"{name} keeps other weights: {np.count_nonzero(mask)} of them")
  times = {name: [] for name in functions}
  for _ in range(rounds):
    for name in random.sample(list(functions), len(functions)):
      begun = time.perf_counter()
      functions[name]()
      times[name].append(1000 * (time.perf_counter() - begun))
  return {name: statistics.median(values) for name, values in times.items()}


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--sizes", default="100000,1000000,5000000,25000000")
  args = parser.parse_args()
  print("| weights | arm | ms | ratio to tfmot | ns per weight |\n|---|---|---|---|---|")
  for size in map(int, args.sizes.split(",")):
    found = measure(size, args.rounds)
    for name, ms in found.items():
      row = (f"{size:,}", name, f"{ms:.2f}", f"{ms / found['tfmot']:.3f}", f"{1e6 * ms / size:.1f}")
      print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
  main()
