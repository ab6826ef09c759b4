"""slim on keras.applications: it computes what the model does whose masked channels are 0."""

import graphs
import keras
import numpy as np
import pytest
import tf_keras

from tflottery import site as _sites
from tflottery import structured

NAMES = [
  *["VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "MobileNetV3Small"],
  *["DenseNet121", "InceptionV3", "Xception", "InceptionResNetV2", "EfficientNetB0"],
  *["EfficientNetV2B0", "NASNetMobile", "ConvNeXtTiny", "RegNetX002", "RegNetY002", "ResNetRS50"],
]
AVAILABLE = [
  pytest.param(k, name, id=f"{k.__name__}-{name}")
  for k in (keras, tf_keras)
  for name in NAMES
  if hasattr(k.applications, name)  # tf_keras has more
]


def randomised(k, name):
  """A model with random scales and offsets, and images for it."""
  size = 96 if name in ("InceptionV3", "Xception", "InceptionResNetV2") else 64
  k.utils.set_random_seed(0)
  shape = (size, size, 3)
  model = getattr(k.applications, name)(
    weights=None, input_shape=shape, classes=10, classifier_activation=None
  )
  graphs.randomise(model, 0)
  for _, layer, _ in _sites.layers(model):
    if type(layer).__name__ == "LayerScale":
      layer.gamma.assign(np.random.default_rng(0).uniform(0.5, 1.5, layer.gamma.shape))
    if name == "VGG16" and hasattr(layer, "kernel"):
      layer.kernel.assign(2 * _sites.value(layer.kernel))  # nothing normalises what goes through it
  return model, np.random.default_rng(1).normal(0, 60, size=(8, *shape)).astype("float32")


def calibrate(k, model, images):
  """Moving statistics as they are in these images."""
  normalisations = [
    layer for _, layer, _ in _sites.layers(model) if isinstance(layer, k.layers.BatchNormalization)
  ]
  momenta = [layer.momentum for layer in normalisations]
  for layer in normalisations:
    layer.momentum = 0.0
  model(images, training=True)
  for layer, momentum in zip(normalisations, momenta, strict=True):
    layer.momentum = momentum
    variance = _sites.value(layer.moving_variance)
    layer.moving_variance.assign(np.where(variance == 0, 1, variance))  # of channels that are 0 now


def half_of_every_group(found):
  """Masks of all sites that have channels to remove: a random half of each group."""
  rng = np.random.default_rng(2)
  gone = [
    one
    for group in found
    if group.reason is None
    for one in rng.permutation(group.classes)[: len(group.classes) // 2]
  ]
  masks = {path: ~np.isin(found.classes(path), gone) for path in found.sites}
  return {path: mask for path, mask in masks.items() if not mask.all()}


def zero(model, masks):
  """Zeros where the masks say, and in normalisations without a scale that follow a masked kernel."""
  weights = _sites.weights(model)

  def write(variable, mask):
    value = _sites.value(variable)
    mask = mask if value.shape[-1] == len(mask) else mask.reshape(value.shape[-2:])
    variable.assign(np.where(mask, value, 0))

  for path, mask in masks.items():
    layer, _, name = path.rpartition("/")
    offset = weights.get(f"{layer}/bias" if name.endswith("kernel") else f"{layer}/beta")
    for variable in (weights[path], offset):
      if variable is not None:
        write(variable, mask)
  for _, layer, _ in _sites.layers(model):
    if hasattr(layer, "moving_mean") and layer.gamma is None:
      history = layer.input._keras_history
      mask = masks.get(f"{history[0].name}/kernel")
      if mask is not None:
        write(layer.moving_mean, mask)
        write(layer.beta, mask)


def check(k, name):
  model, images = randomised(k, name)
  masks = half_of_every_group(structured.groups(model))
  trained = {path: _sites.value(v) for path, v in _sites.weights(model).items() if v.trainable}
  zero(model, masks)
  calibrate(k, model, images)  # so that half the channels still move the outputs
  zero(model, masks)
  expected = np.array(model(images[:2]))
  for path, value in trained.items():
    _sites.weights(model)[path].assign(value)
  size, spread = abs(expected).max(), abs(expected[0] - expected[1]).max()
  assert spread > 0.02 * size, (spread, size)
  assert abs(np.array(model(images[:2])) - expected).max() > 0.1 * spread
  small = structured.slim(model, masks)
  np.testing.assert_allclose(np.array(small(images[:2])), expected, rtol=0, atol=1e-5 * size)
  assert small.count_params() < 0.35 * model.count_params()


@pytest.mark.slow
@pytest.mark.parametrize(("kerases", "name"), AVAILABLE)
def test_half_the_channels_of_every_group_can_go(kerases, name):
  check(kerases, name)
