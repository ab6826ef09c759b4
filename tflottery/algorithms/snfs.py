"""SNFS: drop the weights of the smallest magnitude, grow where the gradient's average is largest.

Dettmers & Zettlemoyer, Sparse Networks from Scratch: Faster Training without Losing Performance,
2019, arXiv:1907.04840.
"""

from tflottery import criteria, rules
from tflottery.algorithms.static import drawn
from tflottery.fitting import HoldMasks


class SNFS(HoldMasks):
  """Train a sparse network from the start, its masks rewired by magnitude and momentum.

  As `SET`, but new weights come where the moving average of the dense gradient is largest in
  magnitude: a_t = momentum * a_(t-1) + (1 - momentum) * g_t, from 0 on. It is computed in every
  step, one more float per weight, so a step costs a dense backward pass whatever the sparsity.

  Departs, with the code of Evci et al. (arXiv:1911.11134): every site keeps its count, where
  Dettmers & Zettlemoyer also move weights between layers by their mean momentum.

  Args:
    sparsity, end_step, masks, allocation, begin_step, frequency, drop, drop_schedule, grow_init,
      grow_scale, seed, only, exclude, log_sites: as in `RigL`; here "gradient" is the average.
    momentum: of the moving average, in [0, 1).

  Raises:
    ValueError: as `RigL`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> callbacks = [SNFS(0.8, end_step=6, frequency=2)]
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), batch_size=1, verbose=0, callbacks=callbacks)
  >>> int(np.count_nonzero(model.get_weights()[0])) <= 4
  True
  """

  def __init__(
    self,
    sparsity=None,
    *,
    end_step,
    masks=None,
    momentum=0.9,
    allocation="erk",
    begin_step=0,
    frequency=100,
    drop=0.3,
    drop_schedule="cosine",
    grow_init="zeros",
    grow_scale=1.0,
    seed=0,
    only=None,
    exclude=None,
    log_sites=False,
  ):
    from tflottery import schedules  # imports tfmot

    if not 0 <= momentum < 1:
      raise ValueError(f"momentum={momentum!r} is out of range: at least 0 and below 1.")
    changes = rules.Changes(
      schedules.drops(drop_schedule, drop, begin_step, end_step, frequency),
      rules.drop_and_grow(criteria.gradient),
      grow=rules.grow_init(grow_init, grow_scale, seed),
      remember=lambda average, gradient: momentum * average + (1 - momentum) * gradient,
    )
    start = drawn(sparsity, allocation, seed, only, exclude, masks)
    super().__init__(start, changes, log_sites=log_sites)
