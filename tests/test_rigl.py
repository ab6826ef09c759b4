"""RigL: three updates worked by hand, on both Kerases; its options; the optimizers around it."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import arrays, batches, compiled, slots, two_replicas, values
from by_hand import (
  GRADIENTS,
  MASK,
  MASKS,
  PATH,
  adam,
  assert_same,
  linear,
  momentum,
  trained,
  written_out,
)

import tflottery as tfl
from tflottery import draws, masks


def rigl(**options):
  """Changes at the steps 0, 2 and 4: one of the three live weights is replaced."""
  options = {"end_step": 4, "frequency": 2, "drop": 0.34, "drop_schedule": "constant"} | options
  return tfl.callbacks.RigL(masks=MASKS, **options)


def by_gradient(step, gradient, w):
  return abs(gradient)


# Step 0: 2 goes (0.3), 3 comes. Step 2: 3 goes (0.3) and comes back, its value and slot kept.
# Step 4: 0 goes (0.31), 2 and 4 tie and 2 comes. These steps leave out the update.
KERNELS = [
  [0.5, -0.4, 0, 0, 0, 0],
  [0.4, -0.6, 0, 0.3, 0, 0],
  [0.4, -0.6, 0, 0.3, 0, 0],
  [0.31, -0.78, 0, 0.47, 0, 0],
  [0, -0.78, 0, 0.47, 0, 0],
  [0, -1.042, -0.1, 0.523, 0, 0],
]
MOMENTA = [
  [0, 0, 0, 0, 0, 0],
  [-0.1, -0.2, 0, 0.3, 0, 0],
  [-0.1, -0.2, 0, 0.3, 0, 0],
  [-0.09, -0.18, 0, 0.17, 0, 0],
  [0, -0.18, 0, 0.17, 0, 0],
  [0, -0.262, -0.1, 0.053, 0, 0],
]


def test_three_updates_have_the_values_worked_by_hand(k):
  seen, _ = trained(k, rigl(), k.optimizers.SGD(0.1, momentum=0.9))
  np.testing.assert_allclose(seen.kernels, KERNELS, atol=1e-6)
  np.testing.assert_allclose(np.squeeze(seen.slots), MOMENTA, atol=1e-6)


def test_the_training_in_numpy_gives_the_values_worked_by_hand():
  found = written_out(momentum(0.1, 0.9), by_gradient, {0: 1, 2: 1, 4: 1}, skip=True)
  np.testing.assert_allclose([w for w, _, _ in found], KERNELS, atol=1e-6)
  np.testing.assert_allclose([slots[0] for _, slots, _ in found], MOMENTA, atol=1e-6)


OPTIMIZERS = {
  "momentum": (lambda k: k.optimizers.SGD(0.1, momentum=0.9), momentum(0.1, 0.9)),
  "adam": (lambda k: k.optimizers.Adam(0.1), adam(0.1)),
  "adamw": (lambda k: k.optimizers.AdamW(0.1, weight_decay=0.5), adam(0.1, decay=0.5)),
}


@pytest.mark.parametrize(
  ("name", "skip"), [("momentum", False), ("adam", True), ("adamw", True), ("adamw", False)]
)
def test_weights_and_slots_have_the_right_values_under(k, name, skip):
  """The steps are counted on where the update is left out, and AdamW's decay is left out too."""
  optimizer, reference = OPTIMIZERS[name]
  seen, _ = trained(k, rigl(skip_update=skip), optimizer(k))
  expected = written_out(reference, by_gradient, {0: 1, 2: 1, 4: 1}, skip=skip)
  assert_same(seen, expected, atol=1e-5)
  assert any(not (a == b).all() for (_, _, a), (_, _, b) in itertools.pairwise(expected))


def test_a_weight_that_is_dropped_and_grown_in_one_step_keeps_value_and_slots(k):
  gradients = np.float32([[1, 2, 9, 0, 0, 0], [1, 2, 9, 0, 0, 0], [1, 1, 1, 0, 0, 0]])
  callback = rigl(drop=1.0, begin_step=1, end_step=1)
  seen, _ = trained(k, callback, k.optimizers.Adam(0.1), gradients=gradients)
  assert (seen.masks[1] == MASK).all()
  assert (seen.kernels[1] == seen.kernels[0]).all() and seen.kernels[0][MASK].all()
  assert (np.array(seen.slots[1]) == seen.slots[0]).all() and np.array(seen.slots[0])[:, :3].all()
  assert (seen.kernels[2] != seen.kernels[1])[MASK].all()


@pytest.mark.parametrize(
  ("schedule", "replaced"),
  [
    ("constant", [4, 4, 4, 4, 4]),
    ("linear", [4, 3, 2, 1, 0]),
    ("cosine", [4, 4, 2, 0, 0]),  # 4.8, 4.10, 2.4, 0.70
    ("inverse_power", [4, 2, 0, 0, 0]),  # 4.8, 2.03, 0.6, 0.08
    (lambda step: (step == 3, 0.5), [0, 0, 0, 3, 0]),
  ],
)
def test_drop_schedules_replace_as_many_weights_as_they_say(schedule, replaced):
  mask = np.arange(12).reshape(12, 1) < 6
  gradients = np.random.default_rng(0).normal(size=(5, 12))
  options = {"drop": 0.8, "drop_schedule": schedule, "frequency": 1, "end_step": 4}
  callback = tfl.callbacks.RigL(masks={PATH: mask}, **options)
  model = linear(tf_keras, np.ones(12), "sgd")
  changed = []
  with callback.hold(model) as held:
    for gradient in gradients:
      before = held.masks[PATH]
      gradient = np.where(before.ravel(), 0, gradient)  # so that what goes does not come back
      model.train_on_batch(np.float32([gradient]), np.zeros(1))
      changed.append(int((held.masks[PATH] & ~before).sum()))
  assert changed == replaced


def test_new_weights_start_at_random_with_the_deviation_of_the_weights(k):
  callback = rigl(grow_init="random", grow_scale=0.5, seed=3, skip_update=False)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1, momentum=0.9))
  # After the update of step 0 the weights are 0.4, -0.5 and 0.2; 2 goes and 3 comes.
  draw = draws.normal((6, 1), (3, 0, 1), 0).numpy().ravel()
  start = 0.5 * np.std(np.float32([0.4, -0.5, 0.2, 0, 0, 0])) * draw[3]
  np.testing.assert_allclose(seen.kernels[0], [0.4, -0.5, 0, start, 0, 0], atol=1e-6)
  np.testing.assert_allclose(seen.slots[0], [[-0.1, -0.1, 0, 0, 0, 0]], atol=1e-6)


def test_new_weights_start_at_the_scaled_gradient(k):
  callback = rigl(grow_init="gradient", grow_scale=-0.01)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1, momentum=0.9))
  np.testing.assert_allclose(seen.kernels[0], [0.5, -0.4, 0, 0.05, 0, 0], atol=1e-6)
  # 3 moves to 0.35, is the smallest, comes back and keeps that; at step 4, 2 comes at -0.02.
  np.testing.assert_allclose(seen.kernels[2], [0.4, -0.6, 0, 0.35, 0, 0], atol=1e-6)
  np.testing.assert_allclose(seen.kernels[4][2], -0.02, atol=1e-6)


# --- Around the optimizer ------------------------------------------------------------------------


def test_clipping_sees_the_masked_gradient_and_growth_the_whole_one(k):
  def clipped(w, slots, gradient, step):
    return w - gradient * min(1, 2 / np.linalg.norm(gradient)), slots

  seen, _ = trained(k, rigl(skip_update=False), k.optimizers.SGD(1.0, global_clipnorm=2.0))
  expected = written_out((clipped, 0), by_gradient, {0: 1, 2: 1, 4: 1}, skip=False)
  np.testing.assert_allclose(seen.kernels, [w for w, _, _ in expected], atol=1e-5)
  np.testing.assert_array_equal(seen.masks, [mask for _, _, mask in expected])


def test_averages_of_dropped_and_grown_weights_are_zero(k):
  optimizer = k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
  seen, model = trained(k, rigl(), optimizer)
  before = MASK
  for found, mask in zip(seen.slots, seen.masks, strict=True):
    assert not np.array(found)[:, ~(mask & before)].any()
    before = mask
  # What is written at the end is one of the slots: tf_keras has a momentum beside the average.
  weights = model.get_weights()[0].ravel()
  assert weights[mask].all() and (weights != seen.kernels[5])[mask].all()
  assert any(np.allclose(weights, slot, atol=1e-6) for slot in found)


@functools.cache
def _embedding(k, setting):
  """(masks, weights) after eight steps of RigL on an embedding, whose gradients are IndexedSlices."""
  strategy = two_replicas() if setting == "two_replicas" else tf.distribute.get_strategy()
  rng = np.random.default_rng(0)
  x, y = rng.integers(0, 7, (64, 4)).astype("int32"), rng.integers(0, 3, 64)  # 7 and 8 never come
  with strategy.scope():
    layers = [
      k.layers.Input((4,), dtype="int32"),
      k.layers.Embedding(9, 5, name="embedding"),
      k.layers.Flatten(),
      k.layers.Dense(3, name="out"),
    ]
    model = k.Sequential(layers)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    compiled(k, model, k.optimizers.Adam(0.01), jit_compile=setting == "jit_compile")
  callback = tfl.callbacks.RigL(
    0.5, allocation="equal", frequency=2, end_step=7, drop_schedule="constant"
  )
  data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
  model.fit(data, verbose=0, callbacks=[callback])
  return callback.masks, values(model)


def test_an_embedding_grows_only_where_rows_were_looked_up(k):
  found, weights = _embedding(k, "plain")
  start = masks.random({"embedding/embeddings": (9, 5)}, {"embedding/embeddings": 0.5}, seed=0)
  mask, start = found["embedding/embeddings"], start["embedding/embeddings"]
  assert {path: int(mask.sum()) for path, mask in found.items()} == {
    "embedding/embeddings": 22,
    "out/kernel": 30,
  }
  assert (mask & ~start)[:7].any() and not (mask & ~start)[7:].any()
  assert not weights["embedding/embeddings"][~mask].any()


def test_an_embedding_ends_the_same_on_two_replicas(k):
  found, weights = _embedding(k, "plain")
  others, other_weights = _embedding(k, "two_replicas")
  for path, mask in found.items():
    assert (mask == others[path]).all()
    np.testing.assert_allclose(weights[path], other_weights[path], atol=1e-5)


def loss_scaled(k, optimizer):
  home = k.mixed_precision if k is tf_keras else k.optimizers
  return home.LossScaleOptimizer(optimizer)


def test_mixed_float16_with_loss_scaling_keeps_exact_counts(k):
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, "relu", name="fc1", dtype="mixed_float16"),
    k.layers.Dense(3, name="out", dtype="mixed_float16"),
    k.layers.Activation("linear", dtype="float32"),
  ]
  model = compiled(k, k.Sequential(layers), loss_scaled(k, k.optimizers.Adam(0.01)))
  callback = tfl.callbacks.RigL(0.5, allocation="equal", end_step=12, frequency=3)
  start = {}

  class Start(tf_keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
      start.update(callback.masks)

  model.fit(batches(), verbose=0, callbacks=[callback, Start()])
  assert {path: int(mask.sum()) for path, mask in callback.masks.items()} == {
    "fc1/kernel": 24,
    "out/kernel": 9,
  }
  assert any((mask != start[path]).any() for path, mask in callback.masks.items())
  for path, weight in values(model).items():
    assert not weight[~callback.masks[path]].any() and np.isfinite(weight).all()
  for slot in slots(model):
    if tuple(slot.shape) == (8, 6):
      assert not np.array(slot.numpy())[~callback.masks["fc1/kernel"]].any()


def _is_due_after_an_overflow(k):
  """Whether masks change by the second step, where the first, which is due, has no finite gradient."""
  model = linear(k, [0.5, -0.4, 0.3, 0, 0, 0], loss_scaled(k, k.optimizers.SGD(0.1)))
  with rigl(end_step=0).hold(model) as held:
    model.train_on_batch(np.full((1, 6), np.inf, "float32"), np.zeros(1))
    assert (held.masks[PATH].ravel() == MASK).all()
    model.train_on_batch(GRADIENTS[:1], np.zeros(1))
    return np.flatnonzero(held.masks[PATH]).tolist() == [0, 1, 3]


def test_a_step_with_non_finite_gradients_is_no_step_of_keras_3_and_the_next_one_is_due():
  assert _is_due_after_an_overflow(keras)


def test_a_due_step_that_the_loss_scale_leaves_out_is_made_good():
  assert _is_due_after_an_overflow(tf_keras)


def test_gradients_that_are_accumulated_are_never_left_out():
  optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
  seen, _ = trained(keras, rigl(), optimizer, start=[1.0] * 6)
  pairs = itertools.pairwise([1.0 * MASK, *seen.kernels])
  moved = [bool((b != a)[MASK].any()) for a, b in pairs]
  assert moved[1::2] == [True] * 3


def test_with_accumulated_gradients_masks_change_once_for_every_step_that_is_due():
  optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
  model = linear(keras, [1.0] * 6, optimizer)
  gradients = np.random.default_rng(0).normal(size=(8, 6))
  with rigl(end_step=2).hold(model) as held:
    for gradient in gradients:
      model.train_on_batch(np.float32([gradient]), np.zeros(1))
    assert held.changes_done == 2


# --- A training loop of one's own ----------------------------------------------------------------


def test_it_changes_masks_in_a_loop_of_ones_own(k):
  model = linear(k, [0.5, -0.4, 0.3, 0, 0, 0], k.optimizers.SGD(0.1, momentum=0.9))
  kernels = []
  with rigl().hold(model) as held:
    for gradient in GRADIENTS:
      model.train_on_batch(gradient[None], np.zeros(1))
      kernels.append(model.get_weights()[0].ravel())
    assert held.changes_done == 3 and held.replaced == pytest.approx(1 / 3)
  np.testing.assert_allclose(kernels, KERNELS, atol=1e-6)


def test_an_eager_fit_is_the_compiled_one(k):
  seen, _ = trained(k, rigl(), k.optimizers.SGD(0.1, momentum=0.9), run_eagerly=True)
  np.testing.assert_allclose(seen.kernels, KERNELS, atol=1e-6)


# --- Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0, 0.0, 1, 1.0, 1.5, -0.1, float("nan"), True, None, "0.5"])
def test_a_sparsity_that_is_none_is_refused(sparsity):
  with pytest.raises(ValueError, match=r"sparsity=.* is out of range"):
    tfl.callbacks.RigL(sparsity, end_step=10)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"end_step": 5, "begin_step": 9}, r"end_step=5 lies before begin_step=9"),
    ({"end_step": 5, "frequency": 0}, r"frequency=0 is out of range"),
    ({"end_step": 5, "drop": 0.0}, r"drop=0\.0 is out of range"),
    ({"end_step": 5, "drop": 1.1}, r"drop=1\.1 is out of range"),
    ({"end_step": 5, "drop_schedule": "cubic"}, r"drop_schedule='cubic' is unknown"),
    ({"end_step": 5, "grow_init": "ones"}, r"grow_init='ones' is unknown.*zeros, random, gradient"),
    ({"end_step": 5, "allocation": "er"}, r"allocation='er' is unknown"),
    ({"end_step": 5, "masks": MASKS}, r"sparsity=0\.5 beside masks="),
  ],
)
def test_bad_arguments_are_refused_when_the_callback_is_made(options, message):
  with pytest.raises(ValueError, match=message):
    tfl.callbacks.RigL(0.5, **options)


@pytest.mark.parametrize("argument", ["only", "exclude"])
def test_patterns_beside_masks_are_refused(argument):
  with pytest.raises(ValueError, match=f"{argument}='fc' beside masks=: the masks say it"):
    rigl(**{argument: "fc"})


def test_an_erk_that_can_not_fit_is_refused(k):
  model = linear(k, [1.0] * 6, "sgd")
  with pytest.raises(ValueError, match=r"sparsity=0\.99 leaves 0\.06 of 6 weights"):
    model.fit(arrays()[0][:, :6], verbose=0, callbacks=[tfl.callbacks.RigL(0.99, end_step=4)])
