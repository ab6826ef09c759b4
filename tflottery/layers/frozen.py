"""Frozen: a BatchNormalization whose scale and offset stay, and whose statistics go on."""

import keras
import tf_keras


class _FrozenParameters:
  """What both Kerases' classes add to their own BatchNormalization."""

  def add_weight(self, *args, **kwargs):
    return super().add_weight(*args, **{**kwargs, "trainable": False})


@keras.saving.register_keras_serializable(package="tflottery")
class FrozenBatchNormalization(_FrozenParameters, keras.layers.BatchNormalization):
  """Keras 3's BatchNormalization with gamma and beta frozen; moving statistics move in training.

  (One with `trainable=False` would compute as in inference.)

  >>> layer = FrozenBatchNormalization()
  >>> layer.build((None, 3))
  >>> len(layer.trainable_weights), len(layer.weights)
  (0, 4)
  """


@tf_keras.saving.register_keras_serializable(package="tflottery", name="FrozenBatchNormalization")
class _FrozenBatchNormalization(_FrozenParameters, tf_keras.layers.BatchNormalization):
  """The same for tf_keras."""


FROZEN = (FrozenBatchNormalization, _FrozenBatchNormalization)
