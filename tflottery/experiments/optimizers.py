"""Optimizers by name, with the papers' learning-rate schedule: warm-up, then drops."""

import inspect

import tensorflow as tf

from tflottery import learning_rates

# What decides about a weight in variational dropout and L0: 0 means nothing there.
_NEVER_DECAYED = ["log_sigma2", "log_alpha"]


def build(k, name, arguments, *, warmup=0, drops=(), decay=0.1, times=1.0, offset=0):
  """An optimizer of the Keras `k`.

  The learning rate is `rate * min(1, step / warmup) * decay ** (number of drops up to step)`.

  Args:
    k: the module `keras` or `tf_keras`.
    name: the optimizer's name, as `adam`.
    arguments: its keyword arguments; `learning_rate` is a float.
    warmup: steps of linear warm-up, 0 for none.
    drops: steps at which the rate is multiplied by `decay`.
    times: what the rate in the arguments, or the optimizer's own, is multiplied by.
    offset: the step that the rate stands at when the optimizer's own step is 0.

  Raises:
    ValueError: the optimizer does not take these arguments.
  """
  arguments, optimizer = dict(arguments), type(k.optimizers.get(name))
  _require_positive(name, arguments, decay)
  if times != 1:
    arguments["learning_rate"] = times * _rate(arguments, optimizer)
  if warmup or drops:
    rate = _rate(arguments, optimizer)
    arguments["learning_rate"] = learning_rates.from_function(
      k, lambda step: rate * _factor(tf.cast(step, tf.float32) + offset, warmup, drops, decay)
    )
  try:
    built = optimizer(**arguments)
  except (TypeError, ValueError) as error:
    raise ValueError(f"config.{name}={arguments!r} does not suit the optimizer: {error}") from error
  if getattr(built, "weight_decay", None):
    built.exclude_from_weight_decay(var_names=_NEVER_DECAYED)
  return built


def _rate(arguments, optimizer):
  default = inspect.signature(optimizer).parameters["learning_rate"].default
  return arguments.get("learning_rate", default)


def _require_positive(name, arguments, decay):
  if not 0 < decay <= 1:
    raise ValueError(f"config.learning_rate_decay={decay!r} is out of range: above 0, at most 1.")
  rate = arguments.get("learning_rate", 1.0)
  if isinstance(rate, (int, float)) and rate <= 0:
    raise ValueError(f"config.{name}.learning_rate={rate!r} is out of range: above 0.")


def _factor(step, warmup, drops, decay):
  factor = tf.minimum(1.0, step / warmup) if warmup else tf.ones_like(step)
  passed = [tf.cast(step >= drop, tf.float32) for drop in drops]
  return factor * decay ** tf.add_n(passed) if passed else factor
