"""Groups: which channels of a model live or die together, shown before it happens."""

import collections
import dataclasses

import numpy as np

from tflottery.structured import flow as _flow
from tflottery.structured import masks as _masks

_MOST_RUNS = 8  # of places, in a line


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Channels that lie along the same weights. Each is a class of its own: it goes alone, and whole.

  The idea: a sum needs as many channels on its left as on its right, and channel i of the one is
  added to channel i of the other. So in

      a = Dense(3, name="a")(x)
      b = Dense(3, name="b")(x)
      y = Dense(1, name="y")(a + b)

  unit i can only go from all three at once: column i of a/kernel and of b/kernel, entry i of both
  biases, and row i of y/kernel. That is one class, and the three classes are one group of 3 channels.

  Attributes:
    members: tuple of (path of a weight, axis, how many entries of it each channel has).
    classes: int array, the class of each channel.
    reason: why the channels can't be removed; None if they can.
    removed: bool array, which of the channels the masks remove; None without masks.
  """

  members: tuple[tuple[str, int, int], ...]
  classes: np.ndarray
  reason: str | None = None
  removed: np.ndarray | None = None

  def __str__(self):
    count = f"{len(self.classes)} channel{'s' * (len(self.classes) > 1)}"
    if self.reason is not None:
      count += f", fixed ({self.reason})"
    elif self.removed is not None:
      count = f"{int(self.removed.sum())} of {count} ({_ranges(self.removed)})"
    return f"{count}: {_listed(self.members)}"


class Groups:
  """The groups of a model, in the order of its layers; made by `groups`.

  Attributes:
    fixed: dict from each class that can't be removed to the reason.
    sites: list of the paths of the channel sites, the weights that a mask may name.
  """

  def __init__(self, flow, removed=None, masks=None):
    self._flow, self._removed, self._masks = flow, removed, masks or {}
    self.fixed = flow.fixed
    self.sites = list(flow.sites)
    self._groups = _grouped(flow, removed)

  def __iter__(self):
    return iter(self._groups)

  def __len__(self):
    return len(self._groups)

  def check(self, masks):
    """Refuse masks that `slim` refuses.

    Raises:
      ValueError: as `slim`.
    """
    _masks.fate(self._flow, masks)

  def classes(self, path):
    """The class of every channel of a site: int array [C]; equal ones live or die together.

    Raises:
      ValueError: no channel site has this path.
    """
    if path not in self._flow.sites:
      raise ValueError(f"path={path!r} is no channel site. They are: {', '.join(self.sites)}.")
    return self._flow.classes(path)

  def __str__(self):
    if self._removed is None:
      return "\n".join(map(str, self._groups))
    gone = [str(group) for group in self._groups if group.removed.any()]
    return "\n".join([*gone, *self._staying()]) or "no channel"

  def _staying(self):
    """A line for each site with masked channels that are not removed."""
    for path, mask in self._masks.items():
      stays = ~np.asarray(mask) & ~self._removed[self.classes(path)]
      if stays.any():
        yield (
          f"{stays.sum()} of {len(stays)} channels ({_ranges(stays)}) of {path} stay, as 0: others of "
          "their class live"
        )


def groups(model, masks=None):
  """The `Groups` of a model; with masks, printed as what `slim(model, masks)` would do.

  Args:
    model: a built Sequential or functional model of either Keras.
    masks: dict from channel site to bool array [C], True stays; None shows every channel.

  Raises:
    TypeError, ValueError: as `slim`.

  >>> import keras
  >>> layers = [keras.Input((4,), name="x"), keras.layers.Dense(3, "relu", name="a")]
  >>> model = keras.Sequential([*layers, keras.layers.Dense(2, name="b")])
  >>> print(groups(model))
  4 channels, fixed (input `x` of the model): a/kernel[0]
  3 channels: a/kernel[1] a/bias[0] b/kernel[0]
  2 channels, fixed (output of the model): b/kernel[1] b/bias[0]
  >>> print(groups(model, {"a/kernel": np.array([True, False, True])}))
  1 of 3 channels (1): a/kernel[1] a/bias[0] b/kernel[0]
  """
  flow = _flow.Flow(model)
  if masks is None:
    return Groups(flow)
  return Groups(flow, _masks.fate(flow, masks).removed, masks)


def _grouped(flow, removed):
  """List of `Group`: classes with the same members and the same reason."""
  members = collections.defaultdict(list)
  for path, axis, labels in slices(flow):
    found, counts = np.unique(flow.classes_of(labels), return_counts=True)
    for one, times in zip(found, counts, strict=True):
      members[int(one)].append((path, axis, int(times)))
  alike = collections.defaultdict(list)
  for one, listed in members.items():
    alike[tuple(listed), flow.fixed.get(one)].append(one)
  return [
    Group(listed, np.array(ones), reason, None if removed is None else removed[ones])
    for (listed, reason), ones in alike.items()
  ]


def slices(flow):
  """(path, axis from 0, labels) of every weight that lies along channels."""
  for rule in flow.rules:
    for one in rule.slices:
      rank = len(one.variable.shape)
      yield flow.graph.paths[id(one.variable)], one.axis % rank, one.labels


def _listed(members):
  """The members as text, all vectors of a BatchNormalization as one: `bn/*[0]`."""
  statistics = "/moving_variance"
  whole = {p.removesuffix(statistics) for p, _, _ in members if p.endswith(statistics)}
  texts = []
  for path, axis, times in members:
    layer, _, name = path.rpartition("/")
    name = "*" if layer in whole else name
    texts.append(f"{layer}/{name}[{axis}]" + (f" x{times}" if times > 1 else ""))
  return " ".join(dict.fromkeys(texts))


def _ranges(chosen):
  """Places of the True entries as text.

  >>> _ranges(np.array([True, True, False, True]))
  '0-1, 3'
  """
  places = np.flatnonzero(chosen)
  runs = [r for r in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(r)]
  texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
  return ", ".join(texts if len(texts) <= _MOST_RUNS else [*texts[: _MOST_RUNS - 1], "..."])
