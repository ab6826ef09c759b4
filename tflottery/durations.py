"""Durations in words: '500it', '2ep', 'init', or a number of steps."""

import re


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
