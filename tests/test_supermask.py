"""Supermasks: masks that are trained over weights that are not."""

import builders
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES

import tflottery as tfl
from tflottery import draws
from tflottery.experiments import models
from tflottery.learned.supermask import Bernoulli

LOG3 = float(np.log(3))  # its sigmoid is 3/4, and the slope there is 3/16


def kernel_and_gradient(noise, *, rescale, logits=(LOG3, LOG3, -LOG3), weight=(2.0, 4.0, 8.0)):
  """The kernel as a list, and the gradient of its sum with respect to the logits."""
  logits = tf.constant(logits)
  with tf.GradientTape() as tape:
    tape.watch(logits)
    noise = None if noise is None else tf.constant(noise)
    kernel = Bernoulli("initial", None, rescale).weight(
      tf.constant(weight), {"logits": logits}, noise
    )
    total = tf.reduce_sum(kernel)
  return kernel.numpy().tolist(), tape.gradient(total, logits)


def one(k, kernel, **options):
  """A supermask over one linear layer without bias."""
  model = k.Sequential(
    [k.layers.Input((len(kernel),)), k.layers.Dense(1, use_bias=False, name="fc")]
  )
  model.set_weights([np.reshape(kernel, (-1, 1))])
  return tfl.supermask(model, **options)


def spread(model, seed=0):
  """Different logits for every weight, without a fit."""
  rng = np.random.default_rng(seed)
  for variable in model.trainable_variables:
    variable.assign(rng.normal(size=variable.shape))
  return model


def learner(k, *, seed=None, batch_norm=False, optimizer=None, options=None, **kwargs):
  plain = builders.mlp(k, batch_norm=batch_norm)
  model = tfl.supermask(plain, seed=seed, **kwargs)
  optimizer = optimizer or k.optimizers.SGD(5.0, momentum=0.9)
  return builders.compiled(k, model, optimizer, metrics=["accuracy"], **(options or {}))


def fit(model, epochs=2, **kwargs):
  x, y = builders.arrays()
  model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **kwargs)
  return model


def logits(model):
  return [np.array(v.numpy()) for v in model.trainable_variables]


def counts(model):
  return [int(layer.draws.numpy()) for layer in model.layers if hasattr(layer, "draws")]


@pytest.fixture(scope="module")
def trained():
  """A trained supermask of each Keras."""
  made = {k: fit(learner(k, weights="signed_constant", rescale=True)) for k in (keras, tf_keras)}
  return made.__getitem__


def test_a_drawn_mask_keeps_what_is_more_likely_than_its_noise():
  kernel, _ = kernel_and_gradient([0.1, 0.5, 0.3], rescale=False, logits=(LOG3, 0.0, -LOG3))
  assert kernel == [2.0, 0.0, 0.0]


def test_gradients_pass_a_draw_as_if_it_were_its_probability():
  _, gradient = kernel_and_gradient([0.1, 0.75, 0.3], rescale=False)
  np.testing.assert_allclose(gradient, [2 * 3 / 16, 4 * 3 / 16, 8 * 3 / 16], rtol=1e-6)


def test_rescaling_divides_by_the_share_that_the_draw_keeps():
  kernel, _ = kernel_and_gradient([0.1, 0.5, 0.3], rescale=True)
  assert kernel == [2 * 3 / 2, 4 * 3 / 2, 0.0]


def test_the_gradient_of_rescaling_flows_through_the_count():
  # d(sum of kernels)/dm_i = w_i * 3/2 - (2 + 4) * 3/2^2
  _, gradient = kernel_and_gradient([0.1, 0.5, 0.3], rescale=True)
  expected = np.array([3 - 4.5, 6 - 4.5, 12 - 4.5]) * 3 / 16
  np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_a_draw_that_keeps_nothing_gives_zeros_and_a_way_back():
  kernel, gradient = kernel_and_gradient([0.9, 0.9, 0.9], rescale=True)
  assert kernel == [0.0, 0.0, 0.0]
  np.testing.assert_allclose(gradient, np.array([2, 4, 8]) * 3 * 3 / 16, rtol=1e-6)


def test_rounding_keeps_logits_above_zero_and_drops_zero_itself():
  kernel, gradient = kernel_and_gradient(None, rescale=True, logits=(1e-30, 0.0, -1.0))
  assert kernel == [6.0, 0.0, 0.0]
  assert gradient is None


def test_in_training_the_layer_computes_with_the_draw_of_its_count(k):
  model = one(k, [1.0, 10.0, 100.0, 1000.0], sample_seed=5)
  x = np.ones((1, 4), "float32")
  for step in range(3):
    kept = draws.uniform((4, 1), (5, 0), step).numpy().ravel() < 0.5
    found = model(x, training=True).numpy().item()
    assert found == np.array([1.0, 10.0, 100.0, 1000.0])[kept].sum(), step
  assert counts(model) == [3]


def test_in_inference_the_mask_is_rounded_and_nothing_is_counted(k):
  model = one(k, [1.0, 10.0, 100.0])
  assert model(np.ones((1, 3))).numpy().item() == 0
  assert not tfl.learned.masks(model)["fc/kernel"].any()
  model.layers[0].kernel_logits.assign([[0.1], [-0.1], [3.0]])
  assert model(np.ones((1, 3))).numpy().item() == 101
  assert counts(model) == [0]


def test_one_step_of_sgd_by_hand(k):
  model = one(k, [2.0, 3.0])
  model.compile(k.optimizers.SGD(0.5), "mse")
  kept = draws.uniform((2, 1), (0, 0), 0).numpy().ravel() < 0.5
  x, y = np.array([1.0, 10.0]), 7.0
  error = x @ (np.array([2.0, 3.0]) * kept) - y
  model.fit(x[None], np.array([[y]]), verbose=0)
  expected = -0.5 * 2 * error * x * [2.0, 3.0] / 4
  np.testing.assert_allclose(logits(model)[0].ravel(), expected, rtol=1e-5)


def test_samples_are_kept_as_often_as_the_sigmoid_says(k):
  model = one(k, np.ones(4000))
  layer = model.layers[0]
  layer.kernel_logits.assign(np.full((4000, 1), LOG3))
  first, second = (layer.effective(n)["kernel"].numpy() for n in (1, 2))
  other = layer.effective(1, stream=(1,))["kernel"].numpy()
  for sample in (first, second, other):
    assert sample.mean() == pytest.approx(0.75, abs=0.03)
  for a, b in ((first, second), (first, other)):  # independent: 9/16 + 1/16 agree
    assert (a == b).mean() == pytest.approx(0.625, abs=0.03)


def test_sites_draw_apart(k):
  model = k.Sequential(
    [k.layers.Input((40,)), k.layers.Dense(40, name="a"), k.layers.Dense(40, name="b")]
  )
  a, b = (layer.effective(1)["kernel"].numpy() != 0 for layer in tfl.supermask(model).layers[-2:])
  assert (a == b).mean() == pytest.approx(0.5, abs=0.05)


def test_signed_constants_are_the_signs_times_the_standard_deviation(k):
  model = one(k, [-3.0, 0.0, 3.0, 4.0], weights="signed_constant")
  std = np.std([-3.0, 0.0, 3.0, 4.0])
  kernel = model.layers[0].layer.get_weights()[0].ravel()
  np.testing.assert_allclose(kernel, [-std, 0, std, std], rtol=1e-6)


def test_a_seed_draws_the_same_weights_whatever_the_model_had(k):
  kernels = [
    tfl.supermask(builders.mlp(k, seed=i), seed=s).layers[-1].layer.get_weights()[0]
    for i, s in ((0, 7), (1, 7), (0, 8))
  ]
  assert np.array_equal(kernels[0], kernels[1])
  assert not np.array_equal(kernels[0], kernels[2])


@pytest.mark.parametrize("weights", ["initial", "signed_constant"])
@pytest.mark.parametrize("k", KERASES)
def test_training_changes_logits_counts_and_moving_statistics_alone(k, weights):
  model = learner(k, batch_norm=True, weights=weights)
  before = {id(v): np.array(v.numpy()) for v in model.variables}
  fit(model, epochs=1)
  moved = sorted(
    v.name.rsplit("/", 1)[-1].split(":")[0]
    for v in model.weights
    if not np.array_equal(v.numpy(), before[id(v)])
  )
  assert moved == ["draws"] * 3 + ["kernel_logits"] * 3 + ["moving_mean", "moving_variance"]
  assert counts(model) == [15, 15, 15]


def test_the_model_that_is_given_stays_as_it_was(k):
  plain = builders.mlp(k)
  before = plain.get_weights()
  masked = builders.compiled(k, tfl.supermask(plain), "adam")
  fit(masked, epochs=1)
  assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), before, strict=True))
  assert plain.layers[0].trainable and len(plain.trainable_weights) == 6


def test_sites_that_are_left_out_are_dense_and_frozen(k):
  plain = builders.mlp(k)
  model = tfl.supermask(plain, exclude="out")
  assert list(tfl.learned.masks(model)) == ["fc1/kernel", "fc2/kernel"]
  assert len(model.trainable_weights) == 2
  assert len(tfl.learned.plain(model).trainable_weights) == 6
  for kept, before in zip(
    model.layers[-1].get_weights(), plain.layers[-1].get_weights(), strict=True
  ):
    assert np.array_equal(kept, before)


def test_layers_that_were_frozen_before_stay_dense_and_still(k):
  plain = builders.mlp(k, batch_norm=True)
  norm = next(layer for layer in plain.layers if layer.name == "norm")
  plain.get_layer("fc1").trainable = norm.trainable = False
  model = tfl.supermask(plain)
  assert list(tfl.learned.masks(model)) == ["fc2/kernel", "out/kernel"]
  model(np.ones((2, 8)), training=True)
  assert not model.get_layer("norm").moving_mean.numpy().any()
  assert len(tfl.learned.plain(model).trainable_weights) == 8


def many_layers(k):
  """A functional model with a shared layer, a nested model that is called twice, and a separable one."""
  layers, inner = k.layers, k.Input((6, 6, 2))
  block = k.Model(inner, layers.DepthwiseConv2D(3, padding="same", name="dw")(inner), name="block")
  shared = layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")
  image = k.Input((6, 6, 2))
  x = block(shared(block(shared(image))))
  x = layers.SeparableConv2D(3, 2, name="sep")(x + image if k is keras else layers.add([x, image]))
  return k.Model(image, layers.Dense(3, name="out")(layers.Flatten()(x)))


@pytest.mark.parametrize("k", KERASES)
def test_shared_and_nested_layers_have_one_mask_each_and_compute_as_before(k):
  plain = many_layers(k)
  model = tfl.supermask(plain)
  found = tfl.learned.masks(model)
  assert list(found) == list(tfl.sites(plain)) and len(found) == 5
  assert len(model.trainable_weights) == 5
  for variable in model.trainable_weights:
    variable.assign(np.ones(variable.shape))
  x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")
  np.testing.assert_allclose(model(x), plain(x), atol=1e-6)
  spread(model)
  builders.compiled(k, model, "adam").fit(x, np.arange(4) % 3, verbose=0)
  again = tfl.learned.plain(model)
  assert list(tfl.sites(again)) == list(found)
  np.testing.assert_allclose(again(x), model(x), atol=1e-6)
  build = many_layers(k)
  tfl.learned.ticket(model).apply(build)
  np.testing.assert_allclose(build(x), model(x), atol=1e-6)


@pytest.mark.parametrize(
  "where",
  ["steps_per_execution", "replicas", pytest.param("jit_compile", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("k", KERASES)
def test_masks_and_logits_are_the_same_wherever_they_are_trained(k, trained, where):
  options = {
    "steps_per_execution": {"steps_per_execution": 7},
    "jit_compile": {"jit_compile": True},
  }
  if where == "replicas":
    with builders.two_replicas().scope():
      model = learner(k, weights="signed_constant", rescale=True)
  else:
    model = learner(k, weights="signed_constant", rescale=True, options=options[where])
  reference = trained(k)
  fit(model)
  assert counts(model) == counts(reference) == [30, 30, 30]
  for found, expected in zip(logits(model), logits(reference), strict=True):
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
  for layer, other in zip(model.layers, reference.layers, strict=True):
    masks = [wrapper.effective(30)["kernel"].numpy() != 0 for wrapper in (layer, other)]
    assert np.array_equal(*masks)


@pytest.mark.parametrize("k", KERASES)
def test_a_saved_model_computes_the_same_and_draws_on(k, trained, tmp_path):
  model = fit(learner(k, weights="signed_constant", rescale=True), epochs=1)
  model.save(tmp_path / "half.keras")
  half = k.models.load_model(tmp_path / "half.keras")
  x, _ = builders.arrays()
  np.testing.assert_array_equal(half(x), model(x))
  fit(half, epochs=1)
  assert counts(half) == [30, 30, 30]
  for found, expected in zip(logits(half), logits(trained(k)), strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_an_interrupted_fit_that_is_restored_draws_as_one_that_was_not(k, trained, tmp_path):
  backup = [k.callbacks.BackupAndRestore(str(tmp_path / "backup"))]
  with pytest.raises(RuntimeError, match="interrupted"):
    model = learner(k, weights="signed_constant", rescale=True)
    fit(model, callbacks=[*backup, builders.Interrupt(1, 4)])
  model = fit(learner(k, weights="signed_constant", rescale=True), callbacks=backup)
  assert counts(model) == [30, 30, 30]
  for found, expected in zip(logits(model), logits(trained(k)), strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_evaluation_averages_over_masks_that_hold_for_a_pass(k):
  model = spread(one(k, [1.0, 2.0, 4.0], rescale=True))
  model.compile("sgd", "mse", metrics=["mae"])
  x = np.eye(3, dtype="float32")
  data = (x, np.zeros((3, 1), "float32"))
  before = [np.array(v.numpy()) for v in model.variables]
  found = tfl.learned.evaluate(model, data, samples=4, batch_size=1)
  drawn = [model.layers[0].effective(n, stream=(1,))["kernel"].numpy() for n in range(1, 5)]
  losses = [np.mean(kernel**2) for kernel in drawn]
  assert found["mean"]["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
  assert found["std"]["loss"] == pytest.approx(np.std(losses), rel=1e-4)
  rounded = model.layers[0].effective()["kernel"].numpy()
  assert found["rounded"]["loss"] == pytest.approx(np.mean(rounded**2), rel=1e-5)
  assert found["mean"].keys() == found["rounded"].keys() >= {"loss"}
  m = logits(model)[0]
  assert found["sparsity"] == pytest.approx(np.mean(1 / (1 + np.exp(m))), rel=1e-5)
  assert found["rounded_sparsity"] == pytest.approx(np.mean(m <= 0))
  for variable, value in zip(model.variables, before, strict=True):
    assert np.array_equal(variable.numpy(), value)


def test_evaluation_leaves_metrics_as_they_were(k, trained):
  model = trained(k)
  x, y = builders.arrays()
  model.evaluate(x, y, verbose=0)
  before = [np.array(v.numpy()) for metric in model.metrics for v in metric.variables]
  tfl.learned.evaluate(model, (x[:8], y[:8]), samples=1)
  after = [np.array(v.numpy()) for metric in model.metrics for v in metric.variables]
  assert before and all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))


def test_the_plain_model_has_the_layers_it_was_made_from_and_the_same_outputs(k, trained):
  model = trained(k)
  plain = tfl.learned.plain(model)
  x, _ = builders.arrays()
  np.testing.assert_allclose(plain(x), model(x), atol=1e-6)
  assert [type(layer) for layer in plain.layers] == [k.layers.Dense] * 3
  assert len(plain.trainable_weights) == 6
  for path, mask in tfl.learned.masks(model).items():
    kernel = tfl.sites(plain)[path].variable.numpy()
    kept = kernel[mask]
    factor = mask.size / mask.sum()
    frozen = next(w.layer.get_weights()[0] for w in model.layers if w.name == path.split("/")[0])
    np.testing.assert_allclose(kept, frozen[mask] * factor, rtol=1e-6)
    assert not kernel[~mask].any()


def test_the_plain_model_has_its_normalisations_back(k):
  model = tfl.supermask(builders.mlp(k, batch_norm=True))
  plain = tfl.learned.plain(model)
  assert sum(type(layer) is k.layers.BatchNormalization for layer in plain.layers) == 1
  assert len(plain.trainable_weights) == 8


def test_a_ticket_gives_a_build_of_the_model_the_same_outputs(k, trained, tmp_path):
  model = trained(k)
  tfl.learned.ticket(model).save(tmp_path / "a.ticket")
  build = builders.mlp(k, seed=9)
  tfl.Ticket.load(tmp_path / "a.ticket").apply(build)
  x, _ = builders.arrays()
  np.testing.assert_allclose(build(x), model(x), atol=1e-6)


@pytest.mark.parametrize("weights", ["initial", "signed_constant"])
def test_a_seed_and_bits_are_enough_to_store_a_network(k, weights, tmp_path):
  plain = models.lenet_300_100(k, (28, 28, 1), 10)
  model = spread(tfl.supermask(plain, weights=weights, seed=3, rescale=True))
  tfl.learned.ticket(model).save(tmp_path / "small.ticket")
  size = (tmp_path / "small.ticket").stat().st_size
  assert 266_200 / 8 < size < 40_000
  build = models.lenet_300_100(k, (28, 28, 1), 10)
  tfl.Ticket.load(tmp_path / "small.ticket").apply(build)
  x = np.random.default_rng(0).normal(size=(4, 28, 28, 1)).astype("float32")
  expected = model(x).numpy()
  np.testing.assert_allclose(build(x), expected, atol=1e-6 * np.abs(expected).max())


def test_a_ticket_stores_weights_that_were_put_in_after_the_draw(k):
  model = spread(tfl.supermask(builders.mlp(k), seed=3))
  layer = model.layers[0].layer
  layer.kernel.assign(np.ones(layer.kernel.shape))
  ticket = tfl.learned.ticket(model)
  assert list(ticket.drawn) == ["fc2/kernel", "out/kernel"]
  assert (ticket.weights["fc1/kernel"] == 1).all()


def test_half_precision_computes_in_it_and_trains_float32_logits(k):
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, "relu", dtype="mixed_float16"),
    k.layers.Dense(3, dtype="float32"),
  ]
  model = builders.compiled(k, tfl.supermask(k.Sequential(layers)), k.optimizers.SGD(5.0))
  before = logits(model)
  fit(model, epochs=1)
  x, _ = builders.arrays()
  hidden = model.layers[0](x)
  assert hidden.dtype == tf.float16 and np.isfinite(hidden).all()
  for old, new in zip(before, logits(model), strict=True):
    assert new.dtype == np.float32 and (old != new).any()
  np.testing.assert_allclose(tfl.learned.plain(model)(x), model(x), atol=1e-2)


def test_a_recurrent_layer_is_refused_and_can_be_left_out(k):
  model = k.Sequential([k.layers.Input((5, 4)), k.layers.LSTM(3, name="lstm"), k.layers.Dense(2)])
  with pytest.raises(ValueError, match=r"lstm/lstm_cell\S*/kernel: LSTMCell .* exclude="):
    tfl.supermask(model)
  assert len(tfl.supermask(model, exclude="lstm").trainable_weights) == 1


def test_attention_is_refused(k):
  x = k.Input((5, 4))
  model = k.Model(x, k.layers.MultiHeadAttention(2, 2, name="heads")(x, x))
  with pytest.raises(ValueError, match="called by MultiHeadAttention `heads`"):
    tfl.supermask(model)


def test_a_layer_of_the_users_own_is_refused(k):
  class Own(k.layers.Dense):
    pass

  with pytest.raises(ValueError, match=r"own/kernel: Own `own` is a layer of another kind"):
    tfl.supermask(k.Sequential([k.layers.Input((4,)), Own(3, name="own")]))


def test_a_subclassed_model_is_refused(k):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.fc = k.layers.Dense(3)

    def call(self, x):
      return self.fc(x)

  model = Net()
  model(np.ones((1, 2)))
  with pytest.raises(ValueError, match="no Sequential or functional model"):
    tfl.supermask(model)


def test_an_unbuilt_model_is_refused(k):
  with pytest.raises(ValueError, match="not built"):
    tfl.supermask(k.Sequential([k.layers.Dense(3)]))


def test_a_wrapped_model_of_tfmot_is_refused(tfmot):
  model = tfmot.sparsity.keras.prune_low_magnitude(builders.mlp(tf_keras))
  with pytest.raises(ValueError, match="strip_pruning"):
    tfl.supermask(model)


def test_a_supermask_of_a_supermask_is_refused(k):
  with pytest.raises(ValueError, match="has learned masks already"):
    tfl.supermask(one(k, [1.0, 2.0]))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"weights": "constant"}, "weights='constant' is unknown.* initial, signed_constant"),
    ({"seed": -1}, "seed=-1"),
    ({"seed": True}, "seed=True"),
    ({"sample_seed": 0.5}, "sample_seed=0.5"),
    ({"only": "nothing"}, "only='nothing'"),
  ],
)
def test_arguments_out_of_range_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    one(keras, [1.0, 2.0], **options)


def test_a_seed_for_a_layer_with_an_initializer_of_the_users_own_is_refused(k):
  def ones(shape, dtype=None, **kwargs):
    return tf.ones(shape, dtype)

  layers = [k.layers.Input((2,)), k.layers.Dense(1, kernel_initializer=ones, name="fc")]
  with pytest.raises(ValueError, match=r"fc/kernel.*seed=None"):
    tfl.supermask(k.Sequential(layers), seed=0)


def test_a_model_without_masks_has_none_to_convert(k):
  for convert in (tfl.learned.masks, tfl.learned.plain, tfl.learned.ticket):
    with pytest.raises(ValueError, match="no learned masks"):
      convert(builders.mlp(k))


def test_evaluation_refuses_what_it_cannot_go_through_ten_times(k, trained):
  x, y = builders.arrays()
  with pytest.raises(ValueError, match="only once"):
    tfl.learned.evaluate(trained(k), iter([(x, y)]))
  with pytest.raises(ValueError, match="samples=0"):
    tfl.learned.evaluate(trained(k), (x, y), samples=0)
  with pytest.raises(ValueError, match="not compiled"):
    tfl.learned.evaluate(one(k, [1.0]), (x, y))


def _trained_names(model):
  return [v.name.rsplit("/", 1)[-1].split(":")[0] for v in model.trainable_variables]


def test_what_is_frozen_stays_so_whatever_trainable_says(k, tmp_path):
  model = tfl.supermask(builders.mlp(k), seed=1)
  expected = ["kernel_logits"] * 3
  model.trainable = False
  model.trainable = True
  assert _trained_names(model) == expected
  if k is tf_keras:
    model.compile("sgd", "mse")
    model.save(tmp_path / "saved")
    assert _trained_names(k.models.load_model(tmp_path / "saved")) == expected


def test_signed_constants_in_half_precision_have_the_deviation_of_their_weights(k):
  layers = [k.layers.Input((784,)), k.layers.Dense(300, name="fc", dtype="bfloat16")]
  plain = k.Sequential(layers)
  found = np.array(tfl.supermask(plain, weights="signed_constant").layers[-1].layer.kernel.numpy())
  drawn = np.array(plain.layers[-1].kernel.numpy()).astype("float32")  # its draws have zeros
  expected = np.where(drawn == 0, 0, drawn.std())
  np.testing.assert_allclose(np.abs(found.astype("float32")), expected, rtol=0.01)


def test_a_layer_in_float16_is_rescaled_by_a_finite_factor(k):
  layers = [k.layers.Input((784,)), k.layers.Dense(300, name="fc", dtype="float16")]
  model = tfl.supermask(k.Sequential(layers), rescale=True)
  wrapper = model.layers[-1]
  wrapper.kernel_logits.assign(
    np.where(np.arange(784)[:, None] < 196, 1.0, -1.0) * np.ones((784, 300))
  )
  kernel = wrapper.layer.kernel.numpy().astype("float32")
  effective = np.array(wrapper.effective()["kernel"]).astype("float32")
  np.testing.assert_allclose(effective[:196], 4 * kernel[:196], rtol=2e-3)
  assert not effective[196:].any()
  x = np.ones((2, 784), "float16")
  plain = tfl.learned.plain(model)
  np.testing.assert_allclose(model.predict(x, verbose=0), plain.predict(x, verbose=0), rtol=2e-2)


def test_a_stateless_call_takes_the_weights_that_it_is_given():
  plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  model = tfl.supermask(plain)
  given = [np.array(v) + 5 * v.path.endswith("bias") for v in model.non_trainable_variables]
  trained = [np.array(v) for v in model.trainable_variables]
  outputs, _ = model.stateless_call(trained, given, np.ones((1, 2), "float32"))
  assert float(outputs[0, 0]) == 5.0


def test_evaluation_passes_its_options_on(k):
  model = tfl.supermask(builders.mlp(k))
  model.compile("sgd", "mse")
  found = tfl.learned.evaluate(
    model, (np.ones((4, 8)), np.ones((4, 3))), samples=1, verbose=0, return_dict=True
  )
  assert found["rounded"]["loss"] > 0
