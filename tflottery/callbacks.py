"""Callbacks for `model.fit` of either Keras: the names and nothing else."""

from tflottery.algorithms.early_bird import EarlyBird
from tflottery.algorithms.gradual import Gradual
from tflottery.algorithms.magnitude import Magnitude
from tflottery.algorithms.random import Random
from tflottery.algorithms.rigl import RigL
from tflottery.algorithms.set import SET
from tflottery.algorithms.slimming import Slimming
from tflottery.algorithms.snfs import SNFS
from tflottery.algorithms.snip import SNIP
from tflottery.algorithms.static import Static
from tflottery.fitting import HoldMasks
from tflottery.learned.callback import LearnedMasks

__all__ = [
  "SET",
  "SNFS",
  "SNIP",
  "EarlyBird",
  "Gradual",
  "HoldMasks",
  "LearnedMasks",
  "Magnitude",
  "Random",
  "RigL",
  "Slimming",
  "Static",
]
