"""The flow of channels through a graph: their classes, and which of them a set of masks removes."""

import dataclasses

import numpy as np

from tflottery.structured import choice
from tflottery.structured import classes as _classes
from tflottery.structured import graph as _graph


class Flow:
  """Labels for the channels of every tensor of a model, and the rule of every call.

  Attributes:
    graph: the `Graph`.
    rules: list of the rules of its calls, in order.
    sites: dict from path to the rule that writes the channels which a mask of this weight names.
    fixed: dict from each class that can't be removed to the reason.
    count: the number of classes.
  """

  def __init__(self, model):
    self.graph = graph = _graph.graph_of(model)
    united = _classes.Classes()
    labels = {n: united.new(graph.channels(n)) for n in graph.inputs}
    for number, name in graph.inputs.items():
      united.fix(labels[number], f"input `{name}` of the model")
    self.rules = []
    for call in graph.calls:
      rule = choice.rule_of(call, [labels[n] for n in call.inputs], graph, united)
      labels.update(zip(call.outputs, rule.writes, strict=True))
      self.rules.append(rule)
    for number in graph.outputs:
      united.fix(labels[number], "output of the model")
    read = {number for call in graph.calls for number in call.inputs}
    for call in graph.calls:
      for number in set(call.outputs) - read:
        united.fix(labels[number], f"no layer reads what {call} writes")
    roots, first = np.unique(united.of(range(united.count)), return_inverse=True)
    self._class = first
    self.count = len(roots)
    self.fixed = {int(first[root]): reason for root, reason in united.fixed.items()}
    self._labels = labels
    self.sites = {graph.paths[id(r.site)]: r for r in self.rules if r.site is not None}

  def classes_of(self, labels):
    """The class of every label, an int array below `count`."""
    return self._class[labels]

  def classes(self, path):
    """The classes of the channels of a site."""
    return self.classes_of(self.sites[path].writes[0])

  def channels_left(self, tensor, removed):
    """How many channels of a symbolic tensor stay; 0 where it has none."""
    number = self.graph.numbers[id(tensor)]
    return int((~removed[self.classes_of(self._labels[number])]).sum())

  def fate(self, masks):
    """The `Fate` of all channels under these masks: dict from site to bool array, True stays."""
    return _Fates(self, masks).fate()

  def labels(self, number):
    """The labels of a tensor's channels."""
    return self._labels[number]


@dataclasses.dataclass(frozen=True, eq=False)
class Fate:
  """What masks do to a model.

  Attributes:
    removed: bool array over classes.
    zeros: list of (variable, bool array that broadcasts to it): what is set to 0 and stays.
    alive: dict from the number of a tensor to which of its channels can matter, bool arrays.
    begun: bool array over classes, in which a call that makes channels makes one that can matter.
  """

  removed: np.ndarray
  zeros: list
  alive: dict
  begun: np.ndarray


class _Fates:
  """Death flows forward through the calls, uselessness backward; a class with neither stays."""

  def __init__(self, flow, masks):
    self._flow, self._graph = flow, flow.graph
    self._masks = {id(flow.sites[path].site): ~mask for path, mask in masks.items()}

  def fate(self):
    dead, zeros = self._dead()
    silent = self._silent(dead)
    lives = np.zeros(self._flow.count, bool)
    lives[list(self._flow.fixed)] = True
    begun = np.zeros(self._flow.count, bool)
    for number, still in silent.items():
      lives[self._flow.classes_of(self._flow.labels(number))[~still]] = True
    for rule in self._flow.rules:
      if rule.begins:
        matters = ~silent[rule.call.outputs[0]]
        masked = self._masked(rule)
        matters &= True if masked is None else ~masked
        begun[self._flow.classes_of(rule.writes[0])[matters]] = True
    alive = {number: ~still for number, still in silent.items()}
    return Fate(~lives, zeros, alive, begun)

  def _masked(self, rule):
    return self._masks.get(id(rule.site)) if rule.site is not None else None

  def _dead(self):
    dead = {n: np.zeros(len(self._flow.labels(n)), bool) for n in self._graph.inputs}
    zeros = []
    for rule in self._flow.rules:
      reads, masked = [dead[n] for n in rule.call.inputs], self._masked(rule)
      zeros += rule.zeros(reads, masked)
      dead.update(zip(rule.call.outputs, rule.dead(reads, masked), strict=True))
    return dead, [(variable, zero) for variable, zero in zeros if zero.any()]

  def _silent(self, dead):
    """Dict from number to bool array: the channels that are dead, or useless to all that read them."""
    silent = {n: np.ones(len(d), bool) for n, d in dead.items()}
    for number in self._graph.outputs:
      silent[number] = dead[number].copy()
    for rule in reversed(self._flow.rules):
      useless = rule.useless([silent[n] for n in rule.call.outputs])
      for number, one in zip(rule.call.inputs, useless, strict=True):
        silent[number] &= one | dead[number]
    return silent
