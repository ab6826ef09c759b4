"""Checks around pruning before training: scores that can't be ranked, masks that starve a network."""

import warnings

import numpy as np
import tensorflow as tf

from tflottery import masks as _masks


def of_scores(name, criterion):
  """The criterion, whose scores are checked: `name` is what messages call it.

  Returns:
    A criterion. It raises ValueError where a site has no scores of its shape, or where live weights
    have scores that are not finite, or all of them 0. It warns where in the first iteration all
    scores of a site are 0, so that it would go first.
  """

  def scores(probe):
    found = criterion(probe)
    shapes = {path: mask.shape for path, mask in probe.masks.items()}
    wrong = [p for p, shape in shapes.items() if p not in found or np.shape(found[p]) != shape]
    if wrong:
      raise ValueError(
        f"criterion={name!r} gives no scores of the weight's shape for {', '.join(wrong)}. Return a "
        "dict from every path of probe.weights to a tensor of its shape."
      )
    _check_scores(name, found, probe)
    return {path: found[path] for path in probe.masks}

  return scores


def _check_scores(name, scores, probe):
  live = {p: tf.where(m, scores[p], tf.zeros_like(scores[p])) for p, m in probe.masks.items()}
  paths = {
    "strange": [path for path, score in live.items() if not tf.math.is_finite(score).numpy().all()],
    "still": [path for path, score in live.items() if not tf.reduce_any(score != 0)],
    "empty": [path for path, mask in probe.masks.items() if not tf.reduce_any(mask)],
  }
  strange, still, empty = (", ".join(found) for found in paths.values())
  if strange:
    raise ValueError(
      f"criterion={name!r} gives {strange} scores that are not finite. Are the weights, the data and "
      "the loss?"
    )
  if len(paths["still"]) == len(live):
    raise ValueError(
      f"criterion={name!r} gives every weight the score 0 in iteration {int(probe.step) + 1}, so "
      f"nothing can be ranked{empty and f': no weight is left in {empty}'}. Choose a lower sparsity, "
      "scope='layer' or another criterion; initial= must be the weights from before the training."
    )
  if still and probe.step == 0:
    warnings.warn(
      f"criterion={name!r} gives every weight of {still} the score 0: no signal passes there. "
      "exclude= these, or choose another criterion.",
      stacklevel=5,
    )


def warn_of_sparser(held, wanted):
  """Warn where held masks leave fewer weights than the sparsity, or dict of sparsities, wanted."""
  pools = [held] if not isinstance(wanted, dict) else [{path: held[path]} for path in held]
  for pool in pools:
    final = wanted[next(iter(pool))] if isinstance(wanted, dict) else wanted
    found = _masks.sparsity(pool)
    size = sum(mask.shape.num_elements() for mask in pool.values())
    if round((1 - found) * size) < _masks.kept_count(size, final):
      warnings.warn(
        f"The masks held on the model leave {', '.join(pool)} a sparsity of {found:.4g} already, more "
        f"than the {final:.4g} asked for, and no masked weight comes back. Release them first.",
        stacklevel=3,
      )


def warn_of_empty(masks):
  """Warn where masks leave a site without any weight."""
  empty = [path for path, mask in masks.items() if not mask.any()]
  if empty:
    warnings.warn(
      f"The masks leave no weight in {', '.join(empty)}, so nothing passes there. Choose a lower "
      "sparsity, scope='layer', more iterations, or exclude= these.",
      stacklevel=3,
    )
