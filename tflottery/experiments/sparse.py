"""Sparse training: the settings of a run, and the task that they make."""

import contextlib
import dataclasses
import warnings

from tflottery import durations, learned, step
from tflottery.experiments import parents, starts, summary, task
from tflottery.experiments import settings as _settings
from tflottery.seeds import seeds_of

ALGORITHMS = (*starts.STARTS, *parents.ALGORITHMS)
DEFAULT = "configs/train.py"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(_settings.Settings):
  """What a run does; configs/train.py explains its names.

  `algorithm_arguments` are the keyword arguments under the algorithm's name; of one that begins with
  a trained network, those of its parts by their names.
  """

  algorithm: str
  algorithm_arguments: dict
  sparsity: float
  allocation: str | dict
  seed: int

  def check(self):
    super().check()
    _settings.require_known("algorithm", self.algorithm, ALGORITHMS)
    _settings.require_int("seed", self.seed, 0)
    require_sparsity("sparsity", self.sparsity)
    if self.algorithm in parents.ALGORITHMS:
      parents.way_of(self)


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """The task of a run."""

  @property
  def seeds(self):
    """Seeds of initialisation, order and masks."""
    return seeds_of(self.settings.seed)

  def start(self):
    """(compiled model, list of the algorithm's callbacks) at the beginning of training."""
    width, callbacks = starts.STARTS[self.settings.algorithm](self)
    return self.compiled(
      self.learning(self.uncompiled(self.seeds["initialisation"], width))
    ), callbacks

  def learning(self, model):
    """The uncompiled model that is trained: where the algorithm learns masks, with computed weights."""
    change = starts.LEARNED.get(self.settings.algorithm)
    return model if change is None else change(self, model)

  def masks(self, model):
    if self.settings.algorithm not in starts.LEARNED:
      return super().masks(model)
    with _silence():
      return learned.masks(model)

  def ticket(self, model, masks):
    if self.settings.algorithm not in starts.LEARNED:
      return super().ticket(model, masks)
    with _silence():
      return learned.ticket(model)

  def plain(self, model):
    return learned.plain(model) if self.settings.algorithm in starts.LEARNED else model

  def results(self, model, masks, rows, *, test_accuracy, best, schedule):
    """What came out of the run, as JSON values."""
    own = summary.summary(self, model, masks, rows, test_accuracy=test_accuracy, schedule=schedule)
    return best | own

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

  @property
  def dense_steps(self):
    """Steps of the dense training that this one is compared with."""
    return self.end

  @property
  def inherited_steps(self):
    """Steps for which the dense network had been trained to give this training its weights."""
    return 0

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
        self.try_on(model)
    except TypeError as error:  # an argument that it does not take
      name, own = self.settings.algorithm, self.settings.algorithm_arguments
      raise ValueError(f"config.{name}={own!r}: {error}") from error

  def try_on(self, model):
    """Try whether the algorithm suits `model`, which stays as it is."""
    _, callbacks = starts.STARTS[self.settings.algorithm](self)
    self._refuse_ramp()
    self.learning(model)
    for callback in callbacks:
      callback.set_model(model)  # finds out whether the sparsity can be allocated
      step.owner(step.innermost(model)).release()

  def _refuse_ramp(self):
    """Refuse a ramp of a penalty that would not have ended when the training does."""
    name = self.settings.algorithm
    given = self.arguments("end_step") if name in starts.LEARNED else {}
    steps = {argument: given.get(argument, 0) for argument in ("begin_step", "end_step")}
    for argument, most in {"begin_step": self.end - 1, "end_step": self.end}.items():
      if steps[argument] > most:
        raise ValueError(
          f"config.{name}.{argument}={steps[argument]} lies behind the {self.end} steps of the training, so "
          "the penalty would never have its full strength. Give a step of the training."
        )


@contextlib.contextmanager
def _silence():
  """Masks are looked at before their training has ended, too: only what came of them is warned about."""
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    yield


_END = 0.75  # of the training, as in Evci et al. 2020, arXiv:1911.11134


def _divisor_below(number, most):
  return max(d for d in range(1, min(number, most) + 1) if number % d == 0)


def read(config):
  """The settings of a run in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  return settings_of(_settings.plain(config))


def settings_of(values):
  """The settings of a run from a dict of the config's values."""
  chosen = values.get("algorithm")
  if chosen in parents.ALGORITHMS:
    given = parents.arguments_of(chosen, values)
    for name, own in given.items():
      _settings.require_arguments(name, own, "algorithm")
  else:
    given = _settings.require_arguments(chosen, values.get(chosen, {}), "algorithm")
  values = values | {"algorithm_arguments": given}
  if chosen in (*starts.DENSE, *starts.LEARNED):
    values["sparsity"] = 0.0
  return _settings.make(
    Training, values, default=DEFAULT, arguments=(*starts.STARTS, *parents.WAYS)
  )


def require_sparsity(name, value):
  """Refuse, by the setting's name, what is no share in [0, 1)."""
  number = isinstance(value, (int, float)) and not isinstance(value, bool)
  if not number or not 0 <= value < 1:
    raise ValueError(f"config.{name}={value!r} is out of range: at least 0, below 1.")
