"""Gradual magnitude pruning: from dense to sparse while the network trains.

Zhu & Gupta, To prune, or not to prune, 2017, arXiv:1710.01878, equation 1; Gale et al., The State of
Sparsity, 2019, arXiv:1902.09574.
"""

from tflottery import criteria
from tflottery.algorithms.gradual import Gradual


class Magnitude(Gradual):
  """Prune the weights of the smallest magnitude while the network trains, to a final sparsity.

  Masks begin dense. When the schedule is due, after the optimizer's update of that step, the
  weights (or blocks, channels) of the highest magnitude stay, and the others become 0 for good.

  Departs: what is pruned can't come back, since masked weights are 0, where the authors' code keeps
  the old values under the mask; counts are exact, ties go to the lower index.

  Args:
    sparsity: final share of the masked weights, in (0, 1). None takes the schedule's or, with an
      `allocation` by pattern, leaves the other sites dense.
    end_step: the step that reaches it; needed without a schedule.
    begin_step: the first step that prunes.
    frequency: steps between two changes of masks.
    schedule: any tfmot `PruningSchedule`, or a function step -> (due, sparsity); None is the cubic
      one of Zhu & Gupta from 0 to `sparsity`.
    allocation: how the sparsity is spread over the sites, always in the same proportion: "equal",
      "uniform" (the first site dense), "erdos_renyi", "erk", a function, or a dict from pattern to
      sparsity; see `tflottery.allocations`.
    scope: "layer" ranks every site by itself; "global" all of them together (and then there is
      nothing to allocate).
    granularity: None prunes single weights; or `tflottery.granularity.block(...)`, `n_of_m(...)`,
      `channel()`.
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: an argument is out of range or missing; when `fit` starts, if the sparsity can't be
      allocated or no step of the schedule lies in this `fit`; also as `HoldMasks`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> callbacks = [Magnitude(0.8, end_step=6, frequency=2)]
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), batch_size=1, verbose=0, callbacks=callbacks)
  >>> int(np.count_nonzero(model.get_weights()[0]))
  4
  """

  def __init__(self, sparsity=None, **arguments):
    super().__init__(criteria.magnitude, sparsity, **arguments)
