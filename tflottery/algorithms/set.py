"""SET: drop the weights of the smallest magnitude, grow at random.

Mocanu et al., Scalable training of artificial neural networks with adaptive sparse connectivity
inspired by network science, Nature Communications 2018, arXiv:1707.04780.
"""

from tflottery import criteria, rules
from tflottery.algorithms.static import drawn
from tflottery.fitting import HoldMasks


class SET(HoldMasks):
  """Train a sparse network from the start, its masks rewired by magnitude and chance.

  As `RigL`, but new weights are drawn uniformly among all that are not kept, and every step updates
  the weights: masks change after the optimizer's update.

  Departs, with the code of Evci et al. (arXiv:1911.11134): the weights of the smallest magnitude
  are dropped, where Mocanu et al. drop the smallest positive and the largest negative ones; masks
  change every `frequency` steps and not every epoch, and the dropped share falls by a schedule.

  Args:
    sparsity, end_step, masks, allocation, begin_step, frequency, drop, drop_schedule, grow_init,
      grow_scale, only, exclude, log_sites: as in `RigL`.
    seed: int, of the masks at the beginning and of the growth; site i at step t draws from
      (seed, i, t), the same on every device.

  Raises:
    ValueError: as `RigL`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> callbacks = [SET(0.8, end_step=6, frequency=2)]
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

    changes = rules.Changes(
      schedules.drops(drop_schedule, drop, begin_step, end_step, frequency),
      rules.drop_and_grow(criteria.random(seed)),
      grow=rules.grow_init(grow_init, grow_scale, seed),
    )
    start = drawn(sparsity, allocation, seed, only, exclude, masks)
    super().__init__(start, changes, log_sites=log_sites)
