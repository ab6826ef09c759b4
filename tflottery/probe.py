"""Probe: what an algorithm may look at, each thing computed when it is first asked for."""

import collections.abc
import dataclasses
from typing import Any


class Lazy(collections.abc.Mapping):
  """A mapping from `paths` to `function(path)`, computed at the first use of each path."""

  def __init__(self, paths, function):
    self._paths, self._function, self._found = tuple(paths), function, {}

  def __getitem__(self, path):
    if path not in self._paths:
      raise KeyError(path)
    if path not in self._found:
      self._found[path] = self._function(path)
    return self._found[path]

  def __iter__(self):
    return iter(self._paths)

  def __len__(self):
    return len(self._paths)


@dataclasses.dataclass(frozen=True)
class Probe:
  """A network at one step, as criteria and rules see it.

  Attributes:
    weights: mapping from site path to the weight, float tensor.
    masks: mapping from site path to the mask in force, bool tensor of the weight's shape.
    gradients: mapping from site path to the gradient of the loss at the masked weights, float
      tensor: dense, so it is known for masked weights too, and aggregated over the replicas.
    step: the training step, int64 scalar tensor; the first is 0.
    initial_weights: mapping from site path to the weight when its mask was first held, float
      tensor; None where nothing was captured (`rules.Changes(initial=True)` captures it).
  """

  weights: collections.abc.Mapping
  masks: collections.abc.Mapping
  gradients: collections.abc.Mapping
  step: Any
  initial_weights: collections.abc.Mapping | None = dataclasses.field(default=None, kw_only=True)
