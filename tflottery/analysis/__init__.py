"""Analysis: what a network costs, whether its training is stable, where it decides; figures and tables."""

from tflottery.analysis import tropical
from tflottery.analysis.bezier import train_bezier
from tflottery.analysis.connectivity import STABLE, barrier, bezier, evaluate_path, line
from tflottery.analysis.copies import Instability, Pair
from tflottery.analysis.counting import flops, sparsity_for_flops, training_flops
from tflottery.analysis.instability import instability
from tflottery.analysis.stability import angle, l2_distance
from tflottery.analysis.statistics import STATISTICS, Reestimator, reestimate
from tflottery.analysis.tropical.blocks import decision_polytopes

__all__ = [
  "STABLE",
  "STATISTICS",
  "Instability",
  "Pair",
  "Reestimator",
  "angle",
  "barrier",
  "bezier",
  "decision_polytopes",
  "evaluate_path",
  "flops",
  "instability",
  "l2_distance",
  "line",
  "reestimate",
  "sparsity_for_flops",
  "train_bezier",
  "training_flops",
  "tropical",
]
