"""Settings of an Early-Bird training: a config file's values, checked before any work starts."""

import dataclasses

from tflottery import arguments, durations
from tflottery.experiments import low_precision
from tflottery.experiments import settings as _settings
from tflottery.structured import channels

DEFAULT = "configs/early_bird.py"
CONTROLS = ("dense", "plain_dense", "reinit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlyBird(_settings.Settings):
  """What an Early-Bird training does; configs/early_bird.py explains its names."""

  width: float
  initial_scale: float
  slimming: float
  retraining_slimming: float
  shares: tuple
  scope: str
  grouped: bool
  window: int
  threshold: float
  search_limit: int | str | None
  draw_at: tuple
  precision: str
  controls: tuple
  seeds: tuple

  def limit(self, examples):
    """The last step at which a ticket can be drawn: one that leaves something to train."""
    last = self.end(examples) - self.eval_every
    asked = self.search_limit
    if asked is None:
      return last
    steps = durations.steps(asked, self.epoch_steps(examples), argument="config.search_limit")
    return min(steps, last)

  def draw_steps(self, examples):
    """The steps of `draw_at`, each once and in order."""
    length = self.epoch_steps(examples)
    return sorted({durations.steps(d, length, argument="config.draw_at") for d in self.draw_at})

  @property
  def search_is_dense(self):
    """Whether the search goes on to the end and is the dense training too."""
    return "dense" in self.controls and self.precision == "float32"

  def check(self):
    super().check()
    for name in ("width", "initial_scale"):
      arguments.positive(f"config.{name}", getattr(self, name))
    for name in ("slimming", "retraining_slimming"):
      if getattr(self, name) != 0:  # which leaves the regulariser out
        arguments.positive(f"config.{name}", getattr(self, name))
    _settings.require_known("scope", self.scope, channels.SCOPES)
    _settings.require_known("precision", self.precision, low_precision.PRECISIONS)
    _settings.require_int("window", self.window, 2)
    _settings.require_seeds(self.seeds)
    for name in ("shares", "controls", "draw_at"):
      _settings.require_each_once(name, getattr(self, name))
    for control in self.controls:
      _settings.require_known("controls", control, CONTROLS)
    if not self.shares:
      raise ValueError("config.shares=() must name at least one share of the channels, as (0.5,).")
    for share in self.shares:
      arguments.share("config.shares", share)
    arguments.share("config.threshold", self.threshold, zero=True)
    for duration in self.draw_at:
      _settings.require_duration("draw_at", duration)
    if self.search_limit is not None:
      _settings.require_duration("search_limit", self.search_limit)
    if self.only or self.exclude:
      raise ValueError(
        f"config.only={self.only!r}, config.exclude={self.exclude!r} choose weights, but here whole "
        "channels go. Leave both empty."
      )


def read(config):
  """The settings of an Early-Bird training in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  return _settings.make(EarlyBird, _settings.plain(config), default=DEFAULT)
