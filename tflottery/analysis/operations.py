"""Operations: what every layer of a model multiplies and adds for one example, found by tracing it."""

import contextlib
import dataclasses
import functools
import inspect
import math
import re
import warnings

import tensorflow as tf

from tflottery import site as _sites


@dataclasses.dataclass
class Operations:
  """One layer's operations for one example, over all its calls.

  Attributes:
    path: the layer's path below the model.
    uses: dict from the path of a weight to the multiply-adds that each of its entries takes part in.
    other: multiplications and additions that do not depend on masks.
  """

  path: str
  uses: dict[str, int] = dataclasses.field(default_factory=dict)
  other: int = 0


def operations(model, inputs=None):
  """A list of `Operations`, in the order of the layers that `RULES` knows and the model calls.

  Args:
    model: a built model of either Keras.
    inputs: a batch of examples; None takes the model's own input shape.

  Warns by name of layers with weights that are not counted.

  Raises:
    ValueError: the model is not built, or its input shape is not known.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((5, 4)), keras.layers.Dense(3, name="fc")])
  >>> operations(model)
  [Operations(path='fc', uses={'fc/kernel': 5}, other=15)]
  """
  names = {id(variable): path for path, variable in _sites.weights(model).items()}
  layers = {id(layer): ("/".join(way), layer) for way, layer, _ in _sites.layers(model)}
  found = {key: Operations(path) for key, (path, _) in layers.items()}
  counted, uncounted, called = set(), set(), set()

  def record(layer, rule, arguments, output):
    result = rule(layer, arguments, output)
    kernels, other = result or ([], 0)
    if result is None or _in_loop() or any(id(kernel) not in names for kernel, _ in kernels):
      uncounted.update(id(variable) for variable in layer.weights)
      return
    own = found[id(layer)]
    for kernel, uses in kernels:
      own.uses[names[id(kernel)]] = own.uses.get(names[id(kernel)], 0) + uses
    own.other += other
    called.add(id(layer))
    counted.update(id(variable) for variable in layer.weights)

  with _watched([layer for _, layer in layers.values()], record):
    tf.function(lambda example: model(example)).get_concrete_function(_example(model, inputs))
  left = {path.rpartition("/")[0] for key, path in names.items() if key not in counted - uncounted}
  if left:
    warnings.warn(
      f"FLOPs of {', '.join(sorted(left))} are not counted: layers of a kind that is not known, not "
      "called, or called in a loop.",
      stacklevel=3,
    )
  return [own for key, own in found.items() if key in called]


def _example(model, inputs):
  """Tensor specs of one example."""
  if inputs is None:
    own = getattr(model, "inputs", None)
    if not own:
      raise ValueError(
        f"model {model.name!r} does not know its input shape. Give inputs=, a batch of examples."
      )
    inputs = own[0] if len(own) == 1 else model.input
  specs = tf.nest.map_structure(lambda x: tf.TensorSpec([1, *x.shape[1:]], x.dtype), inputs)
  for spec in tf.nest.flatten(specs):
    if not spec.shape.is_fully_defined():
      raise ValueError(
        f"model {model.name!r} leaves its input shape {tuple(spec.shape)[1:]} open. Give inputs=, a "
        "batch of examples."
      )
  return specs


@contextlib.contextmanager
def _watched(layers, record):
  """Calls of the layers that have a rule are recorded, by methods of the instances."""
  muted = []

  def mute(function):
    @_as(function)
    def silently(*args, **kwargs):
      muted.append(function)
      try:
        return function(*args, **kwargs)
      finally:
        muted.pop()

    return silently

  def watch(layer, rule):
    signature = inspect.signature(layer.call)
    # The cells in a recurrent layer are called as often as it pleases.
    call = mute(layer.call) if rule is _recurrent else layer.call

    @_as(call)
    def watched(*args, **kwargs):
      output = call(*args, **kwargs)
      if not muted:
        record(layer, rule, signature.bind(*args, **kwargs).arguments, output)
      return output

    return watched

  with contextlib.ExitStack() as stack:
    for layer in layers:
      # A nested model of tf_keras computes its mask by calling its layers once more.
      stack.enter_context(_replaced(layer, "compute_mask", mute(layer.compute_mask)))
      if (rule := _rule(layer)) is not None:
        stack.enter_context(_replaced(layer, "call", watch(layer, rule)))
    yield


def _as(function):
  """Decorates what stands in for a Keras layer's `function`, which needs no autograph."""

  def decorate(replacement):
    return tf.autograph.experimental.do_not_convert(functools.wraps(function)(replacement))

  return decorate


@contextlib.contextmanager
def _replaced(layer, name, method):
  """`layer.name` is `method`, past Keras's tracking of attributes."""
  before = vars(layer).get(name)
  object.__setattr__(layer, name, method)
  try:
    yield
  finally:
    object.__delattr__(layer, name)
    if before is not None:
      object.__setattr__(layer, name, before)


def _in_loop():
  """Whether a loop's body is being traced, whose number of rounds is not known here."""
  graph = tf.compat.v1.get_default_graph()
  while graph is not None:
    if re.search("while_body", getattr(graph, "name", "")):
      return True
    graph = getattr(graph, "outer_graph", None)
  return False


def _rule(layer):
  """The rule of the nearest class of Keras that `layer` is of; None where there is none."""
  for kind in type(layer).__mro__:
    if kind.__module__.split(".")[0] in ("keras", "tf_keras") and kind.__name__ in RULES:
      return RULES[kind.__name__]
  return None


# Rules: (layer, the call's arguments by name, its output) -> ([(kernel, uses)], other operations),
# or None where this layer cannot be counted.


def _size(tensors):
  """Numbers in the first tensor of a structure."""
  shape = tf.nest.flatten(tensors)[0].shape
  if None in tuple(shape):
    raise ValueError(f"A layer's shape {tuple(shape)} depends on the data, so its FLOPs do too.")
  return math.prod(shape)


def _first(arguments):
  return next(iter(arguments.values()))


def _bias(layer, output):
  return _size(output) if layer.use_bias else 0


def _applied(layer, arguments, output):
  """A kernel [..., out] at every position of the output."""
  return [(layer.kernel, _size(output) // layer.kernel.shape[-1])], _bias(layer, output)


def _transposed(layer, arguments, output):
  """A kernel [..., out, in] at every position of the input."""
  uses = _size(_first(arguments)) // layer.kernel.shape[-1]
  return [(layer.kernel, uses)], _bias(layer, output)


def _depthwise(layer, arguments, output):
  """A kernel [..., in, multiplier], of which each channel of the output uses its own slice."""
  kernel = getattr(layer, "depthwise_kernel", None)  # in tf_keras
  kernel = layer.kernel if kernel is None else kernel
  return [(kernel, _size(output) // math.prod(kernel.shape[-2:]))], _bias(layer, output)


def _separable(layer, arguments, output):
  uses = _size(output) // layer.pointwise_kernel.shape[-1]
  kernels = [(layer.depthwise_kernel, uses), (layer.pointwise_kernel, uses)]
  return kernels, _bias(layer, output)


def _einsum(layer, arguments, output):
  """Each entry of the kernel is used once for every index of the input that is not its own."""
  inputs, kernel = layer.equation.split("->")[0].split(",")
  added = [n for label, n in zip(kernel, layer.kernel.shape, strict=True) if label not in inputs]
  terms = _size(_first(arguments)) * math.prod(added)
  bias = _size(output) if layer.bias is not None else 0
  return [(layer.kernel, terms // math.prod(layer.kernel.shape))], bias


def _embedding(layer, arguments, output):
  if not arguments.get("reverse"):
    return [(layer.embeddings, 0)], 0
  kernel = layer.embeddings if layer.tie_weights else layer.reverse_embeddings
  return [(kernel, _size(output) // layer.input_dim)], 0


def _recurrent(layer, arguments, output):
  """Kernels and biases of a cell of Keras's, at every step."""
  if type(layer.cell).__name__ not in ("LSTMCell", "GRUCell", "SimpleRNNCell"):
    return None
  cell = layer.cell
  steps = _size(_first(arguments)) // cell.kernel.shape[0]
  bias = math.prod(cell.bias.shape) if cell.use_bias else 0
  return [(cell.kernel, steps), (cell.recurrent_kernel, steps)], steps * bias


def _multi_head(layer, arguments, output):
  """Products of queries, keys and values; the projections are layers of their own."""
  sizes = layer._key_dim + layer._value_dim
  return [], 2 * layer._num_heads * sizes * _pairs(layer._attention_axes, arguments)


def _grouped_query(layer, arguments, output):
  return [], 2 * layer.num_query_heads * 2 * layer.head_dim * _pairs((1,), arguments)


def _pairs(axes, arguments):
  """How many pairs of a query and a key attention compares."""
  query, value = arguments["query"], arguments["value"]
  return _size(query) // query.shape[-1] * math.prod(value.shape[axis] for axis in axes)


def _dot_product(layer, arguments, output):
  if layer.score_mode != "dot":
    return None
  query, value, *_ = _first(arguments)
  width = query.shape[-1] + value.shape[-1]
  return [], 2 * width * _size(query) // query.shape[-1] * value.shape[-2]


def _average(layer, arguments, output):
  return [], _size(output) * math.prod(layer.pool_size)


def _global_average(layer, arguments, output):
  return [], _size(_first(arguments))


def _scaled_and_shifted(layer, arguments, output):
  """Mean 1, deviation 1, variance 2, division 1; then scale and shift."""
  return [], _size(output) * (5 + bool(layer.scale) + bool(layer.center))


def _each(count):
  """So many operations for each number of the output."""
  return lambda layer, arguments, output: ([], count * _size(output))


def _not_known(layer, arguments, output):
  return None


RULES = {
  "Dense": _applied,
  "Conv1D": _applied,
  "Conv2D": _applied,
  "Conv3D": _applied,
  "Conv1DTranspose": _transposed,
  "Conv2DTranspose": _transposed,
  "Conv3DTranspose": _transposed,
  "DepthwiseConv1D": _depthwise,
  "DepthwiseConv2D": _depthwise,
  "SeparableConv1D": _separable,
  "SeparableConv2D": _separable,
  "EinsumDense": _einsum,
  "Embedding": _embedding,
  "RNN": _recurrent,
  "MultiHeadAttention": _multi_head,
  "GroupedQueryAttention": _grouped_query,
  "Attention": _dot_product,
  "AdditiveAttention": _not_known,
  "AveragePooling1D": _average,
  "AveragePooling2D": _average,
  "AveragePooling3D": _average,
  "GlobalAveragePooling1D": _global_average,
  "GlobalAveragePooling2D": _global_average,
  "GlobalAveragePooling3D": _global_average,
  "BatchNormalization": _each(2),
  "Normalization": _each(0),  # preprocessing, which tf_keras does not list among its layers
  "UnitNormalization": _each(3),
  "RMSNormalization": _each(4),
  "LayerNormalization": _scaled_and_shifted,
  "GroupNormalization": _scaled_and_shifted,
  "SpectralNormalization": _each(0),
  "PReLU": _each(1),
  "LayerScale": _each(1),  # in keras.applications
}
