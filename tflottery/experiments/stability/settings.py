"""Settings of the stability experiment: a config file's values, checked before any work starts."""

import dataclasses

from tflottery import arguments
from tflottery.analysis.statistics import STATISTICS
from tflottery.experiments import arms as _arms
from tflottery.experiments import settings as _settings
from tflottery.experiments.settings import Settings, require_int
from tflottery.tickets import prune

DEFAULT = "configs/stability.py"
NOISE = ("order", "augmentation", "dropout")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stability(Settings):
  """What the experiment does; configs/stability.py explains its names."""

  rewind_steps: tuple
  copies: int
  noise: tuple
  levels: int
  rate: float
  rates: dict
  scope: str
  arms: tuple
  arm_levels: tuple
  points: int
  statistics: str
  path_examples: int | None
  bezier_steps: int
  bezier_learning_rate: float
  seeds: tuple
  workers: int

  def compared(self, level):
    """Whether the subnetworks of `level` are trained in several copies, and with their controls."""
    return level in (self.arm_levels or range(1, self.levels + 1))

  def check(self):
    super().check()
    require_int("copies", self.copies, 2)
    require_int("points", self.points, 2)
    require_int("levels", self.levels, 0)
    require_int("bezier_steps", self.bezier_steps, 0)
    require_int("workers", self.workers, 1)
    if self.path_examples is not None:
      require_int("path_examples", self.path_examples, 1)
    _settings.require_known("statistics", self.statistics, STATISTICS)
    _settings.require_known("scope", self.scope, prune.SCOPES)
    _settings.require_seeds(self.seeds)
    arguments.positive("config.bezier_learning_rate", self.bezier_learning_rate)
    if self.bezier_steps and self.strategy:
      raise ValueError(
        f"config.bezier_steps={self.bezier_steps!r}: a Bezier curve is trained on one device. Leave it 0 "
        f"with config.strategy={self.strategy!r}."
      )
    self._check_lists()
    prune.check_rates(self.rate, self.rates)

  def _check_lists(self):
    """Refuse lists that name something unknown, something twice, or nothing."""
    for name in ("rewind_steps", "noise"):
      if not getattr(self, name):
        raise ValueError(f"config.{name}=() must name at least one.")
    for duration in self.rewind_steps:
      _settings.require_duration("rewind_steps", duration)
    for source in self.noise:
      _settings.require_known("noise", source, NOISE)
    for arm in self.arms:
      _settings.require_listed("arms", arm, _BRANCHES)
    for level in self.arm_levels:
      require_int("arm_levels", level, 1)
      if level > self.levels:
        raise ValueError(
          f"config.arm_levels={self.arm_levels!r} names level {level}, but there are only {self.levels}: "
          "give one of them, or more levels."
        )
    for name in ("noise", "arms", "arm_levels"):
      _settings.require_each_once(name, getattr(self, name))


# Controls that begin with the weights at step k, and hold nothing but zeros.
_BRANCHES = tuple(arm for arm in _arms.ARMS if arm not in _arms.ACTIONS)


def read(config):
  """The settings of the experiment in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = _settings.plain(config)
  values["rates"] = dict(values.get("rates") or {})
  return _settings.make(Stability, values, default=DEFAULT)
