"""Random networks of either Keras for hypothesis: a plan is drawn, a network is built from it."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from tflottery import site as _sites

# What a step of a plan may be, on images; the parameters of a step are three small numbers.
ONE = [
  *["conv", "grouped", "depthwise", "depthwise_by_groups", "separable", "transposed"],
  *["norm", "norm", "norm_without_scale", "layer_norm", "relu", "swish", "prelu", "leaky"],
  *["pool", "average", "up", "pad", "crop", "drop"],
]
BRANCHING = ["sum_with_conv", "gate", "scaled"]
TWO = ["add", "multiply", "maximum", "subtract", "average_of", "concatenate", "stack"]
HEADS = ["flatten", "global", "reshape_back"]


@dataclasses.dataclass(frozen=True)
class Plan:
  """How a network is built.

  Attributes:
    steps: list of (name, three numbers).
    head: how images become vectors.
    is_sequential: whether it is a Sequential of the steps on one tensor.
    seed: of weights, masks and inputs.
  """

  steps: list
  head: str
  is_sequential: bool
  seed: int


@st.composite
def plans(draw, most=7):
  """Plans of at most so many steps."""
  is_sequential = draw(st.booleans())
  names = st.sampled_from(ONE if is_sequential else ONE + BRANCHING + TWO)
  numbers = st.tuples(*[st.integers(0, 5)] * 3)
  steps = draw(st.lists(st.tuples(names, numbers), min_size=2, max_size=most))
  return Plan(steps, draw(st.sampled_from(HEADS)), is_sequential, draw(st.integers(0, 999)))


def built(k, plan):
  """The network of a plan, with random weights and statistics."""
  k.utils.set_random_seed(plan.seed)
  image = k.Input((6, 6, 3), name="image")
  if plan.is_sequential:
    model = k.Sequential([image], name="net")
    model.add(k.layers.Conv2D(4, 3, padding="same", name="stem"))
    for number, (name, numbers) in enumerate(plan.steps):
      model.add(_layer(k, name, numbers, f"{number}_{name}", model.outputs[0]))
    for layer in _head(k, plan.head, model.outputs[0].shape):
      model.add(layer)
  else:
    tensors = [k.layers.Conv2D(4, 3, padding="same", name="stem")(image)]
    for number, (name, numbers) in enumerate(plan.steps):
      tensors.append(_step(k, name, numbers, f"{number}_{name}", tensors))
    x = tensors[-1]
    for layer in _head(k, plan.head, x.shape):
      x = layer(x)
    model = k.Model(image, x, name="net")
  randomise(model, plan.seed)
  return model


def randomise(model, seed):
  """Random scales, offsets and statistics, so that every weight matters."""
  rng = np.random.default_rng(seed)
  for path, variable in _sites.weights(model).items():
    name, shape = path.rpartition("/")[2], tuple(variable.shape)
    if name in ("moving_variance", "gamma"):
      variable.assign(rng.uniform(0.5, 1.5, shape))
    elif name in ("beta", "moving_mean", "bias"):
      variable.assign(rng.normal(0, 0.3, shape))
    elif name == "alpha":
      variable.assign(rng.uniform(0.1, 0.9, shape))


def _layer(k, name, numbers, called, x):
  """A layer of one tensor."""
  layers, (a, b, c) = k.layers, numbers
  width, channels = x.shape[1], x.shape[-1]
  activation = [None, "relu", "tanh", "swish", "relu", None][c]
  made = {
    "conv": lambda: layers.Conv2D(
      2 + a, 1 + b % 3, padding="same", use_bias=c > 1, activation=activation, name=called
    ),
    "grouped": lambda: layers.Conv2D(
      channels * (1 + a % 2), 1, groups=2 - channels % 2, activation=activation, name=called
    ),
    "depthwise": lambda: layers.DepthwiseConv2D(
      3, padding="same", depth_multiplier=1 + a % 2, activation=activation, name=called
    ),
    "depthwise_by_groups": lambda: layers.Conv2D(
      channels * (1 + a % 2), 1, groups=channels, use_bias=b > 2, name=called
    ),
    "separable": lambda: layers.SeparableConv2D(
      2 + a, 3, padding="same", depth_multiplier=1 + b % 2, activation=activation, name=called
    ),
    "transposed": lambda: layers.Conv2DTranspose(2 + a, 2, strides=1 + b % 2, name=called),
    "norm": lambda: layers.BatchNormalization(center=a > 1, name=called),
    "norm_without_scale": lambda: layers.BatchNormalization(scale=False, center=a > 1, name=called),
    "layer_norm": lambda: layers.LayerNormalization(center=a > 1, name=called),
    "relu": lambda: layers.ReLU(name=called),
    "swish": lambda: layers.Activation("swish", name=called),
    "prelu": lambda: layers.PReLU(shared_axes=[1, 2] if a > 2 else None, name=called),
    "leaky": lambda: layers.LeakyReLU(name=called),
    "pool": lambda: layers.MaxPooling2D(1 + (width > 2), padding="same", name=called),
    "average": lambda: layers.AveragePooling2D(2, 1, padding="same", name=called),
    "up": lambda: layers.UpSampling2D(1 + (width < 7), name=called),
    "pad": lambda: layers.ZeroPadding2D(1, name=called),
    "crop": lambda: layers.Cropping2D(((0, int(width > 3)), (0, 0)), name=called),
    "drop": lambda: layers.Dropout(0.5, name=called),
  }
  return made[name]()


def _step(k, name, numbers, called, tensors):
  """A tensor made of the last one, or of it and of one before."""
  layers, x = k.layers, tensors[-1]
  if name == "sum_with_conv":
    branch = layers.Conv2D(x.shape[-1], 3, padding="same", name=f"{called}_conv")(x)
    branch = layers.BatchNormalization(name=f"{called}_bn")(branch)
    return layers.Add(name=called)([x, branch])
  if name == "gate":
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{called}_pool")(x)
    gate = layers.Conv2D(1 + numbers[0], 1, activation="relu", name=f"{called}_in")(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{called}_out")(gate)
    return layers.Multiply(name=called)([x, gate])
  if name == "scaled":
    return x * 0.5 + x
  if name not in TWO:
    return _layer(k, name, numbers, called, x)(x)
  return _join(k, name, numbers, called, tensors)


def _join(k, name, numbers, called, tensors):
  layers, x = k.layers, tensors[-1]
  alike = [t for t in tensors if tuple(t.shape)[:3] == tuple(x.shape)[:3]]
  other = alike[numbers[0] % len(alike)]
  if name == "concatenate":
    return layers.Concatenate(name=called)([x, other])
  if other.shape[-1] != x.shape[-1] or (name == "subtract" and other is x):  # x - x is always 0
    other = layers.Conv2D(x.shape[-1], 1, name=f"{called}_fit")(other)
  kinds = {
    "add": layers.Add,
    "multiply": layers.Multiply,
    "maximum": layers.Maximum,
    "subtract": layers.Subtract,
    "average_of": layers.Average,
    "stack": lambda name: layers.Concatenate(axis=1, name=name),
  }
  return kinds[name](name=called)([x, other])


def _head(k, name, shape):
  """Layers from images to logits."""
  layers = k.layers
  start = {
    "flatten": [layers.Flatten(name="flat")],
    "global": [layers.GlobalAveragePooling2D(name="global")],
    "reshape_back": [
      layers.Reshape((-1, int(shape[-1])), name="list"),
      layers.Dense(4, name="tokens"),
      layers.Flatten(name="flat"),
    ],
  }[name]
  hidden = [layers.Dense(5, "swish", name="hidden"), layers.LayerNormalization(name="last_norm")]
  return [*start, *hidden, layers.Dense(3, name="logits")]
