"""SNIP: prune before training, by the sensitivity of the loss to each connection.

Lee et al., SNIP: Single-shot Network Pruning based on Connection Sensitivity, ICLR 2019,
arXiv:1810.02340, Algorithm 1.
"""

import numpy as np

from tflottery import allocations, criteria, rules, site, step
from tflottery import masks as _masks
from tflottery.fitting import HoldMasks


class SNIP(HoldMasks):
  """Prune once, in the first step of the training, by |w dL/dw| on its batch.

  The first `batches` steps only gather gradients: they leave out the optimizer's update. In the last
  of them the weights of the highest scores stay, by their initial values and the sum of the
  gradients, and the masks never change again.

  Departs: biases are not pruned (the authors score them; at their initial 0 all of them go), the
  weights are not drawn anew after pruning, and normalisation runs as in training.

  Args:
    sparsity: share of the masked weights in all sites, in (0, 1); None with an `allocation` by
      pattern and scope "layer".
    batches: how many batches' gradients are summed, at least 1.
    scope: "global" ranks all sites together, as the paper does; "layer" each by itself.
    allocation: with scope "layer": "equal", "uniform", "erdos_renyi", "erk", a function, or a dict
      from pattern to sparsity; see `tflottery.allocations`.
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: an argument is out of range; when `fit` starts, if the sparsity can't be allocated;
      also as `HoldMasks`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), verbose=0, callbacks=[SNIP(0.8)])
  >>> int(np.count_nonzero(model.get_weights()[0]))
  4
  """

  def __init__(
    self,
    sparsity,
    *,
    batches=1,
    scope="global",
    allocation="equal",
    only=None,
    exclude=None,
    log_sites=False,
  ):
    from tflottery import schedules  # imports tfmot

    allocations.check(sparsity, allocation)
    rules.check_scope(scope, allocation)
    if isinstance(batches, bool) or not isinstance(batches, int) or batches < 1:
      raise ValueError(f"batches={batches!r} is out of range: a whole number, at least 1.")

    def found(model):
      return site.sites(model, only=only, exclude=exclude)

    def changes(model):
      if self.masks is not None and _masks.sparsity(self.masks) > 0:
        return None  # an earlier fit has pruned
      shapes = {path: s.shape for path, s in found(model).items()}
      wanted = sparsity
      if scope == "layer":
        wanted = allocations.sparsities(shapes, sparsity, allocation)
      rule = rules.prune(criteria.snip, lambda _: wanted, scope=scope)
      first = int(step.steps_done(step.innermost(model)))
      last = first + batches - 1
      return rules.Changes(
        schedules.OneShot(sparsity or max(allocation.values()), last),
        rule,
        skips=lambda step: (step >= first) & (step <= last),
        remember=(lambda total, gradient: total + gradient) if batches > 1 else None,
        ends=last,
      )

    super().__init__(
      lambda model: {path: np.ones(s.shape, bool) for path, s in found(model).items()},
      changes,
      log_sites=log_sites,
    )
