"""The tropical hypersurface T(R), and how far a point is from it."""

import numpy as np

from tflottery.analysis.tropical import differences
from tflottery.analysis.tropical.boundaries import boundary
from tflottery.analysis.tropical.cells import TOLERANCE, check_box, lines
from tflottery.analysis.tropical.polytopes import require_planar


def gap(polytopes, x):
  """How far the largest term of R at x lies above the second largest, 0 on T(R) only.

  R = max(S1, S2), and S1, S2 are sums of max(<g, (x, 1)>, 0) over their generators g: the next term
  belongs to the other sum, or to the same one with its nearest generator let in or out. So
  gap(x) = min(|S1 - S2|, min_g |<g, (x, 1)>|), g over those generators of the larger sum whose weights of
  the inputs are not all zero. Where S1 = S2 the gap is 0, on an open set of such x too: there both
  sums have the largest term.

  Args:
    polytopes: `DecisionPolytopes` of any number of inputs.
    x: [..., n].

  Returns:
    [...], in units of the logits.

  Raises:
    ValueError: x has not as many inputs as the network, or holds what is not finite.

  >>> from tflottery.analysis.tropical.network import Network
  >>> from tflottery.analysis.tropical.polytopes import DecisionPolytopes
  >>> polytopes = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, 0], [0, 1]]))
  >>> gap(polytopes, [[4, 1], [4, 2], [-1, -3], [1, -3], [0, 5]]).tolist()
  [2.0, 0.0, 0.0, 1.0, 10.0]
  """
  x = differences.check_inputs(polytopes, x)
  found = [_gap(polytopes, part) for part in differences.chunks(x.reshape(-1, x.shape[-1]))]
  return np.concatenate(found).reshape(x.shape[:-1])[()]


def _gap(polytopes, x):
  """The gap at points [k, n]."""
  difference = differences.difference(polytopes, x)
  lifted = np.column_stack([x, np.ones(len(x))])
  first, second = (
    np.abs(lifted @ G[G[:, :-1].any(1)].T).min(-1, initial=np.inf) for G in polytopes.lifted
  )
  return np.minimum(np.abs(difference), np.where(difference > 0, first, second))


def hypersurface(polytopes, box):
  """T(R), where two terms of R = max(S1, S2) are the largest, inside a box: exact segments.

  It is made of the lines <a_j, x> + c1_j = 0 of the units with a generator in G1, as far as S1 >= S2, of
  those of the units with one in G2, as far as S2 >= S1, and of the decision boundary S1 = S2, `boundary`.
  A piece of boundary that runs along a unit's line comes twice, once as a part of each. Where S1 = S2 on
  an open set, its outline is there with segments along the box's edge, as from `boundary`, whose
  costs are most of those here.

  Alfarra et al. 2022, arXiv:2002.08838, theorem 2: T(R) contains the decision boundary, and more.

  Args:
    polytopes: `DecisionPolytopes` of a network with two inputs.
    box: ((x0, x1), (y0, y1)).

  Returns:
    float64 [s, 2, 2], segments from one point (x, y) to another; s may be 0. First those of the lines.

  Raises:
    ValueError: the network has not two inputs, or the box no inside.

  >>> from tflottery.analysis.tropical.network import Network
  >>> from tflottery.analysis.tropical.polytopes import DecisionPolytopes
  >>> polytopes = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[1, 0]))
  >>> hypersurface(polytopes, ((-1, 1), (-1, 1))).tolist()
  [[[0.0, -1.0], [0.0, 0.5]], [[1.0, 1.0], [0.0, 0.5]], [[0.0, 0.5], [-1.0, 0.5]]]
  """
  require_planar(polytopes)
  box = check_box(box)
  return np.concatenate([_line_parts(polytopes, box), boundary(polytopes, box)])


def _line_parts(polytopes, box):
  """[s, 2, 2]: of each unit's line the parts in T(R), those that meet joined."""
  parts = [np.empty((0, 2, 2))]
  for line, first, second in _kinks(polytopes, np.abs(box).max()):
    chord = _chord(line, box)
    if chord is not None:
      shares, values = differences.along(polytopes, *chord)
      between = values[:-1] + values[1:]
      kept = (first & (between >= 0)) | (second & (between <= 0))
      runs = np.flatnonzero(np.diff(np.pad(kept, 1).astype(int)))
      parts.append(chord[0] + shares[runs].reshape(-1, 2, 1) * (chord[1] - chord[0]))
  return np.concatenate(parts)


def _kinks(polytopes, reach):
  """Each line once: (line [3], whether a unit on it has a generator in G1, and one in G2)."""
  own = np.stack([G.any(1) for G in polytopes.generators])
  used = own.any(0)
  every = lines(polytopes.network.A[used], polytopes.network.c1[used])
  near = np.abs(every[:, 2]) <= 2 * reach
  every = every[near] * np.where(every[near, 0] != 0, *np.sign(every[near, :2].T))[:, None]
  keys = np.round(every / [1, 1, reach], 12) + 0.0  # -0.0 is 0.0
  _, firsts, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
  has = [np.bincount(which.ravel(), row[used][near], minlength=len(firsts)) > 0 for row in own]
  return zip(every[firsts], *has, strict=True)


def _chord(line, box):
  """The two ends [2, 2] of a line's part in a box, or None."""
  normal, offset = line[:2], line[2]
  near = TOLERANCE * np.abs(box).max()
  centre = box.mean(1)
  foot = centre - (normal @ centre + offset) * normal
  way = np.array([-normal[1], normal[0]])
  low, high = -np.inf, np.inf
  for at, step, (least, most) in zip(foot, way, box, strict=True):
    if abs(step) > TOLERANCE:
      inside = sorted([(least - at) / step, (most - at) / step])
      low, high = max(low, inside[0]), min(high, inside[1])
    elif not least - near <= at <= most + near:
      return None
  return np.clip(foot + np.outer([low, high], way), *box.T) if high - low > 4 * near else None
