"""Residual networks beside those for CIFAR of He et al.: wide ones, and ResNet-50.

The functions are those of `models.MODELS`: (k, input_shape, classes, width=1.0) -> uncompiled model.
"""

_SMALLEST = 32  # pixels a side: ResNet-50 halves its images five times


def wide_resnet_10_2(k, input_shape, classes, width=1.0):
  """WRN-10-2: one block in each stage, for two cores; 302,768 weights in its kernels on CIFAR-10."""
  return _wide_resnet("wide_resnet_10_2", k, input_shape, classes, width, depth=10, factor=2)


def wide_resnet_22_2(k, input_shape, classes, width=1.0):
  """WRN-22-2, RigL's network on CIFAR-10 (arXiv:1911.11134): 1.1 M parameters."""
  return _wide_resnet("wide_resnet_22_2", k, input_shape, classes, width, depth=22, factor=2)


def wide_resnet_28_10(k, input_shape, classes, width=1.0):
  """WRN-28-10, the paper's largest without dropout: 36.5 M parameters."""
  return _wide_resnet("wide_resnet_28_10", k, input_shape, classes, width, depth=28, factor=10)


def resnet_50(k, input_shape, classes, width=1.0):
  """ResNet-50 for ImageNet, that of `keras.applications`: 25.6 M parameters for 1,000 classes.

  He et al., Deep Residual Learning, CVPR 2016, arXiv:1512.03385, section 4.1. The names of the layers are
  those of `keras.applications` but for the first and the last, which are "image" and "output"; its
  pretrained weights can be put in layer by layer.

  Departs: Keras's convolutions have biases although batch normalisation follows, whose momentum is
  0.99; where a stage halves the image, its first 1x1 convolution has the strides (as in the paper, not in
  later codes); every residual branch's last gamma begins at 1.

  Raises:
    ValueError: `width` is not 1, or the images have fewer than 32 pixels a side.
  """
  if width != 1:
    raise ValueError(
      f"model 'resnet_50' has no width={width!r}: it is that of keras.applications. Give 1, or "
      "a network whose width can be changed, as wide_resnet_22_2."
    )
  if len(input_shape) != 3 or min(input_shape[:2]) < _SMALLEST:
    raise ValueError(
      f"resnet_50 halves its images 5 times, so input_shape={tuple(input_shape)} is too small: give images "
      f"of {_SMALLEST}x{_SMALLEST} or more, or a network for small ones, as wide_resnet_22_2."
    )
  image = k.Input(input_shape, name="image")
  trunk = k.applications.ResNet50(
    weights=None, include_top=False, pooling="avg", input_tensor=image
  )
  return k.Model(image, _logits(k, classes, "glorot_uniform")(trunk.output), name="resnet_50")


MODELS = {
  "wide_resnet_10_2": wide_resnet_10_2,
  "wide_resnet_22_2": wide_resnet_22_2,
  "wide_resnet_28_10": wide_resnet_28_10,
  "resnet_50": resnet_50,
}


def _wide_resnet(name, k, input_shape, classes, width, *, depth, factor):
  """Three stages of (depth - 4) / 6 blocks of two convolutions, of 16, 32 and 64 times factor filters.

  Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016, arXiv:1605.07146, table 1. Batch
  normalisation and ReLU come before a convolution; where the number of filters or the size
  changes, the shortcut is a 1x1 convolution of what the first of them gives.

  Departs: no dropout between the convolutions of a block, which the paper uses in some runs.
  """
  filters = [max(1, round(count * width)) for count in (16, 16 * factor, 32 * factor, 64 * factor)]
  image = k.Input(input_shape, name="image")
  x = _convolution(k, filters[0], "conv")(image)
  for stage in (1, 2, 3):
    for block in range(1, (depth - 4) // 6 + 1):
      strides = 2 if stage > 1 and block == 1 else 1
      x = _block(k, x, filters[stage], strides, f"stage{stage}_block{block}_", widens=block == 1)
  x = k.layers.GlobalAveragePooling2D(name="pool")(_bn_relu(k, x, ""))
  return k.Model(image, _logits(k, classes, "he_normal")(x), name=name)


def _block(k, x, filters, strides, prefix, *, widens):
  y = _bn_relu(k, x, prefix, "1")
  if widens:
    x = _convolution(k, filters, f"{prefix}shortcut_conv", size=1, strides=strides)(y)
  y = _convolution(k, filters, f"{prefix}conv1", strides=strides)(y)
  y = _convolution(k, filters, f"{prefix}conv2")(_bn_relu(k, y, prefix, "2"))
  return k.layers.Add(name=f"{prefix}add")([x, y])


def _bn_relu(k, x, prefix, number=""):
  x = k.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{prefix}bn{number}")(x)
  return k.layers.ReLU(name=f"{prefix}relu{number}")(x)


def _convolution(k, filters, name, *, size=3, strides=1):
  return k.layers.Conv2D(
    filters,
    size,
    strides=strides,
    padding="same",
    use_bias=False,
    kernel_initializer="he_normal",
    name=name,
  )


def _logits(k, classes, initializer):
  # Logits stay float32 under mixed precision: a loss in float16 overflows.
  return k.layers.Dense(classes, kernel_initializer=initializer, name="output", dtype="float32")
