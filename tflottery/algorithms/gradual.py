"""Gradual pruning: by any criterion, from dense to a final sparsity; magnitude and random share it."""

import numpy as np
import tensorflow as tf

from tflottery import allocations, rules, site
from tflottery.fitting import HoldMasks


class Gradual(HoldMasks):
  """Prune by a criterion while the network trains; the arguments are those of `Magnitude`.

  Args:
    criterion: probe -> scores, higher means keep; see `tflottery.criteria`.
  """

  def __init__(
    self,
    criterion,
    sparsity=None,
    *,
    end_step=None,
    begin_step=0,
    frequency=100,
    schedule=None,
    allocation="equal",
    scope="layer",
    granularity=None,
    only=None,
    exclude=None,
    log_sites=False,
  ):
    from tflottery import schedules  # imports tfmot

    rules.check_scope(scope, allocation)
    if sparsity is not None or schedule is None:
      allocations.check(sparsity, allocation)
    if schedule is None:
      if end_step is None:
        raise ValueError("end_step=None: give the step that reaches the sparsity, or a schedule=.")
      final = max(allocation.values()) if sparsity is None else sparsity
      schedule = schedules.Polynomial(0.0, final, begin_step, end_step, frequency=frequency)
    final = _final(sparsity, allocation, schedules.last_amount(schedule))

    def found(model):
      return site.sites(model, only=only, exclude=exclude)

    def changes(model):
      shapes = {path: s.shape for path, s in found(model).items()}
      if granularity is not None:
        for path, shape in shapes.items():
          granularity.check(shape, path)
      wanted = proportional(shapes, sparsity, final, allocation)
      if scope == "global":
        wanted = exact(final)
      rule = rules.prune(criterion, wanted, scope=scope, granularity=granularity)
      return rules.Changes(schedule, rule, ends=getattr(schedule, "end_step", None))

    super().__init__(
      lambda model: {path: np.ones(s.shape, bool) for path, s in found(model).items()},
      changes,
      log_sites=log_sites,
    )


def _final(sparsity, allocation, last):
  """The amount that stands for the final sparsities; None if neither argument nor schedule says it.

  Raises:
    ValueError: the schedule ends at another sparsity than the one asked for.
  """
  if last is None or isinstance(allocation, dict):
    return sparsity if last is None else last
  if sparsity is not None and np.float32(sparsity) != np.float32(last):
    raise ValueError(
      f"sparsity={sparsity!r}, but the schedule ends at {last!r}. Leave sparsity= out, or let the "
      "schedule end there."
    )
  return last if sparsity is None else sparsity


def proportional(shapes, sparsity, final, allocation):
  """Function of the overall sparsity of a step that returns every site's.

  Each site has the same share of its final sparsity as the network of `final`.
  """
  if final is None and allocation == "equal":
    return lambda amount: dict.fromkeys(shapes, amount)
  if final is None:
    raise ValueError("sparsity=None, and the schedule does not say where it ends: give sparsity=.")
  if sparsity is None and not isinstance(allocation, dict):
    sparsity = final
  ends = allocations.sparsities(shapes, sparsity, allocation)
  return lambda amount: {path: exact(end, final)(amount) for path, end in ends.items()}


def exact(final, unit=None):
  """Function of an amount: `amount * final / unit`, float64, and `final` itself at the end.

  The end is where the amount, a float32, is that of `unit`. It is known by its bits: a compiler that
  sees two floats compared may find the product as good as `final`, and then compute it otherwise.

  Args:
    final: float; None takes the amounts as they are.
    unit: float; None for `final`.
  """
  if final is None:
    return lambda amount: amount
  unit = np.float32(final if unit is None else unit)
  factor = final / np.float64(unit)

  def scaled(amount):
    bits = tf.bitcast(tf.cast(amount, tf.float32), tf.int32)
    product = tf.cast(amount, tf.float64) * factor
    return tf.where(bits == unit.view(np.int32), np.float64(final), product)

  return scaled
