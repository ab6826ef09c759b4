"""The task of an experiment: data, a compiled model, and what makes its training fast."""

import contextlib
import dataclasses
import functools
import importlib
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tflottery import durations, training
from tflottery import site as _sites
from tflottery.experiments import data as _data
from tflottery.experiments import (
  learn,
  losses,
  low_precision,
  models,
  optimizers,
)
from tflottery.seeds import keeps_state_in_trace, set_seed
from tflottery.tickets import prune, reset
from tflottery.tickets.ticket import Ticket


@dataclasses.dataclass(frozen=True)
class Task:
  """Everything that is built once per process and serves all its trainings.

  Attributes:
    settings: the `Settings`.
    data: the `Dataset`; `moments` standardise its images, None leaves them in [0, 1].
    k: the module `keras` or `tf_keras`.
    strategy: the `tf.distribute.Strategy` that models are built in.
    jit_compile, steps_per_execution: what was picked for `compile`.
  """

  settings: Any
  data: Any
  moments: Any
  k: Any
  strategy: Any
  jit_compile: bool
  steps_per_execution: int

  @property
  def begin(self):
    """The step, counted from the beginning of the training, that its network stands at before it."""
    return 0

  @property
  def end(self):
    """The step at which the training ends."""
    return self.settings.end(len(self.data.train))

  @property
  def pauses(self):
    """Steps at which training has to stop, besides those of evaluations and its end."""
    return ()

  def refuse(self, model):
    """Refuse what can't work on `model`, before any training.

    Raises:
      ValueError: naming the setting, its value and the cure.
    """
    self.sites(model)

  def model(self, seed, width=1.0):
    """A compiled model, its weights drawn from `seed`.

    Args:
      width: what its hidden layers' units and filters are multiplied by.
    """
    return self.compiled(self.uncompiled(seed, width))

  def uncompiled(self, seed=0, width=1.0):
    """The model before it is compiled, as `slim` takes it: Keras can't copy our learning rates."""
    self.k.backend.clear_session()  # so that Keras numbers its layers from the start again
    set_seed(seed)
    with self.strategy.scope():
      with low_precision.policy(self.k, self.settings.dtype_policy):
        model = self.network(width)
      if not model.built:
        model(self.data.inputs(1))
    return model

  def compiled(self, model, *, offset=0):
    """`model`, compiled with a fresh optimizer.

    Args:
      model: a built model of either Keras.
      offset: the step at which the learning-rate schedule stands when the optimizer begins.
    """
    s = self.settings
    length = s.epoch_steps(len(self.data.train))
    with self.strategy.scope():
      optimizer = optimizers.build(
        self.k,
        s.optimizer,
        s.optimizer_arguments,
        warmup=durations.steps(s.warmup, length),
        drops=[durations.steps(drop, length) for drop in s.learning_rate_drops],
        decay=s.learning_rate_decay,
        times=s.batch_size / (s.learning_rate_batch or s.batch_size),
        offset=offset,
      )
      if s.dtype_policy == "mixed_float16":
        optimizer = self.k.mixed_precision.LossScaleOptimizer(optimizer)
      model.compile(
        optimizer,
        losses.crossentropy(self.k, label_smoothing=s.label_smoothing, padding=self.data.padding),
        jit_compile=self.jit_compile,
        steps_per_execution=self.steps_per_execution,
      )
    return model

  def network(self, width=1.0):
    """The model, uncompiled."""
    return models.build(
      self.settings.model,
      k=self.k,
      input_shape=self.data.image_shape,
      classes=self.data.classes,
      width=width,
    )

  def batches(self, seed, augment_seed=None):
    """Function of (start, stop) that returns the training batches of these steps.

    Args:
      seed, augment_seed: those of the order and of the augmentation; None: both are `seed`.
    """
    return functools.partial(
      self.data.training,
      batch_size=self.settings.batch_size,
      seed=seed,
      augment=self.settings.augment,
      augment_seed=augment_seed,
      moments=self.moments,
    )

  def evaluator(self, model, split):
    """A function without arguments that returns the model's (loss, accuracy) on `split`."""
    size = _evaluation_batch(len(split))
    whole = self.data.whole(split, batch_size=size, moments=self.moments)
    return learn.Evaluator(model, whole, jit_compile=self.jit_compile, padding=self.data.padding)

  def masks(self, model):
    """The masks that are in force on a model: dict from site path to bool array."""
    held = training.held_on(model)
    if held is not None:
      return held.masks
    return {path: np.ones(site.shape, bool) for path, site in self.sites(model).items()}

  def ticket(self, model, masks):
    """The `Ticket` of a model that trains, and of the masks in force on it."""
    return Ticket.capture(model, masks)

  def plain(self, model):
    """The network that a trained model is: itself, where its weights are not computed from others."""
    return model

  def sites(self, model):
    """The sites of `model` as the settings choose them."""
    return _sites.sites(
      model, only=self.settings.only or None, exclude=self.settings.exclude or None
    )


@dataclasses.dataclass(frozen=True)
class Search(Task):
  """The task of a search."""

  @property
  def rewind_step(self):
    """The step k that the network is rewound to."""
    return self.settings.rewind_step(len(self.data.train))

  @property
  def pauses(self):
    return (self.rewind_step,)

  def rates(self, sites):
    """The rate of each site."""
    return prune.site_rates(list(sites), self.settings.rate, self.settings.rates)

  def refuse(self, model):
    settings, sites = self.settings, self.sites(model)
    if not self.rewind_step < self.end:
      raise ValueError(
        f"config.rewind_to={settings.rewind_to!r} is step {self.rewind_step} of {self.end}: give an "
        "earlier one."
      )
    prune.check(
      {path: int(np.prod(site.shape)) for path, site in sites.items()},
      self.rates(sites),
      levels=settings.levels,
      scope=settings.scope,
      one_shot=settings.one_shot,
    )
    if any("reinit" in name for name in (settings.kept, settings.pruned, *settings.arms)):
      reset.require_initializers({path: site.initializer for path, site in sites.items()})


def load(settings, kind=Search):
  """Build the task, and refuse what can't work before any training.

  Args:
    settings: the experiment's.
    kind: the class of the task.

  Raises:
    ValueError, FileNotFoundError: naming the setting, its value and the cure.
  """
  strategy = _strategy(settings)  # first: logical devices are made before TensorFlow starts
  data = _data_of(settings)
  with named(settings, "dataset", "augment", "standardize"):
    data.check(augment=settings.augment, standardize=settings.standardize)
  _check_lengths(settings, data)
  task = kind(
    settings=settings,
    data=data,
    moments=data.moments() if settings.standardize else None,
    k=importlib.import_module(settings.keras),
    strategy=strategy,
    jit_compile=not settings.strategy if settings.jit_compile is None else settings.jit_compile,
    steps_per_execution=1,
  )
  task = dataclasses.replace(task, steps_per_execution=_steps_per_execution(task))
  with named(settings, "model", "keras"):
    model = task.model(seed=0)
  _require_logits(task, model)
  task.refuse(model)
  if settings.jit_compile is None and task.jit_compile:
    compiled = is_faster_compiled(task.sites(model)) and is_repeatable_compiled(model)
    task = dataclasses.replace(task, jit_compile=compiled)
  return task


def _data_of(settings):
  """The data set of the settings; equal settings get the same object while it is kept."""
  with named(settings, "dataset", "data_dir", "validation_examples"):
    whole = _whole(settings.dataset, settings.data_dir, settings.validation_examples)
  with named(settings, "half", "labels"):
    part = _part(whole, half=settings.half, labels=settings.labels)
  with named(settings, "image_shape", "image_fit"):
    return _part(part, shape=settings.image_shape, fit=settings.image_fit)


# Kept, for a process may train many networks on a few data sets.
@functools.lru_cache(maxsize=4)
def _whole(name, data_dir, validation):
  return _data.load(name, data_dir=data_dir or None, validation=validation)


@functools.lru_cache(maxsize=8)
def _part(whole, **parts):
  return whole.part(**parts)


@contextlib.contextmanager
def named(settings, *names):
  """Says in an error's text which settings it is about."""
  try:
    yield
  except (FileNotFoundError, ValueError) as error:
    values = ", ".join(f"config.{name}={getattr(settings, name)!r}" for name in names)
    raise type(error)(f"{values}: {error}") from error


def _check_lengths(settings, data):
  """Refuse batches that are too large, and a validation split without examples."""
  examples = len(data.train)
  if settings.batch_size > examples:
    raise ValueError(
      f"config.batch_size={settings.batch_size} exceeds the {examples} training examples."
    )
  if not len(data.validation):
    raise ValueError(
      "config.validation_examples=0 leaves nothing to find the early stop on. Give 1 or more."
    )


def _require_logits(task, model):
  output = np.asarray(model(task.data.inputs(2), training=False), np.float32)
  name, classes = task.settings.model, task.data.classes
  if output.shape != task.data.logits_shape(2):
    raise ValueError(
      f"config.model={name!r} returns {output.shape} for two inputs, but {task.data.name!r} has "
      f"{classes} classes: return one logit for each, {task.data.logits_shape(2)}."
    )
  if (output >= 0).all() and np.allclose(output.sum(-1), 1):
    raise ValueError(
      f"config.model={name!r} returns probabilities. Return logits: leave out the last softmax."
    )


def is_faster_compiled(sites):
  """Whether `jit_compile` pays: always on an accelerator, on a CPU for networks without convolutions.

  A rule and not a measurement, so that a search that is resumed computes the same bits.
  """
  return bool(tf.config.list_physical_devices("GPU")) or all(
    len(site.shape) == 2 for site in sites.values()
  )


def is_repeatable_compiled(model):
  """Whether `jit_compile` draws the same numbers again: not for the dropout of tf_keras.

  XLA draws for its stateful random operations from seeds of its own, new ones in every process.
  """
  return not any(map(keeps_state_in_trace, model._flatten_layers()))


def _steps_per_execution(task):
  """What is asked for, or the most steps, up to 100, that divide what lies between evaluations."""
  settings, asked = task.settings, task.settings.steps_per_execution
  common = math.gcd(settings.eval_every, task.end, *task.pauses)
  if asked:
    if common % asked:
      pauses = "".join(f" and a pause at step {step}" for step in task.pauses if step)
      raise ValueError(
        f"config.steps_per_execution={asked} does not divide eval_every={settings.eval_every}, "
        f"steps={task.end}{pauses}. Give a divisor of {common}, or None."
      )
    return asked
  if settings.strategy and settings.keras == "keras":
    return 1  # Keras 3 can't trace several steps under MirroredStrategy
  return max(d for d in range(1, min(common, 100) + 1) if common % d == 0)


def _evaluation_batch(size, most=1000):
  """The largest batch of up to 1,000 that divides the split, or 1,000: every size is compiled."""
  divisors = [n for n in range(most // 4, most + 1) if size % n == 0]
  return max(divisors, default=min(size, most))


def _strategy(settings):
  if settings.strategy and settings.jit_compile:
    raise ValueError(
      f"config.jit_compile=True: XLA can't compile a step over several devices in one process. Leave "
      f"it None with config.strategy={settings.strategy!r}."
    )
  if settings.strategy != "mirrored":
    return tf.distribute.get_strategy()
  if settings.batch_size % settings.replicas:
    raise ValueError(
      f"config.batch_size={settings.batch_size} does not divide over {settings.replicas} replicas."
    )
  return mirrored(settings.replicas)


@functools.cache
def mirrored(replicas):
  """A `MirroredStrategy` over GPUs, or over logical CPUs where there are none.

  One per process: TensorFlow's collectives on CPUs confuse those of several strategies.
  """
  kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
  cpu = tf.config.list_physical_devices("CPU")[0]
  if kind == "CPU" and tf.config.get_logical_device_configuration(cpu) is None:
    logical = [tf.config.LogicalDeviceConfiguration()] * replicas
    tf.config.set_logical_device_configuration(cpu, logical)
  devices = tf.config.list_logical_devices(kind)
  if len(devices) < replicas:
    raise ValueError(f"config.replicas={replicas}: there are only {len(devices)} devices.")
  return tf.distribute.MirroredStrategy([device.name for device in devices[:replicas]])
