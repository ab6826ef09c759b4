"""What the vertices of a planar zonotope cost: ours, sorting alone, and hulls of merged halves.

    python benchmarks/zonotope.py [--rounds=5] [--sizes=1000,10000,100000,1000000]

Seconds for the exact vertices of the zonotope of so many normal generators, in one process, the arms in a
new random order in every round, medians. `ours again` is the same function a second time: its ratio is
what noise alone does. `sorting angles` is what no algorithm of this kind can do without. `hulls` adds
generators one by one and takes SciPy's convex hull each time; it is left out beyond 1,000.
"""

import argparse
import random
import statistics
import time

import numpy as np
from scipy.spatial import ConvexHull

from tflottery.analysis.tropical.zonotopes import zonotope

_MOST_HULLS = 1000


def _hulls(generators):
  """The vertices by Minkowski sums, one generator after the other."""
  first, second, *rest = generators
  points = np.array([0 * first, first, first + second, second])
  for generator in rest:
    points = np.concatenate([points, points + generator])
    points = points[ConvexHull(points).vertices]
  return points


def arms(generators):
  """Dict from arm to a function without arguments."""
  found = {
    "ours": lambda: zonotope(generators),
    "ours again": lambda: zonotope(generators),
    "sorting angles": lambda: np.argsort(np.arctan2(generators[:, 1], generators[:, 0])),
  }
  small = len(generators) <= _MOST_HULLS
  return found | ({"hulls": lambda: _hulls(generators)} if small else {})


def measure(size, rounds):
  """Median seconds of every arm; ours must have as many vertices as generators allow."""
  generators = np.random.default_rng(0).normal(size=(size, 2))
  functions = arms(generators)
  if len(functions["ours"]()) != 2 * size:
    raise AssertionError("vertices are missing")
  times = {name: [] for name in functions}
  for _ in range(rounds):
    for name in random.sample(list(functions), len(functions)):
      begun = time.perf_counter()
      functions[name]()
      times[name].append(time.perf_counter() - begun)
  return {name: statistics.median(values) for name, values in times.items()}


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--sizes", default="1000,10000,100000,1000000")
  args = parser.parse_args()
  print("| generators | arm | seconds | ratio to ours |\n|---|---|---|---|")
  for size in map(int, args.sizes.split(",")):
    found = measure(size, args.rounds)
    for name, seconds in found.items():
      row = (f"{size:,}", name, f"{seconds:.4f}", f"{seconds / found['ours']:.2f}")
      print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
  main()
