"""The model that is exported: without tfmot's wrappers, its masks laid on its weights."""

import contextlib

import numpy as np

from tflottery import site as _sites
from tflottery import training


@contextlib.contextmanager
def stripped(model):
  """`model` as it is to be exported, for the length of a `with` block.

  Held masks, and the masks of tfmot's wrappers, are laid on the weights: what is masked is 0, or its
  frozen value. After the block the weights are what they were before. A model without either is
  given as it is.

  Raises:
    TypeError: `model` is no Keras model.
    ValueError: it has no weights yet, or wrappers that can't be taken off.
  """
  _sites.weights(model)  # refuses what is not built
  masked = {}
  for variable, mask, frozen in _masks(model):
    value = _sites.value(variable)
    masked[id(variable)] = (variable, np.where(mask, value, frozen).astype(value.dtype))
  with holding(list(masked.values())):
    yield _sites.without_wrappers(model)


@contextlib.contextmanager
def holding(pairs):
  """Variables at given values for the length of a `with` block: (variable, array) pairs."""
  before = [(variable, _sites.value(variable)) for variable, _ in pairs]
  changed = [
    (variable, old, new)
    for (variable, old), (_, new) in zip(before, pairs, strict=True)
    if old.tobytes() != new.tobytes()
  ]
  try:
    for variable, _, new in changed:
      variable.assign(new)
    yield
  finally:
    for variable, old, _ in changed:
      variable.assign(old)


@contextlib.contextmanager
def restoring(variables):
  """Whatever happens to `variables` in a `with` block, they are after it what they were before."""
  before = [(variable, _sites.value(variable)) for variable in variables]
  try:
    yield
  finally:
    for variable, value in before:
      variable.assign(value)


def _masks(model):
  """(variable, mask, what it holds where masked) for every masked weight of `model`."""
  held = training.held_on(model)
  sites = _sites.candidates(model)
  if held is not None:
    frozen = held.frozen
    return [(sites[path].variable, m, frozen.get(path, 0)) for path, m in held.masks.items()]
  return [
    (site.variable, _sites.value(site.wrapper_mask) != 0, 0)
    for site in sites.values()
    if site.wrapper is not None
  ]
