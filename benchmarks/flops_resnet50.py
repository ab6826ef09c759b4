"""FLOPs of sparse ResNet-50 against those that RigL's authors publish, without training anything.

    python benchmarks/flops_resnet50.py [--keras=tf_keras]

Published: Evci et al. 2020, arXiv:1911.11134, as in the README of the authors' code: inference FLOPs
as a share of dense, and training FLOPs of RigL at five times the steps as a share of dense training.

Two things differ, and the table shows each by itself:
  - keras.applications has the first ResNet-50, whose stages begin with a stride in their first 1 x 1
    convolution: 7.7e9 FLOPs. The published 8.2e9 belong to the one with the stride in the 3 x 3
    convolution ("v1.5"), where that 1 x 1 convolution costs four times as much; and ERK leaves just
    such small kernels nearly dense. So ERK's share is lower in keras.applications (0.40 for 0.42 at
    80 %), and uniform's is the same.
  - The authors' notebook counts convolutions and the last layer with a bias and a ReLU for each
    output, and nothing else; `flops` counts biases, batch normalisation and pooling. Neither becomes
    sparse. `flops` has 0.1 % more for the dense network and 0.001 more in the share of it.
Everything else agrees: the last layer is sparse, ERK's first layer too, uniform's first is not. By
the authors' count all eight shares are the published ones.
"""

import argparse
import importlib
import math

import tflottery as tfl
from tflottery import allocations, masks
from tflottery.analysis import counting, operations

# sparsity, allocation -> inference, training with five times the steps; shares of dense
PUBLISHED = {
  (0.8, "uniform"): (0.23, 1.14),
  (0.8, "erk"): (0.42, 2.09),
  (0.9, "uniform"): (0.13, 0.66),
  (0.9, "erk"): (0.24, 1.23),
}


def applications(k):
  """ResNet-50 as keras.applications has it."""
  return k.applications.ResNet50(weights=None)


def stride_in_3x3(k):
  """The same with the stride of a stage's first block in its 3 x 3 convolution."""
  config = applications(k).get_config()
  for layer in config["layers"]:
    for stage in (3, 4, 5):
      if layer["config"]["name"] == f"conv{stage}_block1_1_conv":
        layer["config"]["strides"] = (1, 1)
      if layer["config"]["name"] == f"conv{stage}_block1_2_conv":
        layer["config"]["strides"] = (2, 2)
  return k.Model.from_config(config)


NETWORKS = {"stride in 3 x 3": stride_in_3x3, "keras.applications": applications}


def as_the_authors_count(found, shapes, sparsities):
  """Multiply-adds of kernels, and two operations for each output of a kernel: bias and ReLU."""
  total = 0
  for layer in found:
    for path, uses in layer.uses.items():
      kept = masks.kept_count(math.prod(shapes[path]), sparsities.get(path, 0.0))
      total += 2 * uses * kept + 2 * layer.other
  return total


def five_times(dense, sparse):
  """Training FLOPs of RigL with updates every 100 steps, five times the steps, as share of dense."""
  rigl = counting.training_flops("rigl", dense=dense, sparse=sparse, frequency=100)
  return 5 * rigl / counting.training_flops("dense", dense=dense)


def rows(k):
  """Dicts; pairs of numbers are by the authors' count and by `flops`."""
  for name, build in NETWORKS.items():
    model = build(k)
    found = operations.operations(model)
    shapes = {path: site.shape for path, site in tfl.sites(model).items()}
    for sparsity, allocation in PUBLISHED:
      sparsities = allocations.sparsities(shapes, sparsity, allocation)
      ours = counting.flops(model, sparsities=sparsities)
      counts = [
        (as_the_authors_count(found, shapes, {}), as_the_authors_count(found, shapes, sparsities)),
        (ours.dense, ours.sparse),
      ]
      yield {
        "network": name,
        "sparsity": sparsity,
        "allocation": allocation,
        "dense": tuple(dense for dense, _ in counts),
        "inference": tuple(sparse / dense for dense, sparse in counts),
        "training": tuple(five_times(dense, sparse) for dense, sparse in counts),
      }


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--keras", default="keras", choices=["keras", "tf_keras"])
  k = importlib.import_module(parser.parse_args().keras)
  head = ["ResNet-50", "GFLOPs", "sparsity", "allocation"]
  for what in ("inference", "RigL 5x"):
    head += [f"{what}: published", "authors' count", "`flops`"]
  print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
  for row in rows(k):
    cells = [row["network"], "{:.2f} / {:.2f}".format(*(dense / 1e9 for dense in row["dense"]))]
    cells += [str(row["sparsity"]), row["allocation"]]
    published = PUBLISHED[row["sparsity"], row["allocation"]]
    for reference, what in zip(published, ("inference", "training"), strict=True):
      cells += [f"{reference:.2f}", *(f"{value:.3f}" for value in row[what])]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
  main()
