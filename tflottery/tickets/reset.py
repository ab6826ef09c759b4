"""Resets: the weights that a pruned network starts from, as functions of what it was before.

Each takes (initial, final, mask) of one site, arrays of the weight's shape, with the keywords seed
(int or ints), keep_sign (True carries the signs of the initial weights over) and initializer (for
reinit), and returns the new start weights; what is masked does not matter. Sources: Frankle & Carbin
2019, arXiv:1803.03635 (rewind, reinit); Zhou et al. 2019, arXiv:1905.01067, section 4.1 (resample as
"reinit", reshuffle, constant, and the signs).

Departs: `reinit` draws from the layer's own initializer; the authors of 1905.01067 permute the
layer's initial values under that name, which is `resample` here, drawn with replacement. The signs of
`constant` are fair draws, where they permute the layer's. Over several levels they reset what the
level before began with; `find_ticket` resets the weights rewound to at every level.
"""

import functools

import numpy as np

from tflottery import site as _sites


def _with_signs(draw):
  """Make a reset of a function that draws, with the seed and the signs that all of them share."""

  @functools.wraps(draw)
  def reset(initial, final, mask, *, seed=0, keep_sign=False, initializer=None):
    weights = draw(initial, final, mask, np.random.default_rng(seed), initializer)
    return keep_signs(weights, initial) if keep_sign else weights

  return reset


def keep_signs(weights, initial):
  """`weights` with the signs of the initial weights; 0 where those are 0.

  >>> keep_signs(np.array([3.0, 4.0]), np.array([-0.1, 0.2])).tolist()
  [-3.0, 4.0]
  """
  return np.abs(weights) * np.sign(initial)


@_with_signs
def rewind(initial, final, mask, rng, initializer):
  """The initial weights (of step 0, or of the step rewound to).

  >>> rewind(np.array([1.0, -2.0]), np.array([5.0, 6.0]), np.array([True, False])).tolist()
  [1.0, -2.0]
  """
  return initial


@_with_signs
def reinit(initial, final, mask, rng, initializer):
  """A fresh draw from `initializer`, the layer's own."""
  config = initializer.get_config()
  if "seed" in config:  # the layer's own object would return the very same values once more
    config["seed"] = int(rng.integers(2**31 - 1))
  draw = type(initializer).from_config(config)(initial.shape, dtype="float32")
  return np.asarray(draw).astype(initial.dtype)


@_with_signs
def resample(initial, final, mask, rng, initializer):
  """Values drawn with replacement from all the layer's initial values."""
  return rng.choice(initial.ravel(), initial.shape)


@_with_signs
def reshuffle(initial, final, mask, rng, initializer):
  """The surviving initial values, permuted among themselves within the layer."""
  result = initial.copy()
  result[mask] = rng.permutation(initial[mask])
  return result


@_with_signs
def constant(initial, final, mask, rng, initializer):
  """Plus or minus the standard deviation of the layer's initial values, signs at random.

  >>> constant(np.array([-3.0, 1.0]), None, None, keep_sign=True).tolist()
  [-2.0, 2.0]
  """
  signs = rng.integers(0, 2, initial.shape) * 2 - 1
  # In half precision sums of squares underflow, and bfloat16's stop to grow.
  wide = initial.astype("float32") if initial.dtype.itemsize < 4 else initial
  return (signs * wide.std()).astype(initial.dtype)


RESETS = {
  "rewind": rewind,
  "reinit": reinit,
  "resample": resample,
  "reshuffle": reshuffle,
  "constant": constant,
}


def reset(how, initial, final, masks, *, seed=0, keep_sign=False, initializers=None):
  """Reset every site of a network; all other weights return to their initial values.

  Args:
    how: a name in `RESETS`.
    initial: dict from path to array, every weight of the network at the start.
    final: dict from path to array, the same after training; None where it is not known, which
      suits every reset of today.
    masks: dict from site path to bool array.
    seed: int or sequence of ints; site i draws from (seed, i).
    keep_sign: True carries the signs of the initial weights over.
    initializers: dict from site path to initializer, needed by "reinit"; see `initializers_of`.

  Returns:
    A dict like `initial`.

  Raises:
    ValueError: `how` is unknown, or "reinit" lacks an initializer.
  """
  if how not in RESETS:
    raise ValueError(f"how={how!r} is not a reset. Choose one of {', '.join(RESETS)}.")
  result = dict(initial)
  for index, (path, mask) in enumerate(masks.items()):
    initializer = (initializers or {}).get(path)
    if how == "reinit":
      require_initializers({path: initializer})
    result[path] = RESETS[how](
      initial[path],
      None if final is None else final[path],
      np.asarray(mask, bool),
      seed=[*np.atleast_1d(seed), index],
      keep_sign=keep_sign,
      initializer=initializer,
    )
  return result


def require_initializers(
  initializers, how="reinit", instead="resample, which draws from its initial values"
):
  """Refuse fresh draws where a layer declares no initializer that can be given a new seed.

  Args:
    initializers: dict from site path to initializer or None.
    how, instead: what asks for them, and what would do without.

  Raises:
    ValueError: names the weights.
  """
  lacking = [p for p, initializer in initializers.items() if not hasattr(initializer, "get_config")]
  if lacking:
    raise ValueError(
      f"{how} needs an initializer for {', '.join(lacking)}: pass initializers_of(model), or, where "
      f"a layer declares none, use {instead}."
    )


def initializers_of(model):
  """Dict from site path to the initializer that its layer declares, where it declares one."""
  found = {path: site.initializer for path, site in _sites.candidates(model).items()}
  return {path: initializer for path, initializer in found.items() if initializer is not None}
