"""One row per algorithm: what the contract and the strategies are tested with, on the mlp of builders.

Its kernels are 8 x 6, 6 x 5 and 5 x 3; four epochs of 15 steps.
"""

import dataclasses
from collections.abc import Callable

from builders import batches, random_masks

import tflottery as tfl

EPOCHS = 4


@dataclasses.dataclass(frozen=True)
class Row:
  """One algorithm.

  Attributes:
    callback: (build, seed) -> what `fit` is given; build() is a compiled model in the setting that
      is tested, for algorithms that train networks of their own first.
    kept: dict from site path to the exact number of weights that live in the end.
    changes: the steps at which the masks change.
  """

  callback: Callable
  kept: dict
  changes: tuple = ()


def _held_masks(build, seed):
  return tfl.callbacks.HoldMasks(lambda model: random_masks(model, 0.6, seed))


def _iterative_magnitude_pruning(build, seed):
  options = {"levels": 2, "rate": 0.5, "rewind_to": "3it", "epochs": 1}
  return tfl.find_ticket(build, batches(seed=seed), seed=seed, verbose=0, **options).callback()


def _before_training(criterion):
  def callback(build, seed):
    options = {"sparsity": 0.6, "scope": "layer", "data": batches()}
    return tfl.callbacks.HoldMasks(lambda model: tfl.prune(model, criterion, **options))

  return callback


def _rewired(name, **options):
  def callback(build, seed):
    options.setdefault("drop", 0.4)
    kind = getattr(tfl.callbacks, name)
    return kind(
      0.6, allocation="equal", begin_step=5, end_step=50, frequency=15, seed=seed, **options
    )

  return callback


def _gradual(name, **options):
  def callback(build, seed):
    more = {"seed": seed} if name == "Random" else {}
    return getattr(tfl.callbacks, name)(
      0.6, begin_step=5, end_step=50, frequency=15, **options, **more
    )

  return callback


def _by(criterion):
  def callback(build, seed):
    options = {"begin_step": 5, "end_step": 50, "frequency": 15, "seed": seed}
    return tfl.callbacks.Gradual(criterion, 0.6, **options)

  return callback


EQUAL = {"fc1/kernel": 19, "fc2/kernel": 12, "out/kernel": 6}
# A further algorithm is a further row.
ALGORITHMS = {
  "held_masks": Row(_held_masks, EQUAL),
  "iterative_magnitude_pruning": Row(
    _iterative_magnitude_pruning, {"fc1/kernel": 12, "fc2/kernel": 8, "out/kernel": 4}
  ),
  "rigl": Row(_rewired("RigL"), EQUAL, (5, 20, 35)),
  "set": Row(_rewired("SET"), EQUAL, (5, 20, 35)),
  "snfs": Row(_rewired("SNFS"), EQUAL, (5, 20, 35)),
  "static": Row(
    lambda build, seed: tfl.callbacks.Static(0.6, allocation="equal", seed=seed), EQUAL
  ),
  "magnitude": Row(_gradual("Magnitude"), EQUAL, (20, 35, 50)),
  "random": Row(_gradual("Random"), EQUAL, (20, 35, 50)),
  "movement": Row(_by("movement"), EQUAL, (20, 35, 50)),
  "joint_sign": Row(_by("large_init_large_final_same_sign"), EQUAL, (20, 35, 50)),
  "grasp": Row(_before_training("grasp"), EQUAL),
  "synflow": Row(_before_training("synflow"), EQUAL),
  "snip": Row(lambda build, seed: tfl.callbacks.SNIP(0.6, scope="layer", batches=2), EQUAL, (1,)),
}
