"""What held masks, RigL and supermasks cost: milliseconds per step, and ratios to the dense network.

    python benchmarks/step_overhead.py [--rounds=15] [--instances=3] [--networks=lenet_300_100] [--kerases=keras]

`held masks` do not change; under `frozen values` masked weights hold their initial values instead of 0;
`rigl` changes masks every 100 steps, at 90 % ERK; a `supermask` trains one logit per weight.

Every arm is trained through `model.fit` in one process, all arms of a cell in a new random order in
every round. Two models of equal code can differ in speed for good, by where their buffers happen to
lie, so every arm has several instances; the figure is the median over rounds and instances.
`dense again` is a second set of dense models: its ratio is what noise alone does.
"""

import argparse
import random
import statistics
import time
import warnings

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

import tflottery as tfl

SETTINGS = {
  "default": {},
  "steps_per_execution=100": {"steps_per_execution": 100},
  "and jit_compile": {"steps_per_execution": 100, "jit_compile": True},
}


def lenet_300_100(k):
  """LeNet-300-100 for 28x28 images, and its batch size."""
  layers = [k.Input((28, 28, 1)), k.layers.Flatten(), k.layers.Dense(300, "relu")]
  return k.Sequential([*layers, k.layers.Dense(100, "relu"), k.layers.Dense(10)]), 60


def small_conv(k):
  """Two convolutions and a dense layer for 28x28 images, and its batch size."""
  layers = [k.Input((28, 28, 1)), k.layers.Conv2D(16, 3, activation="relu"), k.layers.MaxPool2D()]
  layers += [k.layers.Conv2D(32, 3, activation="relu"), k.layers.MaxPool2D(), k.layers.Flatten()]
  return k.Sequential([*layers, k.layers.Dense(10)]), 60


KERASES = {"tf_keras": tf_keras, "keras": keras}
NETWORKS = {"lenet_300_100": (lenet_300_100, 200), "small_conv": (small_conv, 100)}


def arm(name, k, network, setting):
  """A compiled model of the arm, the callbacks for its `fit`, and the batch size."""
  model, batch_size = network(k)
  callbacks = []
  if name == "tfmot":
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.8, begin_step=0, frequency=100)
    model = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
  if name == "supermask":
    model = tfl.supermask(model)
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  # Explicit, because "auto" means XLA to Keras 3 and not to tf_keras.
  model.compile(k.optimizers.Adam(1.2e-3), loss, **{"jit_compile": False, **setting})
  if name == "rigl":
    tfl.callbacks.RigL(0.9, end_step=10**9, frequency=100).hold(model)
  if name in ("held masks", "frozen values"):
    rng, sites = np.random.default_rng(0), tfl.sites(model)
    masks = {path: rng.random(site.shape) < 0.2 for path, site in sites.items()}
    initial = {path: np.array(site.variable.numpy()) for path, site in sites.items()}
    tfl.hold(model, masks, frozen=initial if name == "frozen values" else None)
  return model, callbacks, batch_size


def measure(k, network, steps, setting, *, rounds, instances):
  """Median milliseconds per step of every arm."""
  names = ["dense", "dense again", "held masks", "frozen values", "rigl", "supermask"]
  names += ["tfmot"] * (k is tf_keras)
  models = {(name, i): arm(name, k, network, setting) for name in names for i in range(instances)}
  rng = np.random.default_rng(0)
  images = rng.random((6000, 28, 28, 1), np.float32)
  labels = rng.integers(0, 10, 6000)
  times = {name: [] for name in names}
  for round_ in range(-1, rounds):  # the first traces
    for key in random.sample(list(models), len(models)):
      model, callbacks, batch_size = models[key]
      data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size, True).repeat()
      begun = time.perf_counter()
      model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=callbacks)
      if round_ >= 0:
        times[key[0]].append(1000 * (time.perf_counter() - begun) / steps)
  return {name: statistics.median(values) for name, values in times.items()}


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=15)
  parser.add_argument("--instances", type=int, default=3)
  parser.add_argument("--networks", default=",".join(NETWORKS))
  parser.add_argument("--kerases", default=",".join(KERASES))
  args = parser.parse_args()
  warnings.filterwarnings("ignore")
  print(
    "| network | Keras | setting | arm | ms per step | ratio to dense |\n|---|---|---|---|---|---|"
  )
  for name in args.networks.split(","):
    network, steps = NETWORKS[name]
    for k in [KERASES[name] for name in args.kerases.split(",")]:
      for label, setting in SETTINGS.items():
        found = measure(k, network, steps, setting, rounds=args.rounds, instances=args.instances)
        for arm_name, value in found.items():
          ratio = value / found["dense"]
          row = (name, k.__name__, label, arm_name, f"{value:.3f}", f"{ratio:.3f}")
          print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
  main()
