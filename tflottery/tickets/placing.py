"""Placing: whether a smaller weight may lie at the leading indices of a larger one."""


def scattered(layer, shapes):
  """What a weight of such a layer holds that would not lie at the leading indices; None: nothing.

  Args:
    layer: the model's layer.
    shapes: dict from the names of its weights that differ to (shape in the ticket, in the model).
  """
  units = getattr(layer, "units", None)
  if units is None and hasattr(layer, "recurrent_kernel"):
    units = layer.filters  # of a ConvLSTM
  more = {name: large for name, (small, large) in shapes.items() if small[-1:] != large[-1:]}
  if units and any(large[-1] > units and large[-1] % units == 0 for large in more.values()):
    return "gates"
  if (getattr(layer, "groups", None) or 1) > 1 and any(len(s) > 1 for _, s in shapes.values()):
    return "groups"
  if hasattr(layer, "depth_multiplier") and more.keys() & {"kernel", "depthwise_kernel"}:
    return "channels"  # those that come from one input lie side by side
  return None


def lies_in(shape, larger):
  """Whether one shape is at most the other on every axis."""
  return len(shape) == len(larger) and all(a <= b for a, b in zip(shape, larger, strict=True))


def _outputs_axis(shape, layer):
  return -2 if "Transpose" in type(layer).__name__ and len(shape) > 2 else -1


def outputs(shape, layer):
  """The number of outputs of a layer by the shape of one of its weights; None of a scalar."""
  return shape[_outputs_axis(shape, layer)] if shape else None


def only_outputs(shape, other, layer):
  """Whether nothing differs but the number of the layer's outputs."""
  shapes = list(shape), list(other)
  if not all(shapes) or len(shape) != len(other):
    return False
  for sides in shapes:
    del sides[_outputs_axis(shape, layer)]
  return shapes[0] == shapes[1]
