"""Compiled as another model was: settings, and an optimizer that goes on with the slots it had."""

import inspect

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import site as _sites
from tflottery import step


def compile_alike(new, old, sliced):
  """Compile `new` as `old` is compiled, if it is: with metrics and an optimizer of its own.

  Args:
    new: the model to compile.
    old: the model that it was made from.
    sliced: function of (path of a weight of `old`, array of its shape) to the array for `new`. Slots
      of this shape go through it, other variables of the optimizer as they are; what has another
      shape in the end, and all of a legacy optimizer, stays fresh.
  """
  settings = getattr(old, "_compile_config", None)
  if getattr(old, "optimizer", None) is None or settings is None:
    return
  settings = dict(settings.config)
  for name in ("metrics", "weighted_metrics"):
    settings[name] = tf.nest.map_structure(_fresh_metric, settings.get(name))
  new.compile(**{**settings, "optimizer": _fresh(old.optimizer)})
  _carry_over(new, old, sliced)


def _fresh_metric(metric):
  is_metric = isinstance(metric, (keras.metrics.Metric, tf_keras.metrics.Metric))
  return type(metric).from_config(metric.get_config()) if is_metric else metric


def _fresh(optimizer):
  """A new optimizer of the same settings, with the same learning rate schedule."""
  config = optimizer.get_config()
  inner = getattr(optimizer, "inner_optimizer", None)
  if inner is not None:
    names = inspect.signature(type(optimizer).__init__).parameters
    known = {n: v for n, v in config.items() if n in names and n != "inner_optimizer"}
    return type(optimizer)(_fresh(inner), **known)
  schedule = getattr(optimizer, "_learning_rate", None)
  if isinstance(config.get("learning_rate"), dict) and schedule is not None:
    config["learning_rate"] = schedule
  return type(optimizer).from_config(config)


def _carry_over(new, old, sliced):
  """The variables of the optimizer of `old`, cut to those of `new`."""
  try:
    source, target = step.innermost(old), step.innermost(new)
  except TypeError:  # a legacy optimizer, or Adafactor, whose moments have other shapes
    return
  if not source.built:
    return
  target.build(new.trainable_variables)
  slots = {}
  trained = {id(variable) for variable in old.trainable_variables}
  for path, variable in _sites.weights(old).items():
    if id(variable) in trained:
      slots.update({id(slot): path for slot in step.slots(source, variable)})
  for before, after in zip(source.variables, target.variables, strict=True):
    value = _sites.value(before)
    if id(before) in slots:
      value = sliced(slots[id(before)], value)
    if np.shape(value) == tuple(after.shape):
      after.assign(value)
