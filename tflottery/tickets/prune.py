"""One level of iterative pruning: trained weights and masks in, masks out.

Frankle & Carbin, The Lottery Ticket Hypothesis, ICLR 2019, arXiv:1803.03635, section 2; over the
whole network as in Frankle et al. 2020, arXiv:1912.05671; by other criteria than magnitude as in Zhou
et al. 2019, arXiv:1905.01067, section 2.

Departs: exact counts, where the authors' code removes one weight more (an off-by-one at its
threshold) and all that tie with it.
"""

import itertools
import numbers
import warnings

import numpy as np

from tflottery import criteria
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.probe import Probe

SCOPES = ("layer", "global")


def check_rates(rate, rates=None):
  """Refuse a rate outside [0, 1), by its name.

  Raises:
    ValueError: it is out of range, or none removes anything.
  """
  if not isinstance(rates or {}, dict):
    raise ValueError(f"rates={rates!r} must be a dict from pattern to rate, as {{'output': 0.1}}.")
  named = {"rate": rate} | {f"rates[{pattern!r}]": r for pattern, r in (rates or {}).items()}
  for name, number in named.items():
    if isinstance(number, bool) or not isinstance(number, numbers.Real) or not 0 <= number < 1:
      raise ValueError(
        f"{name}={number!r} is out of range: it is the share of the remaining weights that a level "
        "removes, at least 0 and below 1."
      )
  if not any(named.values()):
    raise ValueError(f"rate={rate!r} and rates={rates!r} remove nothing. Give a rate above 0.")


def site_rates(paths, rate, rates=None):
  """The rate of each site: `rates` gives others than `rate` by pattern, the last match counts.

  Raises:
    ValueError: a rate is outside [0, 1), or a pattern matches nothing.

  >>> site_rates(["fc1/kernel", "output/kernel"], 0.2, {"output": 0.1})
  {'fc1/kernel': 0.2, 'output/kernel': 0.1}
  """
  check_rates(rate, rates)
  found = dict.fromkeys(paths, rate)
  for pattern, number in (rates or {}).items():
    for path in _sites.matching(pattern, paths, argument="rates"):
      found[path] = number
  if not any(found.values()):
    raise ValueError(f"rate={rate!r} and rates={rates!r} remove nothing. Give a rate above 0.")
  return found


def one_shot_rates(rates, level):
  """The rates that take a dense network to the size of `level` at once.

  >>> one_shot_rates({"fc/kernel": 0.5}, 3)
  {'fc/kernel': 0.875}
  """
  return {path: 1 - (1 - rate) ** level for path, rate in rates.items()}


def check(sizes, rates, *, levels, scope, one_shot=False):
  """Refuse, before any training, levels that would empty a layer.

  Args:
    sizes: dict from site path to its number of weights.
    rates: dict from site path to its rate, from `site_rates`.

  Warns where a level would remove nothing at all.

  Raises:
    ValueError: the level and the layer are named.
  """
  if isinstance(levels, bool) or not isinstance(levels, numbers.Integral) or levels < 0:
    raise ValueError(f"levels={levels!r} is out of range: a whole number of rounds, 0 or more.")
  pools = [
    (pool[0] if len(pool) == 1 else f"{pool[0]} to {pool[-1]}", sum(sizes[p] for p in pool), pool)
    for pool in _pools(rates, scope)
  ]
  emptied, still = [], levels
  for name, size, pool in pools:
    kept, rate = [size], rates[pool[0]]
    for level in range(1, levels + 1):
      left = size * (1 - rate) ** level if one_shot else kept[-1] * (1 - rate)
      kept.append(round(left))
      if kept[-1] < len(pool):
        emptied.append((level, name, kept[-1], size, rate))
        break
    still = min(still, sum(a == b for a, b in itertools.pairwise(kept)))
  if emptied:
    level, name, kept, size, rate = min(emptied)
    raise ValueError(
      f"levels={levels}: level {level} would leave {kept} of {size} weights in {name} at "
      f"rate={rate}, fewer than one in a layer. Ask for at most {level - 1} levels, or give this "
      "layer a smaller rate in rates=."
    )
  if still:
    warnings.warn(
      f"levels={levels}: {still} of them remove nothing, for no layer has enough weights left. "
      f"Ask for at most {levels - still} levels, or a higher rate.",
      stacklevel=2,
    )


def prune(weights, masks, *, rates, scope="layer", criterion="large_final", initial=None, seed=0):
  """Remove a share of the remaining weights, those of the lowest scores: the smallest in magnitude.

  Args:
    weights: dict from path to array, the trained weights.
    masks: dict from site path to bool array; what is masked stays masked.
    rates: dict from site path to the share of its remaining weights to remove.
    scope: "layer" ranks each layer by itself; "global" ranks together all sites of one rate. A site
      with a rate of 0 stays as it is.
    criterion: a name of `criteria.named`. Joint criteria rank among the weights that remain.
    initial: dict from path to array, the weights before that training; None will do where the
      criterion looks at the trained ones alone.
    seed: int or sequence of ints, of the criteria that draw; site i draws from (seed, i).

  Returns:
    Masks with exactly `max(1, round((1 - rate) * remaining))` weights per ranking. Of equal
    scores those of the higher index go first.

  Raises:
    ValueError: a weight is not finite, a layer would lose its last weight, the criterion is unknown,
      or the initial weights that it needs are missing or of another shape.

  >>> weights = {"fc/kernel": np.array([0.1, -4.0, 0.3, 2.0])}
  >>> prune(weights, {"fc/kernel": np.ones(4, bool)}, rates={"fc/kernel": 0.5})["fc/kernel"].tolist()
  [False, True, False, True]
  """
  scores = _scores(weights, masks, criterion, initial, seed)
  remaining = {p: int(np.count_nonzero(m)) for p, m in masks.items()}
  kept = {}
  for pool in _pools(rates, scope):
    count = _masks.kept_count(sum(remaining[p] for p in pool), rates[pool[0]])
    kept |= _masks.keep_top_jointly({p: scores[p] for p in pool}, count)
  found = {path: kept[path].numpy() if path in kept else mask for path, mask in masks.items()}
  empty = [path for path, mask in found.items() if not mask.any()]
  if empty:
    raise ValueError(
      f"scope={scope!r} would leave no weight in {', '.join(empty)}. Ask for fewer levels, use "
      "scope='layer', or leave that layer dense with a rate of 0 in rates=."
    )
  return found


def _scores(weights, masks, criterion, initial, seed):
  """Scores by site path, -inf where the mask is False."""
  score = criteria.named(criterion, seed)
  _check_finite(weights, masks, "weights that are not finite: the training diverged")
  if not criteria.needs_initial(criterion):
    initial = None
  if initial is not None:
    _check_shapes(initial, masks)
    _check_finite(initial, masks, "initial weights that are not finite: give those before training")
    initial = {path: initial[path] for path in masks}
  weights = {path: weights[path] for path in masks}
  found = score(Probe(weights, masks, gradients={}, step=0, initial_weights=initial))
  return {p: np.where(mask, found[p], -np.inf) for p, mask in masks.items()}


def _check_finite(weights, masks, problem):
  for path in masks:
    if not np.isfinite(weights[path]).all():
      raise ValueError(f"{path} holds {problem}.")


def _check_shapes(initial, masks):
  lacking = [path for path in masks if path not in initial]
  others = [p for p, m in masks.items() if p in initial and np.shape(initial[p]) != m.shape]
  if lacking or others:
    listed = [f"{p}: missing" for p in lacking]
    listed += [f"{p}: {np.shape(initial[p])}, not {masks[p].shape}" for p in others]
    raise ValueError(
      f"initial= does not fit the masks: {'; '.join(listed)}. Give the weights that the model had "
      "before that training."
    )


def _pools(rates, scope):
  """Lists of the paths that are ranked together; a rate of 0 ranks nothing.

  Raises:
    ValueError: the scope is unknown.
  """
  if scope not in SCOPES:
    raise ValueError(f"scope={scope!r} is unknown. Choose one of {SCOPES}.")
  pruned = [path for path, rate in rates.items() if rate]
  if scope == "layer":
    return [[path] for path in pruned]
  return [[p for p in pruned if rates[p] == rate] for rate in dict.fromkeys(rates.values()) if rate]
