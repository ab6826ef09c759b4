"""When a schedule is due: what all of ours share, and questions that any schedule can be asked."""

import inspect

import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import arguments, tfmot

_tfmot = tfmot.load().sparsity.keras


class Schedule(_tfmot.PruningSchedule):
  """What all schedules share: due at begin_step, every `frequency` steps from there, and at end_step.

  Called with a step, an integer tensor of any shape, it returns tensors of that shape: due (bool)
  and amount (float32, computed in float64). Steps count from 0. From end_step on, the amount is
  exactly `final`. A subclass gives `_amount`, elementwise, from float64 steps.

  Attributes:
    begin_step: the first step that is due.
    end_step: the last step that is due, whatever the frequency; -1 in `Constant` means none is.
    frequency: steps between two that are due.
    final: the amount at the end.
  """

  def __init__(self, begin_step, end_step, frequency, final, *, endless=False):
    self.begin_step = arguments.whole("begin_step", begin_step, least=0)
    self.end_step = arguments.whole("end_step", end_step, least=-1 if endless else 0)
    self.frequency = arguments.whole("frequency", frequency, least=1)
    self.final = final
    if -1 < self.end_step < self.begin_step:
      raise ValueError(
        f"end_step={end_step!r} lies before begin_step={begin_step!r}. Give an end_step that is at "
        "least begin_step."
      )

  def __call__(self, step):
    step = tf.cast(step, tf.int64)
    end = tf.int64.max if self.end_step == -1 else self.end_step
    turn = (step - self.begin_step) % self.frequency == 0
    due = (step >= self.begin_step) & (step <= end) & (turn | (step == end))
    final = tf.constant(self.final, tf.float64)
    amount = tf.where(step >= end, final, self._amount(tf.cast(step, tf.float64)))
    return due, tf.cast(amount, tf.float32)

  def _amount(self, step):
    raise NotImplementedError

  def _progress(self, step):
    """How far `step` is from begin_step to end_step, in [0, 1]."""
    length = max(self.end_step - self.begin_step, 1)
    return tf.clip_by_value((step - self.begin_step) / length, 0.0, 1.0)

  def _elapsed(self, step):
    """How far `step` is from 0 to end_step, in [0, 1]."""
    return tf.clip_by_value(step / max(self.end_step, 1), 0.0, 1.0)

  def _arguments(self):
    return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

  def get_config(self):
    """The registered name under `class_name` and the arguments under `config`.

    So nested, because tfmot's wrapper stores the config alone and finds the class by it.
    """
    name = tf_keras.utils.get_registered_name(type(self))
    return {"class_name": name, "config": self._arguments()}

  @classmethod
  def from_config(cls, config):
    """The schedule of a config: what `get_config` returns, or the arguments alone."""
    return cls(**config.get("config", config))

  def __repr__(self):
    given = ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())
    return f"{type(self).__name__}({given})"


def first_due(schedule, start, stop):
  """The first step in [start, stop) at which a schedule is due, or None.

  Args:
    schedule: any `PruningSchedule`, or a function step -> (due, amount) in TensorFlow. The schedules
      of this module and tfmot's are asked for many steps at once, others step by step.

  >>> first_due(lambda step: (step % 7 == 0, 0.5), 1, 100)
  7
  >>> first_due(_tfmot.ConstantSparsity(0.5, begin_step=100), 0, 100) is None
  True
  """
  if not isinstance(schedule, (Schedule, _tfmot.ConstantSparsity, _tfmot.PolynomialDecay)):
    return _first_of_any(schedule, start, stop)
  size = 100
  while start < stop:
    steps = np.arange(start, min(start + size, stop))
    due = steps[schedule(tf.constant(steps, tf.int64))[0].numpy()]
    if due.size:
      return int(due[0])
    start, size = start + size, min(10 * size, 10**6)
  return None


def _first_of_any(schedule, start, stop):
  """`first_due` of a schedule that may want a scalar step."""

  def waits(step):
    return (step < stop) & ~tf.convert_to_tensor(schedule(step)[0])

  @tf.function(autograph=False)
  def walk():
    return tf.while_loop(waits, lambda step: (step + 1,), [tf.constant(start, tf.int64)])[0]

  step = int(walk())
  return step if step < stop else None


def last_amount(schedule):
  """The amount at the end of a schedule, or None if it does not say where it ends.

  Args:
    schedule: any `PruningSchedule`, or a function step -> (due, amount). Its `end_step` of 0 and more
      is where it ends; without one, its `final`, `final_sparsity` or `target_sparsity` is the amount.

  >>> last_amount(_tfmot.PolynomialDecay(0.0, 0.9, 0, 1000)), last_amount(lambda step: (True, 0.5))
  (0.9, None)
  """
  names = ("final", "final_sparsity", "target_sparsity")
  declared = next((getattr(schedule, name) for name in names if hasattr(schedule, name)), None)
  end = getattr(schedule, "end_step", None)
  if end is None or end < 0:
    return declared
  amount = float(schedule(tf.constant(end, tf.int64))[1])
  return declared if declared is not None and np.float32(declared) == amount else amount
