"""Choice: which rule holds for a call."""

from tflottery.structured import kinds, probing, projections, rules, scales


def rule_of(call, reads, graph, classes):
  """The rule of a call.

  Args:
    call: the `Call`.
    reads: list of int arrays, the labels of the channels of its inputs.
    graph: the `Graph`.
    classes: the `Classes` of the labels, in which the rule unites and fixes what it has to.
  """
  layer = call.layer
  size = graph.channels(call.outputs[0]) if len(call.outputs) == 1 else 0
  if not reads or not size or not all(map(len, reads)):
    return rules.Opaque(call, reads, graph, classes, f"{call} has no known number of channels")
  found = _concatenated(call, reads, size)
  if found is None and len(reads) == 1:
    found = (
      _projection(call, reads, classes, graph)
      or _by_channel(call, reads, graph)
      or _reshaped(call, reads, classes, graph)
    )
  if found is not None:
    return found
  if not getattr(layer, "weights", None) and size == max(map(len, reads)) and _is_free(layer):
    behaviour = probing.of_call(call, graph)
    if behaviour is not None:
      return rules.Apart(call, reads, classes, behaviour)
  return rules.Opaque(call, reads, graph, classes, f"{call} is not known to keep channels apart")


def _projection(call, reads, classes, graph):
  """The rule of Dense and of convolutions, None for others."""
  layer = call.layer
  zero = _zero_of_activation(call, graph)
  if zero is None:
    return None
  size = graph.channels(call.outputs[0])
  if kinds.is_a(layer, "Dense", *kinds.CONVOLUTIONS) and kinds.owns_only(layer, "kernel", "bias"):
    groups = getattr(layer, "groups", 1)
    if groups > 1 and groups == len(reads[0]):
      return projections.Depthwise(call, reads, axis=None, zero=zero)
    return projections.Projection(call, reads, classes, size=size, groups=groups, zero=zero)
  if kinds.is_a(layer, *kinds.TRANSPOSED) and kinds.owns_only(layer, "kernel", "bias"):
    return projections.Projection(call, reads, classes, size=size, axes=(-1, -2), zero=zero)
  names = ("depthwise_kernel", "pointwise_kernel", "bias")
  if kinds.is_a(layer, *kinds.SEPARABLE) and kinds.owns_only(layer, *names):
    return projections.Separable(call, reads, classes, zero=zero)
  names = ("kernel", "depthwise_kernel", "bias")
  if kinds.is_a(layer, *kinds.DEPTHWISE) and kinds.owns_only(layer, *names):
    return projections.Depthwise(call, reads, axis=-2, zero=zero)
  return None


def _by_channel(call, reads, graph):
  """The rule of a layer with parameters for each channel, None for others."""
  layer = call.layer
  rank = len(graph.tensors[call.inputs[0]].shape)
  names = ("gamma", "beta", "moving_mean", "moving_variance")  # renorm has more
  is_batch = kinds.is_a(layer, "BatchNormalization") and kinds.owns_only(layer, *names)
  if is_batch and _axes(layer.axis, rank) == [rank - 1]:
    mean, variance = layer.moving_mean, layer.moving_variance
    if layer.gamma is not None:
      return scales.Scale(
        call, reads, scale=layer.gamma, others=[layer.beta], statistics=[mean, variance]
      )
    return scales.Scale(call, reads, scale=None, others=[mean, layer.beta], statistics=[variance])
  if (
    kinds.is_layer_normalization(layer)
    and _axes(layer.axis, rank) == [rank - 1]
    and layer.gamma is not None
    and not getattr(layer, "rms_scaling", False)
  ):
    return scales.Normalization(call, reads, scale=layer.gamma, others=[layer.beta])
  if kinds.is_layer_scale(layer):
    return scales.LayerScale(call, reads, scale=layer.gamma)
  if kinds.is_a(layer, "PReLU") and layer.alpha.shape[-1] == len(reads[0]):
    return scales.Scale(call, reads, scale=None, statistics=[layer.alpha])
  if kinds.is_a(layer, "UnitNormalization") and _axes(layer.axis, rank) == [rank - 1]:
    return scales.Normalization(call, reads, scale=None)
  return None


def _concatenated(call, reads, size):
  """The rule of Concatenate along the channels, None for others."""
  if kinds.is_a(call.layer, "Concatenate") and sum(map(len, reads)) == size:
    return rules.Concatenated(call, reads)
  return None


def _reshaped(call, reads, classes, graph):
  """The rule of Flatten and Reshape, None for others."""
  layer, size, old = call.layer, graph.channels(call.outputs[0]), len(reads[0])
  is_once = sum(other.layer is layer for other in graph.calls) == 1  # one config, one shape
  divides = size % old == 0 or old % size == 0
  if kinds.is_a(layer, "Flatten", "Reshape") and is_once and divides:
    return rules.Reshaped(call, reads, classes, size)
  return None


def _is_free(layer):
  """Whether a layer without weights takes any number of channels, and looks at each by itself."""
  noise_shape = getattr(layer, "noise_shape", None)
  if noise_shape is not None and noise_shape[-1] not in (None, 1):
    return False  # Dropout's, which matters in training alone
  if kinds.is_a(layer, "Lambda"):
    return layer._output_shape is None
  return not kinds.is_a(layer, "Masking")


def _zero_of_activation(call, graph):
  """Whether the layer's activation of 0 is 0; None if it mixes channels."""
  activation = getattr(call.layer, "activation", None)
  if activation is None:
    return True
  behaviour = probing.of_activation(activation, len(graph.tensors[call.outputs[0]].shape))
  return None if behaviour is None else behaviour.zero


def _axes(axis, rank):
  listed = [axis] if isinstance(axis, int) else list(axis)
  return [a % rank for a in listed]
