"""Settings of the transfer experiment: a config file's values, checked before any work starts."""

import contextlib
import dataclasses
import re

from tflottery.experiments import settings as _settings
from tflottery.tickets.transfer import FRESH

DEFAULT = "configs/transfer.py"
# Random tickets by the scope within which the masks of a ticket are shuffled.
CONTROLS = {"random_layerwise": "layer", "random_global": "global"}
_FIELDS = {field.name: field for field in dataclasses.fields(_settings.Settings)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transfer(_settings.Search):
  """What the experiment does; configs/transfer.py explains its names.

  What a task differs in is given by fields of `Settings`: the arguments of its optimizer stand under
  `optimizer_arguments`.
  """

  tasks: dict
  sources: tuple
  targets: tuple
  transfer_levels: tuple
  controls: tuple
  head: tuple
  mapping: dict
  fresh: str

  def of(self, name):
    """The settings of the search on the task `name`, which are also those of its training."""
    common = {
      field.name: getattr(self, field.name) for field in dataclasses.fields(_settings.Search)
    }
    own = {
      key: _settings.as_tuple(value) if _FIELDS[key].type is tuple else value
      for key, value in self.tasks[name].items()
    }
    return _settings.Search(**common | own)

  def maps(self, source, target):
    """The mapping of layers from source to target: none where both have one model."""
    return self.mapping if self.of(source).model != self.of(target).model else {}

  @property
  def pairs(self):
    """(source, target) of every transfer."""
    return [(source, target) for target in self.targets for source in self.sources]

  def check(self):
    super().check()
    for name in ("arms", "criteria"):
      if getattr(self, name):
        raise ValueError(
          f"config.{name}={getattr(self, name)!r}: only the ticket is moved. Leave it empty; what stands"
          " beside moved tickets is chosen by config.controls."
        )
    self._check_tasks()
    for name in ("sources", "targets"):
      self._check_listed(name, self.tasks)
    self._check_listed("transfer_levels", range(1, self.levels + 1))
    _settings.require_each_once("controls", self.controls)
    for control in self.controls:
      _settings.require_listed("controls", control, CONTROLS)
    _settings.require_known("fresh", self.fresh, FRESH)
    if not isinstance(self.mapping, dict):
      raise ValueError(
        f"config.mapping={self.mapping!r} must be a dict from layer to layer, or None."
      )
    for pattern in self.head:
      _require_pattern(pattern)

  def _check_listed(self, name, known):
    values = getattr(self, name)
    if not values:
      raise ValueError(
        f"config.{name}={values!r} must name at least one of {', '.join(map(str, known))}."
      )
    _settings.require_each_once(name, values)
    for value in values:
      if value not in known:
        _refuse_unlisted(name, value, known)

  def _check_tasks(self):
    for name, own in self.tasks.items():
      if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
          f"config.tasks has {name!r}, which can't name a directory: use letters, digits, '_', '-', '.'."
        )
      with named(name):
        strange = [key for key in own if key not in _FIELDS]
        if strange:
          raise ValueError(
            f"{strange[0]}={own[strange[0]]!r} is not a setting of a task. Known are "
            f"{', '.join(_FIELDS)}."
          )
        super(_settings.Search, self.of(name)).check()
        _settings.require_arguments(
          self.of(name).optimizer, self.of(name).optimizer_arguments, "optimizer"
        )


def _refuse_unlisted(name, value, known):
  if isinstance(known, range):
    raise ValueError(
      f"config.{name} has {value!r}: the search has the levels {known.start} to {known.stop - 1}"
      " (config.levels)."
    )
  _settings.require_listed(name, value, known)


def _require_pattern(pattern):
  try:
    re.compile(pattern)
  except (re.error, TypeError) as error:
    raise ValueError(f"config.head={pattern!r} is no regular expression ({error}).") from error


@contextlib.contextmanager
def named(*tasks):
  """Says in an error's text which tasks it is about."""
  try:
    yield
  except (FileNotFoundError, ValueError) as error:
    raise type(error)(f"task {' -> '.join(map(repr, tasks))}: {error}") from error


def read(config):
  """The settings of the experiment in a `ConfigDict`.

  Raises:
    ValueError: a key is unknown or missing, or a value is out of range.
  """
  values = _settings.plain(config)
  for name in ("rates", "mapping"):
    values[name] = values.get(name) or {}
  tasks = values.get("tasks")
  if not isinstance(tasks, dict) or not all(isinstance(own, dict) for own in tasks.values()):
    raise ValueError(
      f"config.tasks={tasks!r} must be a dict from a task's name to the settings in which it differs."
    )
  values["tasks"] = {name: _own(name, own, values) for name, own in tasks.items()}
  return _settings.make(Transfer, values, default=DEFAULT)


def _own(name, own, values):
  """What a task differs in; the arguments of its optimizer are its own over the common ones."""
  optimizer = own.get("optimizer", values.get("optimizer"))
  kept = {key: value for key, value in own.items() if key not in _settings.OPTIMIZERS}
  with named(name):
    for other in own.keys() - kept.keys() - {optimizer}:
      raise ValueError(
        f"config.{other}={own[other]!r} is not used: the task is trained with {optimizer!r}. Leave it "
        f"out, or give the task optimizer={other!r}."
      )
    if "optimizer" in own or optimizer in own:
      kept["optimizer_arguments"] = {
        argument: value
        for given in (values.get(optimizer, {}), own.get(optimizer, {}))
        for argument, value in _settings.require_arguments(optimizer, given, "optimizer").items()
      }
  return kept
