"""Learning rates that go on from a later step."""

import tensorflow as tf

from tflottery import learning_rates


def test_a_later_schedule_stands_that_many_steps_further_on(k):
  schedule = k.optimizers.schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25])
  offset = tf.Variable(3, dtype=tf.int64)
  later = learning_rates.later(schedule, offset)
  assert [float(later(step)) for step in range(3)] == [0.5, 0.5, 0.25]
  offset.assign(0)
  assert [float(later(step)) for step in range(3)] == [1.0, 1.0, 1.0]


def test_a_later_schedule_is_a_schedule_of_its_keras(k):
  schedule = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
  later = learning_rates.later(schedule, tf.Variable(3, dtype=tf.int64))
  assert isinstance(later, k.optimizers.schedules.LearningRateSchedule)
  assert learning_rates.is_schedule(later)


def test_a_number_is_no_schedule():
  assert not learning_rates.is_schedule(0.1)
