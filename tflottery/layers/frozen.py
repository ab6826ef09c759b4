"""Frozen: layers whose weights stay, and a BatchNormalization whose statistics go on."""

import contextlib

import keras
import tf_keras


@contextlib.contextmanager
def built(layer):
  """The weights that the layer adds inside are not trainable, whatever `trainable` says later."""
  add = layer.add_weight
  object.__setattr__(
    layer, "add_weight", lambda *args, **kwargs: add(*args, **kwargs | {"trainable": False})
  )
  try:
    yield
  finally:
    object.__delattr__(layer, "add_weight")


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
