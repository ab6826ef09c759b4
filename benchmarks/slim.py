"""What half the channels cost: milliseconds per training step, and ratios to the dense network.

    python benchmarks/slim.py [--rounds=9] [--steps=12] [--instances=3] [--networks=vgg_16:0.25,resnet_20:1] [--kerases=keras]

`slim` has half the channels of every group of `tfl.structured.groups`, cut from the dense network.
`dense again` is a copy of the dense one, made by `slim` without masks: its ratio is what noise does.

Networks are name:width of `tflottery.experiments.models`, on random 32x32 images in batches of 128,
trained by `fit` with SGD and momentum, `--steps` steps in one execution. All arms are in one process, in a new random order in every
round. Two models of equal code can differ in speed for good, by where their buffers happen to lie, so
every arm has several instances; the figure is the median over rounds and instances.
"""

import argparse
import random
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import structured
from tflottery.experiments import models

KERASES = {"keras": keras, "tf_keras": tf_keras}
BATCH = 128


def half(model):
  """Masks that keep every other channel of every group."""
  found = structured.groups(model)
  kept = {int(one) for group in found if group.reason is None for one in group.classes[::2]}
  stays = kept | found.fixed.keys()
  return {path: np.isin(found.classes(path), list(stays)) for path in found.sites}


def arms(k, name, width, steps):
  """Dict from arm to compiled model."""
  model = models.build(name, k=k, input_shape=(32, 32, 3), classes=10, width=width)
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  # Explicit, because "auto" means XLA to Keras 3 and not to tf_keras.
  optimizer = k.optimizers.SGD(0.05, momentum=0.9)
  model.compile(optimizer, loss, jit_compile=False, steps_per_execution=steps)
  return {
    "dense": model,
    "dense again": structured.slim(model, {}),
    "slim": structured.slim(model, half(model)),
  }


def measure(found, *, rounds, steps):
  """Median milliseconds per step of every arm: dict from (arm, instance) to model."""
  rng = np.random.default_rng(0)
  images = rng.random((BATCH * steps, 32, 32, 3), np.float32)
  labels = rng.integers(0, 10, BATCH * steps)
  data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH, True).cache()
  times = {name: [] for name, _ in found}
  for round_ in range(-1, rounds):  # the first traces
    for key in random.sample(list(found), len(found)):
      begun = time.perf_counter()
      found[key].fit(data, verbose=0)
      if round_ >= 0:
        times[key[0]].append(1000 * (time.perf_counter() - begun) / steps)
  return {name: statistics.median(values) for name, values in times.items()}


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=9)
  parser.add_argument("--steps", type=int, default=12)
  parser.add_argument("--instances", type=int, default=3)
  parser.add_argument("--networks", default="vgg_16:0.25,resnet_20:1")
  parser.add_argument("--kerases", default=",".join(KERASES))
  args = parser.parse_args()
  print("| network | width | Keras | arm | parameters | ms per step | ratio to dense |")
  print("|---|---|---|---|---|---|---|")
  for network in args.networks.split(","):
    name, width = network.split(":")
    for k in [KERASES[name] for name in args.kerases.split(",")]:
      found = {
        (arm, i): model
        for i in range(args.instances)
        for arm, model in arms(k, name, float(width), args.steps).items()
      }
      measured = measure(found, rounds=args.rounds, steps=args.steps)
      for arm, value in measured.items():
        ratio = value / measured["dense"]
        row = (name, width, k.__name__, arm, f"{found[arm, 0].count_params():,}", f"{value:.1f}")
        print(f"| {' | '.join(row)} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
  main()
