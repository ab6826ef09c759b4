"""Schedules: step -> (due, amount): when masks change, and by how much.

All are tfmot `PruningSchedule`s and work in its wrapper too. The amount is a sparsity or, in those
named Drop, the share of the live weights to replace. Importing this module imports tfmot. A program
that loads a tfmot model with one of these in it imports this module before: that registers them.
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import arguments
from tflottery.due import Schedule, first_due, last_amount

__all__ = [
  "DROPS",
  "Constant",
  "ConstantDrop",
  "CosineDrop",
  "Exponential",
  "InversePowerDrop",
  "LinearDrop",
  "OneShot",
  "Polynomial",
  "Rounds",
  "Schedule",
  "drops",
  "first_due",
  "last_amount",
]


def _registered(schedule):
  """Lets both Kerases find the class by its name in a config."""
  keras.saving.register_keras_serializable("tflottery")(schedule)
  return tf_keras.utils.register_keras_serializable("tflottery")(schedule)


@_registered
class Constant(Schedule):
  """The same sparsity at every step that is due; end_step=-1 goes on for ever.

      amount = sparsity

  >>> due, amount = Constant(0.5, begin_step=10, frequency=5)(20)
  >>> bool(due), float(amount)
  (True, 0.5)
  """

  def __init__(self, sparsity, begin_step, end_step=-1, frequency=100):
    self.sparsity = arguments.share("sparsity", sparsity)
    super().__init__(begin_step, end_step, frequency, self.sparsity, endless=True)

  def _amount(self, step):
    return tf.fill(tf.shape(step), tf.constant(self.sparsity, tf.float64))


@_registered
class Polynomial(Schedule):
  """Sparsity that rises fast at first and slowly at the end; the cubic of gradual pruning.

      p = clip((step - begin_step) / (end_step - begin_step), 0, 1)
      amount = final_sparsity + (initial_sparsity - final_sparsity) * (1 - p) ** power

  Zhu & Gupta 2017, arXiv:1710.01878, eq. 1, where power is 3.

  Args:
    initial_sparsity: in [0, 1).
    final_sparsity: in (0, 1).
    power: positive.

  >>> [float(Polynomial(0.0, 0.5, 0, 10, frequency=4)(step)[1]) for step in (0, 5, 10)]
  [0.0, 0.4375, 0.5]
  """

  def __init__(
    self, initial_sparsity, final_sparsity, begin_step, end_step, power=3, frequency=100
  ):
    self.initial_sparsity = arguments.share("initial_sparsity", initial_sparsity, zero=True)
    self.final_sparsity = arguments.share("final_sparsity", final_sparsity)
    self.power = arguments.positive("power", power)
    super().__init__(begin_step, end_step, frequency, self.final_sparsity)

  def _amount(self, step):
    rest = (1 - self._progress(step)) ** self.power
    return self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * rest


@_registered
class Exponential(Schedule):
  """Sparsity under which the remaining weights shrink by the same factor in every step.

      p = clip((step - begin_step) / (end_step - begin_step), 0, 1)
      amount = 1 - (1 - final_sparsity) ** p

  Tanaka et al. 2020, arXiv:2006.05467, Algorithm 1, where round k of n keeps compression ** (-k/n).
  Departs: the first step that is due is round 0, which keeps everything.

  >>> [float(Exponential(0.75, 0, 10, frequency=5)(step)[1]) for step in (0, 5, 10)]
  [0.0, 0.5, 0.75]
  """

  def __init__(self, final_sparsity, begin_step, end_step, frequency=100):
    self.final_sparsity = arguments.share("final_sparsity", final_sparsity)
    super().__init__(begin_step, end_step, frequency, self.final_sparsity)

  def _amount(self, step):
    return 1 - (1 - self.final_sparsity) ** self._progress(step)


@_registered
class OneShot(Schedule):
  """One step that is due, at which the sparsity is there at once.

      amount = sparsity if step >= the one due else 0

  >>> [tuple(t.numpy().tolist() for t in OneShot(0.5, step=3)(step)) for step in (2, 3, 4)]
  [(False, 0.0), (True, 0.5), (False, 0.5)]
  """

  def __init__(self, sparsity, step):
    self.sparsity = arguments.share("sparsity", sparsity)
    self.step = arguments.whole("step", step, least=0)
    super().__init__(self.step, self.step, 1, self.sparsity)

  def _amount(self, step):
    return tf.zeros_like(step)


@_registered
class Rounds(Schedule):
  """Iterative pruning inside one `fit`: round i, from 1, removes the share `rate` of what remains.

      i = clip((step - begin_step) // frequency + 1, 0, rounds)
      amount = 1 - (1 - rate) ** i

  The last round is due at begin_step + (rounds - 1) * frequency, which is `end_step`.

  >>> [float(Rounds(0.5, 3, begin_step=10, frequency=5)(step)[1]) for step in (9, 10, 15, 20)]
  [0.0, 0.5, 0.75, 0.875]
  """

  def __init__(self, rate, rounds, begin_step, frequency):
    self.rate = arguments.share("rate", rate)
    self.rounds = arguments.whole("rounds", rounds, least=1)
    final = 1 - (1 - self.rate) ** self.rounds
    if np.float32(final) == 1:
      raise ValueError(
        f"rounds={rounds!r} at rate={rate!r} leave no weight. Give fewer rounds, or a lower rate."
      )
    begin_step = arguments.whole("begin_step", begin_step, least=0)
    frequency = arguments.whole("frequency", frequency, least=1)
    super().__init__(begin_step, begin_step + (self.rounds - 1) * frequency, frequency, final)

  def _amount(self, step):
    done = tf.math.floordiv(step - self.begin_step, self.frequency) + 1
    return 1 - (1 - self.rate) ** tf.clip_by_value(done, 0.0, float(self.rounds))


@_registered
class CosineDrop(Schedule):
  """The share that RigL replaces: slowly less at first, then faster, slowly again, and 0 at the end.

      amount = share / 2 * (1 + cos(pi * step / end_step))

  Evci et al. 2020, arXiv:1911.11134, eq. 1; share is the paper's alpha. As there and in the authors'
  code, `step` is the step itself and not what has passed since begin_step.

  >>> [round(float(CosineDrop(0.3, 0, 100)(step)[1]), 6) for step in (0, 50, 100)]
  [0.3, 0.15, 0.0]
  """

  def __init__(self, share, begin_step, end_step, frequency=100):
    self.share = arguments.share("share", share, one=True)
    super().__init__(begin_step, end_step, frequency, 0.0)

  def _amount(self, step):
    return self.share / 2 * (1 + tf.cos(math.pi * self._elapsed(step)))


@_registered
class ConstantDrop(Schedule):
  """The same share at every step that is due (Evci et al. 2020, arXiv:1911.11134, appendix).

      amount = share

  >>> float(ConstantDrop(0.25, 0, 100)(70)[1])
  0.25
  """

  def __init__(self, share, begin_step, end_step, frequency=100):
    self.share = arguments.share("share", share, one=True)
    super().__init__(begin_step, end_step, frequency, self.share)

  def _amount(self, step):
    return tf.fill(tf.shape(step), tf.constant(self.share, tf.float64))


@_registered
class InversePowerDrop(Schedule):
  """A share that falls to 0 with a power of what is left (Evci et al. 2020, arXiv:1911.11134, appendix).

      amount = share * (1 - step / end_step) ** power

  `step` is the step itself, as in `CosineDrop`. The paper's k, here `power`, is 3, or 1: `LinearDrop`.

  >>> float(InversePowerDrop(0.5, 0, 100)(50)[1])
  0.0625
  """

  def __init__(self, share, begin_step, end_step, power=3, frequency=100):
    self.share = arguments.share("share", share, one=True)
    self.power = arguments.positive("power", power)
    super().__init__(begin_step, end_step, frequency, 0.0)

  def _amount(self, step):
    return self.share * (1 - self._elapsed(step)) ** self.power


@_registered
class LinearDrop(Schedule):
  """A share that falls to 0 in a straight line: `InversePowerDrop` with power 1.

      amount = share * (1 - step / end_step)

  >>> float(LinearDrop(0.5, 0, 100)(50)[1])
  0.25
  """

  def __init__(self, share, begin_step, end_step, frequency=100):
    self.share = arguments.share("share", share, one=True)
    super().__init__(begin_step, end_step, frequency, 0.0)

  def _amount(self, step):
    return self.share * (1 - self._elapsed(step))


DROPS = {
  "cosine": CosineDrop,
  "constant": ConstantDrop,
  "linear": LinearDrop,
  "inverse_power": InversePowerDrop,
}


def drops(schedule, drop, begin_step, end_step, frequency):
  """The drop schedule that a callback's arguments name.

  Args:
    schedule: a key of `DROPS`, or a schedule step -> (due, share), which is returned as it is.
    drop, begin_step, end_step, frequency: of the named schedule; `drop` is its share.

  Raises:
    ValueError: an argument is out of range or the name unknown.

  >>> drops("linear", 0.3, 0, 1000, 100)
  LinearDrop(share=0.3, begin_step=0, end_step=1000, frequency=100)
  """
  if callable(schedule):
    return schedule
  if schedule not in DROPS:
    raise ValueError(
      f"drop_schedule={schedule!r} is unknown. Choose one of {', '.join(map(repr, DROPS))}, or give a "
      "schedule: step -> (due, share)."
    )
  share = arguments.share("drop", drop, one=True)
  return DROPS[schedule](share, begin_step, end_step, frequency=frequency)
