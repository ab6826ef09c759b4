"""Freezes: what becomes of the pruned weights, as functions of where each began and ended.

Zhou et al., Deconstructing Lottery Tickets, NeurIPS 2019, arXiv:1905.01067, section 3 ("mask-0
actions"). Each takes (initial, final, mask) of one site, arrays of the weight's shape, with a random
generator and the layer's initializer, and returns the values that the masked weights are held at;
what it gives for the others does not matter. A weight shrank if |final| < |initial|, and grew if
|final| > |initial|.

Departs: `freeze_reinit` draws from the layer's own initializer, where the authors permute the layer's
initial values. Over several levels a weight is judged anew at every level, by its initial value and
the end of the training that it last took part in: in the authors' code a kept weight that variant 2
has once put at 0 starts there for good, and the shuffled control places the zeros of each level among
those of the levels before, some of them twice.
"""

import numpy as np

from tflottery.tickets import reset as _reset


def _shrank(initial, final):
  return np.abs(final) < np.abs(initial)


def _grew(initial, final):
  return np.abs(final) > np.abs(initial)


def _zero_where(places, values):
  return np.where(places, np.zeros_like(values), values)


def freeze_init(initial, final, mask, rng, initializer):
  """The initial value."""
  return initial


def freeze_init_zero_mask(initial, final, mask, rng, initializer):
  """0 where the weight shrank, else its initial value: the paper's variant 1."""
  return _zero_where(_shrank(initial, final), initial)


def freeze_init_zero_rev(initial, final, mask, rng, initializer):
  """0 where the weight grew, else its initial value: a control. Where |w| is the same: initial."""
  return _zero_where(_grew(initial, final), initial)


def freeze_init_zero_reshuffle(initial, final, mask, rng, initializer):
  """As many zeros among the pruned as variant 1 has, at random places: a control."""
  pruned = np.flatnonzero(~mask)
  count = np.count_nonzero(_shrank(initial, final)[~mask])
  zeros = np.zeros(mask.size, bool)
  zeros[rng.permutation(pruned)[:count]] = True
  return _zero_where(zeros.reshape(mask.shape), initial)


def freeze_reinit(initial, final, mask, rng, initializer):
  """A fresh draw from the layer's own initializer."""
  seed = int(rng.integers(2**31 - 1))
  return _reset.reinit(initial, final, mask, seed=seed, initializer=initializer)


FREEZES = {
  "zero": None,
  "freeze_init": freeze_init,
  "freeze_init_zero_mask": freeze_init_zero_mask,
  "freeze_init_zero_all": freeze_init_zero_mask,  # and the kept ones that shrank start at 0
  "freeze_init_zero_rev": freeze_init_zero_rev,
  "freeze_init_zero_reshuffle": freeze_init_zero_reshuffle,
  "freeze_reinit": freeze_reinit,
}


def freeze(how, start, initial, final, masks, *, seed=0, initializers=None):
  """What the pruned weights of a network are held at while the others train.

  Args:
    how: a name in `FREEZES`: "zero" holds them at 0, as everywhere else; "freeze_init" at their
      initial values; "freeze_init_zero_mask" (variant 1) at 0 those that shrank in training,
      |final| < |initial|, and at their initial values the others; "freeze_init_zero_all" (variant 2)
      does that, and lets the kept weights that shrank start at 0, from where they are trained. The
      controls: "freeze_init_zero_rev" holds at 0 those that grew, |final| > |initial|;
      "freeze_init_zero_reshuffle" has as many zeros as variant 1, at random places;
      "freeze_reinit" holds fresh draws of the layer's initializer.
    start: dict from path to array, every weight that the network would start from, for instance
      from `reset`.
    initial: dict from path to array, the weights that count as initial.
    final: dict from path to array, after the training that gave the masks; None will do for what does
      not look at it. Over several levels: what each weight was after the training that it last took
      part in; see `lived`.
    masks: dict from site path to bool array.
    seed: int or sequence of ints; site i draws from (seed, i).
    initializers: dict from site path to initializer, needed by "freeze_reinit"; see
      `initializers_of`.

  Returns:
    (weights, frozen). `weights` is a dict like `start`; only "freeze_init_zero_all" changes it.
    `frozen` is a dict from site path to array of the weight's shape, whose values at masked places
    are held (`hold(model, masks, frozen=frozen)`); {} for "zero".

  Raises:
    ValueError: `how` is unknown, it needs `final`, or "freeze_reinit" lacks an initializer.

  >>> initial, final = {"a": np.array([1.0, -2.0, 3.0])}, {"a": np.array([0.5, -4.0, 2.0])}
  >>> masks = {"a": np.array([False, False, True])}
  >>> weights, frozen = freeze("freeze_init_zero_all", initial, initial, final, masks)
  >>> frozen["a"][:2].tolist(), weights["a"][2].tolist()
  ([0.0, -2.0], 0.0)
  """
  if how not in FREEZES:
    raise ValueError(f"how={how!r} is not a freeze. Choose one of {', '.join(FREEZES)}.")
  if final is None and how not in ("zero", "freeze_init", "freeze_reinit"):
    raise ValueError(f"final=None: how={how!r} needs the weights after training.")
  weights, frozen = dict(start), {}
  for index, (path, mask) in enumerate(masks.items() if FREEZES[how] else ()):
    mask = np.asarray(mask, bool)
    initializer = (initializers or {}).get(path)
    if how == "freeze_reinit":
      require_initializers({path: initializer})
    rng = np.random.default_rng([*np.atleast_1d(seed), index])
    end = None if final is None else final[path]
    frozen[path] = FREEZES[how](initial[path], end, mask, rng, initializer)
    if how == "freeze_init_zero_all":
      weights[path] = _zero_where(mask & _shrank(initial[path], end), start[path])
  return weights, frozen


def require_initializers(initializers):
  """Refuse `freeze_reinit` where a layer declares no initializer.

  Raises:
    ValueError: names the weights.
  """
  instead = "freeze_init, which holds the initial values"
  _reset.require_initializers(initializers, "freeze_reinit", instead)


def lived(masks, weights, before):
  """`before` with the values of `weights` wherever the weight lived: at sites where the mask is True.

  Called after each level's training it gives the `final` of the next level's `freeze`: a weight that
  an earlier level pruned keeps the value that its own last training ended with.

  >>> lived({"a": np.array([True, False])}, {"a": np.array([5.0, 6.0])}, {"a": np.array([1.0, 2.0])})
  {'a': array([5., 2.])}
  """
  return weights | {p: np.where(mask, weights[p], before[p]) for p, mask in masks.items()}
