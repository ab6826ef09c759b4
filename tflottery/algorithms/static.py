"""Static: random masks, drawn once and never changed.

The baseline of Evci et al. 2020, arXiv:1911.11134, section 4.
"""

from tflottery import allocations, arguments, site
from tflottery import masks as _masks
from tflottery.fitting import HoldMasks


class Static(HoldMasks):
  """Train a randomly sparse network: masks of exact counts, drawn before the first step.

  Args:
    sparsity: share of the masked weights in all sites, in (0, 1); None with an `allocation` by
      pattern, whose other sites stay dense.
    allocation: how it is spread: "erk", "erdos_renyi", "uniform" (the first site dense), "equal", a
      function, or a dict from pattern to sparsity; see `tflottery.allocations`.
    seed: int; site i draws from (seed, i).
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: when `fit` starts, if the sparsity can't be allocated; also as `HoldMasks`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), verbose=0, callbacks=[Static(0.9)])
  >>> int(np.count_nonzero(model.get_weights()[0]))
  2
  """

  def __init__(
    self, sparsity, *, allocation="erk", seed=0, only=None, exclude=None, log_sites=False
  ):
    super().__init__(drawn(sparsity, allocation, seed, only, exclude), log_sites=log_sites)


def drawn(sparsity, allocation, seed, only, exclude, masks=None):
  """A function of a model that draws its masks, or the `masks` that are given instead."""
  arguments.whole("seed", seed, least=0)
  if masks is not None:
    given = {"sparsity": sparsity, "only": only, "exclude": exclude}
    for name, value in given.items():
      if value is not None:
        raise ValueError(f"{name}={value!r} beside masks=: the masks say it. Leave one out.")
    return masks
  allocations.check(sparsity, allocation)

  def draw(model):
    shapes = {p: s.shape for p, s in site.sites(model, only=only, exclude=exclude).items()}
    return _masks.random(shapes, allocations.sparsities(shapes, sparsity, allocation), seed=seed)

  return draw
