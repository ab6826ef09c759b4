"""Learning rates that go on from a later step, or follow a function of it."""

import keras
import tensorflow as tf
import tf_keras

_SCHEDULES = (
  keras.optimizers.schedules.LearningRateSchedule,
  tf_keras.optimizers.schedules.LearningRateSchedule,
)


def is_schedule(learning_rate):
  """Whether it is a `LearningRateSchedule` of either Keras."""
  return isinstance(learning_rate, _SCHEDULES)


def later(schedule, offset):
  """A learning-rate schedule that stands `offset` steps further on than the optimizer.

  The optimizer of a rewound network starts fresh, at step 0, while its learning rate goes on from
  step k. Moving the optimizer's own step instead would spoil Adam's bias correction: with empty
  moments at step 500 its first updates are three to seven times too large.

  Args:
    schedule: a `LearningRateSchedule` of either Keras.
    offset: int64 scalar variable, in steps.
  """
  k = keras if isinstance(schedule, _SCHEDULES[0]) else tf_keras
  return from_function(k, lambda step: schedule(tf.cast(step, tf.int64) + offset))


def from_function(k, rate):
  """A `LearningRateSchedule` of the Keras `k` from a function of the step; it can't be saved."""
  base = k.optimizers.schedules.LearningRateSchedule
  members = {"__call__": lambda _, step: rate(step), "get_config": lambda _: {}}
  return type("FromFunction", (base,), members)()
