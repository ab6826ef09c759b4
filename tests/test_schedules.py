"""Durations, and a learning rate that goes on from a later step."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tflottery import schedules


@given(st.integers(0, 10**9), st.integers(1, 10**5))
def test_a_duration_counts_steps_or_epochs(count, length):
  assert schedules.steps(count) == count
  assert schedules.steps(f"{count}it", length) == count
  assert schedules.steps(f"{count}ep", length) == count * length


def test_init_is_step_zero():
  assert schedules.steps("init", 7) == 0


@pytest.mark.parametrize(
  "bad", ["", "it", "-5it", "2.5ep", "2 epochs", "500its", None, 1.5, -1, True]
)
def test_a_duration_that_does_not_parse_names_argument_value_and_cure(bad):
  with pytest.raises(ValueError) as caught:
    schedules.steps(bad, 10, argument="rewind_to")
  assert f"rewind_to={bad!r}" in str(caught.value)
  assert "'500it'" in str(caught.value)


def test_epochs_of_unknown_length_are_refused():
  with pytest.raises(ValueError, match="rewind_to='2ep' counts epochs"):
    schedules.steps("2ep", argument="rewind_to")


def test_a_later_schedule_stands_that_many_steps_further_on(k):
  schedule = k.optimizers.schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25])
  offset = tf.Variable(3, dtype=tf.int64)
  later = schedules.later(schedule, offset)
  assert [float(later(step)) for step in range(3)] == [0.5, 0.5, 0.25]
  offset.assign(0)
  assert [float(later(step)) for step in range(3)] == [1.0, 1.0, 1.0]


def test_a_later_schedule_is_a_schedule_of_its_keras(k):
  schedule = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
  later = schedules.later(schedule, tf.Variable(3, dtype=tf.int64))
  assert isinstance(later, k.optimizers.schedules.LearningRateSchedule)
  assert schedules.is_schedule(later)


def test_a_number_is_no_schedule():
  assert not schedules.is_schedule(0.1)
