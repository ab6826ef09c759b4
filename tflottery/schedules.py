"""Schedules: durations in words, and a learning rate that goes on from a later step."""

import re

import keras
import tensorflow as tf
import tf_keras


def steps(duration, steps_per_epoch=None, *, argument="duration"):
  """A duration in steps: an int, '500it', '2ep', or 'init' for 0.

  Raises:
    ValueError: it does not parse, is negative, or counts epochs where their length is unknown.

  >>> steps("500it"), steps("2ep", 900), steps(7), steps("init")
  (500, 1800, 7, 0)
  """
  if duration == "init":
    return 0
  match = re.fullmatch(r"(\d+)(it|ep)?", str(duration).strip().replace("_", ""))
  if match is None or isinstance(duration, bool):
    raise ValueError(
      f"{argument}={duration!r} is not a duration. Write steps as '500it' or 500, epochs as '2ep', "
      "the beginning as 'init'."
    )
  count = int(match[1])
  if match[2] != "ep":
    return count
  if steps_per_epoch is None:
    raise ValueError(
      f"{argument}={duration!r} counts epochs, but the length of an epoch is unknown. Give steps "
      "('500it'), or data of known length."
    )
  return count * steps_per_epoch


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
