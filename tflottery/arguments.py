"""Numbers that an argument may be: the value, or a ValueError with its name, the value and the cure."""

import numbers


def whole(name, value, *, least):
  """`value` as an int.

  >>> whole("frequency", 100, least=1)
  100
  """
  if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
    raise ValueError(f"{name}={value!r} is out of range. Give a whole number, at least {least}.")
  return int(value)


def share(name, value, *, zero=False, one=False):
  """`value` as a float in (0, 1), whose ends belong to it where `zero` or `one` say so.

  >>> share("sparsity", 0.9), share("drop", 1, one=True)
  (0.9, 1.0)
  """
  inside = is_number(value) and (0 < value < 1 or (zero and value == 0) or (one and value == 1))
  if not inside:
    low, high = "at least 0" if zero else "above 0", "at most 1" if one else "below 1"
    raise ValueError(f"{name}={value!r} is out of range. Give a share, {low} and {high}.")
  return float(value)


def positive(name, value):
  """`value` as a float above 0.

  >>> positive("power", 3)
  3.0
  """
  if not is_number(value) or not value > 0:
    raise ValueError(f"{name}={value!r} is out of range. Give a number above 0.")
  return float(value)


def is_number(value):
  """Whether it is a real number, and not a bool."""
  return isinstance(value, numbers.Real) and not isinstance(value, bool)
