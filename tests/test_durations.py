"""Durations in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflottery import durations


@given(st.integers(0, 10**9), st.integers(1, 10**5))
def test_a_duration_counts_steps_or_epochs(count, length):
  assert durations.steps(count) == count
  assert durations.steps(f"{count}it", length) == count
  assert durations.steps(f"{count}ep", length) == count * length


def test_init_is_step_zero():
  assert durations.steps("init", 7) == 0


@pytest.mark.parametrize(
  "bad", ["", "it", "-5it", "2.5ep", "2 epochs", "500its", None, 1.5, -1, True]
)
def test_a_duration_that_does_not_parse_names_argument_value_and_cure(bad):
  with pytest.raises(ValueError) as caught:
    durations.steps(bad, 10, argument="rewind_to")
  assert f"rewind_to={bad!r}" in str(caught.value)
  assert "'500it'" in str(caught.value)


def test_epochs_of_unknown_length_are_refused():
  with pytest.raises(ValueError, match="rewind_to='2ep' counts epochs"):
    durations.steps("2ep", argument="rewind_to")
