"""What variational dropout and L0 share: ramps, penalties, training, conversion, the callback."""

import types
import warnings

import builders
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES

import tflottery as tfl
from tflottery.learned import ramps

METHODS = {"vd": tfl.variational_dropout, "l0": tfl.l0}
BOTH = pytest.mark.parametrize("method", METHODS)
# Strong and soon enough that 30 steps drop some weights.
OPTIONS = {
  "vd": {"strength": 0.05, "begin_step": 2, "end_step": 20, "log_sigma2": -3.0, "threshold": 0.0},
  "l0": {"strength": 0.005, "begin_step": 2, "end_step": 20, "log_alpha": -2.2},
}


def learner(k, method, *, batch_norm=False, options=None, **kwargs):
  plain = builders.mlp(k, batch_norm=batch_norm)
  model = METHODS[method](plain, **OPTIONS[method] | kwargs)
  return builders.compiled(k, model, k.optimizers.Adam(0.02), **(options or {}))


def fit(model, epochs=2, **kwargs):
  x, y = builders.arrays()
  return model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **kwargs).history


@pytest.fixture(scope="module")
def trained():
  """A trained model of a Keras and a method, and its history."""
  made = {}

  def of(k, method):
    if (k, method) not in made:
      model = learner(k, method)
      made[k, method] = model, fit(model, callbacks=[tfl.callbacks.LearnedMasks(log_sites=True)])
    return made[k, method]

  return of


def one(k, method, kernel, *, calls=1, **kwargs):
  """A square linear layer without bias that is called so often."""
  x = k.Input((len(kernel),))
  fc = k.layers.Dense(len(kernel), use_bias=False, name="fc")
  y = x
  for _ in range(calls):
    y = fc(y)
  model = k.Model(x, y)
  model.set_weights([np.array(kernel, "float32")])
  return METHODS[method](model, **{"strength": 1.0, **kwargs})


def penalty(model):
  [loss] = model.losses
  return float(loss)


def variables(model):
  return [np.array(v.numpy()) for v in model.variables]


def counts(model):
  return [int(layer.draws.numpy()) for layer in model.layers if hasattr(layer, "draws")]


@pytest.mark.parametrize(
  ("ramp", "begin", "end", "expected"),
  [
    ("linear", 10, 20, {0: 0, 10: 0, 12: 0.4, 15: 1, 20: 2, 99: 2}),
    ("cubic", 10, 20, {9: 0, 10: 0, 15: 2 * 0.875, 20: 2, 99: 2}),
    ("linear", 0, 0, {0: 2, 1: 2}),
    ("cubic", 10, 10, {9: 0, 10: 2}),
    ("linear", 10, 3, {3: 0, 9: 0, 10: 2}),
  ],
)
def test_the_strength_grows_from_begin_to_end(ramp, begin, end, expected):
  how = types.SimpleNamespace(**ramps.checked(2, begin, end, ramp))
  for step, strength in expected.items():
    found = ramps.strength(how, tf.constant(step), tf.float64).numpy()
    assert found == pytest.approx(strength), step


@BOTH
def test_the_penalty_is_that_of_the_step_whose_forward_pass_was_the_latest(k, method):
  model = one(k, method, np.eye(2), begin_step=1, end_step=3)
  x = np.ones((1, 2), "float32")
  assert penalty(model) == 0
  found = []
  for _ in range(5):
    model(x, training=True)
    model(x)
    found.append(penalty(model))
  np.testing.assert_allclose(np.array(found) / found[-1], [0, 0, 0.5, 1, 1])


@BOTH
def test_a_layer_that_is_called_twice_is_charged_once_and_counts_steps(k, method):
  model, single = (one(k, method, np.eye(2), calls=n, begin_step=1, end_step=3) for n in (2, 1))
  x = np.ones((1, 2), "float32")
  for _ in range(3):
    model(x, training=True)
    single(x, training=True)
    assert penalty(model) == penalty(single)
  assert (counts(model), counts(single)) == ([6], [3])


def test_calls_multiply_through_nested_models(k):
  inner = k.Input((2,))
  fc = k.layers.Dense(2, name="fc")
  block = k.Model(inner, fc(fc(inner)), name="block")
  x = k.Input((2,))
  model = tfl.l0(k.Model(x, block(block(x))), strength=1.0)
  [wrapper] = model.get_layer("block").layers[1:]
  assert wrapper.calls == 4
  model(np.ones((1, 2)), training=True)
  assert int(wrapper.steps()) == 1


@BOTH
def test_gradients_of_loss_and_penalty_reach_weights_and_parameters(k, method):
  model = one(k, method, [[0.5, -1.0], [2.0, 0.1]])
  x = np.ones((1, 2), "float32")
  with tf.GradientTape() as tape:
    value = tf.reduce_sum(model(x, training=True)) + sum(model.losses)
  tensors = [v if k is tf_keras else v.value for v in model.trainable_variables]
  assert [v.shape for v in tensors] == [(2, 2)] * 2
  for gradient in tape.gradient(value, tensors):
    assert np.isfinite(gradient).all() and gradient.numpy().any()


def test_both_kerases_compute_the_same_of_the_same_parameters():
  x, _ = builders.arrays()
  for method in METHODS:
    first, second = (METHODS[method](builders.mlp(k), **OPTIONS[method]) for k in (keras, tf_keras))
    for a, b in zip(first.trainable_variables, second.trainable_variables, strict=True):
      np.testing.assert_array_equal(a.numpy(), b.numpy())
    for training in (True, False):
      a, b = (model(x, training=training).numpy() for model in (first, second))
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    a, b = ([float(loss) for loss in model.losses] for model in (first, second))
    np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("k", KERASES)
@BOTH
def test_training_moves_weights_and_parameters_and_drops_some_weights(k, trained, method):
  model, history = trained(k, method)
  start = learner(k, method)
  for old, new in zip(start.trainable_variables, model.trainable_variables, strict=True):
    assert (old.numpy() != new.numpy()).any()
  masks = tfl.learned.masks(model)
  kept = np.concatenate([m.ravel() for m in masks.values()])
  assert 0.01 < 1 - kept.mean() < 0.99
  assert history["sparsity"][-1] == pytest.approx(1 - kept.mean())
  for path, mask in masks.items():
    assert history[f"sparsity/{path}"][-1] == pytest.approx(1 - mask.mean())
  assert counts(model) == [30, 30, 30]


@pytest.mark.parametrize("k", KERASES)
@BOTH
def test_plain_model_and_ticket_compute_what_inference_does(k, trained, method, tmp_path):
  model, _ = trained(k, method)
  x, _ = builders.arrays()
  plain, build = tfl.learned.plain(model), builders.mlp(k, seed=9)
  tfl.learned.ticket(model).save(tmp_path / "a.ticket")
  tfl.Ticket.load(tmp_path / "a.ticket").apply(build)
  for other in (plain, build):
    np.testing.assert_allclose(other(x), model(x), atol=1e-6)
    for path, mask in tfl.learned.masks(model).items():
      kernel = tfl.sites(other)[path].variable.numpy()
      assert not kernel[~mask].any() and kernel[mask].all()
  assert [type(layer) for layer in plain.layers] == [k.layers.Dense] * 3


@pytest.mark.parametrize(
  "where",
  [
    "steps_per_execution",
    pytest.param("jit_compile", marks=pytest.mark.slow),
    pytest.param("replicas", marks=pytest.mark.slow),
  ],
)
@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("method", ["vd", pytest.param("l0", marks=pytest.mark.slow)])
def test_it_trains_the_same_wherever_it_is_trained(k, trained, method, where):
  if where == "replicas" and method == "vd":
    pytest.skip("replicas draw other noise")
  reference, history = trained(k, method)
  options = {
    "steps_per_execution": {"steps_per_execution": 7},
    "jit_compile": {"jit_compile": True},
  }
  if where == "replicas":
    with builders.two_replicas().scope():
      model = learner(k, method)
  else:
    model = learner(k, method, options=options[where])
  found = fit(model)
  assert counts(model) == counts(reference) == [30, 30, 30]
  np.testing.assert_allclose(found["loss"], history["loss"], rtol=2e-3)
  for a, b in zip(model.trainable_variables, reference.trainable_variables, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=0.01)


@pytest.mark.slow
def test_two_replicas_repeat_their_training(k):
  models = []
  for _ in range(2):
    with builders.two_replicas().scope():
      models.append(learner(k, "vd"))
    fit(models[-1])
  for a, b in zip(*map(variables, models), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
def test_a_saved_model_goes_on_where_it_was(k, trained, tmp_path):
  for method in METHODS:
    reference, _ = trained(k, method)
    model = learner(k, method)
    fit(model, epochs=1)
    model.save(tmp_path / "half.keras")
    half = k.models.load_model(tmp_path / "half.keras")
    assert [float(x) for x in half.losses] == [float(x) for x in model.losses]
    fit(half, epochs=1)
    for found, expected in zip(variables(half), variables(reference), strict=True):
      np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
@BOTH
def test_an_interrupted_fit_that_is_restored_ends_as_one_that_was_not(k, trained, method, tmp_path):
  callbacks = [k.callbacks.BackupAndRestore(str(tmp_path / "backup")), tfl.callbacks.LearnedMasks()]
  with pytest.raises(RuntimeError, match="interrupted"):
    fit(learner(k, method), callbacks=[*callbacks, builders.Interrupt(1, 4)])
  model = learner(k, method)
  fit(model, callbacks=callbacks)
  for found, expected in zip(variables(model), variables(trained(k, method)[0]), strict=True):
    np.testing.assert_array_equal(found, expected)


@BOTH
def test_a_clone_has_the_same_parametrisation(k, method):
  model = one(k, method, np.eye(3), end_step=7)
  again = k.models.clone_model(model)
  again.set_weights(model.get_weights())
  x = np.eye(3, dtype="float32")
  np.testing.assert_array_equal(again(x, training=True), model(x, training=True))
  assert again.layers[-1].get_config() == model.layers[-1].get_config()
  assert penalty(again) == penalty(model)


@pytest.mark.slow
def test_all_else_trains_as_before(k):
  plain = builders.mlp(k, batch_norm=True)
  plain.get_layer("fc2").trainable = False
  model = tfl.l0(plain, strength=1e-3)
  builders.compiled(k, model, k.optimizers.Adam(0.02))
  before = {id(v): np.array(v.numpy()) for v in model.variables}
  fit(model, epochs=1)
  computed = {"kernel", "bias", "kernel_log_alpha", "draws"}
  norm = {"gamma", "beta", "moving_mean", "moving_variance"}
  expected = {"fc1": computed, "norm": norm, "fc2": set(), "out": computed}
  for layer in model.layers:
    moved = {
      v.name.rsplit("/", 1)[-1].split(":")[0]
      for v in layer.weights
      if not np.array_equal(v.numpy(), before[id(v)])
    }
    assert moved == expected[layer.name], layer.name
  again = tfl.learned.plain(model)
  assert not again.get_layer("fc2").trainable
  assert len(again.trainable_weights) == len(plain.trainable_weights) == 6


@pytest.mark.slow
@BOTH
def test_weight_decay_can_leave_the_parameters_of_masks_out(k, method):
  x, y = builders.arrays()
  plain, decayed = (learner(k, method) for _ in range(2))
  optimizer = k.optimizers.AdamW(0.02, weight_decay=0.5)
  parameter = {"vd": "log_sigma2", "l0": "log_alpha"}[method]
  optimizer.exclude_from_weight_decay(var_names=[parameter])
  builders.compiled(k, decayed, optimizer)
  for model in (plain, decayed):
    model.train_on_batch(x[:8], y[:8])
  moved = {"kernel": [], f"kernel_{parameter}": []}
  for variable, other in zip(plain.weights, decayed.weights, strict=True):
    name = variable.name.rsplit("/", 1)[-1].split(":")[0]
    moved.get(name, []).append(not np.array_equal(variable, other))
  assert moved == {"kernel": [True] * 3, f"kernel_{parameter}": [False] * 3}


@pytest.mark.parametrize("k", KERASES)
@BOTH
def test_the_loss_of_evaluate_has_the_penalty(k, trained, method):
  model, _ = trained(k, method)
  x, y = builders.arrays()
  found = model.evaluate(x, y, verbose=0)
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)(y, model(x))
  assert found == pytest.approx(float(loss) + sum(float(p) for p in model.losses), rel=1e-5)


def test_a_stateless_call_charges_what_it_is_given():
  model = one(keras, "vd", np.eye(2), end_step=4)
  given = [np.array(v) for v in model.trainable_variables]
  kept = [
    np.full(v.shape, 3) if v.path.endswith("draws") else v for v in model.non_trainable_variables
  ]
  place = [v.path.endswith("fc/kernel") for v in model.trainable_variables].index(True)
  given[place] = 2 * given[place]
  _, updated, losses = model.stateless_call(
    given, kept, np.ones((1, 2), "float32"), training=True, return_losses=True
  )
  model.layers[-1].layer.kernel.assign(given[place])
  model.layers[-1].draws.assign(4)
  assert float(losses[0]) == penalty(model)
  assert 4 in [int(np.max(v)) for v in updated]


@BOTH
def test_a_site_that_loses_everything_is_warned_about_with_the_numbers(k, method):
  model = one(k, method, np.ones((2, 2)))
  parameter = model.layers[-1].parameters("kernel").popitem()[1]
  parameter.assign([[3.5, 5.0], [6.0, 7.0]] if method == "vd" else [[-3.5, -5.0], [-6.0, -7.0]])
  numbers = {
    "vd": r"threshold=3, its smallest log_alpha is 3\.5",
    "l0": r"above log_alpha=-2\.398, its highest is -3\.5",
  }
  for convert in (tfl.learned.masks, tfl.learned.plain, tfl.learned.ticket):
    with pytest.warns(
      UserWarning, match=f"fc/kernel has no weight left, all 4 .*{numbers[method]}"
    ):
      convert(model)


@BOTH
def test_a_ramp_that_has_not_ended_is_warned_about(k, method):
  model = one(k, method, np.eye(2), end_step=10)
  model.layers[-1].draws.assign(9)
  with pytest.warns(UserWarning, match=r"has trained 9 steps, .*end_step=10"):
    tfl.learned.masks(model)
  model.layers[-1].draws.assign(10)
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    tfl.learned.masks(model)


@pytest.mark.parametrize("k", KERASES)
def test_a_ramp_longer_than_the_training_is_refused(k):
  callback = [tfl.callbacks.LearnedMasks()]
  model = learner(k, "l0", end_step=31)
  before = variables(model)
  with pytest.raises(
    ValueError, match=r"end_step=31: .* ends at step 30 \(0 done, 2 epochs of 15 steps\)"
  ):
    fit(model, callbacks=callback)
  assert all(np.array_equal(a, b) for a, b in zip(variables(model), before, strict=True))


@pytest.mark.slow
def test_a_strength_that_never_begins_is_refused(k):
  callback = [tfl.callbacks.LearnedMasks()]
  with pytest.raises(ValueError, match=r"begin_step=30: .* ends at step 30 \(0 done, 2 epochs"):
    fit(learner(k, "l0", begin_step=30, end_step=0), callbacks=callback)
  fit(learner(k, "l0", begin_step=29, end_step=0), callbacks=callback)


@pytest.mark.slow
def test_steps_done_before_count_towards_the_ramp(k):
  callbacks = [tfl.callbacks.LearnedMasks()]
  model = learner(k, "vd", end_step=31)
  fit(model, epochs=1)
  fit(model, callbacks=callbacks)
  again = learner(k, "vd", end_step=31)
  fit(again, epochs=1)
  with pytest.raises(ValueError, match=r"ends at step 30 \(15 done, 1 epochs of 15 steps\)"):
    fit(again, initial_epoch=1, callbacks=callbacks)


@pytest.mark.slow
def test_an_unknown_number_of_steps_is_let_through_and_its_end_counts_for_none(k):
  model = learner(k, "l0", end_step=1000)
  x, y = builders.arrays()
  data = tf.data.Dataset.from_generator(
    lambda: iter([(x[:8], y[:8])]),
    output_signature=(tf.TensorSpec((8, 8)), tf.TensorSpec((8,), tf.int64)),
  )
  model.fit(data, verbose=0, callbacks=[tfl.callbacks.LearnedMasks()])
  assert counts(model) == [1, 1, 1]


@pytest.mark.parametrize("k", KERASES)
def test_a_model_without_learned_masks_is_refused(k):
  with pytest.raises(ValueError, match="no learned masks"):
    fit(builders.mlp(k), callbacks=[tfl.callbacks.LearnedMasks()])


def test_layers_that_are_not_served_are_named_with_the_method(k):
  x = k.Input((5, 4))
  heads = k.layers.MultiHeadAttention(2, 2, name="heads")
  attention = k.Model(x, heads(x, x))
  lstm = k.Sequential([k.layers.Input((5, 4)), k.layers.LSTM(3, name="lstm")])
  for name, make in (("variational_dropout", tfl.variational_dropout), ("l0", tfl.l0)):
    with pytest.raises(ValueError, match=f"{name} can't serve: heads.*build attention from Dense"):
      make(attention, strength=1.0)
    with pytest.raises(ValueError, match=f"{name} can't serve: lstm.*Served are .*Dense"):
      make(lstm, strength=1.0)
    with pytest.raises(ValueError, match="learned masks already"):
      make(one(k, "l0", np.eye(2)), strength=1.0)
    with pytest.raises(ValueError, match="not built"):
      make(k.Sequential([k.layers.Dense(3)]), strength=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@BOTH
def test_other_precisions_train(k, method, policy):
  dtype = "float64" if policy == "float64" else "float32"
  layers = [
    k.layers.Input((8,), dtype=dtype),
    k.layers.Dense(6, "relu", dtype=policy, name="fc1"),
    k.layers.Dense(3, dtype=dtype, name="out"),
  ]
  model = METHODS[method](k.Sequential(layers), **OPTIONS[method])
  builders.compiled(k, model, k.optimizers.Adam(0.02))
  loss = fit(model)["loss"]
  assert np.isfinite(loss).all() and loss[1] < loss[0] + 1
  x, _ = builders.arrays()
  np.testing.assert_allclose(tfl.learned.plain(model)(x), model(x), atol=1e-6)


@pytest.mark.slow
def test_a_conversion_to_the_tensorflow_format_keeps_values(trained, tmp_path):
  model, _ = trained(tf_keras, "vd")
  model.save(tmp_path / "saved")
  x, _ = builders.arrays()
  again = tf_keras.models.load_model(tmp_path / "saved")
  np.testing.assert_allclose(again(x), model(x), atol=1e-6)
