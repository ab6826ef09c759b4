"""Held masks: the invariants of docs/design.md, section 4, on both Kerases."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import (
  Watch,
  arrays,
  assert_held,
  batches,
  compiled,
  mlp,
  one_kernel,
  optimizer_size,
  random_masks,
  slots,
  two_replicas,
  values,
)

import tflottery as tfl


def fit_held(model, masks, data=None, *, looks, epochs=1, **options):
  """A fit in which every step that can be seen is looked at."""
  watch = Watch(masks)
  hold = tfl.callbacks.HoldMasks(masks)
  data = batches() if data is None else data
  model.fit(data, epochs=epochs, verbose=0, callbacks=[hold, watch], **options)
  assert watch.looks == looks
  return watch


# --- Invariants 1 and 2, over models -------------------------------------------------------------


def _functional(k):
  inputs = k.layers.Input((8,))
  hidden = k.layers.Dense(6, activation="relu", name="fc1")(inputs)
  joined = k.layers.Concatenate()([inputs, hidden])
  return k.Model(inputs, k.layers.Dense(3, name="out")(joined))


def _subclassed(k):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.blocks = [k.layers.Dense(6, activation="relu", name=f"fc{i}") for i in range(2)]
      self.out = k.layers.Dense(3, name="out")

    def call(self, x):
      for block in self.blocks:
        x = block(x)
      return self.out(x)

  net = Net()
  net(np.zeros((1, 8), "float32"))
  return net


def _nested(k):
  inner = k.Sequential([k.layers.Input((8,)), k.layers.Dense(6, name="fc")], name="inner")
  outer = k.Sequential(
    [inner, k.layers.BatchNormalization(), k.layers.Dense(5, name="fc")], name="mid"
  )
  return k.Sequential([k.layers.Input((8,)), outer, k.layers.Dense(3, name="out")])


def _convolutional(k):
  return k.Sequential(
    [
      k.layers.Input((8,)),
      k.layers.Reshape((4, 2)),
      k.layers.Conv1D(5, 2, name="conv"),
      k.layers.SeparableConv1D(4, 2, name="separable"),
      k.layers.Flatten(),
      k.layers.Dense(3, name="out"),
    ]
  )


def _recurrent(k):
  return k.Sequential(
    [
      k.layers.Input((8,)),
      k.layers.Reshape((4, 2)),
      k.layers.LSTM(5, name="lstm", return_sequences=True),
      k.layers.Bidirectional(k.layers.GRU(3), name="both"),
      k.layers.Dense(3, name="out"),
    ]
  )


def _attention(k):
  inputs = k.layers.Input((8,))
  sequence = k.layers.Reshape((4, 2))(inputs)
  attended = k.layers.MultiHeadAttention(2, 3, name="attention")(sequence, sequence)
  return k.Model(inputs, k.layers.Dense(3, name="out")(k.layers.Flatten()(attended)))


MODELS = {
  "functional": (_functional, {"fc1/kernel", "out/kernel"}),
  "subclassed": (_subclassed, {"fc0/kernel", "fc1/kernel", "out/kernel"}),
  "nested": (_nested, {"mid/inner/fc/kernel", "mid/fc/kernel", "out/kernel"}),
  "convolutional": (
    _convolutional,
    {"conv/kernel", "separable/depthwise_kernel", "separable/pointwise_kernel", "out/kernel"},
  ),
  "recurrent": (_recurrent, 2 + 4 + 1),
  "attention": (_attention, 4 + 1),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_sparse_after_every_step(k, name):
  build, expected = MODELS[name]
  model = compiled(k, build(k), "adamw")
  before, masks = values(model), random_masks(model, 0.6)
  if isinstance(expected, int):
    assert len(masks) == expected
  else:
    assert set(masks) == expected
  fit_held(model, masks, looks=15)
  after = values(model)
  for path, mask in masks.items():
    assert (after[path][mask] != before[path][mask]).any(), f"{path} did not learn"


def test_an_embedding_is_sparse_though_its_gradients_are_indexed_slices(k):
  model = k.Sequential(
    [
      k.layers.Input((4,), dtype="int32"),
      k.layers.Embedding(9, 5, name="embedding"),
      k.layers.Flatten(),
      k.layers.Dense(3, name="out"),
    ]
  )
  rng = np.random.default_rng(0)
  x, y = rng.integers(0, 9, (64, 4)).astype("int32"), rng.integers(0, 3, 64)
  for optimizer in ("sgd", "adam"):
    compiled(k, model, optimizer)
    masks = random_masks(model)
    assert "embedding/embeddings" in masks
    before = values(model)["embedding/embeddings"]
    fit_held(model, masks, tf.data.Dataset.from_tensor_slices((x, y)).batch(8), looks=8)
    after = values(model)["embedding/embeddings"]
    live = masks["embedding/embeddings"]
    assert (after[live] != before[live]).mean() > 0.9


# --- Invariants 1 and 2, over optimizers ---------------------------------------------------------

OPTIMIZERS = {
  "sgd": lambda k: k.optimizers.SGD(0.1),
  "momentum": lambda k: k.optimizers.SGD(0.1, momentum=0.9),
  "nesterov": lambda k: k.optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
  "adam": lambda k: k.optimizers.Adam(0.01, weight_decay=0.1),
  "amsgrad": lambda k: k.optimizers.Adam(0.01, amsgrad=True),
  "adamw": lambda k: k.optimizers.AdamW(0.01, weight_decay=0.1),
  "rmsprop": lambda k: k.optimizers.RMSprop(0.01, momentum=0.9, centered=True),
  "adagrad": lambda k: k.optimizers.Adagrad(0.1),
  "adadelta": lambda k: k.optimizers.Adadelta(1.0),
  "adamax": lambda k: k.optimizers.Adamax(0.01),
  "nadam": lambda k: k.optimizers.Nadam(0.01),
  "ftrl": lambda k: k.optimizers.Ftrl(0.1),
  "lion": lambda k: k.optimizers.Lion(0.01),
  "clipnorm": lambda k: k.optimizers.Adam(0.01, clipnorm=0.1),
  "clipvalue": lambda k: k.optimizers.Adam(0.01, clipvalue=0.1),
  "global_clipnorm": lambda k: k.optimizers.Adam(0.01, global_clipnorm=0.1),
  "ema": lambda k: k.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
  "ema_overwrite": lambda k: k.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=4),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_keeps_masked_weights_and_slots_at_zero(k, name):
  model = mlp(k, OPTIMIZERS[name](k))
  before, masks = values(model), random_masks(model, 0.6)
  fit_held(model, masks, looks=15)
  assert_held(model, masks)  # averages are written when fit ends
  for path, mask in masks.items():
    assert (values(model)[path][mask] != before[path][mask]).any(), f"{path} did not learn"


def test_adafactor_is_refused_because_its_moments_turn_to_nan(k):
  layers = [k.layers.Input((8,)), k.layers.Dense(3, name="out")]
  model = compiled(k, k.Sequential(layers), k.optimizers.Adafactor(0.01))
  with pytest.raises(TypeError, match=r"Adafactor can't hold masks.*Use Adam"):
    tfl.hold(model, {"out/kernel": np.ones((8, 3), bool)})


KERAS_3_OPTIMIZERS = {
  "muon": lambda: keras.optimizers.Muon(0.01),
  "lamb": lambda: keras.optimizers.Lamb(0.01, weight_decay=0.1),
  "accumulation": lambda: keras.optimizers.AdamW(0.01, gradient_accumulation_steps=4),
  "accumulation_clipped": lambda: keras.optimizers.SGD(
    0.1, momentum=0.9, gradient_accumulation_steps=2, global_clipnorm=0.1
  ),
}


@pytest.mark.parametrize("name", KERAS_3_OPTIMIZERS)
def test_optimizers_of_keras_3_alone_keep_zeros(name):
  model = mlp(keras, KERAS_3_OPTIMIZERS[name]())
  before, masks = values(model), random_masks(model, 0.6)
  fit_held(model, masks, looks=15)
  for path, mask in masks.items():
    assert (values(model)[path][mask] != before[path][mask]).any(), f"{path} did not learn"


def _drifting(k):
  """An optimizer of the user's whose update moves every weight, gradient or none."""

  class Drifting(k.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate=None):
      rate = (learning_rate,) if k is keras else ()
      super().update_step(gradient + 1.0, variable, *rate)

  return Drifting(0.1, momentum=0.9)


@pytest.mark.parametrize(
  "options", [{}, {"steps_per_execution": 5}, {"jit_compile": True}], ids=str
)
def test_an_optimizer_that_does_not_keep_zeros_is_masked_again(k, options):
  model = mlp(k, _drifting(k), **options)
  fit_held(model, random_masks(model), looks=15 // options.get("steps_per_execution", 1))


def test_an_optimizer_that_does_not_keep_zeros_is_masked_again_on_two_replicas(k):
  with two_replicas().scope():
    model = mlp(k, _drifting(k))
  fit_held(model, random_masks(model), looks=15)


def test_a_custom_constraint_that_moves_zeros_is_masked_again(k):
  class Lift(k.constraints.Constraint):
    def __call__(self, w):
      return w + 0.25

  model = k.Sequential(
    [k.layers.Input((8,)), k.layers.Dense(3, kernel_constraint=Lift(), name="out")]
  )
  compiled(k, model, "adam")
  before, masks = values(model), random_masks(model)
  fit_held(model, masks, looks=15)
  live = masks["out/kernel"]
  assert (values(model)["out/kernel"][live] > before["out/kernel"][live] + 1).all()


def test_a_nan_gradient_at_masked_places_does_no_harm(k):
  class Root(k.layers.Layer):
    """x @ sqrt(|w|): at w = 0 the gradient is 0 / 0."""

    def build(self, shape):
      self.kernel = self.add_weight(
        name="kernel", shape=(shape[-1], 3), initializer="glorot_uniform"
      )

    def call(self, x):
      return tf.matmul(x, tf.sqrt(tf.abs(self.kernel)))

  model = k.Sequential([k.layers.Input((8,)), Root(name="root")])
  for optimizer in (k.optimizers.Adam(0.001), k.optimizers.SGD(0.001, global_clipnorm=1.0)):
    compiled(k, model, optimizer)
    masks = random_masks(model)
    model.set_weights([np.where(masks["root/kernel"], 1.0, 0.0).astype("float32")])
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(model(np.ones((1, 8), "float32")))
    variable = model.trainable_variables[0]
    gradient = tape.gradient(loss, variable.value if k is keras else variable).numpy()
    assert not np.isfinite(gradient[~masks["root/kernel"]]).any()
    fit_held(model, masks, looks=15)


def test_an_untrainable_layer_and_a_mask_on_part_of_the_model_leave_the_rest_alone(k):
  model = mlp(k)
  model.get_layer("fc1").trainable = False
  compiled(k, model, "adam")
  frozen = model.get_layer("fc1").get_weights()[0]
  masks = random_masks(model)
  assert set(masks) == {"fc2/kernel", "out/kernel"}
  del masks["out/kernel"]
  fit_held(model, masks, looks=15)
  assert (model.get_layer("fc1").get_weights()[0] == frozen).all()
  assert model.get_layer("out").get_weights()[0].all()


# --- The optimizer sees the masked gradient alone ------------------------------------------------

# y = x w, x = (3, 4), w = (1, 0), target 0: the gradient of (x w)^2 is 2 * 3 * (3, 4) = (18, 24).
HAND = np.array([[3.0, 4.0]], "float32"), np.array([[0.0]], "float32")
HAND_MASK = {"fc/kernel": np.array([[True], [False]])}


@pytest.mark.parametrize("norm", ["clipnorm", "global_clipnorm"])
def test_clipping_sees_the_norm_of_the_masked_gradient(k, norm):
  model = one_kernel(k, [1.0, 0.0], k.optimizers.SGD(1.0, **{norm: 9.0}))
  with tfl.hold(model, HAND_MASK):
    model.train_on_batch(*HAND)
  # (18, 0) has norm 18 and is halved to (9, 0); (18, 24) would be cut to (5.4, 7.2).
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [-8.0, 0.0], rtol=1e-6)


def test_the_global_norm_is_taken_over_masked_and_dense_weights_together(k):
  model = k.Sequential([k.layers.Input((2,)), k.layers.Dense(1, name="fc")])
  model.set_weights([np.array([[1.0], [0.0]]), np.array([0.0])])
  model.compile(k.optimizers.SGD(1.0, global_clipnorm=9.0), "mse")
  with tfl.hold(model, HAND_MASK):
    model.train_on_batch(*HAND)
  # Gradients (18, 0) and, of the bias, 6: together of norm sqrt(360).
  kernel, bias = model.get_weights()
  factor = 9 / 360**0.5
  np.testing.assert_allclose(kernel.ravel(), [1 - 18 * factor, 0.0], rtol=1e-6)
  np.testing.assert_allclose(bias, [-6 * factor], rtol=1e-6)


def test_clipping_on_two_replicas_sees_the_masked_sum(k):
  with two_replicas().scope():
    model = one_kernel(k, [1.0, 0.0], k.optimizers.SGD(1.0, global_clipnorm=9.0))
  # A replica has one row each: the gradients of the mean are 1/2 (36, 48) and 1/2 (0, 0).
  x = np.array([[6.0, 8.0], [0.0, 0.0]], "float32") / 2**0.5
  data = tf.data.Dataset.from_tensors((x, np.zeros((2, 1), "float32")))
  model.fit(data, verbose=0, callbacks=[tfl.callbacks.HoldMasks(HAND_MASK)])
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [-8.0, 0.0], rtol=1e-6)


def test_accumulated_gradients_are_masked_and_clipped_once():
  optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2, global_clipnorm=9.0)
  model = one_kernel(keras, [1.0, 0.0], optimizer)
  with tfl.hold(model, HAND_MASK):
    model.train_on_batch(*HAND)
    np.testing.assert_allclose(model.get_weights()[0].ravel(), [1.0, 0.0])
    model.train_on_batch(*HAND)
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [-8.0, 0.0], rtol=1e-6)


def test_weight_decay_and_momentum_see_the_sparse_network(k):
  model = one_kernel(k, [1.0, 5.0], k.optimizers.SGD(0.01, momentum=0.5, weight_decay=0.1))
  with tfl.hold(model, HAND_MASK):
    model.train_on_batch(*HAND)
    model.train_on_batch(*HAND)
  # w -= 0.01 * 0.1 w, then momentum m = 0.5 m - 0.01 g and w += m; g = 18 w of before the decay.
  w, m = 1.0, 0.0
  for _ in range(2):
    g = 18 * w
    w -= 0.001 * w
    m = 0.5 * m - 0.01 * g
    w += m
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [w, 0.0], rtol=1e-5)


def _adam_by_hand(weights, biases, masks, data, rate=0.01, b1=0.9, b2=0.999, epsilon=1e-7):
  """A two-layer ReLU network under Adam in NumPy; gradients times masks, weights start masked."""
  parameters = [w * m for w, m in zip(weights, masks, strict=True)] + list(biases)
  factors = [*masks, *(np.ones_like(b, bool) for b in biases)]
  parameters = [p.astype("float64") for p in parameters]
  moments = [[np.zeros_like(p) for p in parameters] for _ in range(2)]
  for t, (x, y) in enumerate(data, 1):
    w1, w2, c1, c2 = parameters
    hidden = np.maximum(x @ w1 + c1, 0)
    logits = hidden @ w2 + c2
    odds = np.exp(logits - logits.max(1, keepdims=True))
    delta = (odds / odds.sum(1, keepdims=True) - np.eye(odds.shape[1])[y]) / len(x)
    back = (delta @ w2.T) * (hidden > 0)
    gradients = [x.T @ back, hidden.T @ delta, back.sum(0), delta.sum(0)]
    for i, (gradient, factor) in enumerate(zip(gradients, factors, strict=True)):
      gradient = gradient * factor
      moments[0][i] = b1 * moments[0][i] + (1 - b1) * gradient
      moments[1][i] = b2 * moments[1][i] + (1 - b2) * gradient**2
      step = rate * np.sqrt(1 - b2**t) / (1 - b1**t)
      parameters[i] = parameters[i] - step * moments[0][i] / (np.sqrt(moments[1][i]) + epsilon)
  return parameters


@pytest.mark.parametrize(
  "options", [{}, {"steps_per_execution": 4}, {"jit_compile": True}], ids=str
)
def test_a_held_model_is_the_network_written_out_in_numpy(k, options):
  model = k.Sequential(
    [k.layers.Input((8,)), k.layers.Dense(6, "relu", name="fc1"), k.layers.Dense(3, name="out")]
  )
  compiled(k, model, k.optimizers.Adam(0.01), **options)
  masks = random_masks(model, 0.6)
  w1, c1, w2, c2 = model.get_weights()
  x, y = arrays(80)
  pairs = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 80, 8)]
  expected = _adam_by_hand([w1, w2], [c1, c2], list(masks.values()), pairs)
  model.fit(
    x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks)]
  )
  w1, c1, w2, c2 = model.get_weights()
  for ours, reference in zip([w1, w2, c1, c2], expected, strict=True):
    np.testing.assert_allclose(ours, reference, atol=1e-5)


def test_a_custom_loop_with_a_tape_is_held_too(k):
  model = mlp(k, "adam")
  masks = random_masks(model)
  x, y = arrays(16)
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  with tfl.hold(model, masks):
    for _ in range(3):
      with tf.GradientTape() as tape:
        error = loss(y, model(x))
      gradients = tape.gradient(
        error, [v.value if k is keras else v for v in model.trainable_variables]
      )
      model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
      assert_held(model, masks)


# --- Invariant 3 ---------------------------------------------------------------------------------

SETTINGS = {
  "plain": {},
  "steps_per_execution": {"steps_per_execution": 7},
  "jit_compile": {"jit_compile": True},
  "mirrored": {},
}
TRAINED = {
  "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9),
  "adam": lambda k: k.optimizers.Adam(0.005),
  "adamw": lambda k: k.optimizers.AdamW(0.005, weight_decay=0.05),
}


@functools.cache
def _after_sixty_steps(k, optimizer, setting):
  """4 x 15 steps with three changes of masks in between."""
  strategy = tf.distribute.get_strategy()
  if setting == "mirrored":
    strategy = two_replicas()
  with strategy.scope():
    model = mlp(k, TRAINED[optimizer](k), **SETTINGS[setting])
  data = batches()
  found = []
  with tfl.hold(model, random_masks(model, 0.3, seed=0)) as held:
    for seed in range(4):
      masks = random_masks(model, 0.3 + 0.1 * seed, seed)
      held.assign(masks)
      assert_held(model, masks)
      watch = Watch(masks)
      model.fit(data, verbose=0, callbacks=[watch])
      # Keras 3 ends an epoch of 15 steps in its second piece of 7 with one of 1; both see 15 steps.
      assert watch.looks >= 2
      found.append(held.masks)
  assert int(np.array(model.optimizer.iterations.numpy())) == 60
  return [np.array(w) for w in model.get_weights()], found


@pytest.mark.parametrize("setting", list(SETTINGS)[1:])
@pytest.mark.parametrize("optimizer", TRAINED)
def test_sixty_steps_end_the_same_under_every_setting(k, optimizer, setting):
  weights, masks = _after_sixty_steps(k, optimizer, setting)
  expected, expected_masks = _after_sixty_steps(k, optimizer, "plain")
  for ours, theirs in zip(masks, expected_masks, strict=True):
    assert ours.keys() == theirs.keys()
    assert all((ours[path] == theirs[path]).all() for path in ours)
  for ours, theirs in zip(weights, expected, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("optimizer", TRAINED)
def test_both_kerases_train_the_same_ticket_to_the_same_weights(optimizer):
  ours, _ = _after_sixty_steps(keras, optimizer, "plain")
  theirs, _ = _after_sixty_steps(tf_keras, optimizer, "plain")
  for a, b in zip(ours, theirs, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4, rtol=0)


def test_every_replica_holds_the_same_weights_and_masks(k):
  with two_replicas().scope():
    model = mlp(k, "adam")
  masks = random_masks(model)
  with tfl.hold(model, masks):
    model.fit(batches(), verbose=0)
    variables = [site.variable for site in tfl.sites(model).values()]
    listed = model.optimizer.variables
    variables += [v for v in (listed() if callable(listed) else listed) if "bool" in str(v.dtype)]
    assert len(variables) == 2 * len(masks)
    for variable in variables:
      replicas = (variable.value if k is keras else variable).values
      assert len(replicas) == 2
      assert (replicas[0].numpy() == replicas[1].numpy()).all()


# --- Averages, mixed precision -------------------------------------------------------------------


@pytest.mark.parametrize(
  "options", [{}, {"steps_per_execution": 5}, {"jit_compile": True}], ids=str
)
def test_averaged_weights_written_at_the_end_of_fit_are_sparse(k, options):
  model = mlp(k, k.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8), **options)
  masks = random_masks(model)
  last = []

  class Last(tf_keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
      last[:] = [values(self.model)]

  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks), Last()])
  assert_held(model, masks)
  assert (values(model)["fc1/kernel"] != last[0]["fc1/kernel"]).any()


def _mixed(k, **options):
  model = k.Sequential(
    [
      k.layers.Input((8,)),
      k.layers.Dense(6, "relu", name="fc1", dtype="mixed_float16"),
      k.layers.Dense(3, name="out", dtype="mixed_float16"),
      k.layers.Activation("linear", dtype="float32"),
    ]
  )
  inner = k.optimizers.Adam(0.01)
  scaled = (
    k.mixed_precision.LossScaleOptimizer if k is tf_keras else k.optimizers.LossScaleOptimizer
  )
  return compiled(k, model, scaled(inner), **options)


@pytest.mark.parametrize(
  "options", [{}, {"steps_per_execution": 5}, {"jit_compile": True}], ids=str
)
def test_mixed_float16_with_loss_scaling_is_sparse(k, options):
  model = _mixed(k, **options)
  before, masks = values(model), random_masks(model)
  fit_held(model, masks, looks=15 // options.get("steps_per_execution", 1))
  live = masks["fc1/kernel"]
  assert (values(model)["fc1/kernel"][live] != before["fc1/kernel"][live]).any()
  for site in tfl.sites(model).values():
    assert tf.as_dtype(site.variable.dtype) == tf.float32


def test_mixed_float16_on_two_replicas_is_sparse(k):
  with two_replicas().scope():
    model = _mixed(k)
  fit_held(model, random_masks(model), looks=15)


def test_a_step_with_non_finite_gradients_is_skipped_and_leaves_zeros(k):
  model = _mixed(k)
  masks = random_masks(model)
  x, y = arrays(8)
  with tfl.hold(model, masks):
    model.train_on_batch(x, y)
    before = values(model)
    model.train_on_batch(np.full_like(x, np.inf), y)
    assert_held(model, masks)
    assert all((values(model)[path] == before[path]).all() for path in masks)
    for _ in range(4):  # the scale has been halved: training goes on
      model.train_on_batch(x, y)
    assert_held(model, masks)
    assert (values(model)["fc1/kernel"] != before["fc1/kernel"]).any()


# --- Assigning, enforcing, releasing -------------------------------------------------------------


def test_a_newly_masked_weight_and_its_slots_become_zero_and_a_grown_one_starts_at_zero(k):
  model = mlp(k, k.optimizers.Adam(0.01))
  first, second = random_masks(model, 0.5, seed=1), random_masks(model, 0.5, seed=2)
  with tfl.hold(model, first) as held:
    model.fit(batches(), verbose=0)
    assert any(np.array(s.numpy()).any() for s in slots(model) if tuple(s.shape) == (8, 6))
    before = values(model)
    held.assign(second)
    assert_held(model, second)
    now = values(model)
    for path in first:
      grown, stayed = second[path] & ~first[path], second[path] & first[path]
      assert grown.any() and not now[path][grown].any()
      assert (now[path][stayed] == before[path][stayed]).all()
      assert (held.masks[path] == second[path]).all()
    model.fit(batches(), verbose=0)
    assert_held(model, second)
    grown = second["fc1/kernel"] & ~first["fc1/kernel"]
    assert values(model)["fc1/kernel"][grown].any(), "grown weights did not learn"


def test_assign_leaves_sites_that_it_does_not_name(k):
  model = mlp(k)
  masks = random_masks(model)
  with tfl.hold(model, masks) as held:
    held.assign({"fc1/kernel": np.ones((8, 6), bool)})
    assert held.masks["fc1/kernel"].all()
    assert (held.masks["fc2/kernel"] == masks["fc2/kernel"]).all()


def test_assigning_a_site_that_is_not_held_is_an_error(k):
  model = mlp(k)
  with tfl.hold(model, {"fc1/kernel": np.ones((8, 6), bool)}) as held:
    with pytest.raises(ValueError, match="fc2/kernel"):
      held.assign({"fc1/kernel": np.zeros((8, 6), bool), "fc2/kernel": np.ones((6, 5), bool)})
    assert held.masks["fc1/kernel"].all()


def test_enforce_masks_weights_that_were_loaded_in_between(k):
  model = mlp(k)
  masks = random_masks(model)
  with tfl.hold(model, masks) as held:
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    held.enforce()
    assert_held(model, masks)
    assert values(model)["fc1/kernel"].sum() == masks["fc1/kernel"].sum()


def test_after_release_the_optimizer_is_as_it_was_and_training_is_dense(k):
  model = mlp(k, k.optimizers.Adam(0.01))
  model.fit(batches(), verbose=0)
  size, names = optimizer_size(model), set(vars(model.optimizer))
  masks = random_masks(model)
  with tfl.hold(model, masks):
    assert optimizer_size(model) == size + len(masks)
    model.fit(batches(), verbose=0)
  assert optimizer_size(model) == size
  assert set(vars(model.optimizer)) == names
  assert_held(model, masks)
  model.fit(batches(), verbose=0)
  assert values(model)["fc1/kernel"][~masks["fc1/kernel"]].any()


def test_release_twice_and_release_of_the_replaced_do_nothing(k):
  model = mlp(k)
  first = tfl.hold(model, random_masks(model, seed=1))
  masks = random_masks(model, seed=2)
  second = tfl.hold(model, masks)
  first.release()
  model.fit(batches(), verbose=0, callbacks=[Watch(masks)])
  second.release()
  second.release()
  model.fit(batches(), verbose=0)
  assert values(model)["fc1/kernel"][~masks["fc1/kernel"]].any()


def test_a_mask_of_all_true_changes_nothing(k):
  dense, held = mlp(k), mlp(k)
  dense.fit(batches(), verbose=0)
  fit_held(held, random_masks(held, 0.0), looks=15)
  for a, b in zip(dense.get_weights(), held.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_layer_without_a_living_weight_stays_at_zero(k):
  model = mlp(k)
  masks = {"fc2/kernel": np.zeros((6, 5), bool)}
  fit_held(model, masks, looks=15)


def test_masks_given_as_integers_or_tensors_are_taken_as_masks(k):
  model = mlp(k)
  ones = np.zeros((8, 6), "int64")
  ones[0] = 1
  with tfl.hold(model, {"fc1/kernel": tf.constant(ones)}) as held:
    assert held.masks["fc1/kernel"].dtype == bool
    assert (held.masks["fc1/kernel"] == ones.astype(bool)).all()


# --- Misuse --------------------------------------------------------------------------------------


def test_masks_that_do_not_fit_list_every_mismatch_and_touch_nothing(k):
  model = mlp(k)
  before = model.get_weights()
  bad = {
    "fc1/kernel": np.zeros((8, 7), bool),
    "fc9/kernel": np.zeros((2, 2), bool),
    "fc2/kernel": np.zeros((6, 5), bool),
    "fc1/bias": np.zeros(6, bool),
  }
  with pytest.raises(ValueError) as caught:
    tfl.hold(model, bad)
  text = str(caught.value)
  assert "fc1/kernel: mask of shape (8, 7) for (8, 6)" in text
  assert "fc9/kernel: no such" in text and "fc1/bias: no such" in text
  assert "fc2/kernel: " not in text and "fc2/kernel (6, 5)" in text
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_no_masks_at_all_are_refused(k):
  with pytest.raises(ValueError, match="there are none"):
    tfl.hold(mlp(k), {})


def test_a_model_that_is_not_compiled_is_refused(k):
  model = k.Sequential([k.layers.Input((2,)), k.layers.Dense(1, name="fc")])
  with pytest.raises(ValueError, match=r"no optimizer. Call model.compile"):
    tfl.hold(model, {"fc/kernel": np.ones((2, 1), bool)})


def test_a_model_that_is_not_built_is_refused(k):
  model = k.Sequential([k.layers.Dense(1)])
  model.compile("sgd", "mse")
  with pytest.raises(ValueError, match="not built"):
    tfl.hold(model, {"dense/kernel": np.ones((2, 1), bool)})


def test_what_is_no_keras_model_is_refused():
  with pytest.raises(TypeError, match="model must be a model of Keras 3 or of tf_keras"):
    tfl.hold("model", {"fc/kernel": np.ones((2, 1), bool)})


def test_a_legacy_optimizer_is_refused_with_the_cure():
  model = mlp(tf_keras, tf_keras.optimizers.legacy.Adam())
  with pytest.raises(TypeError, match=r"legacy.*Use the class of this name from"):
    tfl.hold(model, random_masks(model))


def test_adam_without_an_epsilon_keeps_zeros(k):
  layers = [k.layers.Input((8,)), k.layers.Dense(3, name="out")]
  model = compiled(k, k.Sequential(layers), k.optimizers.Adam(0.01, epsilon=0.0))
  mask = np.indices((8, 3)).sum(0) % 2 == 0
  with tfl.hold(model, {"out/kernel": mask}):
    model.fit(*arrays(), verbose=0)
  kernel = values(model)["out/kernel"]
  assert (kernel[~mask] == 0).all() and np.isfinite(kernel).all()


def test_masks_that_leave_a_layer_without_weights_are_warned_of(k):
  layers = [k.layers.Input((8,)), k.layers.Dense(3, name="out")]
  model = compiled(k, k.Sequential(layers))
  with pytest.warns(UserWarning, match="leave no weight in out/kernel"):
    tfl.hold(model, {"out/kernel": np.zeros((8, 3), bool)})
