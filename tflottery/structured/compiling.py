"""Compiled as another model was: settings, and an optimizer that goes on with the slots it had."""

import inspect

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import learning_rates, step
from tflottery import site as _sites


def compile_alike(new, old, *, twins, sliced):
  """Compile `new` as `old` is compiled, if it is: with metrics and an optimizer of its own.

  Args:
    new: the model to compile.
    old: the model that it was made from.
    twins: list of (weight of `old`, weight of `new`).
    sliced: function of (weight of `old`, array of its shape) to the array for `new`. Slots go through
      it, other variables of the optimizer stay as they are; what has another shape in the end, and
      all of a legacy optimizer, is fresh.
  """
  settings = getattr(old, "_compile_config", None)
  if getattr(old, "optimizer", None) is None or settings is None:
    return
  settings = dict(settings.config)
  for name in ("metrics", "weighted_metrics"):
    settings[name] = tf.nest.map_structure(_fresh_metric, settings.get(name))
  new.compile(**{**settings, "optimizer": _fresh(old.optimizer)})
  try:
    source, target = step.innermost(old), step.innermost(new)
  except TypeError:  # a legacy optimizer, or Adafactor, whose moments have other shapes
    return
  if getattr(source, "weight_decay", None):
    exempt = [variable for before, variable in twins if not source._use_weight_decay(before)]
    target.exclude_from_weight_decay(exempt)
  own = vars(source)  # of Keras 3, of tf_keras; neither before the optimizer is built
  places = own.get("_trainable_variables_indices") or own.get("_index_dict") or {}
  if places:
    keyed = {source._var_key(before): (before, after) for before, after in twins}
    if places.keys() - keyed.keys():
      return  # it was built for more than this model
    built = [keyed[key] for key in sorted(places, key=places.get)]
    _carry_over(old.optimizer, new.optimizer, built, sliced)


def _fresh_metric(metric):
  if not isinstance(metric, (keras.metrics.Metric, tf_keras.metrics.Metric)):
    return metric
  return _again(metric, lambda: type(metric).from_config(metric.get_config()))


def _again(thing, make):
  """What `make` makes; ValueError with the name of the metric or optimizer that it can't make."""
  try:
    return make()
  except Exception as error:
    raise ValueError(
      f"{type(thing).__name__} `{thing.name}` can't be made again from its config: {error} Give it "
      "get_config and from_config, or slim the model before it is compiled."
    ) from error


def _fresh(optimizer):
  """A new optimizer of the same settings, with the same learning rate schedule."""
  config = _config(optimizer)
  inner = getattr(optimizer, "inner_optimizer", None)
  if inner is not None:
    names = inspect.signature(type(optimizer).__init__).parameters
    known = {n: v for n, v in config.items() if n in names and n != "inner_optimizer"}
    return type(optimizer)(_fresh(inner), **known)
  return _again(optimizer, lambda: type(optimizer).from_config(config))


def _config(optimizer):
  """Without the schedule's own: it is shared, and need not have one."""
  schedule = getattr(optimizer, "_learning_rate", None)
  if not learning_rates.is_schedule(schedule):
    return optimizer.get_config()
  object.__setattr__(optimizer, "_learning_rate", 0.0)
  try:
    return optimizer.get_config() | {"learning_rate": schedule}
  finally:
    object.__setattr__(optimizer, "_learning_rate", schedule)


def _carry_over(source, target, twins, sliced):
  """The variables of an optimizer, cut to those of another; twins in the order of `source`."""
  target.build([variable for _, variable in twins])
  inner = source
  while hasattr(inner, "inner_optimizer"):
    inner = inner.inner_optimizer
  owners = {id(slot): weight for weight, _ in twins for slot in step.slots(inner, weight)}
  for before, after in zip(source.variables, target.variables, strict=True):
    value = _sites.value(before)
    if id(before) in owners:
      value = sliced(owners[id(before)], value)
    if np.shape(value) == tuple(after.shape):
      after.assign(value)
