"""Settings: a config file's values, checked before any work starts."""

import dataclasses
import difflib

from tflottery import criteria as _criteria
from tflottery import durations, images
from tflottery.arguments import is_number
from tflottery.experiments import arms as _arms
from tflottery.experiments import subsets
from tflottery.tickets import prune
from tflottery.tickets.actions import Actions
from tflottery.tickets.search import STARTS

KERASES = ("keras", "tf_keras")
OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "rmsprop", "sgd")
STRATEGIES = ("", "mirrored")
DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
_REFUSED = {
  "parameter_server": "its workers update weights without waiting for each other, so there is no "
  "gradient that all agree on when masks change",
  "multi_worker_mirrored": "a binary is one process; call model.fit in a program of your own, one per "
  "worker, with a tf_keras model built in the strategy's scope",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """What every experiment trains; one field for each name in configs/common.py, which explains them.

  `optimizer_arguments` are the keyword arguments under the optimizer's name. Durations are
  resolved by methods, which need the length of an epoch.
  """

  dataset: str
  data_dir: str
  validation_examples: int | None
  half: str
  labels: tuple
  image_shape: tuple
  image_fit: str
  standardize: bool
  augment: bool
  keras: str
  model: str
  optimizer: str
  optimizer_arguments: dict
  warmup: int | str
  learning_rate_drops: tuple
  learning_rate_decay: float
  learning_rate_batch: int | None
  label_smoothing: float
  dtype_policy: str
  steps: int | str
  batch_size: int
  only: str
  exclude: str
  eval_every: int
  jit_compile: bool | None
  steps_per_execution: int | None
  strategy: str
  replicas: int

  def epoch_steps(self, examples):
    """Steps in an epoch of so many training examples."""
    return examples // self.batch_size

  def end(self, examples):
    """Steps of the training."""
    return durations.steps(self.steps, self.epoch_steps(examples), argument="steps")

  def check(self):
    """Refuse values that can't be right.

    Raises:
      ValueError: naming the setting, its value and the cure.
    """
    self._check_part()
    require_known("keras", self.keras, KERASES)
    require_known("optimizer", self.optimizer, OPTIMIZERS)
    if self.strategy in _REFUSED:
      raise ValueError(f"config.strategy={self.strategy!r}: {_REFUSED[self.strategy]}.")
    require_known("strategy", self.strategy, STRATEGIES)
    for name in ("batch_size", "eval_every", "replicas"):
      require_int(name, getattr(self, name), 1)
    require_known("dtype_policy", self.dtype_policy, DTYPE_POLICIES)
    if not is_number(self.label_smoothing) or not 0 <= self.label_smoothing < 1:
      raise ValueError(
        f"config.label_smoothing={self.label_smoothing!r} is out of range: at least 0, below 1."
      )
    for name in ("validation_examples", "steps_per_execution", "learning_rate_batch"):
      if getattr(self, name) is not None:
        require_int(name, getattr(self, name), 1)
    for name in ("steps", "warmup"):
      require_duration(name, getattr(self, name))
    if not durations.steps(self.steps, 1):
      raise ValueError(f"config.steps={self.steps!r} trains nothing: at least 1 step.")
    for drop in self.learning_rate_drops:
      require_duration("learning_rate_drops", drop)

  def _check_part(self):
    """Refuse parts of data sets that no data set has."""
    require_known("half", self.half, subsets.HALVES)
    for label in self.labels:
      require_int("labels", label, 0)
    require_each_once("labels", self.labels)
    if len(self.labels) == 1:
      raise ValueError(f"config.labels={self.labels!r}: give two classes or more, or () for all.")
    for side in self.image_shape:
      require_int("image_shape", side, 1)
    if len(self.image_shape) not in (0, 3):
      raise ValueError(
        f"config.image_shape={self.image_shape!r} must be (height, width, channels), or () to leave "
        "images as they are."
      )
    require_known("image_fit", self.image_fit, images.FITS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search(Settings):
  """What a search does; configs/default.py explains its names."""

  levels: int
  rate: float
  rates: dict
  scope: str
  one_shot: bool
  rewind_to: int | str
  start: str
  criterion: str
  kept: str
  keep_sign: bool
  pruned: str
  criteria: tuple
  arms: tuple
  arm_levels: tuple
  seeds: tuple
  workers: int

  def rewind_step(self, examples):
    """The step k that the network is rewound to."""
    return durations.steps(self.rewind_to, self.epoch_steps(examples), argument="rewind_to")

  @property
  def chains(self):
    """Dict from the arms that are pruned level by level, the ticket first, to their criteria."""
    return {"ticket": self.criterion} | {name: name for name in self.criteria}

  def actions(self, chain):
    """The `Actions` of a chain."""
    return Actions(self.chains[chain], self.kept, self.keep_sign, self.pruned, self.scope)

  @property
  def freezes(self):
    """Whether any network holds its pruned weights at another value than 0."""
    return self.pruned != "zero" or any(arm in _arms.ACTIONS for arm in self.arms)

  def arms_at(self, level):
    """The arms that are trained at `level`, the ticket first."""
    levels = self.arm_levels or range(1, self.levels + 1)
    return [*self.chains, *(self.arms if level in levels else ())]

  def check(self):
    super().check()
    require_known("scope", self.scope, prune.SCOPES)
    require_known("start", self.start, tuple(STARTS))
    require_int("levels", self.levels, 0)
    require_int("workers", self.workers, 1)
    require_seeds(self.seeds)
    for number in self.arm_levels:
      require_int("arm_levels", number, 1)
    require_each_once("arms", self.arms)
    for arm in self.arms:
      require_listed("arms", arm, _arms.ARMS)
    require_each_once("criteria", (self.criterion, *self.criteria))
    for criterion in self.criteria:
      require_listed("criteria", criterion, _criteria.DECONSTRUCTED)
    require_listed("criterion", self.criterion, _criteria.DECONSTRUCTED)
    self._check_actions()
    require_duration("rewind_to", self.rewind_to)
    prune.check_rates(self.rate, self.rates)

  def _check_actions(self):
    """Refuse what becomes of kept and pruned weights where it contradicts the start or the arms."""
    self.actions("ticket").check(self.start)
    matrix = [arm for arm in self.arms if arm in _arms.ACTIONS]
    if matrix and self.start != "rewind":
      raise ValueError(
        f"config.arms={matrix!r} beside config.start={self.start!r}: they freeze at the weights that are "
        "rewound to, and nothing is rewound. Use start='rewind', or leave them out."
      )
    chosen = {"kept": self.kept, "keep_sign": self.keep_sign, "pruned": self.pruned}
    if self.arms and tuple(chosen.values()) != ("rewind", False, "zero"):
      raise ValueError(
        f"config.arms={self.arms!r} beside {chosen}: arms are controls of the ticket that is rewound and "
        "whose pruned weights are 0. Leave out one of the two."
      )


def read(config):
  """The settings of a search in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = plain(config)
  values["rates"] = dict(values.get("rates") or {})
  return make(Search, values, default="configs/default.py")


def plain(config):
  """The values of a `ConfigDict` as a dict, those of the nested ones too."""
  return {
    key: value.to_dict() if hasattr(value, "to_dict") else value for key, value in config.items()
  }


def make(kind, values, *, default, arguments=()):
  """Checked settings of the class `kind`.

  Args:
    values: dict of the config's values; what stands under the chosen optimizer's name becomes
      `optimizer_arguments`.
    default: the config file that explains these settings, for errors.
    arguments: further names under which keyword arguments may stand.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = dict(values)
  chosen = values.get("optimizer")
  values["optimizer_arguments"] = require_arguments(chosen, values.get(chosen, {}), "optimizer")
  names = [field.name for field in dataclasses.fields(kind)]
  for key in values:
    if key not in names and key not in OPTIMIZERS and key not in arguments:
      close = difflib.get_close_matches(key, [*names, *arguments])
      hint = f"Did you mean {' or '.join(close)}?" if close else f"Known are {', '.join(names)}."
      raise ValueError(f"config.{key}={values[key]!r} is not a setting. {hint}")
  missing = [name for name in names if name not in values]
  if missing:
    raise ValueError(f"The config lacks {', '.join(missing)}. Start from {default}.")
  for field in dataclasses.fields(kind):
    if field.type is tuple:
      values[field.name] = as_tuple(values[field.name])
  settings = kind(**{name: values[name] for name in names})
  settings.check()
  return settings


def as_json(settings):
  """The settings as JSON values."""
  return {
    name: list(value) if isinstance(value, tuple) else value
    for name, value in dataclasses.asdict(settings).items()
  }


def from_json(values, kind=Search):
  """The settings again, from `as_json`."""
  return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def as_tuple(value):
  """A tuple; words given as one string, as on a command line, are split at commas."""
  value = (value,) if isinstance(value, (str, int, float)) else tuple(value)
  words = [part.split(",") if isinstance(part, str) else [part] for part in value]
  return tuple(word for part in words for word in part if word != "")


def require_known(name, value, known):
  """Refuse, by the setting's name, what is none of a few."""
  if value not in known:
    raise ValueError(f"config.{name}={value!r} is unknown. Choose one of {known}.")


def require_listed(name, value, known):
  """As `require_known`, of a long list: with the closest name."""
  if value not in known:
    close = difflib.get_close_matches(str(value), known)
    raise ValueError(
      f"config.{name}={value!r} is unknown. {f'Did you mean {close[0]}? ' if close else ''}Known "
      f"are {', '.join(known)}."
    )


def require_int(name, value, low):
  """Refuse what is no whole number of at least `low`."""
  if isinstance(value, bool) or not isinstance(value, int) or value < low:
    raise ValueError(f"config.{name}={value!r} is out of range: a whole number, at least {low}.")


def require_duration(name, value):
  """Refuse what is no duration, as 500, '500it' or '2ep'."""
  durations.steps(value, 1, argument=f"config.{name}")


def require_each_once(name, values):
  """Refuse values that are named twice."""
  if len(set(values)) != len(values):
    raise ValueError(f"config.{name}={values!r} must name each once.")


def require_seeds(seeds):
  """Refuse seeds that are no whole numbers, named twice, or none."""
  for seed in seeds:
    require_int("seeds", seed, 0)
  if not seeds or len(set(seeds)) != len(seeds):
    raise ValueError(f"config.seeds={seeds!r} must name at least one seed, each once.")


def require_arguments(name, value, whose):
  """The keyword arguments of an optimizer or algorithm; refuse what is no dict."""
  if not isinstance(value, dict):
    raise ValueError(f"config.{name}={value!r} must be the {whose}'s keyword arguments.")
  return value
