"""Sparse normal: initial weights of a sparse network, drawn as wide as its own fan-out asks for.

The initialisation of the unstructured baselines of Liu et al. 2019, Rethinking the Value of Network
Pruning, arXiv:1810.05270.
"""

import numpy as np

from tflottery import fits


def sparse_normal(model, masks, *, seed=0):
  """Fresh weights for the sites of a sparse network: normal, of variance 2 / n where they live.

  n is the mean number of live weights that an input channel feeds, `live weights / input channels`:
  the fan-out of He et al. 2015, arXiv:1502.01852, counting what is left alone. So activations keep
  their size in a network of which little is left.

  Departs: also for Dense kernels, whose inputs are their channels; the authors prune convolutions
  alone.

  Args:
    model: a built model of either Keras; it stays as it is.
    masks: dict from site path to bool array of the weight's shape.
    seed: int or sequence of ints; site i draws from (seed, i).

  Returns:
    A dict from site path to float32 array, 0 where the mask is False.

  Raises:
    ValueError: the masks do not fit the model.

  >>> import keras
  >>> conv = keras.layers.Conv2D(64, 5, name="conv")
  >>> model = keras.Sequential([keras.Input((9, 9, 4)), conv])
  >>> mask = np.arange(64 * 25 * 4).reshape(5, 5, 4, 64) < 400  # 100 for each input channel
  >>> weights = sparse_normal(model, {"conv/kernel": mask})["conv/kernel"]
  >>> int(np.count_nonzero(weights)), bool(abs(weights[mask].std() - (2 / 100) ** 0.5) < 0.01)
  (400, True)
  """
  found = {}
  for index, (path, site) in enumerate(fits.sites(model, masks).items()):
    rng = np.random.default_rng([*np.atleast_1d(seed), index])
    mask = np.asarray(masks[path], bool)
    fan_out = max(1, np.count_nonzero(mask)) / _input_channels(site)
    drawn = rng.standard_normal(mask.shape, np.float32) * np.float32(np.sqrt(2 / fan_out))
    found[path] = np.where(mask, drawn, np.float32(0))
  return found


def _input_channels(site):
  """Channels of a kernel's input: over all groups, and last in a transposed convolution's."""
  transposed = "Transpose" in type(site.layer).__name__
  return site.shape[-1 if transposed else -2] * getattr(site.layer, "groups", 1)
