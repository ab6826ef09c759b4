"""Classes of channels that live or die together: sets of labels that are united."""

import numpy as np


class Classes:
  """Labels, whole numbers from 0; united labels are one class, and a class may be fixed.

  >>> classes = Classes()
  >>> a, b = classes.new(2), classes.new(2)
  >>> classes.unite(a, b)
  >>> classes.fix(b[1:], "it is the output")
  >>> classes.of(a).tolist(), classes.of(b).tolist(), classes.fixed
  ([0, 1], [0, 1], {1: 'it is the output'})
  """

  def __init__(self):
    self._parents = []
    self._reasons = {}

  def new(self, count):
    """An int array [count] of labels of their own."""
    start = len(self._parents)
    self._parents.extend(range(start, start + count))
    return np.arange(start, start + count)

  def unite(self, first, second):
    """Label i of `first` and label i of `second` are of one class: int arrays of one length."""
    for one, other in zip(first, second, strict=True):
      one, other = self._root(one), self._root(other)
      if one == other:
        continue
      low, high = min(one, other), max(one, other)
      self._parents[high] = low
      if high in self._reasons:
        self._reasons.setdefault(low, self._reasons.pop(high))

  def fix(self, labels, reason):
    """The classes of these labels can't be removed; the first reason of a class stays."""
    for label in labels:
      self._reasons.setdefault(self._root(label), reason)

  def of(self, labels):
    """The class of every label: an int array; a class is its lowest label."""
    return np.array([self._root(label) for label in labels], np.int64)

  @property
  def fixed(self):
    """Dict from each fixed class to the reason."""
    return dict(self._reasons)

  @property
  def count(self):
    """The number of labels: classes are below it."""
    return len(self._parents)

  def _root(self, label):
    label = int(label)
    while self._parents[label] != label:
      self._parents[label] = self._parents[self._parents[label]]
      label = self._parents[label]
    return label
