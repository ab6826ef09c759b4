"""Settings of the tropical experiment: a config file's values, checked before any work starts."""

import dataclasses

from tflottery import arguments
from tflottery.analysis.tropical.magnitude import RULES as MAGNITUDE_RULES
from tflottery.experiments import settings as _settings
from tflottery.experiments.settings import Settings, require_int
from tflottery.experiments.tropical.starts import CONTROLS
from tflottery.tickets import prune

DEFAULT = "configs/tropical_moons.py"
PLANES = ("generators", "data")
RULES = ("tropical", *MAGNITUDE_RULES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tropical(Settings):
  """What the experiment does; configs/tropical_moons.py explains its names."""

  hidden: int
  pair: tuple
  plane: str
  levels: int
  rate: float
  rates: dict
  controls: tuple
  rules: tuple
  shares: tuple
  seeds: tuple
  workers: int

  def check(self):
    super().check()
    require_int("hidden", self.hidden, 1)
    require_int("levels", self.levels, 0)
    require_int("workers", self.workers, 1)
    if len(self.pair) != 2 or self.pair[0] == self.pair[1]:
      raise ValueError(f"config.pair={self.pair!r} must name two different classes, as (0, 1).")
    for label in self.pair:
      require_int("pair", label, 0)
    _settings.require_known("plane", self.plane, PLANES)
    for name, known in (("controls", CONTROLS), ("rules", RULES)):
      _settings.require_each_once(name, getattr(self, name))
      for value in getattr(self, name):
        _settings.require_listed(name, value, known)
    for share in self.shares:
      arguments.share("config.shares", share)
    _settings.require_each_once("shares", self.shares)
    _settings.require_seeds(self.seeds)
    prune.check_rates(self.rate, self.rates)


def read(config):
  """The settings of the experiment in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = _settings.plain(config)
  values["rates"] = dict(values.get("rates") or {})
  return _settings.make(Tropical, values, default=DEFAULT)
