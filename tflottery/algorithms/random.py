"""Random pruning: from dense to sparse while the network trains, by chance.

The baseline of Gale et al., The State of Sparsity, 2019, arXiv:1902.09574.
"""

from tflottery.algorithms.gradual import Gradual


class Random(Gradual):
  """Prune weights drawn at random while the network trains, on the schedule of `Gradual`.

  Args:
    sparsity and all others: as in `Gradual`.
    seed: int; site i at step t draws from (seed, i, t), the same on every device.

  Raises:
    ValueError: as `Gradual`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> callbacks = [Random(0.8, end_step=6, frequency=2)]
  >>> _ = model.fit(np.ones((8, 4)), np.ones((8, 5)), batch_size=1, verbose=0, callbacks=callbacks)
  >>> int(np.count_nonzero(model.get_weights()[0]))
  4
  """

  def __init__(self, sparsity=None, *, seed=0, **arguments):
    super().__init__("random", sparsity, seed=seed, **arguments)
