"""Channels: which can go, how they score, and masks that keep the best."""

import numpy as np
import pytest

from tflottery.structured.channels import draw, filters, scales, set_scales


def plain(k):
  """Two dense layers with batch normalisation, three channels and two, and an output."""
  return k.Sequential([
    k.Input((4,)),
    k.layers.Dense(3, name="fc1"),
    k.layers.BatchNormalization(name="bn1"),
    k.layers.Dense(2, name="fc2"),
    k.layers.BatchNormalization(name="bn2"),
    k.layers.Dense(2, name="output"),
  ])  # fmt: skip


def residual(k):
  """A stream of three channels to which `inner`, of three channels of its own, is added."""
  image = k.Input((4, 4, 2))
  stream = k.layers.BatchNormalization(name="bn0")(k.layers.Conv2D(3, 1, name="conv0")(image))
  x = k.layers.BatchNormalization(name="bn1")(k.layers.Conv2D(3, 1, name="inner")(stream))
  x = k.layers.BatchNormalization(name="bn2")(k.layers.Conv2D(3, 1, name="back")(x))
  x = k.layers.GlobalAveragePooling2D()(k.layers.Add()([stream, x]))
  return k.Model(image, k.layers.Dense(2, name="output")(x))


def set_gammas(model, **values):
  for name, value in values.items():
    model.get_layer(name).gamma.assign(np.float32(value))


def lists(masks):
  return {path: mask.tolist() for path, mask in masks.items()}


def test_the_lowest_scales_of_the_whole_network_go(k):
  model = plain(k)
  set_gammas(model, bn1=[0.1, -0.9, 0.5], bn2=[-0.2, 0.3])
  assert lists(draw(model, 0.4)) == {
    "bn1/gamma": [False, True, True],
    "bn2/gamma": [False, True],
  }


def test_or_those_of_each_layer(k):
  model = plain(k)
  set_gammas(model, bn1=[0.8, 0.9, 0.5], bn2=[-0.2, 0.3])
  assert lists(draw(model, 0.34, scope="layer")) == {
    "bn1/gamma": [True, True, False],
    "bn2/gamma": [False, True],
  }


def test_each_layer_may_have_a_share_of_its_own(k):
  model = plain(k)
  set_gammas(model, bn1=[0.8, 0.9, 0.5], bn2=[-0.2, 0.3])
  assert lists(draw(model, {"bn1": 0.67}, scope="layer")) == {
    "bn1/gamma": [False, True, False],
    "bn2/gamma": [True, True],
  }


def test_of_equal_scores_the_first_stays(k):
  model = plain(k)
  set_gammas(model, bn1=[0.5, 0.5, 0.5], bn2=[0.5, 0.5])
  assert lists(draw(model, 0.4)) == {
    "bn1/gamma": [True, True, False],
    "bn2/gamma": [True, False],
  }


def test_a_layer_keeps_its_best_channel_whatever_it_scores(k):
  model = plain(k)
  set_gammas(model, bn1=[0.7, 0.9, 0.8], bn2=[0.1, 0.2])
  kept = lists(draw(model, 0.6))
  assert kept == {"bn1/gamma": [False, True, False], "bn2/gamma": [False, True]}


def test_unless_it_may_lose_all(k):
  model = plain(k)
  set_gammas(model, bn1=[0.7, 0.9, 0.8], bn2=[0.1, 0.2])
  kept = lists(draw(model, 0.6, least=0))
  assert kept == {"bn1/gamma": [False, True, True], "bn2/gamma": [False, False]}


def test_a_share_that_would_empty_a_layer_is_refused(k):
  with pytest.raises(ValueError, match=r"share=0.8 keeps 1 of 5 channels in bn1/gamma and 1 more"):
    draw(plain(k), 0.8)


def test_norms_are_sums_of_absolute_weights_per_filter(k):
  model = residual(k)
  model.get_layer("inner").kernel.assign(
    np.float32([[[[1, -2, 0.5], [0, -2, 0.5], [-2.5, 0, 0.5]]]])
  )
  masks = draw(model, 0.34, scores="norm", scope="layer", only="inner")
  assert lists(masks) == {"inner/kernel": [True, True, False]}
  assert list(filters(model)) == ["conv0/kernel", "inner/kernel", "back/kernel"]


def test_dense_kernels_are_ranked_where_they_are_named(k):
  model = plain(k)
  model.get_layer("fc2").kernel.assign(np.float32([[3, -1], [0, -1], [0, -2]]))
  assert lists(draw(model, 0.5, scores="norm", only="fc2")) == {"fc2/kernel": [False, True]}


def test_channels_that_must_go_together_have_the_mean_of_their_scores(k):
  model = residual(k)
  set_gammas(model, bn0=[0.1, 0.8, 0.6], bn1=[1, 1, 1], bn2=[0.9, 0.1, 0.2])
  # The stream's means are 0.5, 0.45 and 0.4.
  assert lists(draw(model, 0.33)) == {
    "bn0/gamma": [True, False, False],
    "bn1/gamma": [True, True, True],
    "bn2/gamma": [True, False, False],
  }


def test_or_each_is_ranked_by_itself(k):
  model = residual(k)
  set_gammas(model, bn0=[0.1, 0.8, 0.6], bn1=[1, 1, 1], bn2=[0.9, 0.1, 0.2])
  assert lists(draw(model, 0.33, grouped=False)) == {
    "bn0/gamma": [False, True, True],
    "bn1/gamma": [True, True, True],
    "bn2/gamma": [True, False, False],
  }


def test_channels_of_the_output_are_no_candidates(k):
  image = k.Input((4,))
  x = k.layers.BatchNormalization(name="bn1")(k.layers.Dense(4)(image))
  model = k.Model(image, k.layers.BatchNormalization(name="bn2")(k.layers.Dense(4)(x)))
  set_gammas(model, bn1=[1, 2, 3, 4], bn2=[0.1, 0.1, 0.1, 0.1])
  assert lists(draw(model, 0.5)) == {
    "bn1/gamma": [False, False, True, True],
    "bn2/gamma": [True, True, True, True],
  }


def test_scales_are_set_where_network_slimming_begins(k):
  model = plain(k)
  set_scales(model, 0.25)
  assert {path: v.numpy().tolist() for path, v in scales(model).items()} == {
    "bn1/gamma": [0.25, 0.25, 0.25],
    "bn2/gamma": [0.25, 0.25],
  }


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"share": 0}, "share=0 is out of range"),
    ({"share": 0.5, "scores": "gamma"}, "scores='gamma' is unknown. Choose one of scale, norm"),
    ({"share": 0.5, "scope": "all"}, "scope='all' is unknown. Choose one of global, layer"),
    ({"share": {"bn1": 0.5}}, "goes by layer. Give scope='layer'"),
    ({"share": {"bn7": 0.5}, "scope": "layer"}, "share='bn7' matches no prunable weight"),
    ({"share": 0.5, "scores": "norm"}, "has no convolution. Name the kernels to rank with only="),
    ({"share": 0.5, "only": "bn7"}, "only='bn7' matches no"),
  ],
)
def test_bad_arguments_are_refused(k, arguments, message):
  with pytest.raises(ValueError, match=message):
    draw(plain(k), **arguments)


def test_a_model_without_batch_normalisation_is_refused(k):
  model = k.Sequential([k.Input((2,)), k.layers.Dense(2)])
  with pytest.raises(ValueError, match="has no batch normalisation with a scale"):
    draw(model, 0.5)


def test_a_model_without_a_graph_can_be_ranked_channel_by_channel(k):
  class Own(k.Model):
    def __init__(self):
      super().__init__()
      self.bn = k.layers.BatchNormalization(name="bn")

    def call(self, x):
      return self.bn(x)

  model = Own()
  model(np.zeros((1, 4), np.float32))
  model.bn.gamma.assign(np.float32([0.1, 0.4, 0.3, 0.2]))
  with pytest.raises(ValueError, match=r"is a subclassed model .* Or give grouped=False"):
    draw(model, 0.5)
  assert lists(draw(model, 0.5, grouped=False)) == {"bn/gamma": [False, True, True, False]}
