"""Rules: (probe, amount) -> masks, in pure TensorFlow with static shapes, and when they are applied."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tflottery import criteria, draws, masks

SCOPES = ("layer", "global")


@dataclasses.dataclass(frozen=True)
class Changes:
  """When the masks change inside the compiled train step, and how.

  Attributes:
    schedule: step -> (due, amount), a tfmot `PruningSchedule` or a function of its form.
    rule: (probe, amount) -> masks; an absent site keeps its mask. It runs when the schedule is due,
      after the optimizer's update of that step, on that step's gradients.
    skips: step -> bool: steps that leave out the optimizer's update; None updates in every step.
    grow: (probe, path) -> float tensor: values of newly grown weights; None starts them at what
      they held while they were masked, 0 or their frozen value.
    remember: (memory, gradient) -> memory: what `probe.gradients` holds instead of the step's own
      gradients, computed in every step from zeros on; None for those themselves.
    ends: the step by which the aim is reached, if there is one: `fit` warns if it ends before.
    initial: whether `probe.initial_weights` gives the weights that the sites had when the masks
      were first held (masked ones too); they are kept as variables of the optimizer.
  """

  schedule: Callable
  rule: Callable
  skips: Callable | None = None
  grow: Callable | None = None
  remember: Callable | None = None
  ends: int | None = None
  initial: bool = False


def drop_and_grow(grow, *, drop=criteria.magnitude):
  """Replace a share of each site's live weights.

  Evci et al. 2020, arXiv:1911.11134, Algorithm 1: of `live` weights, `int(share * live)` are
  dropped, those of the lowest `drop` scores; as many are grown among all that are not kept, those
  of the highest `grow` scores. A weight that was just dropped may grow again and is then unchanged.
  Ties go to the lower index, to be kept and to grow. Every site keeps its count; a dense site is
  left alone.

  Args:
    grow: criterion of what grows.
    drop: criterion of what is kept.

  Returns:
    A rule: (probe, share in [0, 1]) -> masks.
  """

  def rule(probe, share):
    kept, grown = drop(probe), grow(probe)
    return {
      path: masks.drop_and_grow(mask, kept[path], grown[path], share)
      for path, mask in probe.masks.items()
    }

  return rule


def grow_init(name, scale, seed):
  """`Changes.grow` by name: what newly grown weights start from.

  Args:
    name: "zeros", "random" (normal, with the standard deviation of the site's weights times
      `scale`) or "gradient" (the gradient times `scale`).

  Raises:
    ValueError: the name is unknown.
  """
  if name not in GROW_INITS:
    raise ValueError(f"grow_init={name!r} is unknown. Choose one of {', '.join(GROW_INITS)}.")
  return GROW_INITS[name](scale, seed)


def _random(scale, seed):
  def values(probe, path):
    weight, site = probe.weights[path], list(probe.masks).index(path)
    draw = draws.normal(weight.shape, (seed, site, 1), probe.step)
    return scale * tf.math.reduce_std(tf.cast(weight, tf.float32)) * draw

  return values


GROW_INITS = {
  "zeros": lambda scale, seed: None,
  "random": _random,
  "gradient": lambda scale, seed: lambda probe, path: scale * probe.gradients[path],
}


def check_scope(scope, allocation):
  """Refuse an unknown scope, and an allocation where all sites are ranked together.

  Raises:
    ValueError: names the argument.
  """
  if scope not in SCOPES:
    raise ValueError(f"scope={scope!r} is unknown. Choose one of {', '.join(SCOPES)}.")
  if scope == "global" and allocation != "equal":
    raise ValueError(
      f"scope='global' ranks all sites together and leaves nothing to allocation={allocation!r}. "
      "Leave one of them out."
    )


def prune(criterion, sparsities, *, scope="layer", granularity=None):
  """Prune to a sparsity: the live units of the highest scores stay, what is masked stays masked.

  Args:
    criterion: probe -> scores.
    sparsities: amount -> dict from site path to (float64 scalar) sparsity; for the scope "global" a
      scalar, the sparsity of all sites together.
    scope: "layer" ranks every site by itself, "global" all of them together.
    granularity: see `tflottery.granularity`; None ranks single weights.

  Returns:
    A rule: (probe, amount) -> masks, with `max(1, round((1 - sparsity) * units))` units each, but
    never more than live already.
  """

  def rule(probe, amount):
    units = _units(criterion(probe), probe.masks, granularity)
    wanted = sparsities(amount)
    if scope == "global":
      count = _kept_count(sum(int(np.prod(u.shape)) for u in units.values()), wanted)
      kept = masks.keep_top_jointly(units, count)
    else:
      kept = {
        path: masks.keep_top(unit, _kept_count(int(np.prod(unit.shape)), wanted[path]))
        for path, unit in units.items()
      }
    return {path: _spread(kept[path], mask, granularity) for path, mask in probe.masks.items()}

  return rule


def _units(scores, live, granularity):
  low = {p: tf.where(live[p], tf.cast(s, tf.float32), -np.inf) for p, s in scores.items()}
  return low if granularity is None else {p: granularity.pool(s) for p, s in low.items()}


def _spread(kept, mask, granularity):
  return mask & (kept if granularity is None else granularity.spread(kept, mask.shape))


def _kept_count(size, sparsity):
  """`masks.kept_count` of a sparsity that is known only in the step."""
  if not tf.is_tensor(sparsity):
    sparsity = tf.constant(sparsity, tf.float64)  # tf.cast would make it a float32 first
  left = tf.round((1 - tf.cast(sparsity, tf.float64)) * size)
  return tf.maximum(1, tf.cast(left, tf.int32))
