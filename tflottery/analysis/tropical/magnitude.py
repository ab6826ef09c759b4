"""Magnitude: prune the smallest weights of a network's two matrices, the control of tropical pruning."""

import numpy as np

from tflottery import arguments
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.pruned import pruned


def magnitude_prune(A, B, share, *, rule="class_blind"):
  """Set the smallest weights of f(x) = B max(A x + c1, 0) + c2 to 0.

  See et al., Compression of Neural Machine Translation Models via Pruning, CoNLL 2016,
  arXiv:1606.09274, section 3.2, whose classes are the weight matrices.

  Departs: counts are exact, `round(share * size)`; where deviations or thresholds tie, the lower index
  goes first (A before B, by rows). `tropical_prune` rounds up instead, and may pass the share by up to n
  entries more, a unit's row.

  Args:
    A: [p, n].
    B: [m, p].
    share: share of the entries that are 0 afterwards, in [0, 1); zeros from before count, and stay.
    rule: "class_blind" ranks |w| of both matrices together. "class_uniform" prunes the same share of
      each. "class_distribution" ranks |w| over the standard deviation of w's matrix (of the population,
      zeros counted); a matrix of equal weights, whose deviation is 0, goes last.

  Returns:
    A `Pruned`, its penalty None.

  Raises:
    ValueError: as from `Network`, or an argument is out of range.

  >>> magnitude_prune([[3, 0.1], [0.2, 5]], [[40, 10], [10, 40]], 0.5).B.tolist()
  [[40.0, 10.0], [10.0, 40.0]]
  >>> magnitude_prune([[3, 0.1], [0.2, 5]], [[40, 10], [10, 40]], 0.5, rule="class_uniform").B.tolist()
  [[40.0, 0.0], [0.0, 40.0]]
  """
  share = arguments.share("share", share, zero=True)
  if not isinstance(rule, str) or rule not in RULES:
    raise ValueError(f"rule={rule!r} is unknown. Choose one of {', '.join(map(repr, RULES))}.")
  network = Network(A, B)
  A, B = network.A, network.B
  kept = RULES[rule](A.ravel(), B.ravel(), share)
  masks = kept[: A.size].reshape(A.shape), kept[A.size :].reshape(B.shape)
  return pruned(A, B, masks)


def _class_blind(first, second, share):
  return _highest(np.abs(np.concatenate([first, second])), share)


def _class_uniform(first, second, share):
  return np.concatenate([_highest(np.abs(weights), share) for weights in (first, second)])


def _class_distribution(first, second, share):
  return _highest(np.concatenate([_standardised(first), _standardised(second)]), share)


RULES = {
  "class_blind": _class_blind,
  "class_uniform": _class_uniform,
  "class_distribution": _class_distribution,
}


def _standardised(weights):
  """|w| over the deviation of all w."""
  weights = weights / (np.abs(weights).max() or 1.0)  # else squares of huge or tiny ones are lost
  deviation = weights.std()
  infinite = np.where(weights == 0, 0.0, np.inf)
  return np.divide(np.abs(weights), deviation, out=infinite, where=deviation > 0)


def _highest(scores, share):
  """Bool array: all but the `round(share * size)` lowest; of equal ones the lower index is out."""
  kept = np.ones(scores.size, bool)
  kept[np.argsort(scores, kind="stable")[: round(share * scores.size)]] = False
  return kept
