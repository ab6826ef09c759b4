"""Statistics: the moving means and variances of BatchNormalization, estimated anew from data."""

import numpy as np
import tensorflow as tf

from tflottery import site as _sites

STATISTICS = ("interpolate", "reestimate")
# By what they have: tf_keras has classes of its own for some, as SyncBatchNormalization.
_OF_BATCH_NORMS = ("moving_mean", "moving_variance", "momentum")


def reestimate(model, data):
  """Give every BatchNormalization the statistics that the model's present weights have on `data`.

  Moving mean and moving variance become the mean, over the batches, of the batches' own statistics,
  whatever the layer's momentum, as at the end of stochastic weight averaging (Izmailov et al., UAI
  2018, arXiv:1803.05407). A batch's variance is the one that the layer itself takes in training: of
  tf_keras's layers on images the unbiased one. Every batch weighs the same. Other weights, momenta
  and the state of Keras 3's random layers stay.

  The model runs as in training: with dropout, if it has any, and with normalisation by the batch.
  Layers whose statistics do not move in training, such as frozen ones, keep them; one that is called
  several times in the network gets those of its last call.

  Args:
    model: a built model of either Keras. Without a BatchNormalization nothing is done.
    data: batches of inputs, or of tuples whose first part is the inputs, such as a
      `tf.data.Dataset`; float or whatever the model takes. Under a strategy every replica sees the
      whole batch.

  Raises:
    ValueError: `data` has no batch.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
  >>> reestimate(model, [np.array([[0.0], [4.0]]), np.array([[5.0], [7.0]])])
  >>> [array.tolist() for array in model.get_weights()[2:]]  # means 2 and 6, variances 4 and 1
  [[4.0], [2.5]]
  """
  Reestimator(model, data)()


class Reestimator:
  """`reestimate` for many weights of one model in turn: its function is traced only once.

  Args:
    model: a built model of either Keras.
    data: as in `reestimate`; gone through at every call, so a generator will not do.
  """

  def __init__(self, model, data):
    _sites.keras_of(model)
    self.model, self._data = model, data
    self._layers = [
      layer
      for _, layer, _ in _sites.layers(model)
      if all(hasattr(layer, name) for name in _OF_BATCH_NORMS)
    ]
    self._statistics = [
      v for layer in self._layers for v in (layer.moving_mean, layer.moving_variance)
    ]
    own = {id(variable) for variable in self._statistics}
    trained = {id(variable) for variable in model.trainable_variables}
    self._others = [v for v in model.variables if id(v) not in own | trained]
    self._run = tf.function(self._forward, reduce_retracing=True)

  def __call__(self):
    if not self._layers:
      return
    momenta = [layer.momentum for layer in self._layers]
    before = [_sites.value(variable) for variable in self._others]
    try:
      for layer in self._layers:  # with 0 a layer's statistics are those of the latest batch
        layer.momentum = 0.0
      means = self._means()
    finally:
      for layer, momentum in zip(self._layers, momenta, strict=True):
        layer.momentum = momentum
      for variable, value in zip(self._others, before, strict=True):
        variable.assign(value)
    for variable, mean in zip(self._statistics, means, strict=True):
      variable.assign(mean.astype(_sites.value(variable).dtype))

  def _means(self):
    """The mean over the batches of every statistic, in float64."""
    sums, count = None, 0
    for batch in self._data:
      self._run(batch[0] if isinstance(batch, (tuple, list)) else batch)
      values = [np.float64(_sites.value(variable)) for variable in self._statistics]
      sums = values if sums is None else [a + b for a, b in zip(sums, values, strict=True)]
      count += 1
    if not count:
      raise ValueError(
        f"data={self._data!r} has no batch to estimate statistics on. Give batches of inputs that can "
        "be gone through again, such as a tf.data.Dataset or a list."
      )
    return [total / count for total in sums]

  def _forward(self, inputs):
    self.model.distribute_strategy.run(lambda x: self.model(x, training=True), args=(inputs,))
