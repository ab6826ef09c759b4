"""Groups: which channels live or die together, and which are fixed, with the reason."""

import random

import numpy as np
import pytest
import tensorflow as tf

from tflottery import structured
from tflottery.experiments import models


def functional(k, *layers, channels=4):
  """A model of images whose layers are applied one after the other."""
  x = image = k.Input((6, 6, channels), name="image")
  for layer in layers:
    x = layer(x)
  return k.Model(image, x)


def lines(model, masks=None):
  return str(structured.groups(model, masks)).splitlines()


def test_what_a_layer_writes_and_what_the_next_one_reads_is_a_group(k):
  layers = [k.layers.Conv2D(3, 3, name="a"), k.layers.BatchNormalization(name="bn")]
  model = functional(k, *layers, k.layers.ReLU(), k.layers.Conv2D(2, 1, use_bias=False, name="b"))
  assert lines(model) == [
    "4 channels, fixed (input `image` of the model): a/kernel[2]",
    "3 channels: a/kernel[3] a/bias[0] bn/*[0] b/kernel[2]",
    "2 channels, fixed (output of the model): b/kernel[3]",
  ]


def test_a_sum_unites_what_it_adds(k):
  image = k.Input((6, 6, 4))
  left, right = (k.layers.Conv2D(3, 1, use_bias=False, name=name)(image) for name in "lr")
  model = k.Model(image, k.layers.Conv2D(2, 1, name="b")(k.layers.Add()([left, right])))
  assert "3 channels: l/kernel[3] r/kernel[3] b/kernel[2]" in lines(model)
  found = structured.groups(model)
  np.testing.assert_array_equal(found.classes("l/kernel"), found.classes("r/kernel"))


def test_each_channel_of_a_concatenation_keeps_its_own_class(k):
  image = k.Input((6, 6, 4))
  left, right = (
    k.layers.Conv2D(n, 1, use_bias=False, name=name)(image) for n, name in ((2, "l"), (1, "r"))
  )
  joined = k.layers.BatchNormalization(name="bn")(k.layers.Concatenate()([left, right]))
  found = structured.groups(k.Model(image, k.layers.Conv2D(2, 1, name="b")(joined)))
  parts = [*found.classes("l/kernel"), *found.classes("r/kernel")]
  assert list(found.classes("bn/gamma")) == parts
  assert len(set(parts)) == 3


def test_a_depthwise_convolution_gives_each_channel_so_many(k):
  name = "kernel" if k.__name__ == "keras" else "depthwise_kernel"
  layers = [k.layers.Conv2D(2, 1, use_bias=False, name="a")]
  layers.append(k.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="d"))
  model = functional(k, *layers, k.layers.Conv2D(2, 1, name="b"))
  assert f"2 channels: a/kernel[3] d/{name}[2] b/kernel[2] x2" in lines(model)
  found = structured.groups(model)
  first, second = found.classes("a/kernel")
  assert list(found.classes(f"d/{name}")) == [first, first, second, second]


def test_channel_j_of_every_convolution_group_goes_together(k):
  layers = [k.layers.Conv2D(4, 1, use_bias=False, name="a")]
  layers.append(k.layers.Conv2D(6, 1, groups=2, use_bias=False, name="g"))
  found = structured.groups(functional(k, *layers, k.layers.Conv2D(2, 1, name="b")))
  a, g = found.classes("a/kernel"), found.classes("g/kernel")
  assert list(a[:2]) == list(a[2:])
  assert list(g[:3]) == list(g[3:])
  assert len({*a, *g}) == 5


def test_flatten_gives_each_channel_an_entry_for_every_position(k):
  layers = [k.layers.Conv2D(3, 1, use_bias=False, name="a"), k.layers.Flatten()]
  model = functional(k, *layers, k.layers.Dense(2, name="b"))
  assert "3 channels: a/kernel[3] b/kernel[0] x36" in lines(model)


def test_what_is_not_known_is_fixed_and_named(k):
  layers = [k.layers.Conv2D(4, 1, name="a"), k.layers.Permute((3, 1, 2), name="turn")]
  found = structured.groups(functional(k, *layers, k.layers.Conv2D(2, 1, name="b")))
  reason = found.fixed[found.classes("a/kernel")[0]]
  assert reason == "layer `turn` (Permute) is not known to keep channels apart"


@pytest.mark.parametrize("kind", ["Softmax", "GroupNormalization"])
def test_layers_that_mix_channels_fix_them(k, kind):
  mixing = getattr(k.layers, kind)(
    **({"groups": 2} if kind == "GroupNormalization" else {}), name="mix"
  )
  layers = [k.layers.Conv2D(4, 1, name="a"), mixing, k.layers.Conv2D(2, 1, name="b")]
  found = structured.groups(functional(k, *layers))
  assert "`mix`" in found.fixed[found.classes("a/kernel")[0]]


def test_a_running_sum_over_channels_fixes_them(k):
  layers = [
    k.layers.Conv2D(4, 1, name="a"),
    k.layers.Lambda(lambda x: tf.cumsum(x, -1), name="run"),
  ]
  found = structured.groups(functional(k, *layers, k.layers.Conv2D(2, 1, name="b")))
  assert "`run`" in found.fixed[found.classes("a/kernel")[0]]


def test_a_slice_of_channels_is_not_taken_for_all_of_them(k):
  image = k.Input((6, 6, 4))
  x = k.layers.Conv2D(8, 1, name="a")(image)[..., :4]
  found = structured.groups(k.Model(image, k.layers.Conv2D(2, 1, name="b")(x)))
  assert all(int(one) in found.fixed for one in found.classes("a/kernel"))


def test_a_dropout_whose_noise_knows_the_channels_fixes_them(k):
  layers = [k.layers.Conv2D(4, 1, name="a"), k.layers.Dropout(0.5, noise_shape=(None, 1, 1, 4))]
  found = structured.groups(functional(k, *layers, k.layers.Conv2D(2, 1, name="b")))
  assert all(int(one) in found.fixed for one in found.classes("a/kernel"))


def test_what_no_layer_reads_is_fixed(k):
  x = k.Input((4,), name="x")
  two = k.Model(
    x, [k.layers.Dense(2, name="read")(x), k.layers.Dense(3, name="not")(x)], name="two"
  )
  image = k.Input((4,))
  found = structured.groups(k.Model(image, k.layers.Dense(1, name="out")(two(image)[0])))
  assert not {int(one) for one in found.classes("two/read/kernel")} & found.fixed.keys()
  assert "no layer reads" in found.fixed[found.classes("two/not/kernel")[0]]


def test_one_map_for_all_channels_is_fixed_and_the_channels_are_not(k):
  image = k.Input((6, 6, 4))
  x = k.layers.Conv2D(3, 1, name="a")(image)
  attention = k.layers.Conv2D(1, 1, activation="sigmoid", name="map")(x)
  model = k.Model(
    image, k.layers.Conv2D(2, 1, name="b")(k.layers.Multiply(name="m")([x, attention]))
  )
  found = structured.groups(model)
  assert (
    found.fixed[found.classes("map/kernel")[0]]
    == "layer `m` (Multiply) spreads it over all channels"
  )
  assert not {int(one) for one in found.classes("a/kernel")} & found.fixed.keys()


def test_resnet_20_has_one_line_for_each_set_of_channels(k):
  model = models.build("resnet_20", k=k, input_shape=(8, 8, 3), classes=10, width=0.25)
  found = str(structured.groups(model)).splitlines()
  assert len(found) == 14  # input, 3 streams, 9 within blocks, output
  stream = found[1]
  assert stream.startswith("4 channels: conv/kernel[3] bn/*[0] stage1_block1_conv1/kernel[2]")
  assert stream.endswith("stage2_block1_conv1/kernel[2] stage2_block1_shortcut_conv/kernel[2]")


def test_with_masks_it_shows_what_would_go(k):
  layers = [k.layers.Conv2D(5, 3, name="a"), k.layers.BatchNormalization(name="bn")]
  model = functional(k, *layers, k.layers.Conv2D(2, 1, name="b"))
  masks = {"bn/gamma": np.array([True, False, False, True, False])}
  expected = "3 of 5 channels (1-2, 4): a/kernel[3] a/bias[0] bn/*[0] b/kernel[2]"
  assert lines(model, masks) == [expected]
  assert lines(model, {}) == ["no channel"]


def test_with_masks_it_shows_what_stays_as_0(k):
  image = k.Input((6, 6, 4))
  left, right = (k.layers.Conv2D(3, 1, use_bias=False, name=name)(image) for name in "lr")
  model = k.Model(image, k.layers.Conv2D(2, 1, name="b")(k.layers.Add()([left, right])))
  assert lines(model, {"l/kernel": np.array([False, True, False])}) == [
    "2 of 3 channels (0, 2) of l/kernel stay, as 0: others of their class live"
  ]


def test_looking_draws_no_random_numbers(k):
  layers = [k.layers.Conv2D(4, 1, name="a"), k.layers.Dropout(0.5), k.layers.Conv2D(2, 1)]
  model = functional(k, *layers)
  before = random.getstate()
  structured.groups(model)
  assert random.getstate() == before


def test_a_path_that_is_no_site_is_an_error_that_lists_the_sites(k):
  found = structured.groups(functional(k, k.layers.Conv2D(2, 1, name="a")))
  with pytest.raises(ValueError, match=r"path='a/bias' is no channel site. They are: a/kernel"):
    found.classes("a/bias")


def test_a_layer_that_mixes_channels_a_little_fixes_them(k):
  def normalised(x):
    return tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75)

  layers = [k.layers.Conv2D(8, 1, name="a"), k.layers.Lambda(normalised, name="lrn")]
  model = k.Sequential([k.Input((4, 4, 2)), *layers, k.layers.Conv2D(2, 1, name="b")])
  found = structured.groups(model)
  assert all("`lrn`" in found.fixed[one] for one in found.classes("a/kernel"))
