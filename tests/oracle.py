"""The network whose masked channels are 0, made by hand: what `slim` has to agree with."""

import hypothesis
import numpy as np

from tflottery import site as _sites


def zeroed(k, model, masks, inputs):
  """Set to 0 in `model` what the masks name, and what follows of a channel that this makes 0.

  What follows is found by looking: the scale and offset of a normalisation, or kernel and bias of a
  depthwise convolution, into which a channel goes that is 0 for all of `inputs`. Networks with such
  channels without any mask are no examples.
  """
  weights = _sites.weights(model)
  channelwise = [layer for layer in model.layers if _is_channelwise(k, layer)]
  probe = k.Model(model.inputs, [layer.input for layer in channelwise]) if channelwise else None
  hypothesis.assume(not any(silent.any() for silent in _silent(probe, inputs)))
  for path, mask in masks.items():
    layer, _, name = path.rpartition("/")
    is_transposed = isinstance(model.get_layer(layer), k.layers.Conv2DTranspose)
    _zero(weights[path], ~mask, is_transposed=is_transposed)
    offset = weights.get(f"{layer}/beta" if name == "gamma" else f"{layer}/bias")
    if offset is not None:
      _zero(offset, ~mask)
  for place, layer in enumerate(channelwise):
    # One after the other: what is set to 0 here may silence what follows.
    _zero_layer(k, layer, _silent(probe, inputs)[place])


def _is_channelwise(k, layer):
  kinds = (k.layers.BatchNormalization, k.layers.LayerNormalization, k.layers.DepthwiseConv2D)
  return isinstance(layer, kinds) or getattr(layer, "groups", 1) > 2


def _silent(probe, inputs):
  """Which channels are 0 everywhere: a list of bool arrays."""
  if probe is None:
    return []
  found = probe(inputs)
  found = found if isinstance(found, (list, tuple)) else [found]
  return [~np.array(x).reshape(-1, x.shape[-1]).any(axis=0) for x in found]


def _zero_layer(k, layer, silent):
  if isinstance(layer, (k.layers.BatchNormalization, k.layers.LayerNormalization)):
    first = layer.gamma if layer.gamma is not None else layer.moving_mean
    variables = [first, layer.beta]
  else:
    silent = np.repeat(silent, layer.output.shape[-1] // len(silent))
    variables = [layer.weights[0], layer.bias]
  for variable in variables:
    if variable is not None:
      _zero(variable, silent)


def _zero(variable, gone, *, is_transposed=False):
  """Zeros at these entries of the last axis, or of the last two, of a depthwise kernel."""
  value = _sites.value(variable)
  if is_transposed:
    gone = gone[:, None]
  elif value.shape[-1] != len(gone):
    gone = gone.reshape(value.shape[-2:])
  variable.assign(np.where(gone, 0, value))
