"""Comparison styles: how each algorithm looks, the same in every figure."""

import itertools

from tflottery.analysis import comparison
from tflottery.analysis.axes import OTHER_STYLES

# (colour, marker, line) of the usual algorithms.
_STYLES = {
  "static": ("#111111", "o", "-"),
  "random": ("#111111", "o", "-"),
  "set": ("#d55e00", "s", "-"),
  "rigl": ("#0072b2", "^", "-"),
  "magnitude": ("#009e73", "D", "-"),
  "magnitude_extended": ("#56b4e9", "P", "-"),
  "variational_dropout": ("#cc79a7", "v", "-"),
  "l0": ("#d55e00", "s", "-"),
  "snip": ("#cc79a7", "v", "-"),
  "small_dense": ("#56b4e9", "P", "-"),
  "snfs": ("#e69f00", "X", "-"),
}
# A colour for each way of pruning, a marker and a line for each way of training what is left.
_STYLES |= {
  f"{pruning}_{way}": (colour, *line)
  for pruning, colour in zip(comparison.PRUNINGS, ("#0072b2", "#d55e00", "#009e73"), strict=True)
  for way, line in zip(comparison.WAYS, (("o", "-"), ("s", "--"), ("^", ":")), strict=True)
}
# Under learned masks: the source's colour, and for each way a marker and a line.
RETRAININGS = {
  "ticket": ("*", ":"),
  "scratch_e": ("o", "--"),
  "scratch_b": ("^", "-."),
  "scratch_e_sparse": ("h", "--"),
  "scratch_b_sparse": ("d", "-."),
  "scratch_b_constant_final": ("<", (0, (1, 2))),
  "scratch_b_continual_decay": (">", (0, (4, 1, 1, 1, 1, 1))),
  "scratch_b_constant_decay": ("X", (0, (7, 2))),
}
_STYLES |= {
  name: (_STYLES[source][0], *RETRAININGS[way])
  for name, (source, way) in comparison.RETRAINED.items()
}


def styles(names):
  """Dict from each of the algorithms' names to (colour, marker, line)."""
  others = itertools.cycle(OTHER_STYLES)
  return {
    name: _STYLES[name] if name in _STYLES else (*next(others), "-")
    for name in dict.fromkeys(names)
  }
