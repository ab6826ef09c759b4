"""Starts: the initial weights that a pruned network is trained again from.

Alfarra et al. 2022, arXiv:2002.08838, section 4, compares the ticket's with Xavier's and Gaussian ones.
"""

import functools

import keras

from tflottery.tickets.reset import reset

TICKET = "ticket"


def _glorot(initial, mask):
  return keras.initializers.GlorotNormal()


def _gaussian(initial, mask):
  return keras.initializers.RandomNormal(stddev=1.0)


def _zero_mean(initial, mask):
  # The draw is of the scale that the ticket has, lest only the scale be compared.
  return keras.initializers.RandomNormal(stddev=float(initial[mask].std()) if mask.any() else 0.0)


def _fresh(initializer, weights, masks, *, seed, keep_sign=False):
  """A draw for every site; `initializer` is a function of its initial weights and mask."""
  initializers = {path: initializer(weights[path], mask) for path, mask in masks.items()}
  return reset(
    "reinit", weights, None, masks, seed=seed, keep_sign=keep_sign, initializers=initializers
  )


def _reshuffle(weights, masks, *, seed):
  return reset("reshuffle", weights, None, masks, seed=seed)


# Functions (initial weights, masks, *, seed) -> start weights. A control's place is part of its seed: new
# ones go to the end.
CONTROLS = {
  "glorot": functools.partial(_fresh, _glorot),
  "gaussian": functools.partial(_fresh, _gaussian),
  "reshuffle": _reshuffle,
  "sign_kept": functools.partial(_fresh, _glorot, keep_sign=True),
  "zero_mean": functools.partial(_fresh, _zero_mean),
}


def place_of(name):
  """The number of a start among all there are, a part of its seeds; the dense network's and the ticket's is 0."""
  return 1 + list(CONTROLS).index(name) if name in CONTROLS else 0


def start(name, weights, masks, *, seed, level):
  """The weights that a subnetwork starts from.

  Args:
    name: "ticket", the initial weights as they are; or a control: "glorot" (a fresh Glorot normal
      draw), "gaussian" (standard normal), "reshuffle" (the kept initial weights, permuted within
      each layer), "sign_kept" (as glorot, with the signs of the initial weights), "zero_mean" (normal,
      with the standard deviation of the layer's kept initial weights).
    weights: dict from path to array, the initial weights of the whole network.
    masks: dict from site path to bool array.
    seed: int.
    level: int, the level of the masks; every level draws anew.

  Returns:
    A dict like `weights`; biases are the ticket's.
  """
  if name == TICKET:
    return weights
  return CONTROLS[name](weights, masks, seed=[seed, level, place_of(name)])
