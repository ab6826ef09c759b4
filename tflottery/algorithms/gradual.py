"""Gradual pruning: by any criterion, from dense to sparse while the network trains.

Zhu & Gupta, To prune, or not to prune, 2017, arXiv:1710.01878, equation 1; Gale et al., The State of
Sparsity, 2019, arXiv:1902.09574; with the criteria of Zhou et al. 2019, arXiv:1905.01067.
"""

import numpy as np
import tensorflow as tf

from tflottery import allocations, arguments, criteria, rules, site
from tflottery.fitting import HoldMasks


class Gradual(HoldMasks):
  """Prune by a criterion while the network trains, to a final sparsity.

  Masks begin dense. When the schedule is due, after the optimizer's update of that step, the
  weights (or blocks, channels) of the highest scores stay, and the others become 0 for good.
  `Magnitude` and `Random` are this with their criteria.

  Departs: what is pruned can't come back, since masked weights are 0, where the authors' code keeps
  the old values under the mask; counts are exact, ties go to the lower index.

  Args:
    criterion: a name of `criteria.named`, such as "movement"; or a function probe -> scores, a dict
      from site path to float tensor, higher means keep, which runs in the compiled step. The initial
      weights, where a criterion needs them, are those with which the first `fit` began.
    sparsity: final share of the masked weights, in (0, 1). None takes the schedule's or, with an
      `allocation` by pattern, leaves the other sites dense.
    end_step: the step that reaches it; needed without a schedule.
    begin_step: the first step that prunes.
    frequency: steps between two changes of masks.
    schedule: any tfmot `PruningSchedule`, or a function step -> (due, sparsity); None is the cubic
      one of Zhu & Gupta from 0 to `sparsity`.
    allocation: how the sparsity is spread over the sites, always in the same proportion: "equal",
      "uniform" (the first site dense), "erdos_renyi", "erk", a function, or a dict from pattern to
      sparsity; see `tflottery.allocations`.
    scope: "layer" ranks every site by itself; "global" all of them together (and then there is
      nothing to allocate).
    granularity: None prunes single weights; or `tflottery.granularity.block(...)`, `n_of_m(...)`,
      `channel()`.
    initial: True keeps the initial weights for a function of your own that looks at
      `probe.initial_weights`; a named criterion has them where it needs them.
    seed: int of at least 0, for what a named criterion draws; site i at step t draws from
      (seed, i, t), the same on every device.
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: an argument is out of range, unknown or missing; when `fit` starts, if the sparsity
      can't be allocated or no step of the schedule lies in this `fit`; also as `HoldMasks`.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> callbacks = [Gradual("movement", 0.8, end_step=6, frequency=2)]
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), batch_size=1, verbose=0, callbacks=callbacks)
  >>> int(np.count_nonzero(model.get_weights()[0]))
  4
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
    initial=False,
    seed=0,
    only=None,
    exclude=None,
    log_sites=False,
  ):
    from tflottery import schedules  # imports tfmot

    if not isinstance(initial, bool):
      raise ValueError(
        f"initial={initial!r} must be True or False: the weights are captured when fit begins."
      )
    arguments.whole("seed", seed, least=0)
    if not callable(criterion):
      initial = criteria.needs_initial(criterion)
      criterion = criteria.named(criterion, seed)
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
      ends = getattr(schedule, "end_step", None)
      return rules.Changes(schedule, rule, ends=ends, initial=initial)

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
