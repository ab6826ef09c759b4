"""How fast find_ticket trains, against a default Keras `fit` of the same network and data.

    TFDS_DATA_DIR=... python benchmarks/search_speed.py [--config=configs/lth_mnist.py] [--rounds=9]

Both train the same model for 500 steps at a time, in one process and in random order: `fit` on
arrays with Keras's defaults, and the search's own loop with masks held, with and without its
evaluations. The figures are medians; `default fit again` shows the noise.
"""

import argparse
import importlib.util
import random
import statistics
import sys
import time
import warnings

import numpy as np

import tflottery as tfl
from tflottery.experiments import learn, settings, task

_STEPS = 500


def default_fit(work):
  """A function that trains with Keras's defaults, and returns its seconds."""
  model, split = work.model(seed=0), work.data.train
  count = _STEPS * work.settings.batch_size
  model.compile(work.k.optimizers.Adam(1.2e-3), model.loss)
  images = split.images.astype("float32") / 255

  def run():
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    inputs, labels = images[chosen], split.labels[chosen]
    begun = time.perf_counter()
    model.fit(inputs, labels, batch_size=work.settings.batch_size, verbose=0)
    return {"": time.perf_counter() - begun}

  return run


def search(work):
  """A function that trains as the search does, and returns seconds without and with evaluation."""
  model = work.model(seed=0)
  rng = np.random.default_rng(0)
  masks = {path: rng.random(site.shape) < 0.2 for path, site in tfl.sites(model).items()}
  tfl.hold(model, masks)
  evaluate = work.evaluator(model, work.data.validation)

  def run():
    curve = learn.Curve(step=0)
    watch = learn.Watch(curve, evaluate, lambda curve: None)
    begun = time.perf_counter()
    every = work.settings.eval_every
    learn.train(model, work.batches(0), curve, watch, steps=_STEPS, every=every)
    whole = time.perf_counter() - begun
    evaluation = sum(seconds for _, _, seconds in curve.intervals)
    return {" without its evaluations": whole - evaluation, " with its evaluations": whole}

  return run


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--config", default="configs/lth_mnist.py")
  parser.add_argument("--rounds", type=int, default=9)
  args = parser.parse_args()
  warnings.filterwarnings("ignore")
  sys.path.insert(0, ".")
  spec = importlib.util.spec_from_file_location("config", args.config)
  config = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(config)
  work = task.load(settings.read(config.get_config()))
  arms = {
    "default fit": default_fit(work),
    "default fit again": default_fit(work),
    "find_ticket": search(work),
  }
  times = {}
  for round_ in range(-1, args.rounds):  # the first traces
    for name in random.sample(list(arms), len(arms)):
      for label, seconds in arms[name]().items():
        if round_ >= 0:
          times.setdefault(name + label, []).append(seconds)
  speeds = {name: _STEPS / statistics.median(seconds) for name, seconds in times.items()}
  print("| training | steps per second | ratio |\n|---|---|---|")
  for name, speed in sorted(speeds.items()):
    print(f"| {name} | {speed:.0f} | {speed / speeds['default fit']:.2f} |")


if __name__ == "__main__":
  main()
