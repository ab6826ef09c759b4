"""Allocations: (shapes, sparsity) -> sparsities, how sparse each site of a network is to be.

`shapes` is a dict from site path to the weight's shape, in the order of the network; `sparsity`, in
(0, 1), the sparsity that is asked for. The answer has the same keys and values in [0, 1); 0 is
dense. How many weights stay is `masks.kept_count` of it: rounded, and never less than one.
"""

import math
import re

from tflottery import arguments


def uniform(shapes, sparsity):
  """Every site the same sparsity, but the first stays dense.

  Evci et al. 2020, arXiv:1911.11134, section 3: the first layer costs much accuracy and has few
  weights. So the network's own sparsity is a little lower than `sparsity`.

  Raises:
    ValueError: the sparsity is out of range, or the first site is the only one.

  >>> uniform({"conv/kernel": (3, 3, 1, 8), "fc/kernel": (8, 10)}, 0.9)
  {'conv/kernel': 0.0, 'fc/kernel': 0.9}
  """
  _check(shapes, sparsity)
  if len(shapes) == 1:
    raise ValueError(
      f"allocation 'uniform' leaves the first site dense, and {next(iter(shapes))} is the only one, "
      "so nothing would be pruned. Use 'equal'."
    )
  return {path: float(sparsity) if i else 0.0 for i, path in enumerate(shapes)}


def equal(shapes, sparsity):
  """Every site the same sparsity. Zhu & Gupta 2017, arXiv:1710.01878, and tfmot.

  Raises:
    ValueError: the sparsity is out of range.

  >>> equal({"conv/kernel": (3, 3, 1, 8), "fc/kernel": (8, 10)}, 0.9)
  {'conv/kernel': 0.9, 'fc/kernel': 0.9}
  """
  _check(shapes, sparsity)
  return dict.fromkeys(shapes, float(sparsity))


def erdos_renyi(shapes, sparsity):
  """The live share of a site grows with (n_in + n_out) / (n_in n_out).

  Mocanu et al. 2018, arXiv:1707.04780, equation 3; Evci et al. 2020, arXiv:1911.11134, section 3:
  n_in and n_out are the last two axes, the channels. One factor, epsilon, scales all sites so that
  the network as a whole has `sparsity`; a site that would need more weights than it has is dense.

  Raises:
    ValueError: the sparsity is out of range, or leaves fewer weights than there are sites.

  >>> found = erdos_renyi({"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}, 0.9)
  >>> {path: round(value, 4) for path, value in found.items()}
  {'fc1': 0.9204, 'fc2': 0.7698, 'out': 0.0}
  """
  return _scaled(shapes, sparsity, lambda shape: sum(shape[-2:]) / math.prod(shape[-2:]))


def erk(shapes, sparsity):
  """Erdos-Renyi-Kernel: the live share of a site grows with the sum of its axes over their product.

  Evci et al. 2020, arXiv:1911.11134, section 3: as `erdos_renyi`, but with height and width of
  convolution kernels. The two agree where every site has two axes.

  Raises:
    ValueError: the sparsity is out of range, or leaves fewer weights than there are sites.

  >>> found = erk({"conv": (3, 3, 64, 64), "fc": (4096, 256), "out": (256, 10)}, 0.9)
  >>> {path: round(value, 4) for path, value in found.items()}
  {'conv': 0.9139, 'fc': 0.9017, 'out': 0.0}
  """
  return _scaled(shapes, sparsity, lambda shape: sum(shape) / math.prod(shape))


def extended(shapes, sparsity):
  """The first site dense, the last 0.8 sparse, and the others one sparsity that makes up for them.

  Gale et al. 2019, The State of Sparsity, arXiv:1902.09574: their non-uniform magnitude pruning. The
  network as a whole has `sparsity`, and where that is below 0.8, the last site has it too.

  Departs: the others make up for the first and the last site, to compare equal sparsities.

  Raises:
    ValueError: the sparsity is out of range; there are fewer than three sites; or what the first and
      the last keep leaves less than a weight for each of the others.

  >>> found = extended({"conv": (3, 3, 1, 8), "fc": (128, 64), "out": (64, 10)}, 0.9)
  >>> {path: round(value, 4) for path, value in found.items()}
  {'conv': 0.0, 'fc': 0.9157, 'out': 0.8}
  """
  _check(shapes, sparsity)
  if len(shapes) < 3:
    raise ValueError(
      f"allocation 'extended' leaves the first site dense and the last at {_LAST}, and there are "
      f"only {', '.join(shapes)}. Use 'equal'."
    )
  first, *others, last = shapes
  sizes = {path: math.prod(shape) for path, shape in shapes.items()}
  ends = {first: 0.0, last: min(_LAST, float(sparsity))}
  every, between = sum(sizes.values()), sum(sizes[path] for path in others)
  kept = (1 - sparsity) * every - sum((1 - ends[path]) * sizes[path] for path in ends)
  if round(kept) < len(others):
    # Where the others are empty; below 0.8 the last site has the network's sparsity too.
    most = between / (between + sizes[first])
    if most > _LAST:
      most = 1 - (sizes[first] + (1 - _LAST) * sizes[last]) / every
    raise ValueError(
      f"sparsity={sparsity!r} can't be reached with allocation 'extended': the first site dense and the "
      f"last at {ends[last]:g} leave {max(0.0, kept):.3g} of {between} weights to {len(others)} others. "
      f"The network's sparsity must be below {most:.4g}, or choose another allocation."
    )
  return {path: ends.get(path, 1 - kept / between) for path in shapes}


_LAST = 0.8

ALLOCATIONS = {
  "uniform": uniform,
  "equal": equal,
  "erdos_renyi": erdos_renyi,
  "erk": erk,
  "extended": extended,
}


def sparsities(shapes, sparsity, allocation):
  """The sparsity of each site, by an allocation of any form.

  Args:
    shapes: dict from site path to shape.
    sparsity: number in (0, 1). None is allowed beside a dict.
    allocation: a name in `ALLOCATIONS`; a function (shapes, sparsity) -> sparsities, whose absent
      sites are dense; or a dict from pattern, a regular expression searched in paths, to sparsity
      in [0, 1). Of several matching patterns the last counts. A site that matches none gets
      `sparsity`, or stays dense if that is None.

  Returns:
    A dict from every path of `shapes` to a float in [0, 1).

  Raises:
    TypeError: `allocation` is none of these.
    ValueError: a number is out of range, a name is unknown, a pattern matches nothing, the
      allocation cannot be reached, or it leaves every site dense.

  >>> shapes = {"fc1/kernel": (784, 300), "fc2/kernel": (300, 100), "out/kernel": (100, 10)}
  >>> sparsities(shapes, 0.9, {"out": 0.5})
  {'fc1/kernel': 0.9, 'fc2/kernel': 0.9, 'out/kernel': 0.5}
  >>> sparsities(shapes, 0.9, "uniform")
  {'fc1/kernel': 0.0, 'fc2/kernel': 0.9, 'out/kernel': 0.9}
  """
  if isinstance(allocation, dict):
    found = _by_pattern(shapes, sparsity, allocation)
  else:
    _check(shapes, sparsity)
    found = _function(allocation)(shapes, sparsity)
  unknown = [path for path in found if path not in shapes]
  if unknown:
    raise ValueError(
      f"allocation={allocation!r} gives sparsities for {', '.join(map(repr, unknown))}, which are no "
      f"sites. The sites are: {', '.join(shapes)}."
    )
  for path, value in found.items():
    arguments.share(f"allocation: {path}", value, zero=True)
  if not any(found.values()):
    raise ValueError(
      f"sparsity={sparsity!r} with allocation={allocation!r} leaves every site dense. Give a "
      "sparsity above 0."
    )
  return {path: float(found.get(path, 0.0)) for path in shapes}


def check(sparsity, allocation):
  """Refuse what no network could satisfy, before there is one.

  Raises:
    TypeError, ValueError: as `sparsities`.
  """
  if not isinstance(allocation, dict):
    _function(allocation)
  elif not allocation:
    raise ValueError(
      "allocation={} has no patterns. Give a dict from pattern to sparsity, or a name."
    )
  else:
    for pattern, value in allocation.items():
      arguments.share(f"allocation[{pattern!r}]", value, zero=True)
  if sparsity is not None or not isinstance(allocation, dict):
    arguments.share("sparsity", sparsity)


def _function(allocation):
  """The function that `allocation` names or is."""
  if callable(allocation):
    return allocation
  if not isinstance(allocation, str):
    raise TypeError(
      f"allocation={allocation!r} must be a name ({', '.join(map(repr, ALLOCATIONS))}), a function "
      "(shapes, sparsity) -> sparsities, or a dict from pattern to sparsity."
    )
  if allocation not in ALLOCATIONS:
    raise ValueError(
      f"allocation={allocation!r} is unknown. Choose one of {', '.join(map(repr, ALLOCATIONS))}, or "
      "give a function or a dict from pattern to sparsity."
    )
  return ALLOCATIONS[allocation]


def _by_pattern(shapes, sparsity, patterns):
  """Sparsities by pattern, the last match counts; `sparsity` or 0 where none matches."""
  if sparsity is not None:
    _check(shapes, sparsity)
  found = dict.fromkeys(shapes, sparsity or 0.0)
  for pattern, value in patterns.items():
    arguments.share(f"allocation[{pattern!r}]", value, zero=True)
    try:
      hits = [path for path in shapes if re.search(pattern, path)]
    except (re.error, TypeError) as error:
      raise ValueError(f"allocation: {pattern!r} is no regular expression: {error}.") from error
    if not hits:
      raise ValueError(
        f"allocation: {pattern!r} matches no site. The sites are: {', '.join(shapes)}."
      )
    found |= dict.fromkeys(hits, value)
  return found


def _scaled(shapes, sparsity, share):
  """Live shares min(1, epsilon share(shape)), with the epsilon that meets `sparsity` in all.

  Making a site dense takes fewer weights than its share asked for, so epsilon only rises and the
  loop ends. All are dense only where `sparsity` is lost in rounding.
  """
  _check(shapes, sparsity)
  sizes = {path: math.prod(shape) for path, shape in shapes.items()}
  kept = (1 - sparsity) * sum(sizes.values())
  if round(kept) < len(shapes):
    raise ValueError(
      f"sparsity={sparsity!r} leaves {kept:.3g} of {sum(sizes.values())} weights, which is fewer "
      f"than one for each of {len(shapes)} sites. Ask for a lower sparsity."
    )
  shares = {path: share(shape) for path, shape in shapes.items()}
  found, rest = dict.fromkeys(shapes, 0.0), list(shapes)
  while rest:
    epsilon = kept / sum(shares[path] * sizes[path] for path in rest)
    full = [path for path in rest if epsilon * shares[path] >= 1]
    if not full:
      return found | {path: 1 - epsilon * shares[path] for path in rest}
    kept -= sum(sizes[path] for path in full)
    rest = [path for path in rest if path not in full]
  return found


def _check(shapes, sparsity):
  """Refuse an empty network, and a sparsity outside (0, 1)."""
  if not shapes:
    raise ValueError(f"shapes={shapes!r} has no sites. Give at least one.")
  arguments.share("sparsity", sparsity)
