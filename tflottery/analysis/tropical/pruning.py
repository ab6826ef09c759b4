"""Pruning: set entries of a network to 0 where its polytopes change least, by a group lasso."""

import math

import numpy as np

from tflottery import arguments
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.pruned import pruned


def tropical_prune(A, B, share, *, c1=None):
  """Prune f(x) = B max(A x + c1, 0) + c2 so that its decision polytopes stay close.

  G_ik = diag(d_ik) A, d_ik = max(B_i, 0) + max(-B_k, 0), has a generator in each row, one for each
  hidden unit, and the polytopes of the classes i, k are those of G_ik and G_ki. The entries that go
  are the zeros of the A~, B~ that minimise, over all ordered pairs of classes,

    sum_{i != k} |G~_ik - G_ik|^2 / 2 + penalty sum_{i != k} sum_j |row j of G~_ik|,

  as the penalty grows from 0 until they are enough. Alfarra et al. 2022, arXiv:2002.08838, the surrogate
  of tropical pruning, as secondary texts give it: steps for A~ and for B~ take turns, and each G has a
  penalty of its own.

  Departs: one penalty for all; several classes by pairs; biases are coordinates of the rows. The
  minimum is not approached by turns but known in closed form, see `shrink`, so each entry's own penalty
  is too, and they are ranked by it: nothing is left to converge. It is the ranking alone that is used:
  what is kept has its value from before, since the shrunk values only move the polytopes further off.

  Since |row j of G~| is the norm of a whole generator, entries of A go by rows. That suits few inputs:
  polytopes of two inputs stayed closer than by magnitudes in random networks, and mostly in small
  trained ones. With ten inputs and more they did not: `magnitude_prune` may take a part of a row.

  Args:
    A: [p, n].
    B: [m, p].
    share: share of the entries of A and B together that are 0 afterwards, in [0, 1). It is reached,
      and passed by less than a unit's n + 1 entries. Zeros from before count, and stay.
    c1: [p], biases, which make rows [A | c1] but are not counted; None: rows of A.

  Returns:
    A `Pruned`. With the last entry of a unit in B goes its row in A, and its bias has no effect. A row
    whose unit had no entry in B goes before all others, unless the share is reached without.
    Ties: entries of the lower unit, then of the lower class, go first, one by one, so that equal
    units are not all gone at once.

  Raises:
    ValueError: as from `Network`, or `share` is out of range.

  >>> found = tropical_prune([[4, 0.1], [1, 0.5], [0.1, 3]], [[1, 1, 0], [0, 1, -2]], 0.5)
  >>> found.A.tolist(), found.B.tolist(), found.share
  ([[4.0, 0.1], [0.0, 0.0], [0.1, 3.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, -2.0]], 0.5)
  """
  share = arguments.share("share", share, zero=True)
  network = Network(A, B, c1)
  A, B = network.A, network.B
  # By powers of two, which round nothing: products of huge or tiny weights would all be equal.
  norms = _norms(network, c1)
  units = _power(norms), _power(B)
  penalties = (norms / units[0]) * _path(B / units[1])[0]
  zeros = A.size + B.size - np.count_nonzero(A) - np.count_nonzero(B)
  # 1e-9 is for products such as 0.28 * 25, which lie above the whole number that is meant.
  missing = math.ceil((share - 1e-9) * (A.size + B.size)) - zeros
  rows, entries, penalty = _gone(A, B, penalties, missing)
  return pruned(A, B, (~rows[:, None], ~entries), penalty=float(penalty * units[0] * units[1]))


def shrink(A, B, penalty, *, c1=None):
  """The B~ that minimises the objective of `tropical_prune`; A~ is A then.

  The objective is a sum over units. In each a row of A~ in another direction than A's costs more, and
  its length can be moved into B~, so A~ = A; signs are kept, b~_i = sign(b_i) beta_i. What is left is
  convex in beta: with r = |row of A|, e = beta - |b| and E the sum of e over the classes of the other
  sign, beta_i = max(0, |b_i| - penalty / r - E / (m - 1)). So all of one sign shrink by one amount,
  which is linear in the penalty from one zero to the next. With two classes each generator g of its own
  ends as (1 - penalty / |g|)+ g.

  With two classes of different signs the sum of the two beta alone counts; they shrink alike here.

  Args:
    A, B, c1: as in `tropical_prune`.
    penalty: number of at least 0.

  Returns:
    [m, p].

  Raises:
    ValueError: as from `Network`, or the penalty is negative or not finite.

  >>> shrink([[3, 4]], [[2], [1]], 2.5).tolist()
  [[1.5], [0.5]]
  """
  if not arguments.is_number(penalty) or not 0 <= penalty < math.inf:
    raise ValueError(f"penalty={penalty!r} is out of range. Give a number of at least 0.")
  network = Network(A, B, c1)
  B, norms = network.B, _norms(network, c1)
  zeros, times, *drops = _path(B)
  with np.errstate(divide="ignore", invalid="ignore"):
    time = np.where(norms > 0, penalty / norms, np.inf if penalty else 0.0)
  columns = np.arange(B.shape[1])
  after = np.minimum((times <= time).sum(0), len(times) - 1)
  before, length = after - 1, times[after, columns] - times[after - 1, columns]
  part = np.minimum(time - times[before, columns], length) / np.where(length > 0, length, 1)
  up, down = ((1 - part) * drop[before, columns] + part * drop[after, columns] for drop in drops)
  return np.where(zeros <= time, 0.0, B - np.sign(B) * np.where(B > 0, up, down))


def _norms(network, c1):
  """[p], the lengths of the rows of A, or of [A | c1]."""
  rows = network.A if c1 is None else np.column_stack([network.A, network.c1])
  units = _power(rows, axis=1)
  return np.linalg.norm(rows / units[:, None], axis=1) * units


def _power(values, axis=None):
  """The power of two at or below the largest |value|; 0.5 if all are 0."""
  return np.ldexp(1.0, np.frexp(np.abs(values).max(axis))[1] - 1)


def _path(B):
  """How the entries of B~ shrink to 0 as time = penalty / r grows.

  Returns:
    (zeros [m, p], the time at which each entry is 0; times [m + 1, p], of each unit's zeros, ascending
    from 0; up and down [m + 1, p], how much its positive and its negative entries have shrunk then).
  """
  m, p = B.shape
  columns = np.arange(p)
  sides = [np.sort(np.where(sign * B > 0, sign * B, np.inf), axis=0) for sign in (1, -1)]
  sides = [np.vstack([side, np.full(p, np.inf)]) for side in sides]
  counts = np.array([np.isfinite(side).sum(0) for side in sides])
  gone = np.zeros((2, p), int)
  times, drops, zeros = np.zeros((m + 1, p)), np.zeros((2, m + 1, p)), np.zeros((2, m + 1, p))
  for number in range(m):
    rates = _rates(*(counts - gone), m - 1)
    smallest = np.array([side[index, columns] for side, index in zip(sides, gone, strict=True)])
    waits = np.full((2, p), np.inf)
    np.divide(smallest - drops[:, number], rates, out=waits, where=rates > 0)
    first = waits.argmin(0)
    live = np.isfinite(waits[first, columns])
    step = np.where(live, waits[first, columns], 0.0)
    times[number + 1] = times[number] + step
    drops[:, number + 1] = drops[:, number] + np.where(live, rates, 0) * step
    side, unit = first[live], columns[live]
    zeros[side, gone[side, unit], unit] = times[number + 1, unit]
    gone[side, unit] += 1
  found = np.zeros((m, p))
  for sign, ordered in zip((1, -1), zeros, strict=True):
    order = np.argsort(np.where(sign * B > 0, sign * B, np.inf), axis=0, kind="stable")
    unsorted = np.empty((m, p))
    np.put_along_axis(unsorted, order, ordered[:m], axis=0)
    found = np.where(sign * B > 0, unsorted, found)
  return found, times, *drops


def _rates(up, down, pairs):
  """[2, p]: how fast so many positive and so many negative entries shrink together.

  They solve x = 1 - down / pairs * y and y = 1 - up / pairs * x, `pairs` the number of other classes.
  """
  determinant = 1 - up * down / pairs**2
  tied = determinant == 0  # two classes of different signs: only x + y = 1 is known
  determinant = np.where(tied, 1, determinant)
  return np.where(tied, 0.5, np.array([1 - down / pairs, 1 - up / pairs]) / determinant)


def _gone(A, B, penalties, missing):
  """(rows of A [p], entries of B [m, p], penalty): what goes so that `missing` more entries are 0."""
  present = B != 0
  # A unit without weights in B stands in the order by one entry that counts for nothing.
  candidates = present.copy()
  candidates[0, ~present.any(0)] = True
  unit, entry = np.nonzero(candidates.T)
  order = np.lexsort((entry, unit, penalties[entry, unit]))
  unit, entry = unit[order], entry[order]
  last = np.zeros(A.shape[0], int)
  last[unit] = np.arange(len(unit))
  counts = present[entry, unit].astype(int)
  counts[last] += np.count_nonzero(A, axis=1)
  number = int(np.searchsorted(np.cumsum(counts), missing)) + 1 if missing > 0 else 0
  entries = np.zeros(B.shape, bool)
  entries[entry[:number], unit[:number]] = True
  penalty = float(penalties[entry[number - 1], unit[number - 1]]) if number else 0.0
  return last < number, entries, penalty
