"""The papers' networks, and `module:function` for a network of one's own.

Each network of `MODELS` is a function (k, input_shape, classes, width=1.0) -> uncompiled model, where
`k` is the module `keras` or `tf_keras`, and the units and filters of its hidden layers are multiplied
by `width`; layers have the same names and shapes on both. All end in logits. The networks of Frankle and Carbin are in The Lottery Ticket Hypothesis, ICLR 2019,
arXiv:1803.03635, figure 2.

Departs: Keras draws "normal" initial weights from a normal distribution cut at two standard
deviations and widened to the variance asked for; the papers' normals are not cut.
"""

import importlib
import inspect

from tflottery.experiments import residual, transformer

HIDDEN = 100  # units of affine_relu_affine at width 1


def lenet_300_100(k, input_shape, classes, width=1.0):
  """LeNet-300-100: 266,200 weights in its kernels on 28x28x1 images."""
  image = k.Input(input_shape, name="image")
  x = k.layers.Flatten(name="flatten")(image)
  for i, units in enumerate([300, 100], start=1):
    x = _dense(k, _wide(units, width), f"fc{i}", "glorot_normal", activation="relu")(x)
  return k.Model(image, _output(k, classes, "glorot_normal")(x), name="lenet_300_100")


def affine_relu_affine(k, input_shape, classes, width=1.0):
  """One hidden layer of 100 ReLUs between two dense layers, whose decision boundary can be drawn."""
  image = k.Input(input_shape, name="image")
  x = k.layers.Flatten(name="flatten")(image)
  x = _dense(k, _wide(HIDDEN, width), "hidden", "glorot_normal", activation="relu")(x)
  return k.Model(image, _output(k, classes, "glorot_normal")(x), name="affine_relu_affine")


def conv_2(k, input_shape, classes, width=1.0):
  """Conv-2: 4,300,992 weights in its kernels on 32x32x3 images."""
  return _conv_net("conv_2", k, input_shape, classes, width, filters=[64])


def conv_4(k, input_shape, classes, width=1.0):
  """Conv-4: 2,425,024 weights in its kernels on 32x32x3 images."""
  return _conv_net("conv_4", k, input_shape, classes, width, filters=[64, 128])


def conv_6(k, input_shape, classes, width=1.0):
  """Conv-6: 2,261,184 weights in its kernels on 32x32x3 images."""
  return _conv_net("conv_6", k, input_shape, classes, width, filters=[64, 128, 256])


def resnet_8(k, input_shape, classes, width=1.0):
  """ResNet-8: as ResNet-20, with one block in each stage; 78,042 parameters."""
  return _resnet("resnet_8", k, input_shape, classes, width, blocks=1)


def resnet_20(k, input_shape, classes, width=1.0):
  """ResNet-20 for CIFAR: three stages of three blocks, 16-32-64 filters, 272,474 parameters.

  He et al., Deep Residual Learning, CVPR 2016, arXiv:1512.03385, section 4.2.

  Departs: where a block halves the image its shortcut is a 1x1 convolution with batch
  normalisation (as in open_lth), not a padded identity.
  """
  return _resnet("resnet_20", k, input_shape, classes, width, blocks=3)


def vgg_16(k, input_shape, classes, width=1.0):
  """VGG-16 with batch normalisation and one dense layer: 14.7 M parameters."""
  return _vgg("vgg_16", k, input_shape, classes, width, depths=[2, 2, 3, 3, 3])


def vgg_19(k, input_shape, classes, width=1.0):
  """VGG-19 with batch normalisation and one dense layer: 20.0 M parameters."""
  return _vgg("vgg_19", k, input_shape, classes, width, depths=[2, 2, 4, 4, 4])


MODELS = {
  "lenet_300_100": lenet_300_100,
  "affine_relu_affine": affine_relu_affine,
  "conv_2": conv_2,
  "conv_4": conv_4,
  "conv_6": conv_6,
  "resnet_8": resnet_8,
  "resnet_20": resnet_20,
  "vgg_16": vgg_16,
  "vgg_19": vgg_19,
  **residual.MODELS,
  **transformer.MODELS,
}

FLAT = ("lenet_300_100", "affine_relu_affine")  # those that take examples of any shape


def build(name, *, k, input_shape, classes, width=1.0):
  """Build the network `name`, uncompiled; its weights come from `k.utils.set_random_seed`.

  Args:
    name: a key of `MODELS`, or `"module:function"` for a function of one's own that returns a
      model; it is called with those of the keywords `input_shape` and `classes` that it accepts, and
      with `width` where that is not 1.
    k: the module `keras` or `tf_keras`.
    input_shape: (height, width, channels), or (2,) of points in the plane, or (source length, target
      length) of pairs of sequences.
    classes: number of logits; of sequences, size of the vocabulary.
    width: what the units and filters of the hidden layers are multiplied by, above 0; each layer
      keeps at least one.

  Raises:
    ValueError: the network is unknown, for images where there are points or sequences, too deep for the images, of
      the other Keras, or one of one's own that has no width to change.

  >>> import keras
  >>> build("lenet_300_100", k=keras, input_shape=(28, 28, 1), classes=10).count_params()
  266610
  """
  if ":" in name:
    keywords = {"input_shape": input_shape, "classes": classes}
    return _own_model(name, k, keywords | ({"width": width} if width != 1 else {}))
  if name not in MODELS:
    raise ValueError(
      f"unknown model {name!r}: give one of {', '.join(MODELS)}, or 'module:function' for a"
      " function of your own that returns a model"
    )
  takes_pairs = name in transformer.MODELS
  if takes_pairs != (len(input_shape) == 2):
    raise ValueError(
      f"model {name!r} takes {'pairs of sequences' if takes_pairs else 'images'}, and the examples have"
      f" the shape {tuple(input_shape)}: give {' or '.join(transformer.MODELS)} for pairs of sequences"
      " alone"
    )
  if len(input_shape) not in (2, 3) and name not in FLAT:
    raise ValueError(
      f"model {name!r} takes images, and the examples have the shape {tuple(input_shape)}: give"
      f" {' or '.join(FLAT)}, or a network of your own as 'module:function'"
    )
  return MODELS[name](k, input_shape, classes, width)


def _own_model(name, k, keywords):
  module_name, _, function_name = name.partition(":")
  try:
    module = importlib.import_module(module_name)
  except ModuleNotFoundError as error:
    if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
      raise  # the module is there; something that it imports is not
    raise ValueError(f"model {name!r}: there is no module {module_name!r}") from error
  function = getattr(module, function_name, None)
  if not callable(function):
    raise ValueError(f"model {name!r}: {module_name!r} has no function {function_name!r}")
  parameters = inspect.signature(function).parameters
  takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
  if "width" in keywords and not takes_all and "width" not in parameters:
    raise ValueError(
      f"model {name!r} can't be made narrower: give the function an argument width, what its hidden"
      " layers' units and filters are multiplied by"
    )
  model = function(**{n: v for n, v in keywords.items() if takes_all or n in parameters})
  if not isinstance(model, k.Model):
    kind = type(model)
    raise ValueError(
      f"model {name!r} returned a {kind.__module__}.{kind.__qualname__}, which is no model of"
      f" {k.__name__}: build it with {k.__name__}, or run with the other Keras"
    )
  return model


def _wide(units, width):
  """So many units or filters at this width."""
  return max(1, round(units * width))


def _dense(k, units, name, initializer, **kwargs):
  # By name: one unseeded initializer object would give equal weights wherever it is used again.
  return k.layers.Dense(units, kernel_initializer=initializer, name=name, **kwargs)


def _output(k, classes, initializer):
  # Logits stay float32 under mixed precision: a loss in float16 overflows.
  return _dense(k, classes, "output", initializer, dtype="float32")


def _require_size(name, input_shape, pools):
  if min(input_shape[:2]) < 2**pools:
    raise ValueError(
      f"{name} halves its images {pools} times, so input_shape={tuple(input_shape)} is too small:"
      f" give images of {2**pools}x{2**pools} or more, or a network without pooling"
      " (lenet_300_100, resnet_8, resnet_20)"
    )


def _conv_net(name, k, input_shape, classes, width, filters):
  """Pairs of 3x3 convolutions, each pair with a 2x2 max-pool, and dense layers 256-256."""
  _require_size(name, input_shape, len(filters))
  image = x = k.Input(input_shape, name="image")
  for i, count in enumerate(filters, start=1):
    for conv in (2 * i - 1, 2 * i):
      x = k.layers.Conv2D(
        _wide(count, width),
        3,
        padding="same",
        activation="relu",
        kernel_initializer="glorot_normal",
        name=f"conv{conv}",
      )(x)
    x = k.layers.MaxPooling2D(2, name=f"pool{i}")(x)
  x = k.layers.Flatten(name="flatten")(x)
  for i in (1, 2):
    x = _dense(k, _wide(256, width), f"fc{i}", "glorot_normal", activation="relu")(x)
  return k.Model(image, _output(k, classes, "glorot_normal")(x), name=name)


def _vgg(name, k, input_shape, classes, width, depths):
  """Five groups of 3x3 convolutions with a 2x2 max-pool between them, then a global average."""
  _require_size(name, input_shape, len(depths) - 1)
  image = x = k.Input(input_shape, name="image")
  conv = 0
  for group, (depth, filters) in enumerate(
    zip(depths, [64, 128, 256, 512, 512], strict=True), start=1
  ):
    if group > 1:
      x = k.layers.MaxPooling2D(2, name=f"pool{group - 1}")(x)
    for _ in range(depth):
      conv += 1
      x = _conv_bn_relu(k, x, _wide(filters, width), f"conv{conv}", f"bn{conv}", f"relu{conv}")
  x = k.layers.GlobalAveragePooling2D(name="pool")(x)
  return k.Model(image, _output(k, classes, "he_normal")(x), name=name)


def _resnet(name, k, input_shape, classes, width, blocks):
  """Three stages of so many blocks, of 16, 32 and 64 filters, then a global average."""
  image = k.Input(input_shape, name="image")
  widths = [_wide(filters, width) for filters in (16, 32, 64)]
  x = _conv_bn_relu(k, image, widths[0], "conv", "bn", "relu")
  for stage, filters in enumerate(widths, start=1):
    for block in range(1, blocks + 1):
      strides = 2 if stage > 1 and block == 1 else 1
      x = _residual(k, x, filters, strides, f"stage{stage}_block{block}_")
  x = k.layers.GlobalAveragePooling2D(name="pool")(x)
  return k.Model(image, _output(k, classes, "he_normal")(x), name=name)


def _residual(k, x, filters, strides, prefix):
  y = _conv_bn_relu(
    k, x, filters, f"{prefix}conv1", f"{prefix}bn1", f"{prefix}relu1", strides=strides
  )
  y = _conv_bn(k, y, filters, f"{prefix}conv2", f"{prefix}bn2")
  if strides != 1:
    x = _conv_bn(
      k, x, filters, f"{prefix}shortcut_conv", f"{prefix}shortcut_bn", size=1, strides=strides
    )
  x = k.layers.Add(name=f"{prefix}add")([x, y])
  return k.layers.ReLU(name=f"{prefix}relu2")(x)


def _conv_bn_relu(k, x, filters, conv, bn, relu, **kwargs):
  return k.layers.ReLU(name=relu)(_conv_bn(k, x, filters, conv, bn, **kwargs))


def _conv_bn(k, x, filters, conv, bn, size=3, strides=1):
  x = k.layers.Conv2D(
    filters,
    size,
    strides=strides,
    padding="same",
    use_bias=False,
    kernel_initializer="he_normal",
    name=conv,
  )(x)
  return k.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=bn)(x)
