"""Sparse-aware: initial weights of a sparse network, drawn by its layers' own initializers.

The initialisation of Gale et al. 2019, The State of Sparsity, arXiv:1902.09574, for networks that are
trained from scratch under learned masks: an initializer's fans count the live weights alone.
"""

import numpy as np

from tflottery import fits
from tflottery import site as _sites
from tflottery.tickets import reset


def sparse_aware(model, masks, *, seed=0):
  """Fresh weights for the sites of a sparse network: its initializers' draws, widened where they live.

  Each site is drawn anew by its layer's own initializer and divided by sqrt(p), p the live share of its
  weights. For initializers of variance c / fan, as Glorot's and He's, this is the same as counting p
  times the fan, so that activations keep their size.

  Departs: the authors scale Glorot's uniform distribution; this serves any initializer. Constant ones
  grow by the same factor.

  Args:
    model: a built model of either Keras; it stays as it is.
    masks: dict from site path to bool array of the weight's shape. A site without a mask is dense, and
      not drawn.
    seed: int or sequence of ints; site i draws from (seed, i).

  Returns:
    A dict from site path to array of the weight's shape and dtype, 0 where the mask is False.

  Raises:
    ValueError: the masks do not fit the model, or a layer has no initializer.

  >>> import keras
  >>> layer = keras.layers.Dense(50, kernel_initializer="he_normal", name="fc")
  >>> model = keras.Sequential([keras.Input((400,)), layer])
  >>> mask = np.arange(400 * 50).reshape(400, 50) % 4 == 0  # 100 live inputs for each of 400
  >>> weights = sparse_aware(model, {"fc/kernel": mask})["fc/kernel"]
  >>> int(np.count_nonzero(weights)), bool(abs(weights[mask].std() - (2 / 100) ** 0.5) < 0.005)
  (5000, True)
  """
  sites = fits.sites(model, masks)
  drawn = reset.reset(
    "reinit",
    {path: _sites.value(site.variable) for path, site in sites.items()},
    None,
    {path: np.asarray(masks[path], bool) for path in sites},
    seed=seed,
    initializers={path: site.initializer for path, site in sites.items()},
  )
  return {path: _widened(draw, np.asarray(masks[path], bool)) for path, draw in drawn.items()}


def _widened(draw, mask):
  live = max(1, np.count_nonzero(mask)) / mask.size
  return np.where(mask, draw / np.sqrt(live), 0).astype(draw.dtype)
