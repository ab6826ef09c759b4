"""Settings: a config file's values, checked before any work starts."""

import dataclasses
import difflib

from tflottery import schedules
from tflottery.experiments import arms as _arms
from tflottery.tickets import prune
from tflottery.tickets.search import STARTS

KERASES = ("keras", "tf_keras")
OPTIMIZERS = ("adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "rmsprop", "sgd")
STRATEGIES = ("", "mirrored")


@dataclasses.dataclass(frozen=True)
class Settings:
  """What a search does; one field for each name in configs/default.py, which explains them.

  `optimizer_arguments` are the keyword arguments under the optimizer's name. Durations are
  resolved by `end` and `rewind_step`, which need the length of an epoch.
  """

  dataset: str
  data_dir: str
  validation_examples: int | None
  standardize: bool
  augment: bool
  keras: str
  model: str
  optimizer: str
  optimizer_arguments: dict
  warmup: int | str
  learning_rate_drops: tuple
  learning_rate_decay: float
  steps: int | str
  batch_size: int
  levels: int
  rate: float
  rates: dict
  scope: str
  one_shot: bool
  rewind_to: int | str
  start: str
  only: str
  exclude: str
  arms: tuple
  arm_levels: tuple
  seeds: tuple
  eval_every: int
  jit_compile: bool | None
  steps_per_execution: int | None
  workers: int
  strategy: str
  replicas: int

  def epoch_steps(self, examples):
    """Steps in an epoch of so many training examples."""
    return examples // self.batch_size

  def end(self, examples):
    """Steps of the dense training."""
    return schedules.steps(self.steps, self.epoch_steps(examples), argument="steps")

  def rewind_step(self, examples):
    """The step k that the network is rewound to."""
    return schedules.steps(self.rewind_to, self.epoch_steps(examples), argument="rewind_to")

  def arms_at(self, level):
    """The arms that are trained at `level`, the ticket first."""
    levels = self.arm_levels or range(1, self.levels + 1)
    return ["ticket", *(self.arms if level in levels else ())]


def read(config):
  """The settings in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = {key: _plain(value) for key, value in config.items()}
  chosen = values.get("optimizer")
  values["optimizer_arguments"] = arguments = values.get(chosen, {})
  if not isinstance(arguments, dict):
    raise ValueError(f"config.{chosen}={arguments!r} must be the optimizer's keyword arguments.")
  names = [field.name for field in dataclasses.fields(Settings)]
  for key in values:
    if key not in names and key not in OPTIMIZERS:
      close = difflib.get_close_matches(key, names)
      hint = f"Did you mean {' or '.join(close)}?" if close else f"Known are {', '.join(names)}."
      raise ValueError(f"config.{key}={values[key]!r} is not a setting. {hint}")
  missing = [name for name in names if name not in values]
  if missing:
    raise ValueError(f"The config lacks {', '.join(missing)}. Start from configs/default.py.")
  values["rates"] = dict(values["rates"] or {})
  for name in ("arms", "arm_levels", "seeds", "learning_rate_drops"):
    values[name] = _tuple(values[name])
  settings = Settings(**{name: values[name] for name in names})
  _check(settings)
  return settings


def as_json(settings):
  """The settings as JSON values."""
  return {
    name: list(value) if isinstance(value, tuple) else value
    for name, value in dataclasses.asdict(settings).items()
  }


def from_json(values):
  """The settings again, from `as_json`."""
  return Settings(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def _plain(value):
  return value.to_dict() if hasattr(value, "to_dict") else value


def _tuple(value):
  """A tuple; words given as one string, as on a command line, are split at commas."""
  value = (value,) if isinstance(value, (str, int)) else tuple(value)
  words = [part.split(",") if isinstance(part, str) else [part] for part in value]
  return tuple(word for part in words for word in part if word != "")


def _check(s):
  choices = {
    "keras": KERASES,
    "optimizer": OPTIMIZERS,
    "scope": prune.SCOPES,
    "start": tuple(STARTS),
    "strategy": STRATEGIES,
  }
  for name, known in choices.items():
    if getattr(s, name) not in known:
      raise ValueError(f"config.{name}={getattr(s, name)!r} is unknown. Choose one of {known}.")
  least = {"levels": 0, "batch_size": 1, "eval_every": 1, "workers": 1, "replicas": 1}
  for name, low in least.items():
    _require_int(f"config.{name}", getattr(s, name), low)
  for name in ("validation_examples", "steps_per_execution"):
    if getattr(s, name) is not None:
      _require_int(f"config.{name}", getattr(s, name), 1)
  for name, low in {"seeds": 0, "arm_levels": 1}.items():
    for number in getattr(s, name):
      _require_int(f"config.{name}", number, low)
  if not s.seeds or len(set(s.seeds)) != len(s.seeds):
    raise ValueError(f"config.seeds={s.seeds!r} must name at least one seed, each once.")
  if len(set(s.arms)) != len(s.arms):
    raise ValueError(f"config.arms={s.arms!r} must name each arm once.")
  for arm in s.arms:
    if arm not in _arms.ARMS:
      close = difflib.get_close_matches(arm, _arms.ARMS)
      raise ValueError(
        f"config.arms={arm!r} is unknown. {f'Did you mean {close[0]}? ' if close else ''}Known are "
        f"{', '.join(_arms.ARMS)}."
      )
  for name in ("steps", "rewind_to", "warmup"):
    schedules.steps(getattr(s, name), 1, argument=f"config.{name}")
  if not schedules.steps(s.steps, 1):
    raise ValueError(f"config.steps={s.steps!r} trains nothing: at least 1 step.")
  for drop in s.learning_rate_drops:
    schedules.steps(drop, 1, argument="config.learning_rate_drops")
  prune.check_rates(s.rate, s.rates)


def _require_int(name, value, low):
  if isinstance(value, bool) or not isinstance(value, int) or value < low:
    raise ValueError(f"{name}={value!r} is out of range: a whole number, at least {low}.")
