"""Gradual magnitude pruning: from dense to sparse while the network trains.

Zhu & Gupta, To prune, or not to prune, 2017, arXiv:1710.01878, equation 1; Gale et al., The State of
Sparsity, 2019, arXiv:1902.09574.
"""

from tflottery import criteria
from tflottery.algorithms.gradual import Gradual


class Magnitude(Gradual):
  """Prune the weights of the smallest magnitude while the network trains, to a final sparsity.

  `Gradual` by |w|: the cubic schedule of equation 1, unless another one is given.

  Departs: as `Gradual`.

  Args:
    sparsity: final share of the masked weights, in (0, 1); None as in `Gradual`.
    arguments: `end_step`, `schedule`, `allocation`, `scope`, `granularity` and the others of
      `Gradual`.

  Raises:
    ValueError: as `Gradual`.

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
