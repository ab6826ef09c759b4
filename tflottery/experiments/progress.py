"""Progress: a line now and then that says what is trained, how fast, and how long it will take."""

import time

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
  """Prints the progress of one process's trainings.

  Args:
    steps: dict from (seed, level, arm), or (seed, name), to the steps of every training that is still
      to be done.
  """

  def __init__(self, steps):
    self._steps = dict(steps)
    self._done = 0
    self._begun = self._printed = time.perf_counter()

  def report(self, key, curve, first, *, finished=False):
    """Print a line, unless one was printed a moment ago.

    Args:
      key: that of the training.
      curve: its `Curve` so far.
      first: the step that the training began at.
      finished: True prints in any case, and counts the training as done.
    """
    now = time.perf_counter()
    total, trained = self._steps[key], curve.step - first
    if not finished and now - self._printed < _SECONDS_BETWEEN_LINES:
      return
    self._printed = now
    seed, *level, arm = key
    name = "  ".join([f"seed {seed}", *(f"level {number}" for number in level), arm])
    speed = curve.steps_per_second(with_evaluation=True)
    left = (sum(self._steps.values()) - self._done - trained) / speed
    _, loss, accuracy = curve.points[-1]
    print(
      f"{name}: step {curve.step} ({trained}/{total} trained), "
      f"{speed:.0f} steps/s, validation loss {loss:.4f}, accuracy {accuracy:.4f}, "
      f"{duration(left)} left",
      flush=True,
    )
    if finished:
      self._done += total


class NowAndThen:
  """Calls `action` when it is called and `seconds` have passed since the last time."""

  def __init__(self, action, seconds):
    self._action, self._seconds, self._last = action, seconds, time.perf_counter()

  def __call__(self):
    if time.perf_counter() - self._last >= self._seconds:
      self._action()
      self._last = time.perf_counter()


def duration(seconds):
  """Seconds in words.

  >>> duration(42.3), duration(3720)
  ('42 s', '1 h 2 min')
  """
  if seconds < 90:
    return f"{seconds:.0f} s"
  hours, minutes = divmod(round(seconds / 60), 60)
  return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class Steps:
  """Prints the progress of one run: called with every row, it speaks now and then and at the end.

  Args:
    name: what is trained.
    end: the steps of the run.
  """

  def __init__(self, name, end):
    self._name, self._end = name, end
    self._printed = time.perf_counter()
    self._first = None

  def __call__(self, row):
    now, finished = time.perf_counter(), row["step"] == self._end
    self._first = self._first or (row["step"], now)
    if not finished and now - self._printed < _SECONDS_BETWEEN_LINES:
      return
    self._printed = now
    print(
      f"{self._name}: step {row['step']}/{self._end}, {row['steps_per_second']:.0f} steps/s, "
      f"validation loss {row['validation_loss']:.4f}, accuracy {row['validation_accuracy']:.4f}, "
      f"sparsity {row['sparsity']:.4f}, {duration(self._left(row, now))} left",
      flush=True,
    )

  def _left(self, row, now):
    """Seconds to the end, at the speed since the first row, evaluations counted in."""
    step, begun = self._first
    if row["step"] == step:
      return (self._end - step) / row["steps_per_second"]
    return (self._end - row["step"]) * (now - begun) / (row["step"] - step)
