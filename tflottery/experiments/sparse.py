"""Sparse training: the settings of a run, and how each algorithm makes its network and callback."""

import dataclasses
import math

from tflottery import callbacks, durations, masks, training
from tflottery import site as _sites
from tflottery.algorithms import small_dense
from tflottery.algorithms.prune import prune
from tflottery.experiments import settings as _settings
from tflottery.experiments import summary, task
from tflottery.seeds import seeds_of

DEFAULT = "configs/train.py"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(_settings.Settings):
  """What a run does; configs/train.py explains its names.

  `algorithm_arguments` are the keyword arguments under the algorithm's name.
  """

  algorithm: str
  algorithm_arguments: dict
  sparsity: float
  allocation: str | dict
  seed: int

  def check(self):
    super().check()
    _settings.require_known("algorithm", self.algorithm, tuple(ALGORITHMS))
    _settings.require_int("seed", self.seed, 0)
    require_sparsity("sparsity", self.sparsity)


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """The task of a run."""

  @property
  def seeds(self):
    """Seeds of initialisation, order and masks."""
    return seeds_of(self.settings.seed)

  def start(self):
    """(compiled model, the algorithm's callback or None) at the beginning of training."""
    width, callback = ALGORITHMS[self.settings.algorithm](self)
    return self.model(self.seeds["initialisation"], width), callback

  def results(self, model, masks, rows, *, test_accuracy, schedule):
    """What came out of the run, as JSON values."""
    return summary.summary(self, model, masks, rows, test_accuracy=test_accuracy, schedule=schedule)

  def arguments(self, *names):
    """Keyword arguments of the algorithm: its own, and of the common ones those that are named."""
    s = self.settings
    common = {
      "sparsity": s.sparsity,
      "allocation": s.allocation,
      "seed": self.seeds["masks"],
      "only": s.only or None,
      "exclude": s.exclude or None,
      "end_step": round(_END * self.end),
    }
    own = {name: self._steps(name, value) for name, value in s.algorithm_arguments.items()}
    given = {name: value for name, value in own.items() if value is not None}
    return {name: common[name] for name in names} | given

  def _steps(self, name, value):
    if name not in ("begin_step", "end_step") or value is None:
      return value
    length = self.settings.epoch_steps(len(self.data.train))
    return durations.steps(value, length, argument=f"config.{self.settings.algorithm}.{name}")

  def refuse(self, model):
    super().refuse(model)
    if self.end % self.settings.eval_every:
      raise ValueError(
        f"config.eval_every={self.settings.eval_every} does not divide the {self.end} steps of "
        f"config.steps={self.settings.steps!r}. Give a divisor, for instance "
        f"{_divisor_below(self.end, self.settings.eval_every)}."
      )
    try:
      with task.named(self.settings, "algorithm", "sparsity", "allocation"):
        _, callback = ALGORITHMS[self.settings.algorithm](self)
        if callback is not None:
          callback.set_model(model)  # finds out whether the sparsity can be allocated
          training.held_on(model).release()
    except TypeError as error:  # an argument that it does not take
      name, own = self.settings.algorithm, self.settings.algorithm_arguments
      raise ValueError(f"config.{name}={own!r}: {error}") from error


_END = 0.75  # of the training, as in Evci et al. 2020, arXiv:1911.11134


def _divisor_below(number, most):
  return max(d for d in range(1, min(number, most) + 1) if number % d == 0)


def _dense(work):
  """Nothing is masked."""
  del work
  return 1.0, None


def _small_dense(work):
  """A narrower dense network with no more parameters than live in the sparse one."""
  model = work.network()
  size = sum(math.prod(site.shape) for site in work.sites(model).values())
  every = sum(math.prod(variable.shape) for variable in _sites.weights(model).values())
  live = every - size + masks.kept_count(size, work.settings.sparsity)
  return small_dense.widest(work.network, live), None


def _held(kind, *names):
  """The callback `kind` holds masks; it takes the common arguments of these names."""
  return lambda work: (1.0, kind(**work.arguments(*names)))


def _pruned(criterion):
  """Masks of the untrained network, scored on its first batches, are held."""

  def start(work):
    arguments = work.arguments(*_PRUNED)
    steps = arguments.get("batches", 1)
    data = work.batches(work.seeds["order"])(start=0, stop=steps)
    return 1.0, callbacks.HoldMasks(lambda model: prune(model, criterion, data=data, **arguments))

  return start


_RANDOM = ("sparsity", "allocation", "seed", "only", "exclude")
_PRUNED = ("sparsity", "only", "exclude")
# Functions of the task that return (width of the network, callback or None).
ALGORITHMS = {
  "dense": _dense,
  "small_dense": _small_dense,
  "static": _held(callbacks.Static, *_RANDOM),
  "set": _held(callbacks.SET, "end_step", *_RANDOM),
  "rigl": _held(callbacks.RigL, "end_step", *_RANDOM),
  "snfs": _held(callbacks.SNFS, "end_step", *_RANDOM),
  "magnitude": _held(callbacks.Magnitude, "end_step", *_PRUNED),
  "random": _held(callbacks.Random, "end_step", "seed", *_PRUNED),
  "snip": _held(callbacks.SNIP, *_PRUNED),
  "grasp": _pruned("grasp"),
  "synflow": _pruned("synflow"),
}


def read(config):
  """The settings of a run in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  return settings_of(_settings.plain(config))


def settings_of(values):
  """The settings of a run from a dict of the config's values."""
  chosen = values.get("algorithm")
  given = values.get(chosen, {})
  values = values | {"algorithm_arguments": _settings.require_arguments(chosen, given, "algorithm")}
  if chosen == "dense":
    values["sparsity"] = 0.0
  return _settings.make(Training, values, default=DEFAULT, arguments=tuple(ALGORITHMS))


def require_sparsity(name, value):
  number = isinstance(value, (int, float)) and not isinstance(value, bool)
  if not number or not 0 <= value < 1:
    raise ValueError(f"config.{name}={value!r} is out of range: at least 0, below 1.")
