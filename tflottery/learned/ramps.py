"""Ramps: how the strength of a penalty grows over the steps of a training."""

import tensorflow as tf

from tflottery import arguments

RAMPS = {"linear": lambda share: share, "cubic": lambda share: 1 - (1 - share) ** 3}


def checked(strength, begin_step, end_step, ramp):
  """A dict of the arguments, which are the fields of a penalised parametrisation.

  Args:
    strength: finite number above 0, what the penalty is multiplied by at the end of the ramp.
    begin_step, end_step: ints of at least 0. Before `begin_step` the strength is 0, from `end_step`
      on it is whole; where end_step <= begin_step it is whole from `begin_step` on.
    ramp: "linear", or "cubic" for 1 - (1 - share of the way)^3.

  Raises:
    ValueError: one is out of range; names it.
  """
  if ramp not in list(RAMPS):
    raise ValueError(f"ramp={ramp!r} is unknown. Choose one of {', '.join(RAMPS)}.")
  if arguments.positive("strength", strength) == float("inf"):
    raise ValueError(f"strength={strength!r} is out of range. Give a finite number above 0.")
  return {
    "strength": float(strength),
    "begin_step": arguments.whole("begin_step", begin_step, least=0),
    "end_step": arguments.whole("end_step", end_step, least=0),
    "ramp": ramp,
  }


def strength(how, step, dtype):
  """The strength at a step.

  Args:
    how: an object with the fields of `checked`.
    step: int scalar tensor, 0 for the first step.
    dtype: of the result, a scalar tensor.

  >>> import types
  >>> how = types.SimpleNamespace(**checked(2.0, 10, 20, "linear"))
  >>> [float(strength(how, tf.constant(step), "float32")) for step in (10, 15, 40)]
  [0.0, 1.0, 2.0]
  """
  if how.end_step <= how.begin_step:
    share = tf.cast(step >= how.begin_step, dtype)
  else:
    share = tf.cast(step - how.begin_step, dtype) / (how.end_step - how.begin_step)
  return how.strength * RAMPS[how.ramp](tf.clip_by_value(share, 0, 1))


def end(how):
  """(The argument that says when the ramp has ended, how many steps a training needs for that).

  >>> import types
  >>> end(types.SimpleNamespace(**checked(2.0, 10, 20, "linear")))
  ('end_step=20', 20)
  >>> end(types.SimpleNamespace(**checked(2.0, 10, 0, "linear")))  # shorter ones are not penalised
  ('begin_step=10', 11)
  """
  if how.begin_step and how.end_step <= how.begin_step:
    return f"begin_step={how.begin_step}", how.begin_step + 1
  return f"end_step={how.end_step}", how.end_step
