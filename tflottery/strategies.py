"""Strategies: which `tf.distribute` strategies can train a model in compiled steps."""

import keras
import tensorflow as tf

from tflottery import site as _sites


def check(model):
  """Refuse what can't hold masks, before work starts.

  Raises:
    TypeError: the model stands under a `ParameterServerStrategy`, or it is a Keras 3 model under
      `MultiWorkerMirroredStrategy`.
  """
  k = _sites.keras_of(model)
  strategy = model.distribute_strategy
  if isinstance(strategy, tf.distribute.ParameterServerStrategy):
    raise TypeError(
      "strategy ParameterServerStrategy can't hold masks: its workers update the weights without "
      "waiting for each other, so there is no gradient that all of them agree on when masks change. "
      "Use MirroredStrategy or MultiWorkerMirroredStrategy."
    )
  several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
  if several and k is keras:
    raise TypeError(
      "strategy MultiWorkerMirroredStrategy can't train a Keras 3 model: its fit fails on the "
      "values of several workers. Build the model with tf_keras, or use MirroredStrategy."
    )
