"""Starts: for each algorithm, the width of its network and the callbacks that train it."""

import math

from tflottery import arguments, callbacks, masks
from tflottery import site as _sites
from tflottery.algorithms import small_dense
from tflottery.algorithms.prune import prune
from tflottery.learned.l0 import l0
from tflottery.learned.variational_dropout import variational_dropout
from tflottery.structured.channels import set_scales

_RANDOM = ("sparsity", "allocation", "seed", "only", "exclude")
_PRUNED = ("sparsity", "only", "exclude")


class Slimming(callbacks.Slimming):
  """Slimming that also sets the scales where they begin.

  Args:
    scale: what they are set to, above 0.
    strength: as the public callback's.
  """

  def __init__(self, scale=0.5, strength=1e-4):
    super().__init__(strength)
    self._scale = arguments.positive("scale", scale)

  def on_train_begin(self, logs=None):
    super().on_train_begin(logs)
    set_scales(self.model, self._scale)  # what a checkpoint holds comes later, and stays


def _dense(work):
  """No mask is held."""
  del work
  return 1.0, []


def _slimming(work):
  """Nothing is masked; the scales of batch normalisation are drawn to 0."""
  return 1.0, [Slimming(**work.settings.algorithm_arguments)]


def _small_dense(work):
  """A narrower dense network with no more parameters than live in the sparse one."""
  model = work.network()
  size = sum(math.prod(site.shape) for site in work.sites(model).values())
  every = sum(math.prod(variable.shape) for variable in _sites.weights(model).values())
  live = every - size + masks.kept_count(size, work.settings.sparsity)
  return small_dense.widest(work.network, live), []


def _held(kind, *names):
  """The callback `kind` holds masks; it takes the common arguments of these names."""
  return lambda work: (1.0, [kind(**work.arguments(*names))])


def _pruned(criterion):
  """Masks of the untrained network, scored on its first batches, are held."""

  def start(work):
    given = work.arguments(*_PRUNED)
    data = work.batches(work.seeds["order"])(start=0, stop=given.get("batches", 1))
    hold = callbacks.HoldMasks(lambda model: prune(model, criterion, data=data, **given))
    return 1.0, [hold]

  return start


def _extended(**arguments):
  return callbacks.Magnitude(**{"allocation": "extended", **arguments})


# Functions of the task that return (width of the network, list of callbacks).
STARTS = {
  "dense": _dense,
  "slimming": _slimming,
  "small_dense": _small_dense,
  "static": _held(callbacks.Static, *_RANDOM),
  "set": _held(callbacks.SET, "end_step", *_RANDOM),
  "rigl": _held(callbacks.RigL, "end_step", *_RANDOM),
  "snfs": _held(callbacks.SNFS, "end_step", *_RANDOM),
  "magnitude": _held(callbacks.Magnitude, "end_step", *_PRUNED),
  "magnitude_extended": _held(_extended, "end_step", *_PRUNED),
  "variational_dropout": _dense,
  "l0": _dense,
  "gradual": _held(callbacks.Gradual, "end_step", "seed", *_PRUNED),
  "random": _held(callbacks.Random, "end_step", "seed", *_PRUNED),
  "snip": _held(callbacks.SNIP, *_PRUNED),
  "grasp": _pruned("grasp"),
  "synflow": _pruned("synflow"),
}
DENSE = ("dense", "slimming")  # they have no sparsity


def _learned(kind):
  """Function of (task, uncompiled model) that returns the model whose weights are computed."""

  def change(work, model):
    given = work.arguments("end_step", "only", "exclude")
    return kind(model, sample_seed=work.seeds["masks"], **given)

  return change


# Their sparsity comes of itself.
LEARNED = {"variational_dropout": _learned(variational_dropout), "l0": _learned(l0)}
