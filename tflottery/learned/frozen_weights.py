"""Frozen weights: what the weights under a supermask are, and how they can be drawn again."""

import keras
import numpy as np

from tflottery import site as _sites
from tflottery.tickets import drawn

WEIGHTS = ("initial", "signed_constant")


def frozen_weights(sites, weights, seed):
  """Dict from path to array: the weights that stay, under masks that are trained.

  Args:
    sites: dict from path to `Site`.
    weights: "initial" for the weights as they are; "signed_constant" for their signs (0 has sign 0)
      times the standard deviation of the site's weights, of the population.
    seed: None for the model's own weights; an int of at least 0 for new ones, see `recipe`.

  Raises:
    ValueError: `weights` is unknown, or a site can't be drawn from a seed; names them.
  """
  if weights not in WEIGHTS:
    raise ValueError(f"weights={weights!r} is unknown. Choose one of {', '.join(WEIGHTS)}.")
  if seed is not None:
    return {
      path: recipe(site, weights, seed, number).values()
      for number, (path, site) in enumerate(sites.items())
    }
  found = {path: _sites.value(site.variable) for path, site in sites.items()}
  if weights == "signed_constant":
    found = {path: _constant(w) for path, w in found.items()}
  return found


def _constant(weight):
  wide = np.result_type(weight.dtype, np.float32)  # half precision stops to add
  return (np.sign(weight) * weight.astype(wide).std()).astype(weight.dtype)


def recipe(site, weights, seed, number, multiple=1.0):
  """The `Drawn` of site `number`: drawn from (seed, number) by its layer's own initializer."""
  module = "keras" if isinstance(site.layer, keras.Layer) else "tf_keras"
  constant = weights == "signed_constant"
  return drawn.Drawn.of(site, (seed, number), keras=module, constant=constant, multiple=multiple)
