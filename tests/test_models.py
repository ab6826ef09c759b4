import doctest
import sys
import types

import keras
import numpy as np
import pytest
import tf_keras

from tflottery.experiments import models

KERASES = pytest.mark.parametrize("k", [keras, tf_keras], ids=lambda k: k.__name__)


def build(name, k, input_shape=(32, 32, 3)):
  return models.build(name, k=k, input_shape=input_shape, classes=10)


def kernels(model):
  return {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}


@KERASES
@pytest.mark.parametrize(
  ("name", "input_shape", "count"),
  [
    ("lenet_300_100", (28, 28, 1), 266_200),
    ("conv_2", (32, 32, 3), 4_300_992),
    ("conv_4", (32, 32, 3), 2_425_024),
    ("conv_6", (32, 32, 3), 2_261_184),
    ("resnet_20", (32, 32, 3), 270_896),
    ("vgg_16", (32, 32, 3), 14_715_584),
    ("vgg_19", (32, 32, 3), 20_024_000),
  ],
)
def test_kernels_have_as_many_weights_as_the_papers_say(k, name, input_shape, count):
  model = build(name, k, input_shape)
  assert sum(np.prod(kernel.shape) for kernel in kernels(model).values()) == count
  assert model.output_shape == (None, 10)


def test_resnet_20_has_272474_trainable_parameters():
  weights = build("resnet_20", keras).trainable_weights
  assert sum(np.prod(weight.shape) for weight in weights) == 272_474


@pytest.mark.parametrize("name", ["lenet_300_100", "conv_6", "resnet_20", "vgg_16"])
def test_layers_have_the_same_names_on_both_kerases(name):
  names = [[layer.name for layer in build(name, k).layers] for k in (keras, tf_keras)]
  assert names[0] == names[1]
  assert names[0][0] == "image" and names[0][-1] == "output"


def test_shortcuts_are_convolutions_only_where_the_image_is_halved():
  names = [layer.name for layer in build("resnet_20", keras).layers]
  assert [name for name in names if name.endswith("shortcut_conv")] == [
    "stage2_block1_shortcut_conv",
    "stage3_block1_shortcut_conv",
  ]


@KERASES
def test_lenet_starts_from_glorot_normal_kernels_and_zero_biases(k):
  k.utils.set_random_seed(0)
  model = build("lenet_300_100", k, (28, 28, 1))
  for layer in model.layers[2:]:
    values = np.asarray(layer.kernel)
    assert np.std(values) == pytest.approx(np.sqrt(2 / sum(values.shape)), rel=0.05)
    # A normal distribution cut at two deviations reaches 2.27 of the remaining one, a uniform 1.73.
    assert np.abs(values).max() / np.std(values) > 2
    assert not np.any(layer.bias)


@KERASES
def test_deep_networks_start_from_he_normal_kernels(k):
  k.utils.set_random_seed(0)
  kernel = np.asarray(build("resnet_20", k).get_layer("stage3_block3_conv2").kernel)
  assert np.std(kernel) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)


@KERASES
def test_equal_seeds_give_equal_weights_and_other_seeds_others(k):
  def weights(seed):
    k.utils.set_random_seed(seed)
    return np.asarray(build("lenet_300_100", k, (8, 8, 1)).get_layer("fc1").kernel)

  first = weights(1)
  np.testing.assert_array_equal(first, weights(1))
  assert np.mean(first == weights(2)) < 0.01


@KERASES
def test_layers_of_one_shape_start_from_different_weights(k):
  model = build("resnet_20", k)
  first, second = (np.asarray(model.get_layer(f"stage1_block1_conv{i}").kernel) for i in (1, 2))
  assert np.mean(first == second) < 0.01


@KERASES
@pytest.mark.parametrize("name", ["lenet_300_100", "conv_2", "conv_4", "conv_6", "resnet_20"])
def test_networks_take_images_of_8x8(k, name):
  logits = build(name, k, (8, 8, 1))(np.zeros((2, 8, 8, 1), np.float32))
  assert logits.shape == (2, 10)


@pytest.mark.parametrize("name", ["conv_6", "resnet_20", "vgg_16"])
def test_networks_take_images_of_28x28(name):
  assert build(name, keras, (28, 28, 1)).output_shape == (None, 10)


@KERASES
def test_images_that_pooling_would_consume_are_refused(k):
  with pytest.raises(ValueError, match=r"vgg_16 .*\(8, 8, 1\).* 16x16 or more"):
    build("vgg_16", k, (8, 8, 1))
  assert build("vgg_16", k, (16, 16, 1)).output_shape == (None, 10)


@KERASES
def test_logits_stay_float32_under_mixed_precision(k):
  k.mixed_precision.set_global_policy("mixed_float16")
  try:
    model = build("lenet_300_100", k, (8, 8, 1))
  finally:
    k.mixed_precision.set_global_policy("float32")
  assert model.get_layer("fc1").compute_dtype == "float16"
  assert model.get_layer("output").compute_dtype == "float32"


def test_an_unknown_name_lists_the_known_ones():
  with pytest.raises(
    ValueError, match=r"'lenet5'.*lenet_300_100, affine_relu_affine, conv_2.*'module:function'"
  ):
    build("lenet5", keras)


def test_points_are_refused_by_networks_of_images():
  with pytest.raises(ValueError, match=r"'conv_2' takes images.*\(2,\): give lenet_300_100 or aff"):
    build("conv_2", keras, (2,))
  for name in models.FLAT:
    assert build(name, keras, (2,)).input_shape == (None, 2)


@pytest.fixture
def own(monkeypatch):
  module = types.ModuleType("own_networks")
  monkeypatch.setitem(sys.modules, "own_networks", module)
  return module


@KERASES
def test_a_function_of_ones_own_gets_the_keywords_that_it_accepts(own, k):
  def network(classes):
    return k.Sequential([k.Input((4,)), k.layers.Dense(classes)])

  def greedy(**kwargs):
    assert kwargs == {"input_shape": (32, 32, 3), "classes": 10}
    return network(kwargs["classes"])

  own.network, own.plain, own.greedy = network, lambda: network(3), greedy
  assert build("own_networks:network", k).output_shape == (None, 10)
  assert build("own_networks:plain", k).output_shape == (None, 3)
  assert build("own_networks:greedy", k).output_shape == (None, 10)


def test_a_missing_module_and_a_missing_function_are_told_apart(own):
  with pytest.raises(ValueError, match="no module 'no_such_networks'"):
    build("no_such_networks:network", keras)
  with pytest.raises(ValueError, match=r"no module 'tflottery\.no_such'"):
    build("tflottery.no_such:network", keras)
  with pytest.raises(ValueError, match="'own_networks' has no function 'network'"):
    build("own_networks:network", keras)


def test_an_import_that_fails_inside_the_module_is_shown_as_it_is(tmp_path, monkeypatch):
  (tmp_path / "half_networks.py").write_text("import no_such_dependency\n")
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
    build("half_networks:network", keras)


@pytest.mark.parametrize(("k", "other"), [(keras, tf_keras), (tf_keras, keras)])
def test_a_model_of_the_other_keras_is_refused(own, k, other):
  own.network = lambda: other.Sequential([other.layers.Dense(1)])
  with pytest.raises(
    ValueError, match=rf"returned a {other.__name__}\.src.*no model of {k.__name__}:"
  ):
    build("own_networks:network", k)


def test_the_examples_of_the_docstrings_hold():
  assert doctest.testmod(models).failed == 0
