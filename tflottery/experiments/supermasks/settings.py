"""Settings of the supermask experiment: a config file's values, checked before any work starts."""

import dataclasses

from tflottery import arguments, criteria
from tflottery.experiments import settings as _settings
from tflottery.tickets import prune

DEFAULT = "configs/supermask.py"
# The weights under a mask that is not trained, as resets that keep the signs.
WEIGHTS = {"initial": "rewind", "signed_constant": "constant"}


@dataclasses.dataclass(frozen=True)
class Trained:
  """A mask that is trained over fixed weights.

  Attributes:
    algorithm: "supermask" (Zhou et al. 2019) or "edge_popup" (Ramanujan et al. 2020).
    weights: "initial" or "signed_constant".
    rescale: whether weights are multiplied by their layer's size over the weights kept, or, with
      edge_popup, by its square root.
  """

  algorithm: str
  weights: str
  rescale: bool


TRAINED = {
  f"{algorithm}_{weights}{'_rescaled' * rescale}": Trained(algorithm, weights, rescale)
  for algorithm in ("supermask", "edge_popup")
  for weights in WEIGHTS
  for rescale in (False, True)
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supermask(_settings.Settings):
  """What the experiment does; configs/supermask.py explains its names."""

  criteria: tuple
  levels: int
  rate: float
  rates: dict
  weights: tuple
  rescale: tuple
  trained: tuple
  supermask: dict
  edge_popup: dict
  samples: int
  seeds: tuple

  def of(self, algorithm):
    """The settings by which the masks of an algorithm, "supermask" or "edge_popup", are trained."""
    own = getattr(self, algorithm)
    return dataclasses.replace(self, **{n: v for n, v in own.items() if n != "sparsity"})

  def check(self):
    super().check()
    known = {
      "criteria": criteria.DECONSTRUCTED,
      "weights": WEIGHTS,
      "rescale": (False, True),
      "trained": TRAINED,
    }
    for name, names in known.items():
      values = getattr(self, name)
      _settings.require_each_once(name, values)
      for value in values:
        _settings.require_listed(name, value, names)
    _settings.require_int("levels", self.levels, 1)
    _settings.require_int("samples", self.samples, 1)
    _settings.require_seeds(self.seeds)
    prune.check_rates(self.rate, self.rates)
    self._check_own("supermask")
    self._check_own("edge_popup")

  def _check_own(self, algorithm):
    """Refuse what is no setting of training under the algorithm's name, or out of range there."""
    own, known = getattr(self, algorithm), {f.name for f in dataclasses.fields(_settings.Settings)}
    if algorithm == "edge_popup":
      arguments.share("config.edge_popup.sparsity", own.get("sparsity"), zero=True)
      known = known | {"sparsity"}
    strange = [name for name in own if name not in known]
    if strange:
      raise ValueError(
        f"config.{algorithm}.{strange[0]}={own[strange[0]]!r} is not a setting of training. Known are "
        f"{', '.join(sorted(known))}."
      )
    try:
      super(Supermask, self.of(algorithm)).check()
    except ValueError as error:
      raise ValueError(f"config.{algorithm}: {error}") from error


def read(config):
  """The settings of the experiment in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = _settings.plain(config)
  values["rates"] = dict(values.get("rates") or {})
  for algorithm in ("supermask", "edge_popup"):
    own = dict(_settings.require_arguments(algorithm, values.get(algorithm), "algorithm"))
    optimizer = own.get("optimizer", values.get("optimizer"))
    if "optimizer" in own or optimizer in own:
      own["optimizer_arguments"] = own.pop(optimizer, values.get(optimizer, {}))
    for name in _settings.OPTIMIZERS:  # those of optimizers that were not chosen
      own.pop(name, None)
    if "learning_rate_drops" in own:
      own["learning_rate_drops"] = _settings.as_tuple(own["learning_rate_drops"])
    values[algorithm] = own
  values["rescale"] = tuple(values.get("rescale", ()))
  return _settings.make(Supermask, values, default=DEFAULT)
