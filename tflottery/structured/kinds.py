"""Kinds: which layer of either Keras a layer is, by what it computes and not by its name alone."""

import keras
import tf_keras

from tflottery.structured import layer_normalization

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
TRANSPOSED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")


def is_a(layer, *names):
  """Whether a layer is of one of these classes of its Keras, or of a subclass with the same call.

  >>> is_a(keras.layers.Conv2D(1, 1), *CONVOLUTIONS), is_a(keras.layers.Dense(1), *CONVOLUTIONS)
  (True, False)
  """
  for module in (keras, tf_keras):
    for name in names:
      kind = getattr(module.layers, name, None)
      if kind and isinstance(layer, kind) and type(layer).call is kind.call:
        return True
  return False


def is_layer_scale(layer):
  """Whether a layer is the LayerScale of keras.applications' ConvNeXt, which is not public."""
  is_kerases = type(layer).__module__.startswith(("keras.", "tf_keras."))
  return is_kerases and type(layer).__name__ == "LayerScale"


def is_layer_normalization(layer):
  """Whether a layer is a LayerNormalization, or one that `slim` made smaller."""
  return is_a(layer, "LayerNormalization") or isinstance(layer, layer_normalization.SLIM)


def owns_only(layer, *attributes):
  """Whether every weight of a layer is in one of these attributes: no adapters, no quantisation."""
  known = {
    id(getattr(layer, name)) for name in attributes if getattr(layer, name, None) is not None
  }
  return {id(variable) for variable in layer.weights} <= known
