"""Which kernels are multiplied faster by their nonzero entries alone: by rule, or by measuring."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tflottery.export import csr, fresh, products

# From here on CSR took 0.1 to 1.0 of dense's time in every measurement on a CPU.
_SPARSITY = 0.95
_ROWS = 32
_SIZE = 1_000_000

# At this sparsity CSR took at least 1.6 of dense's time, so below it nothing is timed.
_LEAST = 0.5

# A measured median below this share of dense's counts as faster: noise gives 0.92 to 1.05.
_MARGIN = 0.9
_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
  """A kernel that could be multiplied as CSR.

  Attributes:
    weight: its `choice.Weight`.
    products: list of its products, and their inputs' shapes on the examples: (operation, shape).
  """

  weight: Any
  products: list

  @property
  def rows(self):
    """The fewest rows that any of its products has."""
    return min(products.rows(operation, shape) for operation, shape in self.products)


def by_rule(weights, traced, calls):
  """The weights for which CSR is known to be faster, and what to say of it.

  They have at least 95 % zeros, a million entries, and 32 rows in every product.

  Args:
    weights: list of `choice.Weight`.
    traced: dict from endpoint name to `ConcreteFunction`.
    calls: dict from endpoint name to example arguments, a flat list of arrays.

  Returns:
    A list of weights, and a list of sentences.
  """
  found, refused = candidates(weights, traced, calls)
  chosen = [c for c in found if all(_met(c.weight, c.rows))]
  notes = _refusals({w: reason for w, reason in refused.items() if all(_met(w, _ROWS))})
  if chosen:
    rows = min(c.rows for c in chosen)
    notes.append(
      f"Multiplied as CSR: {_paths(c.weight for c in chosen)}, for the examples give them {rows} rows "
      "or more. With few rows that is slower than dense."
    )
  else:
    rule = f"{_SPARSITY:.0%} zeros, {_ROWS} rows, {_SIZE:,} weights"
    notes.append(f"Nothing is multiplied as CSR, which is faster from {rule} on{_closest(found)}.")
  return [c.weight for c in chosen], notes


def by_timing(weights, traced, calls):
  """The weights for which CSR is faster here and now; arguments and returns as for `by_rule`.

  Each candidate takes about a second.
  """
  found, refused = candidates(weights, traced, calls)
  chosen, notes = [], _refusals(refused)
  if not found:
    notes.append(f"Nothing to multiply as CSR{_closest(found)}.")
  for candidate in found:
    seconds = timed(candidate)
    if seconds["csr"] < _MARGIN * min(seconds["dense"], seconds["again"]):
      chosen.append(candidate.weight)
    notes.append(
      f"{candidate.weight.path}: CSR takes {seconds['csr'] / seconds['dense']:.2f} of dense's time at "
      f"{candidate.rows} rows (dense against itself: {seconds['again'] / seconds['dense']:.2f})."
    )
  return chosen, notes


def candidates(weights, traced, calls):
  """The kernels that could be multiplied as CSR, and why others can't.

  Float32 weights of rank 2 and more with at least 50 % zeros are looked at.

  Returns:
    A list of `Candidate`s, and a dict from weight to the end of a sentence.
  """
  found, refused = {}, {}
  for weight in weights:
    if weight.array.ndim < 2 or weight.array.dtype != np.float32 or _sparsity(weight) < _LEAST:
      continue
    uses = {name: products.uses(f, weight.variable.handle) for name, f in traced.items()}
    reasons = [reason for pairs in uses.values() for _, reason in pairs if reason]
    if reasons or not any(uses.values()):
      refused[weight] = reasons[0] if reasons else "is not multiplied by"
    else:
      found[weight] = uses
  shapes = {name: _shapes(f, name, found, calls) for name, f in traced.items()}
  return [
    Candidate(w, [(op, shapes[name][op.name]) for name in uses for op, _ in uses[name]])
    for w, uses in found.items()
  ], refused


def timed(candidate):
  """Seconds that all products of a candidate take: medians of `dense`, `again`, `csr`.

  `again` is dense once more, for the noise. The arms alternate in random order.
  """
  arms, inputs = _arms(candidate)
  calls = {name: functools.partial(_finished, arm, inputs) for name, arm in arms.items()}
  for call in calls.values():
    call()  # traces
  return fresh.timed(calls, _SECONDS)[0]


def _finished(arm, inputs):
  for tensor in arm(*inputs):
    tensor.numpy()


def _arms(candidate):
  array = candidate.weight.array
  matrix = csr.matrix(array)
  kernel = tf.Variable(array, trainable=False)
  indices = tf.Variable(np.argwhere(matrix), trainable=False)
  values = tf.Variable(matrix[matrix != 0], trainable=False)
  strides = [products.strides(operation) for operation, _ in candidate.products]
  rng = np.random.default_rng(0)
  inputs = [tf.constant(rng.normal(size=s), tf.float32) for _, s in candidate.products]

  @tf.function(autograph=False)
  def dense(*xs):
    return [products.dense(x, kernel, s) for x, s in zip(xs, strides, strict=True)]

  @tf.function(autograph=False)
  def sparse(*xs):
    return [
      csr.multiply(x, indices, values, shape=matrix.shape, strides=s)
      for x, s in zip(xs, strides, strict=True)
    ]

  return {"dense": dense, "again": dense, "csr": sparse}, inputs


def _shapes(traced, name, found, calls):
  """Dict from an operation's name to its input's shape, for what `found` uses in one endpoint."""
  operations = [operation for uses in found.values() for operation, _ in uses[name]]
  if not operations:
    return {}
  shapes = products.input_shapes(traced, operations, calls[name])
  return {operation.name: s for operation, s in zip(operations, shapes, strict=True)}


def _met(weight, rows):
  """Which parts of the rule hold: sparsity, rows, size."""
  # As the report prints it: what was pruned to 95 % may have one zero less than that.
  sparsity = round(_sparsity(weight), 3)
  return sparsity >= _SPARSITY, rows >= _ROWS, weight.array.size >= _SIZE


def _sparsity(weight):
  return float((weight.array == 0).mean()) if weight.array.size else 0.0


def _closest(found):
  if not found:
    return "; there is no candidate"
  best = max(found, key=lambda c: (sum(_met(c.weight, c.rows)), c.weight.array.size))
  return (
    f"; {best.weight.path} comes closest with {_sparsity(best.weight):.1%}, {best.rows}, "
    f"{best.weight.array.size:,}"
  )


def _refusals(refused):
  """One sentence per reason: many kernels may share one."""
  weights = {}
  for weight, reason in refused.items():
    weights.setdefault(reason, []).append(weight)
  return [f"Not multiplied as CSR: {_paths(ws)} {reason}." for reason, ws in weights.items()]


def _paths(weights):
  return ", ".join(weight.path for weight in weights)
