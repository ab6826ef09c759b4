"""Progress: lines now and then."""

import pytest

from tflottery.experiments import learn, progress

FIRST, SECOND = (3, 0, "ticket"), (3, 1, "reinit")


def _curve(step, intervals, loss=0.5):
  return learn.Curve(step=step, points=[(step, loss, 0.875)], intervals=intervals)


def test_a_finished_training_is_one_line_with_level_arm_seed_speed_and_time_left(capsys):
  report = progress.Progress({FIRST: 100, SECOND: 60}).report
  report(FIRST, _curve(100, [(50, 0.75, 0.25), (50, 1.5, 1.0)]), 0, finished=True)
  # 50 and 20 steps/s, evaluation counted: the median is 35; 60 steps are left.
  assert capsys.readouterr().out == (
    "seed 3  level 0  ticket: step 100 (100/100 trained), 35 steps/s, validation loss 0.5000, "
    "accuracy 0.8750, 2 s left\n"
  )


def test_the_time_left_counts_what_is_finished_and_what_of_this_one_is_trained(capsys):
  watch = progress.Progress({FIRST: 100, SECOND: 600})
  watch.report(FIRST, _curve(100, [(100, 1.0, 0.0)]), 0, finished=True)
  watch.report(SECOND, _curve(1000, [(100, 9.0, 1.0)]), 400, finished=True)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].endswith("100 steps/s, validation loss 0.5000, accuracy 0.8750, 6 s left")
  assert "step 1000 (600/600 trained), 10 steps/s" in lines[1] and lines[1].endswith(" 0 s left")


def test_nothing_is_printed_moments_after_the_start(capsys):
  watch = progress.Progress({FIRST: 100})
  for step in (10, 20, 30):
    watch.report(FIRST, _curve(step, [(10, 0.1, 0.0)]), 0)
  assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (0.2, "0 s"),
    (89, "89 s"),
    (91, "2 min"),
    (3570, "1 h 0 min"),
    (3599, "1 h 0 min"),
    (3661, "1 h 1 min"),
    (7199, "2 h 0 min"),
    (90000, "25 h 0 min"),
  ],
)
def test_a_duration_is_rounded_to_what_matters(seconds, text):
  assert progress.duration(seconds) == text


def test_now_and_then_waits_until_its_seconds_have_passed():
  calls = []
  never, always = (progress.NowAndThen(lambda s=s: calls.append(s), s) for s in (3600.0, 0.0))
  for action in (never, always, never, always):
    action()
  assert calls == [0.0, 0.0]
