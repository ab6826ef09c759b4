"""Multiplications and additions, counted by hand on layers of a few numbers, and as published."""

import importlib
import math
import pathlib
import re
import runpy
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import mlp, random_masks

import tflottery as tfl
from tflottery import allocations
from tflottery.analysis.counting import flops, sparsity_for_flops, training_flops


@pytest.fixture(autouse=True)
def _no_silent_warnings():
  """A warning of ours is an error unless the test expects it."""
  with warnings.catch_warnings():
    warnings.filterwarnings("error", message="FLOPs of")
    yield


def one(k, shape, layer):
  """A model of one layer, for examples of `shape`."""
  return k.Sequential([k.layers.Input(shape), layer])


def test_dense_multiplies_and_adds_every_weight_once_and_adds_the_bias(k):
  assert flops(one(k, (4,), k.layers.Dense(3))).dense == 2 * 4 * 3 + 3
  assert flops(one(k, (4,), k.layers.Dense(3, use_bias=False))).dense == 2 * 4 * 3
  assert flops(one(k, (5, 4), k.layers.Dense(3))).dense == 5 * (2 * 4 * 3 + 3)


# name of the layer, its arguments, an example's shape, FLOPs by hand
CONVOLUTIONS = [
  # 4 outputs of 3 filters, each 2 * (2 * 2) and a bias
  ("Conv1D", dict(filters=3, kernel_size=2), (5, 2), 4 * 3 * (2 * 4 + 1)),
  # 5 outputs as wide as 5 inputs: the padding is multiplied too
  ("Conv1D", dict(filters=3, kernel_size=2, padding="causal"), (5, 2), 5 * 3 * (2 * 4 + 1)),
  ("Conv2D", dict(filters=4, kernel_size=3), (5, 6, 2), 3 * 4 * 4 * (2 * 18 + 1)),
  ("Conv2D", dict(filters=4, kernel_size=3, padding="same"), (5, 6, 2), 5 * 6 * 4 * (2 * 18 + 1)),
  ("Conv2D", dict(filters=4, kernel_size=3, strides=2, use_bias=False), (5, 7, 2), 6 * 4 * 2 * 18),
  # a kernel of 3 spread over 5: outputs 2 x 3
  ("Conv2D", dict(filters=4, kernel_size=3, dilation_rate=2), (6, 7, 2), 6 * 4 * (2 * 18 + 1)),
  # two groups: each filter sees 3 of 6 channels
  ("Conv2D", dict(filters=4, kernel_size=1, groups=2), (5, 5, 6), 25 * 4 * (2 * 3 + 1)),
  ("Conv3D", dict(filters=2, kernel_size=2), (3, 3, 3, 2), 8 * 2 * (2 * 16 + 1)),
  # each of 3 channels has 2 filters of its own
  ("DepthwiseConv2D", dict(kernel_size=2, depth_multiplier=2), (4, 4, 3), 9 * 6 * (2 * 4 + 1)),
  ("DepthwiseConv1D", dict(kernel_size=2), (4, 3), 3 * 3 * (2 * 2 + 1)),
  # depthwise 9 positions, 3 channels, 4 weights; then 3 to 5 channels and a bias
  ("SeparableConv2D", dict(filters=5, kernel_size=2), (4, 4, 3), 9 * (3 * 8 + 5 * (2 * 3 + 1))),
  ("SeparableConv1D", dict(filters=5, kernel_size=2), (4, 3), 3 * (3 * 4 + 5 * (2 * 3 + 1))),
  # each of 9 inputs is multiplied by the whole kernel; a bias for each of 36 outputs
  (
    "Conv2DTranspose",
    dict(filters=4, kernel_size=2, strides=2),
    (3, 3, 5),
    9 * 2 * 2 * 2 * 4 * 5 + 36 * 4,
  ),
  ("Conv1DTranspose", dict(filters=2, kernel_size=3), (4, 5), 4 * 2 * 3 * 2 * 5 + 6 * 2),
  ("Conv3DTranspose", dict(filters=1, kernel_size=2), (2, 2, 2, 1), 8 * 2 * 8 + 27),
]


@pytest.mark.parametrize("name, arguments, shape, expected", CONVOLUTIONS)
def test_convolutions_by_hand(k, name, arguments, shape, expected):
  model = one(k, shape, getattr(k.layers, name)(**arguments))
  assert flops(model).dense == expected


# Per number: batch normalisation 2; layer and group 5, scale and shift.
OTHERS = [
  ("BatchNormalization", dict(), (3, 3, 2), 2 * 18),
  ("LayerNormalization", dict(), (3, 4), 7 * 12),
  ("LayerNormalization", dict(scale=False), (3, 4), 6 * 12),
  ("GroupNormalization", dict(groups=2), (3, 3, 4), 7 * 36),
  ("UnitNormalization", dict(), (4,), 3 * 4),
  ("AveragePooling2D", dict(pool_size=2), (4, 4, 3), 12 * 4),
  ("AveragePooling1D", dict(pool_size=3, strides=1), (5, 2), 6 * 3),
  ("GlobalAveragePooling2D", dict(), (4, 4, 3), 48),
  ("PReLU", dict(), (4,), 4),
]


@pytest.mark.parametrize("name, arguments, shape, expected", OTHERS)
def test_normalisation_and_pooling_by_hand(k, name, arguments, shape, expected):
  layers = [getattr(k.layers, name)(**arguments), k.layers.Flatten(), k.layers.Dense(1)]
  found = flops(k.Sequential([k.layers.Input(shape), *layers]))
  assert found.layers[0].dense == expected


@pytest.mark.parametrize("name", ["MaxPooling2D", "ReLU", "Flatten", "Dropout"])
def test_layers_without_multiplications_are_not_in_the_table(k, name):
  layer = getattr(k.layers, name)(*([0.5] if name == "Dropout" else []))
  model = k.Sequential([k.layers.Input((4, 4, 1)), k.layers.Conv2D(2, 1, name="conv"), layer])
  assert [row.path for row in flops(model).layers] == ["conv"]


def test_an_embedding_is_looked_up(k):
  model = k.Sequential([k.layers.Input((5,), dtype="int32"), k.layers.Embedding(9, 4, name="e")])
  found = flops(model, {"e/embeddings": np.zeros((9, 4), bool)})
  assert found.dense == found.sparse == 0


@pytest.mark.parametrize("name, gates", [("SimpleRNN", 1), ("LSTM", 4)])
def test_recurrent_kernels_are_used_at_every_step(k, name, gates):
  model = one(k, (6, 3), getattr(k.layers, name)(2))
  assert flops(model).dense == 6 * gates * (2 * 3 * 2 + 2 * 2 * 2 + 2)


def test_a_bidirectional_layer_is_two(k):
  model = one(k, (6, 3), k.layers.Bidirectional(k.layers.LSTM(2)))
  assert flops(model).dense == 2 * 6 * 4 * (2 * 3 * 2 + 2 * 2 * 2 + 2)


def test_attention_counts_its_projections_and_its_products(k):
  query, value = k.layers.Input((5, 8)), k.layers.Input((7, 6))
  attention = k.layers.MultiHeadAttention(2, 3, value_dim=4, name="attention")
  found = flops(k.Model([query, value], attention(query, value)))
  rows = {row.path: row.dense for row in found.layers}
  # 5 queries, 7 keys and values, 2 heads
  assert rows == {
    "attention": 2 * (5 * 7 * 2 * 3 + 5 * 7 * 2 * 4),
    "attention/query": 5 * (2 * 8 * 6 + 6),
    "attention/key": 7 * (2 * 6 * 6 + 6),
    "attention/value": 7 * (2 * 6 * 8 + 8),
    "attention/attention_output": 5 * (2 * 8 * 8 + 8),
  }


def test_attention_over_one_of_two_axes_compares_along_it_only(k):
  grid = k.layers.Input((4, 5, 6))
  attention = k.layers.MultiHeadAttention(2, 3, attention_axes=(2,), name="attention")
  rows = {row.path: row.dense for row in flops(k.Model(grid, attention(grid, grid))).layers}
  assert rows["attention"] == 2 * (4 * 5) * 5 * 2 * (3 + 3)


def test_grouped_query_attention_has_its_keys_once_per_group():
  inputs = keras.layers.Input((5, 8))
  layer = keras.layers.GroupQueryAttention(3, 4, 2, name="attention")
  rows = {row.path: row.dense for row in flops(keras.Model(inputs, layer(inputs, inputs))).layers}
  assert rows["attention"] == 2 * 5 * 5 * 4 * (3 + 3)
  assert rows["attention/query"] == 5 * (2 * 8 * 12 + 12)
  assert rows["attention/key"] == 5 * (2 * 8 * 6 + 6)


def test_dot_product_attention_is_its_products(k):
  query, value = k.layers.Input((5, 8)), k.layers.Input((7, 8))
  attended = k.layers.Attention(name="attention")([query, value])
  rows = flops(k.Model([query, value], k.layers.Dense(1)(attended))).layers
  assert (rows[0].path, rows[0].dense) == ("attention", 2 * 5 * 7 * (8 + 8))


def test_attention_of_heads_on_an_axis_counts_its_keys_and_not_its_heads(k):
  query, value = k.layers.Input((3, 5, 8)), k.layers.Input((3, 7, 8))
  attended = k.layers.Attention(name="attention")([query, value])
  rows = flops(k.Model([query, value], k.layers.Dense(1)(attended))).layers
  assert (rows[0].path, rows[0].dense) == ("attention", 3 * 2 * 5 * 7 * (8 + 8))


@pytest.mark.parametrize(
  "equation, output, shape, expected",
  [
    ("ab,bc->ac", 3, (4,), 2 * 4 * 3),
    ("abc,cde->abde", (2, 3, 5), (2, 4), 2 * 2 * 4 * 15),
    ("abcd,cde->abe", (2, 6), (2, 4, 5), 2 * 2 * 20 * 6),
    ("...x,xy->...y", 3, (7, 2, 4), 2 * 14 * 4 * 3),
  ],
)
def test_einsum_by_hand(k, equation, output, shape, expected):
  layer = k.layers.EinsumDense(equation, output)
  assert flops(one(k, shape, layer)).dense == expected
  biased = k.layers.EinsumDense(equation, output, bias_axes=equation[-1])
  model = one(k, shape, biased)
  assert flops(model).dense == expected + math.prod(model.output_shape[1:])


def test_what_only_keras_3_has():
  assert flops(one(keras, (3, 4), keras.layers.RMSNormalization())).dense == 4 * 12
  inputs = keras.layers.Input((5,), dtype="int32")
  embedding = keras.layers.ReversibleEmbedding(9, 4)
  model = keras.Model(inputs, embedding(embedding(inputs), reverse=True))
  assert flops(model).dense == 5 * 2 * 4 * 9


def test_a_layer_that_is_called_twice_counts_twice(k):
  shared = k.layers.Dense(4, name="shared")
  inputs = k.layers.Input((4,))
  model = k.Model(inputs, shared(shared(inputs)))
  found = flops(model, sparsities={"shared/kernel": 0.5})
  assert found.dense == 2 * (2 * 16 + 4)
  assert found.sparse == 2 * (2 * 8 + 4)


def test_nested_models_count_by_the_paths_of_their_sites(k):
  inner = k.Sequential([k.layers.Input((4,)), k.layers.Dense(3, name="fc")], name="inner")
  model = k.Sequential([k.layers.Input((4,)), inner, k.layers.Dense(2, name="fc")])
  rows = {row.path: row.dense for row in flops(model).layers}
  assert rows == {"inner/fc": 27, "fc": 14}


def test_layers_of_one_name_are_counted_by_themselves(k):
  class Twins(k.Model):
    def __init__(self):
      super().__init__()
      self.a, self.b = k.layers.Dense(2, name="fc"), k.layers.Dense(3, name="fc")

    def call(self, x):
      return self.b(self.a(x))

  model = Twins()
  model(np.zeros((1, 4), "float32"))
  paths = list(tfl.sites(model))
  found = flops(model, sparsities={paths[0]: 0.5}, inputs=np.zeros((7, 4), "float32"))
  assert [(row.dense, row.sparse) for row in found.layers] == [(18, 10), (15, 15)]


@pytest.mark.parametrize("inside", ["layer", "model"])
def test_time_distributed_counts_every_step(k, inside):
  layer = k.layers.Dense(3, name="fc")
  if inside == "model":
    layer = k.Sequential([k.layers.Input((4,)), layer], name="inner")
  assert flops(one(k, (5, 4), k.layers.TimeDistributed(layer))).dense == 5 * 27


def test_several_inputs_by_name(k):
  inputs = {"a": k.layers.Input((4,), name="a"), "b": k.layers.Input((2,), name="b")}
  x = k.layers.Concatenate()([inputs["a"], inputs["b"]])
  assert flops(k.Model(inputs, k.layers.Dense(3)(x))).dense == 2 * 6 * 3 + 3


def test_masked_weights_save_their_multiply_adds_and_nothing_else(k):
  model = mlp(k)
  masks = random_masks(model, 0.75)
  found = flops(model, masks)
  rows = {row.path: (row.dense, row.sparse) for row in found.layers}
  kept = {path: int(mask.sum()) for path, mask in masks.items()}
  assert rows == {
    "fc1": (2 * 48 + 6, 2 * kept["fc1/kernel"] + 6),
    "fc2": (2 * 30 + 5, 2 * kept["fc2/kernel"] + 5),
    "out": (2 * 15 + 3, 2 * kept["out/kernel"] + 3),
  }
  assert found.sparse == sum(sparse for _, sparse in rows.values())
  assert found.ratio == found.sparse / 200


def test_a_site_without_a_mask_is_dense(k):
  model = mlp(k)
  found = flops(model, {"fc1/kernel": np.zeros((8, 6), bool)})
  assert found.dense - found.sparse == 2 * 48
  assert flops(model).ratio == 1.0


def test_a_convolutions_weight_saves_an_operation_at_every_position(k):
  model = one(k, (5, 5, 2), k.layers.Conv2D(4, 3, name="conv"))
  mask = np.ones((3, 3, 2, 4), bool)
  mask[0, 0, 0, 0] = False
  found = flops(model, {"conv/kernel": mask})
  assert found.dense - found.sparse == 2 * 9


def test_sparsities_tell_the_flops_of_the_masks_to_come(k):
  model = mlp(k)
  for sparsity in (0.0, 0.3, 0.77, 0.99):
    before = flops(model, sparsities=dict.fromkeys(tfl.sites(model), sparsity))
    assert before == flops(model, random_masks(model, sparsity))


def test_both_kerases_agree_on_a_network_of_many_layers():
  def network(k):
    inputs = x = k.layers.Input((16, 16, 3))
    for filters in (8, 12):
      x = k.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
      x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
      x = k.layers.MaxPooling2D()(k.layers.DepthwiseConv2D(3)(x))
    x = k.layers.GlobalAveragePooling2D()(x)
    return k.Model(inputs, k.layers.Dense(10)(x))

  assert [row.dense for row in flops(network(keras)).layers] == [
    row.dense for row in flops(network(tf_keras)).layers
  ]


def test_a_wrapped_model_counts_as_the_model_itself(tfmot):
  model = mlp(tf_keras)
  wrapped = tfmot.sparsity.keras.prune_low_magnitude(mlp(tf_keras))
  sparsities = dict.fromkeys(tfl.sites(model), 0.5)
  assert flops(wrapped, sparsities=sparsities) == flops(model, sparsities=sparsities)


def test_counting_leaves_the_model_as_it_was(k):
  model = mlp(k, batch_norm=True)
  x, before = np.ones((2, 8), "float32"), [vars(layer).keys() for layer in model.layers]
  weights = model.get_weights()
  outputs = model.predict(x, verbose=0)
  flops(model)
  assert [vars(layer).keys() for layer in model.layers] == before
  assert not any("call" in vars(layer) for layer in model.layers)
  np.testing.assert_array_equal(model.predict(x, verbose=0), outputs)
  for a, b in zip(model.get_weights(), weights, strict=True):
    np.testing.assert_array_equal(a, b)


def test_a_call_that_was_replaced_before_is_back_afterwards(k):
  model = mlp(k)
  layer = model.get_layer("fc1")
  call = layer.call
  object.__setattr__(layer, "call", lambda inputs, **kwargs: call(inputs, **kwargs))
  replaced = vars(layer)["call"]
  assert flops(model).dense == 200
  assert vars(layer)["call"] is replaced


def test_a_subclassed_model_is_counted_by_an_example(k):
  class Own(k.Model):
    def __init__(self):
      super().__init__(name="own")
      self.fc = k.layers.Dense(3, name="fc")

    def call(self, x):
      return self.fc(x["x"]) * 2

  model, batch = Own(), {"x": np.zeros((5, 4), "float32")}
  model(batch)
  assert flops(model, inputs=batch).dense == 27
  with pytest.raises(ValueError, match=r"'own' does not know its input shape. Give inputs="):
    flops(model)


def test_an_open_input_shape_is_refused_unless_an_example_is_given(k):
  model = k.Sequential([k.layers.Input((None, 2)), k.layers.Conv1D(3, 2)], name="open")
  with pytest.raises(ValueError, match=r"'open' leaves its input shape \(None, 2\) open"):
    flops(model)
  assert flops(model, inputs=np.zeros((9, 5, 2), "float32")).dense == 4 * 3 * 9


def test_a_model_that_is_not_built_is_refused(k):
  with pytest.raises(ValueError, match="not built"):
    flops(k.Sequential([k.layers.Dense(3)]))


def test_what_is_no_model_is_refused():
  with pytest.raises(TypeError, match="model must be a model"):
    flops("model")


def test_a_layer_of_another_kind_with_weights_is_named(k):
  class Bilinear(k.layers.Layer):
    def build(self, shape):
      self.core = self.add_weight(name="core", shape=(shape[-1], 3), initializer="ones")

    def call(self, x):
      return x @ self.core

  model = k.Sequential([k.layers.Input((4,)), Bilinear(name="own"), k.layers.Dense(2, name="out")])
  with pytest.warns(UserWarning, match="FLOPs of own are not counted"):
    found = flops(model, {"own/core": np.zeros((4, 3), bool)})
  assert [row.path for row in found.layers] == ["out"]


@pytest.mark.parametrize("name", ["AdditiveAttention", "ConvLSTM2D"])
def test_a_layer_of_keras_that_is_not_counted_is_named(k, name):
  if name == "ConvLSTM2D":
    model = one(k, (2, 5, 5, 1), k.layers.ConvLSTM2D(2, 3, name="own"))
  else:
    inputs = k.layers.Input((5, 8))
    model = k.Model(inputs, k.layers.AdditiveAttention(name="own")([inputs, inputs]))
  with pytest.warns(UserWarning, match="FLOPs of own.* are not counted"):
    assert flops(model).layers == ()


def test_a_layer_that_is_never_called_is_named(k):
  class Half(k.Model):
    def __init__(self):
      super().__init__()
      self.used, self.idle = k.layers.Dense(3, name="used"), k.layers.Dense(3, name="idle")
      self.idle.build((None, 4))

    def call(self, x):
      return self.used(x)

  model, batch = Half(), np.zeros((1, 4), "float32")
  model(batch)
  with pytest.warns(UserWarning, match="FLOPs of idle are not counted"):
    assert flops(model, inputs=batch).dense == 27


def test_a_layer_in_a_loop_of_unknown_length_is_named(k):
  class Loop(k.Model):
    def __init__(self):
      super().__init__()
      self.fc = k.layers.Dense(4, name="fc")

    def call(self, x):
      if not self.fc.built:
        return self.fc(x)
      body = lambda x: [self.fc(x)]  # noqa: E731
      return tf.while_loop(lambda x: tf.norm(x) < 9.0, body, [x], maximum_iterations=3)[0]

  model, batch = Loop(), np.zeros((1, 4), "float32")
  model(batch)
  with pytest.warns(UserWarning, match="FLOPs of fc are not counted"):
    assert flops(model, inputs=batch).layers == ()


@pytest.mark.parametrize("name", ["masks", "sparsities"])
def test_a_path_that_is_no_weight_is_refused(k, name):
  with pytest.raises(ValueError, match=rf"{name}: 'fc9/kernel' is no weight .*fc1/kernel"):
    flops(mlp(k), **{name: {"fc9/kernel": 0.5}})


def test_a_mask_of_another_shape_is_refused(k):
  with pytest.raises(ValueError, match=r"masks\['fc1/kernel'\] has shape \(6, 8\), but .*\(8, 6\)"):
    flops(mlp(k), {"fc1/kernel": np.ones((6, 8), bool)})


@pytest.mark.parametrize("value", [1.0, -0.1, math.nan, True, "0.5"])
def test_a_sparsity_outside_0_and_1_is_refused(k, value):
  message = re.escape(f"sparsities['fc1/kernel']={value!r} is out of range")
  with pytest.raises(ValueError, match=message):
    flops(mlp(k), sparsities={"fc1/kernel": value})


def test_masks_and_sparsities_together_are_refused(k):
  with pytest.raises(ValueError, match="masks and sparsities are both given"):
    flops(mlp(k), {}, sparsities={})


def test_the_table_prints_layers_and_a_total(k):
  lines = str(flops(mlp(k), sparsities={"fc1/kernel": 0.5})).splitlines()
  assert lines[1].split() == ["fc1", "102", "54", "0.529"]
  assert lines[-1].split() == ["total", "200", "152", "0.760"]


def test_training_flops_by_hand():
  given = dict(dense=1000, sparse=100)
  assert training_flops("dense", dense=1000) == 3000
  for method in ("static", "set", "snip", "grasp", "synflow", "small_dense"):
    assert training_flops(method, **given) == 300
  assert training_flops("snfs", **given) == 2 * 100 + 1000
  # of ten steps nine cost 300, and one has dense gradients: 200 + 1000
  assert training_flops("rigl", frequency=9, **given) == (9 * 300 + 1200) / 10


def test_gradual_pruning_costs_the_mean_of_its_sparsities():
  def schedule(step):  # 0.4 from step 1 and 0.8 from step 3: they hold in the steps that follow
    return (step == 1) | (step == 3), tf.where(step < 2, 0.4, 0.8)

  # steps 0 to 4 have live shares 1, 1, 0.6, 0.6, 0.2
  expected = 3 * 1000 * 3.4 / 5
  for method in ("magnitude", "random"):
    found = training_flops(method, dense=1000, schedule=schedule, steps=5)
    assert found == pytest.approx(expected)


def test_gradual_pruning_takes_tfmots_schedules(tfmot):
  schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.5, 0, 100, power=1, frequency=1)
  found = training_flops("magnitude", dense=1.0, schedule=schedule, steps=100)
  assert found == pytest.approx(3 * (1 - 0.005 * sum(range(99)) / 100))


@pytest.mark.parametrize(
  "method, given, message",
  [
    ("rigl", dict(sparse=1), "'rigl' needs frequency="),
    ("static", {}, "'static' needs sparse="),
    ("magnitude", dict(steps=5), "'magnitude' needs schedule="),
    ("rigl", dict(sparse=1, frequency=0), "frequency=0 is out of range"),
    ("static", dict(sparse=math.nan), "sparse=nan is out of range"),
    ("adam", {}, "'adam' is unknown. Choose one of dense,.*rigl"),
  ],
)
def test_training_flops_without_what_they_need_are_refused(method, given, message):
  with pytest.raises(ValueError, match=message):
    training_flops(method, dense=1000, **given)


def lenet_300_100(k):
  layers = [k.layers.Input((784,)), k.layers.Dense(300), k.layers.Dense(100), k.layers.Dense(10)]
  return k.Sequential(layers)


@pytest.mark.parametrize("allocation", ["uniform", "equal", "erdos_renyi", "erk", {"dense": 0.5}])
@pytest.mark.parametrize("budget", [0.9, 0.5, 0.1])
def test_the_sparsity_for_a_budget_meets_it_to_a_weight(k, allocation, budget):
  model = lenet_300_100(k)
  shapes = {path: site.shape for path, site in tfl.sites(model).items()}
  if isinstance(allocation, dict):
    allocation = {list(shapes)[-1]: 0.5}
  if allocation == "uniform" and budget < 0.9:
    with pytest.raises(ValueError, match=r"cannot be reached.*it takes 0\.88.* to 1\.0000"):
      sparsity_for_flops(model, budget, allocation)
    return
  sparsity = sparsity_for_flops(model, budget, allocation)

  def total(sparsity):
    given = allocations.sparsities(shapes, sparsity, allocation)
    return flops(model, sparsities=given)

  dense = total(sparsity).dense
  assert budget * dense - 2 * len(shapes) <= total(sparsity).sparse <= budget * dense
  assert total(sparsity - 2e-5).sparse > budget * dense


def test_a_budget_for_some_of_the_sites(k):
  model = lenet_300_100(k)
  first = next(iter(tfl.sites(model)))
  sparsity = sparsity_for_flops(model, 0.5, "equal", only=f"^{first}$")
  assert flops(model, sparsities={first: sparsity}).ratio == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("budget", [0, 1, 1.5, -0.1, math.nan, True, "half"])
def test_a_budget_outside_0_and_1_is_refused(k, budget):
  with pytest.raises(ValueError, match=re.escape(f"budget={budget!r} is out of range")):
    sparsity_for_flops(mlp(k), budget)


def test_a_budget_below_what_stays_dense_names_what_can_be_reached(k):
  # of 200 operations the 14 biases stay, and 3 of 93 weights: 2 + 1 + 1 by rounding
  with pytest.raises(ValueError, match=r"budget=0.1 cannot be reached .* 0\.1100 to 1\.0000"):
    sparsity_for_flops(mlp(k), 0.1, "equal")
  assert 0.9 < sparsity_for_flops(mlp(k), 0.11, "equal") < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_resnet_50_takes_the_published_flops(name):
  file = pathlib.Path(__file__).parent.parent / "benchmarks" / "flops_resnet50.py"
  benchmark = runpy.run_path(str(file))
  rows = {
    (row["network"], row["sparsity"], row["allocation"]): row
    for row in benchmark["rows"](importlib.import_module(name))
  }
  assert len(rows) == 2 * len(benchmark["PUBLISHED"]) == 8
  for (network, sparsity, allocation), row in rows.items():
    inference, training = benchmark["PUBLISHED"][sparsity, allocation]
    authors, ours = 0, 1
    if network == "stride in 3 x 3":
      assert round(row["dense"][authors] / 1e9, 1) == 8.2
      assert round(row["inference"][authors], 2) == inference
      assert round(row["training"][authors], 2) == training
      assert round(row["inference"][ours], 2) == inference
    else:
      assert round(row["dense"][authors] / 1e9, 1) == 7.7
      assert row["inference"][ours] == pytest.approx(inference, abs=0.02)
