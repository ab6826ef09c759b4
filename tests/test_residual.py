"""Wide residual networks, and ResNet-50."""

import keras
import numpy as np
import pytest
import tf_keras
from builders import KERASES

from tflottery import site
from tflottery.experiments import models
from tflottery.experiments.low_precision import policy

# By hand: the first convolution; of each stage the first block with its shortcut, and the others.
_CONV = 9 * 3 * 16
_OF_10_2 = (
  9 * (16 * 32 + 32 * 32) + 16 * 32
  + 9 * (32 * 64 + 64 * 64) + 32 * 64
  + 9 * (64 * 128 + 128 * 128) + 64 * 128
)  # fmt: skip
_MORE_BLOCKS = 9 * 2 * (32**2 + 64**2 + 128**2)  # one more in each stage


def build(name, k, input_shape=(32, 32, 3), classes=10, **kwargs):
  return models.build(name, k=k, input_shape=input_shape, classes=classes, **kwargs)


def kernels(model):
  return sum(np.prod(site.shape) for site in site.sites(model).values())


@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize(
  ("name", "count"),
  [
    ("wide_resnet_10_2", _CONV + _OF_10_2 + 128 * 10),
    ("wide_resnet_22_2", _CONV + _OF_10_2 + 2 * _MORE_BLOCKS + 128 * 10),
  ],
)
def test_kernels_have_as_many_weights_as_counted_by_hand(k, name, count):
  model = build(name, k)
  assert kernels(model) == count
  assert model.output_shape == (None, 10)


@pytest.mark.slow
def test_the_widest_has_36_479_194_parameters_that_train(k):
  model = build("wide_resnet_28_10", k)
  assert sum(np.prod(w.shape) for w in model.trainable_weights) == 36_479_194


def test_names_are_the_same_on_both_kerases():
  names = [[layer.name for layer in build("wide_resnet_10_2", k).layers] for k in (keras, tf_keras)]
  assert names[0] == names[1]
  assert names[0][0] == "image" and names[0][-1] == "output"
  assert sum(name.endswith("shortcut_conv") for name in names[0]) == 3, "one in each stage"


@pytest.mark.parametrize("k", KERASES)
def test_a_block_adds_to_its_input_what_comes_of_batch_norm_relu_and_convolution_twice(k):
  model = build("wide_resnet_22_2", k, (8, 8, 3))
  into, add = model.get_layer("stage2_block1_add"), model.get_layer("stage2_block2_add")
  part = k.Model(into.output, add.output)
  for conv in (1, 2):
    layer = model.get_layer(f"stage2_block2_conv{conv}")
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
  x = np.random.default_rng(0).normal(size=(1, 4, 4, 64)).astype(np.float32)
  np.testing.assert_array_equal(
    np.asarray(part(x)), x
  )  # negative values too: no ReLU after the sum


def test_width_multiplies_all_hidden_filters():
  model = build("wide_resnet_10_2", keras, width=0.25)
  shapes = {path: site.shape for path, site in site.sites(model).items()}
  assert shapes["conv/kernel"] == (3, 3, 3, 4)
  assert shapes["stage3_block1_conv2/kernel"] == (3, 3, 32, 32)


@pytest.fixture(scope="module")
def small():
  """ResNet-50 of Keras 3, for 7 classes, in mixed precision."""
  with policy(keras, "mixed_bfloat16"):
    return build("resnet_50", keras, (32, 32, 3), 7)


def test_resnet_50_has_a_kernel_for_every_one_of_its_layers(small):
  found = site.sites(small)
  assert len(found) == 54  # 50, and the shortcut of each stage
  # 23,454,912 of convolutions, counted by hand from table 1 of the paper
  assert kernels(small) == _convolutions_of_resnet_50() + 2048 * 7
  assert small.layers[0].name == "image" and small.layers[-1].name == "output"


def _convolutions_of_resnet_50():
  count, channels = 49 * 3 * 64, 64
  for blocks, filters in zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True):
    first = channels * filters + 9 * filters**2 + 4 * filters**2 + channels * 4 * filters
    other = 4 * filters**2 + 9 * filters**2 + 4 * filters**2
    count, channels = count + first + (blocks - 1) * other, 4 * filters
  return count


def test_its_logits_are_float32_under_mixed_precision(small):
  assert small.get_layer("conv1_conv").compute_dtype == "bfloat16"
  assert small.get_layer("output").compute_dtype == "float32"
  logits = small(np.zeros((2, 32, 32, 3), np.float32))
  assert (logits.shape, logits.dtype) == ((2, 7), "float32")


@pytest.mark.slow
def test_resnet_50_is_that_of_keras_applications_with_the_same_names_on_both(k):
  model = build("resnet_50", k, (64, 64, 3), 1000)
  assert model.count_params() == 25_636_712
  other = k.applications.ResNet50(weights=None, classifier_activation=None, input_shape=(64, 64, 3))
  assert [layer.name for layer in model.layers][1:-1] == [layer.name for layer in other.layers][
    1:-1
  ]
  other.set_weights(model.get_weights())
  x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
  np.testing.assert_array_equal(np.asarray(other(x)), np.asarray(model(x)))


@pytest.mark.slow
def test_the_paths_of_resnet_50_are_the_same_on_both():
  one, other = (list(site.weights(build("resnet_50", k))) for k in (keras, tf_keras))
  assert one == other


def test_a_width_is_refused_by_name():
  with pytest.raises(ValueError, match=r"'resnet_50' has no width=0\.5.*wide_resnet_22_2"):
    build("resnet_50", keras, width=0.5)


def test_images_that_are_too_small_are_refused():
  with pytest.raises(ValueError, match=r"resnet_50 .*\(28, 28, 1\).*32x32 or more"):
    build("resnet_50", keras, (28, 28, 1))
