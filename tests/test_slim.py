"""slim: a smaller model with the surviving weights, compiled alike; refusals leave the model alone."""

import graphs
import keras
import numpy as np
import pytest
import tensorflow as tf

import tflottery as tfl
from tflottery import site as _sites
from tflottery import step, structured, training
from tflottery.experiments import models

KEEP = np.array([True, False, True])


def dense(k, *, hidden=3, activation="relu", **options):
  """x -> a -> b, of 2, 3 and 1 units."""
  layers = [k.Input((2,), name="x"), k.layers.Dense(hidden, activation, name="a", **options)]
  return k.Sequential([*layers, k.layers.Dense(1, name="b")], name="net")


def images(k, *layers):
  """A network of 4x4 images with 2 channels, ended by a Dense of 2."""
  x = image = k.Input((4, 4, 2), name="image")
  for layer in layers:
    x = layer(x)
  model = k.Model(image, k.layers.Dense(2, name="out")(k.layers.GlobalAveragePooling2D()(x)))
  graphs.randomise(model, 0)
  return model


def values(model):
  return {path: _sites.value(variable) for path, variable in _sites.weights(model).items()}


def outputs(model, seed=0):
  shape = (3, *model.input_shape[1:])
  return np.array(model(np.random.default_rng(seed).normal(size=shape).astype("float32")))


def unchanged(model, call, match):
  """`call` raises a ValueError that matches, and the model is as it was."""
  before = values(model)
  with pytest.raises(ValueError, match=match):
    call()
  after = values(model)
  assert before.keys() == after.keys()
  assert all(np.array_equal(before[path], after[path]) for path in before)


def test_the_surviving_weights_are_copied(k):
  model = dense(k)
  a, b = np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([[1], [2], [3]])
  model.set_weights([a, np.float32([7, 8, 9]), b, np.float32([5])])
  small = structured.slim(model, {"a/kernel": KEEP})
  assert type(small) is type(model)
  assert small.name == "net"
  found = values(small)
  assert found["a/kernel"].tolist() == [[1, 3], [4, 6]]
  assert found["a/bias"].tolist() == [7, 9]
  assert found["b/kernel"].tolist() == [[1], [3]]
  assert found["b/bias"].tolist() == [5]
  assert model.get_weights()[0].tolist() == a.tolist()


def test_without_masks_it_is_a_copy(k):
  model = dense(k)
  copy = structured.slim(model, {})
  assert copy is not model
  np.testing.assert_array_equal(outputs(copy), outputs(model))


def test_a_masked_scale_removes_what_the_convolution_before_it_computes(k):
  layers = [
    k.layers.Conv2D(3, 1, name="a"),
    k.layers.BatchNormalization(name="bn"),
    k.layers.ReLU(),
  ]
  model = images(k, *layers)
  small = structured.slim(model, {"bn/gamma": KEEP})
  shapes = {path: value.shape for path, value in values(small).items()}
  assert shapes["a/kernel"] == (1, 1, 2, 2)
  assert shapes["a/bias"] == shapes["bn/moving_mean"] == shapes["bn/beta"] == (2,)
  assert shapes["out/kernel"] == (2, 2)


def test_flatten_loses_the_channel_at_every_position(k):
  layers = [k.layers.Conv2D(2, 1, name="a"), k.layers.Flatten(), k.layers.Dense(1, name="b")]
  model = k.Sequential([k.Input((1, 2, 1)), *layers])
  rows = np.float32([[1], [2], [3], [4]])  # position 0: channels 0 and 1; position 1: the same
  model.get_layer("b").set_weights([rows, np.zeros(1)])
  small = structured.slim(model, {"a/kernel": np.array([False, True])})
  assert values(small)["b/kernel"].tolist() == [[2], [4]]


def test_reshape_to_images_gets_a_smaller_target(k):
  layers = [
    k.layers.Dense(6, name="a"),
    k.layers.Reshape((1, 2, 3)),
    k.layers.Conv2D(1, 1, name="b"),
  ]
  model = k.Sequential([k.Input((2,)), *layers])
  found = structured.groups(model)
  assert found.classes("a/kernel").tolist() == [*found.classes("a/kernel")[:3]] * 2
  mask = np.array([True, False, True, True, False, True])
  small = structured.slim(model, {"a/kernel": mask})
  assert small.layers[1].target_shape == (1, 2, 2)
  np.testing.assert_array_equal(values(small)["a/kernel"], values(model)["a/kernel"][:, mask])
  np.testing.assert_array_equal(values(small)["b/kernel"], values(model)["b/kernel"][:, :, KEEP])


def test_a_depthwise_convolution_goes_with_the_channels_that_it_reads(k):
  layers = [
    k.layers.Conv2D(3, 1, name="a"),
    k.layers.DepthwiseConv2D(1, depth_multiplier=2, name="d"),
  ]
  model = images(k, *layers)
  small = values(structured.slim(model, {"a/kernel": KEEP}))
  np.testing.assert_array_equal(small["d/bias"], values(model)["d/bias"][[0, 1, 4, 5]])
  np.testing.assert_array_equal(small["out/kernel"], values(model)["out/kernel"][[0, 1, 4, 5]])


def test_a_channel_of_a_sum_stays_at_zero_where_the_other_branch_lives(k):
  x = image = k.Input((4, 4, 2), name="image")
  left, right = (
    k.layers.BatchNormalization(name=n)(k.layers.Conv2D(3, 1, name=f"{n}_conv")(x)) for n in "lr"
  )
  x = k.layers.Conv2D(2, 1, name="b")(k.layers.Add()([left, right]))
  model = k.Model(image, x)
  graphs.randomise(model, 0)
  small = values(structured.slim(model, {"l/gamma": KEEP}))
  assert small["l/gamma"].shape == (3,)
  assert small["l/gamma"][1] == small["l/beta"][1] == 0
  assert small["r/gamma"].all()
  both = structured.slim(model, {"l/gamma": KEEP, "r/gamma": KEEP})
  assert values(both)["b/kernel"].shape == (1, 1, 2, 2)


def test_without_a_scale_the_moving_mean_goes_to_zero_with_the_channel(k):
  x = image = k.Input((4, 4, 2), name="image")
  left = k.layers.Conv2D(3, 1, name="a")(x)
  left = k.layers.BatchNormalization(scale=False, name="bn")(left)
  x = k.layers.Add()([left, k.layers.Conv2D(3, 1, name="other")(x)])
  model = k.Model(image, k.layers.Conv2D(2, 1, name="b")(x))
  graphs.randomise(model, 0)
  small = values(structured.slim(model, {"a/kernel": KEEP}))
  for path in ("a/bias", "bn/beta", "bn/moving_mean"):
    assert (small[path] != 0).tolist() == KEEP.tolist(), path
  assert small["bn/moving_variance"].all()


def test_layer_normalisation_counts_the_removed_zeros(k):
  layers = [k.layers.Conv2D(5, 1, name="a"), k.layers.LayerNormalization(name="ln")]
  model = images(k, *layers)
  mask = np.array([True, False, True, False, True])
  small = structured.slim(model, {"a/kernel": mask})
  weights = _sites.weights(model)
  for path in ("a/kernel", "a/bias", "ln/gamma", "ln/beta"):
    weights[path].assign(np.where(mask, values(model)[path], 0))
  np.testing.assert_allclose(outputs(small), outputs(model), atol=1e-6)
  smaller = structured.slim(small, {"a/kernel": KEEP})
  assert smaller.get_layer("ln").size == 5


def test_a_masked_scale_of_layer_normalisation_alone_removes_nothing(k):
  layers = [k.layers.Conv2D(3, 1, name="a"), k.layers.LayerNormalization(name="ln")]
  model = images(k, *layers)
  small = values(structured.slim(model, {"ln/gamma": KEEP}))
  assert small["a/kernel"].shape == (1, 1, 2, 3)  # its mean and variance need the channel
  assert small["ln/gamma"][1] == small["ln/beta"][1] == 0


def test_unit_normalisation_lets_dead_channels_go(k):
  model = images(k, k.layers.Conv2D(3, 1, name="a"), k.layers.UnitNormalization(name="unit"))
  small = structured.slim(model, {"a/kernel": KEEP})
  weights = _sites.weights(model)
  for path in ("a/kernel", "a/bias"):
    weights[path].assign(np.where(KEEP, values(model)[path], 0))
  assert values(small)["a/bias"].shape == (2,)
  np.testing.assert_allclose(outputs(small), outputs(model), atol=1e-6)


def test_models_within_models_become_smaller_too(k):
  inner = k.Sequential(
    [k.layers.Conv2D(3, 1, name="c"), k.layers.BatchNormalization(name="bn")], name="inner"
  )
  core = k.Input((4, 4, 3), name="core")
  outer = k.Model(core, k.layers.Conv2D(4, 1, name="d")(k.layers.ReLU()(core)), name="core_net")
  model = images(k, inner, outer)
  gone = {"inner/bn/gamma": KEEP, "core_net/d/kernel": np.array([True, True, False, True])}
  small = structured.slim(model, gone)
  shapes = {path: value.shape for path, value in values(small).items()}
  assert shapes["inner/c/kernel"] == (1, 1, 2, 2)
  assert shapes["core_net/d/kernel"] == (1, 1, 2, 3)
  weights = _sites.weights(model)
  for path in ("inner/bn/gamma", "inner/bn/beta", "core_net/d/kernel", "core_net/d/bias"):
    weights[path].assign(
      np.where(
        gone[path.replace("beta", "gamma").replace("bias", "kernel")], values(model)[path], 0
      )
    )
  np.testing.assert_allclose(outputs(small), outputs(model), atol=1e-6)


def test_activations_that_are_not_zero_at_zero_are_refused_by_name(k):
  model = dense(k, activation="sigmoid")
  call = lambda: structured.slim(model, {"a/kernel": KEEP})  # noqa: E731
  unchanged(model, call, r"channel 1 of a/kernel is masked.*`a` \(Dense\) makes of 0 something")


def test_a_gate_is_removed_with_what_it_multiplies(k):
  x = image = k.Input((4, 4, 2), name="image")
  x = k.layers.BatchNormalization(name="bn")(k.layers.Conv2D(3, 1, name="a")(x))
  gate = k.layers.Dense(3, "sigmoid", name="gate")(
    k.layers.GlobalAveragePooling2D(keepdims=True)(x)
  )
  x = k.layers.Conv2D(2, 1, name="b")(k.layers.Multiply()([x, gate]))
  small = structured.slim(k.Model(image, x), {"bn/gamma": KEEP})
  assert values(small)["gate/kernel"].shape == (2, 2)


def test_statistics_of_input_normalisation_are_copied(k):
  layer = k.layers.Normalization(axis=-1)
  layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4, 4, 2)).astype("float32"))
  model = images(k, layer, k.layers.Conv2D(3, 1, name="a"))
  np.testing.assert_allclose(outputs(structured.slim(model, {})), outputs(model), atol=1e-6)


def test_functions_and_lambdas_need_no_registration(k):
  factor = 3.0
  layers = [k.layers.Conv2D(3, 1, activation=lambda x: x * factor, name="a")]
  model = images(k, *layers, k.layers.Lambda(lambda x: x * factor))
  small = structured.slim(model, {"a/kernel": KEEP})
  np.testing.assert_allclose(outputs(structured.slim(model, {})), outputs(model), atol=1e-6)
  assert values(small)["out/kernel"].shape == (2, 2)


def test_what_is_frozen_stays_frozen(k):
  model = images(k, k.layers.Conv2D(3, 1, name="a"), k.layers.BatchNormalization(name="bn"))
  model.get_layer("a").trainable = False
  small = structured.slim(model, {"bn/gamma": KEEP})
  assert [layer.trainable for layer in small.layers] == [layer.trainable for layer in model.layers]
  assert len(small.trainable_variables) == len(model.trainable_variables) == 4


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_dtype_policies_are_kept(k, policy):
  layers = [
    k.layers.Conv2D(3, 1, name="a", dtype=policy),
    k.layers.LayerNormalization(dtype=policy),
  ]
  model = images(k, *layers, k.layers.ReLU(dtype=policy))
  small = structured.slim(model, {"a/kernel": KEEP})
  assert small.get_layer("a").compute_dtype == model.get_layer("a").compute_dtype
  assert values(small)["out/kernel"].shape == (2, 2)
  assert values(small)["a/kernel"].dtype == np.float32


def test_a_slim_model_is_saved_and_loaded(k, tmp_path):
  layers = [k.layers.Conv2D(3, 1, name="a"), k.layers.LayerNormalization(name="ln")]
  small = structured.slim(images(k, *layers), {"a/kernel": KEEP})
  small.save(tmp_path / "small.keras")
  loaded = k.models.load_model(tmp_path / "small.keras")
  np.testing.assert_array_equal(outputs(loaded), outputs(small))


def train(model, steps=2):
  rng = np.random.default_rng(0)
  for _ in range(steps):
    model.train_on_batch(rng.normal(size=(8, 2)).astype("float32"), np.ones((8, 1), "float32"))


@pytest.mark.slow
def test_a_slim_model_is_exported(k, tmp_path):
  inputs = k.Input((6,))
  x = k.layers.Dense(64, "relu", name="a")(inputs)
  x = k.layers.LayerNormalization(name="ln")(k.layers.Dense(64, name="b")(x))
  model = k.Model(inputs, k.layers.Dense(3, name="c")(x))
  small = structured.slim(
    model, {path: np.arange(64) % 2 == 0 for path in ("a/kernel", "b/kernel")}
  )
  tfl.export.saved_model(small, tmp_path / "saved", format="dense", verbose=0)
  rows = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
  loaded = tf.saved_model.load(str(tmp_path / "saved"))
  np.testing.assert_allclose(loaded.serve(tf.constant(rows)), small(rows), atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Nadam"])
def test_the_optimizer_goes_on_with_its_slots(k, name):
  model = dense(k)
  optimizer = getattr(k.optimizers, name)(0.01, **({"momentum": 0.9} if name == "SGD" else {}))
  model.compile(optimizer, "mse")
  train(model)
  small = structured.slim(model, {"a/kernel": KEEP})
  old, new = _sites.weights(model), _sites.weights(small)
  assert int(small.optimizer.iterations) == 2
  for path, cut in (("a/kernel", np.s_[:, KEEP]), ("a/bias", KEEP), ("b/kernel", KEEP)):
    before = step.slots(model.optimizer, old[path])
    after = step.slots(small.optimizer, new[path])
    assert len(before) == len(after) > 0
    for one, other in zip(before, after, strict=True):
      np.testing.assert_array_equal(_sites.value(one)[cut], _sites.value(other))
  assert any(_sites.value(slot).any() for slot in after)


def test_training_goes_on_as_that_of_the_model_whose_channels_are_zero(k):
  model = dense(k)
  model.compile(k.optimizers.Adam(0.01), "mse")
  train(model)
  small = structured.slim(model, {"a/kernel": KEEP})
  mask = {"a/kernel": np.tile(KEEP, (2, 1)), "b/kernel": KEEP[:, None]}
  _sites.weights(model)["a/bias"].assign(np.where(KEEP, values(model)["a/bias"], 0))
  with training.hold(model, mask):
    train(model, 3)
    train(small, 3)
    np.testing.assert_allclose(
      values(small)["b/kernel"], values(model)["b/kernel"][KEEP], atol=1e-6
    )


def test_it_is_compiled_alike(k):
  model = dense(k)
  schedule = k.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
  metrics = ["mae", k.metrics.MeanSquaredError(name="square")]
  model.compile(k.optimizers.SGD(schedule), "mse", metrics=metrics, steps_per_execution=3)
  small = structured.slim(model, {"a/kernel": KEEP})
  assert small.optimizer is not model.optimizer
  assert small.optimizer._learning_rate is schedule
  found = small.evaluate(np.ones((4, 2)), np.ones((4, 1)), verbose=0, return_dict=True)
  assert found.keys() == {"loss", "mae", "square"}
  assert metrics[1].result() == 0  # its own metric, not the model's


def test_what_was_frozen_after_the_first_step_keeps_its_slots(k):
  model = dense(k)
  model.compile(k.optimizers.Adam(0.01), "mse")
  train(model)
  model.get_layer("a").trainable = False
  small = structured.slim(model, {"a/kernel": KEEP})
  slot = step.slots(small.optimizer, _sites.weights(small)["a/kernel"])[0]
  assert _sites.value(slot).any()


def test_weights_without_decay_stay_without(k):
  model = dense(k)
  optimizer = k.optimizers.AdamW(0.01, weight_decay=0.1)
  optimizer.exclude_from_weight_decay(var_list=[_sites.weights(model)["a/kernel"]])
  model.compile(optimizer, "mse")
  train(model)
  small = structured.slim(model, {"a/kernel": KEEP})
  decays = {p: small.optimizer._use_weight_decay(v) for p, v in _sites.weights(small).items()}
  assert decays == {"a/kernel": False, "a/bias": True, "b/kernel": True, "b/bias": True}


def test_several_inputs_outputs_and_operations(k):
  inputs = {name: k.Input((2,), name=name) for name in ("p", "q")}
  p = k.layers.Dense(3, name="a")(inputs["p"])
  x = p * 0.5 + k.layers.Dense(3, name="b")(inputs["q"])
  model = k.Model(
    inputs, {"y": k.layers.Dense(1, name="y")(x), "z": k.layers.Dense(2, name="z")(p)}
  )
  small = structured.slim(model, {"a/kernel": KEEP, "b/kernel": KEEP})
  assert values(small)["y/kernel"].shape == (2, 1)
  data = {"p": np.ones((2, 2), "float32"), "q": np.ones((2, 2), "float32")}
  for path in ("a/kernel", "b/kernel"):
    _sites.weights(model)[path].assign(values(model)[path] * KEEP)
  found, expected = small(data), model(data)
  assert found.keys() == expected.keys()
  for name in found:
    np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_a_functional_model_with_a_train_step_of_its_own_keeps_it(k):
  class Own(k.Model):
    def train_step(self, data):
      return {"own": tf.constant(1.0)}

  x = k.Input((2,))
  model = Own(inputs=x, outputs=k.layers.Dense(1, name="b")(k.layers.Dense(3, name="a")(x)))
  model.compile("sgd", "mse")
  small = structured.slim(model, {"a/kernel": KEEP})
  assert type(small) is Own
  history = small.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0).history
  assert history["own"] == [1.0]


def test_a_loss_scale_optimizer_comes_along(k):
  kind = getattr(k.mixed_precision, "LossScaleOptimizer", None) or k.optimizers.LossScaleOptimizer
  model = dense(k)
  model.compile(kind(k.optimizers.Adam(0.01)), "mse")
  train(model)
  small = structured.slim(model, {"a/kernel": KEEP})
  slot = step.slots(step.innermost(small), _sites.weights(small)["a/kernel"])[0]
  assert slot.shape == (2, 2)
  assert _sites.value(slot).any()
  train(small)


def test_a_model_that_is_not_compiled_gives_one_that_is_not(k):
  assert getattr(structured.slim(dense(k), {"a/kernel": KEEP}), "optimizer", None) is None


@pytest.mark.slow
def test_a_mirrored_model_gives_a_mirrored_one(k):
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  with strategy.scope():
    model = dense(k)
    model.compile(k.optimizers.Adam(0.01), "mse")
  small = structured.slim(model, {"a/kernel": KEEP})
  small.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
  assert values(small)["a/kernel"].shape == (2, 2)


def test_a_model_within_that_is_called_with_names_gets_what_they_name():
  k = keras  # tf_keras goes by order
  one, two = k.Input((2,), name="zz"), k.Input((2,), name="aa")
  ones, twos = k.layers.Dense(4, name="d1")(one), k.layers.Dense(4, name="d2")(two)
  inner = k.Model([one, two], k.layers.Dense(3, name="d3")(k.layers.Concatenate()([ones, twos])))
  a, b = k.Input((2,), name="a"), k.Input((2,), name="b")
  left, right = k.layers.Dense(2, name="left")(a), k.layers.Dense(2, name="right")(b)
  model = k.Model([a, b], inner({"zz": left, "aa": right}))
  graphs.randomise(model, 0)
  masks = {"left/kernel": np.array([True, False]), "right/kernel": np.array([False, True])}
  small = structured.slim(model, masks)
  for path, mask in masks.items():
    for name in ("kernel", "bias"):
      variable = _sites.weights(model)[path.replace("kernel", name)]
      variable.assign(np.where(mask, variable.numpy(), 0))
  rows = np.random.default_rng(0).normal(size=(2, 5, 2)).astype(np.float32)
  np.testing.assert_allclose(small(list(rows)), model(list(rows)), atol=1e-5)


def test_a_schedule_without_a_config_comes_along(k):
  class Own(k.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
      return 0.5

  model, schedule = dense(k), Own()
  model.compile(k.optimizers.SGD(schedule), "mse")
  small = structured.slim(model, {"a/kernel": KEEP})
  assert small.optimizer._learning_rate is schedule
  assert model.optimizer._learning_rate is schedule


def test_a_metric_that_can_not_be_made_again_is_named(k):
  class Own(k.metrics.Mean):
    def __init__(self, needed, name="own"):
      super().__init__(name=name)

    def get_config(self):
      return {}

  model = dense(k)
  model.compile("sgd", "mse", metrics=[Own(1)])
  with pytest.raises(ValueError, match="Own `own` can't be made again from its config"):
    structured.slim(model, {"a/kernel": KEEP})


def test_masks_of_another_model_are_refused_with_every_mismatch(k):
  model = dense(k)
  masks = {"c/kernel": KEEP, "a/kernel": np.ones(4, bool), "b/kernel": np.ones(1)}
  match = (
    r"c/kernel: no such.*a/kernel: bool array of shape \(4,\) for bool \(3,\); "
    r"b/kernel: float64.*sites are: a/kernel \(3\), b/kernel \(1\)"
  )
  unchanged(model, lambda: structured.slim(model, masks), match)
  unchanged(model, lambda: structured.slim(model, [KEEP]), "give a dict")


def test_masks_that_empty_a_layer_are_refused(k):
  model = dense(k)
  masks = {"a/kernel": np.zeros(3, bool)}
  unchanged(model, lambda: structured.slim(model, masks), r"layer `a` \(Dense\) without a channel")


def test_masks_of_the_output_are_refused(k):
  model = dense(k)
  masks = {"b/kernel": np.array([False])}
  unchanged(model, lambda: structured.slim(model, masks), "0 of b/kernel.*output of the model")


def test_masks_before_an_unknown_layer_are_refused_by_its_name(k):
  model = images(k, k.layers.Conv2D(3, 1, name="a"), k.layers.Permute((3, 2, 1), name="turn"))
  masks = {"a/kernel": KEEP}
  unchanged(model, lambda: structured.slim(model, masks), r"1 of a/kernel.*`turn` \(Permute\)")


def test_a_layer_that_is_called_twice_is_refused(k):
  x = k.Input((3,))
  layer = k.layers.Dense(3, name="again")
  model = k.Model(x, layer(layer(x)))
  unchanged(model, lambda: structured.slim(model, {}), "`again` .Dense. is called more than once")


def test_a_layer_without_weights_may_be_called_twice(k):
  x, relu = k.Input((2,)), k.layers.ReLU()
  h = relu(k.layers.Dense(3, name="a")(x))
  model = k.Model(x, k.layers.Dense(1, name="c")(relu(k.layers.Dense(4, name="b")(h))))
  small = structured.slim(model, {"a/kernel": KEEP})
  assert values(small)["b/kernel"].shape == (2, 4)


def test_a_subclassed_model_is_refused(k):
  class Own(k.Model):
    def __init__(self):
      super().__init__()
      self.dense = k.layers.Dense(1)

    def call(self, inputs):
      return self.dense(inputs)

  model = Own()
  model(np.ones((1, 2), "float32"))
  unchanged(model, lambda: structured.slim(model, {}), r"subclassed model \(Own\)")


def test_a_model_that_is_not_built_is_refused(k):
  with pytest.raises(ValueError, match="is not built"):
    structured.slim(k.Sequential([k.layers.Dense(2)]), {})


def test_channels_first_is_refused(k):
  layer = k.layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")
  model = k.Sequential([k.Input((4, 4, 2)), layer, k.layers.Dense(1)])
  unchanged(model, lambda: structured.slim(model, {}), r"`pool` .*channels_first")


def test_held_masks_are_refused(k):
  model = dense(k)
  model.compile("sgd", "mse")
  with tfl.hold(model, {"a/kernel": np.ones((2, 3), bool)}):
    unchanged(model, lambda: structured.slim(model, {}), "Release them first")


def test_models_wrapped_by_tfmot_are_refused(tfmot):
  import tf_keras

  model = tfmot.sparsity.keras.prune_low_magnitude(dense(tf_keras))
  with pytest.raises(ValueError, match="strip_pruning"):
    structured.slim(model, {})


def test_a_layer_that_does_not_come_back_from_its_config_is_refused_by_name(k):
  class Own(k.layers.Dense):
    def __init__(self, secret, **kwargs):
      super().__init__(2, **kwargs)

  model = k.Sequential([k.Input((2,)), Own(1, name="own"), k.layers.Dense(1)])
  unchanged(model, lambda: structured.slim(model, {}), r"`own` .Own. can't be copied")


def test_what_is_no_model_is_a_type_error():
  with pytest.raises(TypeError, match="must be a model"):
    structured.slim("model", {})


@pytest.mark.slow
def test_vgg_and_resnet_agree_with_zeroed_channels(k):
  for name in ("vgg_16", "resnet_20"):
    model = models.build(name, k=k, input_shape=(16, 16, 3), classes=10, width=0.125)
    graphs.randomise(model, 0)
    found = structured.groups(model)
    gone = (
      np.random.default_rng(0).random(1 + max(max(found.classes(p)) for p in found.sites)) < 0.5
    )
    gone[[found.classes(path)[0] for path in found.sites]] = False
    masks = {p: ~gone[found.classes(p)] for p in found.sites if p.endswith("gamma")}
    small = structured.slim(model, masks)
    for path, mask in masks.items():
      for one in (path, path.replace("gamma", "beta")):
        _sites.weights(model)[one].assign(np.where(mask, values(model)[one], 0))
    expected = outputs(model)
    np.testing.assert_allclose(outputs(small), expected, atol=1e-5 * abs(expected).max())
    assert small.count_params() < 0.6 * model.count_params()
