"""Held masks whose masked weights hold values: the invariants of docs/design.md, on both Kerases."""

import contextlib
import functools
import itertools
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import (
  Interrupt,
  arrays,
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
from exports import outputs, write
from searches import ROOT, environment

import tflottery as tfl
from tflottery import rules, training
from tflottery.export import inputs

PATH = "fc/kernel"


def random_values(masks, seed=5):
  """A float32 array per site, of values everywhere."""
  rng = np.random.default_rng(seed)
  return {path: rng.normal(size=mask.shape).astype("float32") for path, mask in masks.items()}


def slots_of(model, shape):
  """Dict from name to array: the optimizer's own variables for the one weight of this shape."""
  named = {getattr(slot, "path", slot.name): slot for slot in slots(model)}
  found = {n: np.array(s.numpy()) for n, s in named.items() if tuple(s.shape) == shape}
  return {n: value for n, value in found.items() if "frozen_" not in n and "initial_" not in n}


def assert_frozen(model, masks, frozen, slots_each=None):
  """Masked weights and their averages are the frozen values bit for bit, their slots 0."""
  now = values(model)
  for path, mask in masks.items():
    expected = frozen.get(path, np.zeros(mask.shape, "float32"))[~mask]
    assert now[path][~mask].tobytes() == expected.tobytes(), path
    found = slots_of(model, mask.shape)
    assert slots_each is None or len(found) == slots_each, list(found)
    for name, slot in found.items():
      if "average" in name:
        assert slot[~mask].tobytes() == expected.tobytes(), name
      else:
        assert not slot[~mask].any(), name


class Watch(tf_keras.callbacks.Callback):
  """Looks at masked weights and slots whenever `fit` lets it."""

  def __init__(self, masks, frozen, slots_each=None):
    super().__init__()
    self._expected = masks, frozen, slots_each
    self.looks = 0

  def on_train_batch_end(self, batch, logs=None):
    assert_frozen(self.model, *self._expected)
    self.looks += 1

  on_test_batch_end = on_train_batch_end


# --- After every step ----------------------------------------------------------------------------

SETTINGS = {
  "plain": {},
  "steps_per_execution": {"steps_per_execution": 7},
  "jit_compile": {"jit_compile": True},
  "mirrored": {},
}
# With how many variables each has for a weight.
OPTIMIZERS = {
  "momentum": (lambda k: k.optimizers.SGD(0.05, momentum=0.9, weight_decay=0.1), 1),
  "adamw": (lambda k: k.optimizers.AdamW(0.005, weight_decay=0.1), 2),
  "ema": (lambda k: k.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8), 3),
  "ema_overwrite": (
    lambda k: k.optimizers.SGD(0.1, momentum=0.5, use_ema=True, ema_overwrite_frequency=4),
    2,
  ),
}


def _masks_and_values(model):
  masks = random_masks(model, 0.6)
  return masks, {p: v for p, v in random_values(masks).items() if p != "out/kernel"}


@functools.cache
def trained(k, optimizer, setting):
  """An epoch of 15 steps, watched; out/kernel has no frozen values."""
  make, slots_each = OPTIMIZERS[optimizer]
  strategy = two_replicas() if setting == "mirrored" else tf.distribute.get_strategy()
  with strategy.scope():
    model = mlp(k, make(k), **SETTINGS[setting])
  masks, frozen = _masks_and_values(model)
  before, watch = values(model), Watch(masks, frozen, slots_each)
  hold = tfl.callbacks.HoldMasks(masks, frozen=frozen)
  data = batches()
  model.fit(data, validation_data=data.take(1), verbose=0, callbacks=[hold, watch])
  assert watch.looks >= (3 if setting == "steps_per_execution" else 15)
  assert_frozen(model, masks, frozen)  # averages are written when fit ends
  after = values(model)
  for path, mask in masks.items():
    assert (after[path][mask] != before[path][mask]).any(), f"{path} did not learn"
  return after


FAST = {("momentum", setting) for setting in SETTINGS}
FAST |= {("ema_overwrite", "plain")}


@pytest.mark.parametrize(
  "optimizer, setting",
  [
    pytest.param(o, s, marks=[] if (o, s) in FAST else [pytest.mark.slow])
    for o, s in itertools.product(OPTIMIZERS, SETTINGS)
  ],
)
def test_masked_weights_are_the_frozen_values_after_every_step(k, optimizer, setting):
  if (k, optimizer, setting) == (keras, "ema_overwrite", "mirrored"):
    pytest.skip("Keras 3 itself can't overwrite weights with averages on two replicas")
  expected = trained(k, optimizer, "plain")
  for path, weight in trained(k, optimizer, setting).items():
    np.testing.assert_allclose(weight, expected[path], atol=1e-5, rtol=0, err_msg=path)


def _drifting(k):
  """An optimizer whose update moves every weight and slot, gradient or none."""

  class Drifting(k.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate=None):
      rate = (learning_rate,) if k is keras else ()
      super().update_step(gradient + 1.0, variable, *rate)

  return Drifting(0.1, momentum=0.9)


def _watched(model):
  masks, frozen = _masks_and_values(model)
  watch = Watch(masks, frozen)
  hold = tfl.callbacks.HoldMasks(masks, frozen=frozen)
  model.fit(batches(), verbose=0, callbacks=[hold, watch])
  assert watch.looks == 15


def test_an_optimizer_that_moves_weights_without_gradients_moves_no_frozen_value(k):
  _watched(mlp(k, _drifting(k)))


def test_a_constraint_moves_no_frozen_value(k):
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, kernel_constraint=k.constraints.UnitNorm(), name="fc1"),
    k.layers.Dense(3, name="out"),
  ]
  _watched(compiled(k, k.Sequential(layers), "adam"))


EVERY = ["Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_optimizer_keeps_frozen_values_under_weight_decay(k, name):
  _watched(mlp(k, getattr(k.optimizers, name)(0.01, weight_decay=0.1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Lamb", "Muon"])
def test_optimizers_of_keras_3_alone_keep_frozen_values(name):
  _watched(mlp(keras, getattr(keras.optimizers, name)(0.01, weight_decay=0.1)))


@pytest.mark.slow
def test_every_replica_holds_the_same_frozen_values(k):
  with two_replicas().scope():
    model = mlp(k)
  masks, frozen = _masks_and_values(model)
  with tfl.hold(model, masks, frozen=frozen):
    model.fit(batches(), verbose=0)
    listed = model.optimizer.variables
    own = [v for v in (listed() if callable(listed) else listed) if "frozen_" in v.name]
    assert len(own) == 2
    for variable in [*own, *(site.variable for site in tfl.sites(model).values())]:
      here, there = (variable.value if k is keras else variable).values
      assert (here.numpy() == there.numpy()).all()


def test_steps_without_frozen_values_cost_what_they_did(k):
  def operations(**options):
    model = one_kernel(k, [1.0, 2.0], k.optimizers.SGD(0.1, momentum=0.9))
    with tfl.hold(model, {PATH: np.array([[True], [False]])}, **options) as held:
      assert held.frozen.keys() == options.get("frozen", {}).keys()
      count = optimizer_size(model)
      graph = tf.function(
        lambda g: held._optimizer.apply_gradients([(g, held.sites[PATH].variable)])
      )
      concrete = graph.get_concrete_function(tf.ones((2, 1)))
      return count, len(concrete.graph.get_operations())

  plain, empty = operations(), operations(frozen={})
  assert plain == empty
  count, operations_with = operations(frozen={PATH: np.ones((2, 1))})
  assert count == plain[0] + 1 and operations_with > plain[1]


# --- By hand -------------------------------------------------------------------------------------

# y = x w, x = (3, 4), target 0: the gradient of y^2 is 2 y (3, 4).
HAND = np.array([[3.0, 4.0]], "float32"), np.array([[0.0]], "float32")
MASK = {PATH: np.array([[True], [False]])}
HALF = {PATH: np.array([[9.0], [0.5]])}


def test_the_forward_pass_sees_the_frozen_value(k):
  model = one_kernel(k, [1.0, 7.0], k.optimizers.SGD(0.01))
  with tfl.hold(model, MASK, frozen=HALF):
    # y = 3 * 1 + 4 * 0.5 = 5, the gradient 2 * 5 * 3 = 30; with 0 in its place it would be 18.
    model.train_on_batch(*HAND)
    np.testing.assert_allclose(model.get_weights()[0].ravel(), [0.7, 0.5], rtol=1e-6)
    # y = 2.1 + 2 = 4.1, the gradient 24.6.
    model.train_on_batch(*HAND)
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [0.454, 0.5], rtol=1e-6)
  assert model.get_weights()[0][1, 0] == 0.5


def test_weight_decay_and_momentum_move_the_kept_weight_alone(k):
  model = one_kernel(k, [1.0, 7.0], k.optimizers.SGD(0.01, momentum=0.5, weight_decay=0.1))
  with tfl.hold(model, MASK, frozen=HALF):
    for _ in range(2):
      model.train_on_batch(*HAND)
  w, m = 1.0, 0.0
  for _ in range(2):
    g = 2 * (3 * w + 2) * 3
    w -= 0.001 * w
    m = 0.5 * m - 0.01 * g
    w += m
  np.testing.assert_allclose(model.get_weights()[0].ravel(), [w, 0.5], rtol=1e-5)
  assert model.get_weights()[0][1, 0] == 0.5


def test_values_at_living_places_say_nothing(k):
  found = []
  for living in (9.0, -3.0):
    model = one_kernel(k, [1.0, 7.0], k.optimizers.SGD(0.01))
    with tfl.hold(model, MASK, frozen={PATH: np.array([[living], [0.5]])}):
      assert model.get_weights()[0].ravel().tolist() == [1.0, 0.5]
      model.train_on_batch(*HAND)
    found.append(model.get_weights()[0])
  np.testing.assert_array_equal(*found)


def test_frozen_values_are_rounded_to_the_weights_dtype(k):
  model = one_kernel(k, [1.0, 7.0], "sgd")
  with tfl.hold(model, MASK, frozen={PATH: [[0], [0.1]]}) as held:
    assert held.frozen[PATH].dtype == np.float32
    assert float(model.get_weights()[0][1, 0]) == float(np.float32(0.1)) != 0.1


def test_mixed_float16_with_loss_scaling_keeps_frozen_values(k):
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, "relu", name="fc1", dtype="mixed_float16"),
    k.layers.Dense(3, name="out", dtype="mixed_float16"),
    k.layers.Activation("linear", dtype="float32"),
  ]
  optimizer = k.mixed_precision.LossScaleOptimizer(k.optimizers.Adam(0.01, weight_decay=0.1))
  model = compiled(k, k.Sequential(layers), optimizer)
  masks = random_masks(model)
  frozen, before = random_values(masks), values(model)["fc1/kernel"]
  x, y = arrays(8)
  with tfl.hold(model, masks, frozen=frozen):
    for inputs_ in (x, x, np.full_like(x, np.inf), x):  # a step of infinite gradients is left out
      model.train_on_batch(inputs_, y)
      assert_frozen(model, masks, frozen, slots_each=2)
  live = masks["fc1/kernel"]
  assert (values(model)["fc1/kernel"][live] != before[live]).any()


# --- Assigning, releasing ------------------------------------------------------------------------


def test_what_is_masked_later_takes_its_frozen_value_and_what_thaws_starts_at_it(k):
  model = mlp(k, k.optimizers.Adam(0.01, use_ema=True))
  first, second = random_masks(model, seed=1), random_masks(model, seed=2)
  frozen = random_values(first)
  with tfl.hold(model, first, frozen=frozen) as held:
    model.fit(batches().take(3), verbose=0)
    before = values(model)
    held.assign(second)
    assert_frozen(model, second, frozen, slots_each=3)
    for path, now in values(model).items():
      thawed, stayed = second[path] & ~first[path], second[path] & first[path]
      assert thawed.any() and now[thawed].tobytes() == frozen[path][thawed].tobytes()
      assert (now[stayed] == before[path][stayed]).all()
    other = {"fc2/kernel": frozen["fc2/kernel"] + 1}
    held.assign(second, other)
    assert_frozen(model, second, other)
    assert {p: v.any() for p, v in held.frozen.items()} == {p: p in other for p in first}
    model.fit(batches().take(3), verbose=0)
    assert_frozen(model, second, other)


def test_after_release_the_model_is_plain_and_the_frozen_values_are_its_weights(k):
  model = mlp(k, k.optimizers.Adam(0.01))
  model.fit(batches().take(1), verbose=0)
  size, names = optimizer_size(model), set(vars(model.optimizer))
  masks, frozen = _masks_and_values(model)
  with tfl.hold(model, masks, frozen=frozen):
    assert optimizer_size(model) == size + len(masks) + len(frozen)
    model.fit(batches().take(2), verbose=0)
  assert optimizer_size(model) == size and set(vars(model.optimizer)) == names
  assert_frozen(model, masks, frozen)
  model.fit(batches().take(2), verbose=0)
  dropped = ~masks["fc1/kernel"]
  assert (values(model)["fc1/kernel"][dropped] != frozen["fc1/kernel"][dropped]).any()


def test_enforce_freezes_weights_that_were_loaded_in_between(k):
  model = mlp(k)
  masks, frozen = _masks_and_values(model)
  with tfl.hold(model, masks, frozen=frozen) as held:
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    held.enforce()
    assert_frozen(model, masks, frozen)
    assert (values(model)["fc1/kernel"][masks["fc1/kernel"]] == 1).all()


# --- Misuse --------------------------------------------------------------------------------------


def test_frozen_values_that_do_not_fit_are_all_listed_and_the_model_stays_as_it_was(k):
  layers = [
    k.layers.Input((8,)),
    *(k.layers.Dense(8, name=f"fc{i}") for i in range(4)),
    k.layers.Dense(8, name="half", dtype="float16"),
  ]
  model = compiled(k, k.Sequential(layers), "sgd")
  masks = {path: np.ones(site.shape, bool) for path, site in tfl.sites(model).items()}
  del masks["fc3/kernel"]
  good, before = np.ones((8, 8)), model.get_weights()
  bad = {
    "fc0/kernel": good,
    "fc1/kernel": np.ones((8, 7)),
    "fc2/kernel": good * np.nan,
    "fc3/kernel": good,
    "fc9/kernel": good,
    "half/kernel": good * 1e5,
  }
  with pytest.raises(ValueError) as caught:
    tfl.hold(model, masks, frozen=bad)
  text = str(caught.value)
  for part in (
    "fc1/kernel: values of shape (8, 7) for (8, 8)",
    "fc2/kernel: not finite",
    "fc3/kernel: no mask is held there",
    "fc9/kernel: no mask is held there",
    "half/kernel: not finite in its dtype float16",
  ):
    assert part in text
  assert "fc0/kernel: " not in text
  with pytest.raises(ValueError, match="fc0/kernel: bools for floats"):
    tfl.hold(model, masks, frozen={"fc0/kernel": good > 0})
  assert training.held_on(model) is None
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_assigning_frozen_values_where_there_is_no_room_for_them_is_an_error(k):
  model = mlp(k)
  masks, frozen = _masks_and_values(model)
  with tfl.hold(model, masks, frozen=frozen) as held:
    dense = {path: np.ones_like(mask) for path, mask in masks.items()}
    with pytest.raises(ValueError, match=r"out/kernel: held without .*zeros for these sites"):
      held.assign(dense, {"out/kernel": np.ones((5, 3))})
    with pytest.raises(ValueError, match=r"fc1/kernel: values of shape \(2,\)"):
      held.assign(dense, {"fc1/kernel": np.ones(2)})
    assert (held.masks["fc1/kernel"] == masks["fc1/kernel"]).all()
    assert_frozen(model, masks, frozen)


def test_frozen_values_of_a_weight_in_tfmots_wrapper_are_refused_with_the_cure(tfmot):
  model = tfmot.sparsity.keras.prune_low_magnitude(mlp(tf_keras))
  model.compile("adam", "mse")
  masks = random_masks(model)
  with pytest.raises(ValueError, match="wrapper multiplies it by its mask; strip_pruning first"):
    tfl.hold(model, masks, frozen=random_values(masks))


# --- Masks that change in the step ---------------------------------------------------------------


class Record(tf_keras.callbacks.Callback):
  """The kernel, the mask and the kept initial weights after every step."""

  def __init__(self):
    super().__init__()
    self.kernels, self.masks, self.initial = [], [], []

  def on_train_batch_end(self, batch, logs=None):
    held = training.held_on(self.model)
    self.kernels.append(values(self.model)[PATH])
    self.masks.append(held.masks[PATH])
    self.initial.append(held.initial.get(PATH))


def at_step(*due):
  """A schedule that is due at these steps."""
  return lambda step: (tf.reduce_any(tf.equal(step, due)), tf.constant(0.5))


def small(k, seed=0, optimizer=None, **options):
  weights = np.random.default_rng(seed).normal(size=(8, 6))
  return one_kernel(k, weights, optimizer or k.optimizers.SGD(0.1, momentum=0.9), **options)


def data(steps=6):
  rng = np.random.default_rng(9)
  x, y = (rng.normal(size=(8 * steps, n)).astype("float32") for n in (8, 6))
  return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


@pytest.mark.parametrize(
  "grown, options", [(None, {}), (0.25, {"jit_compile": True})], ids=["thaws", "given"]
)
def test_what_the_step_drops_is_frozen_and_what_it_grows_thaws(k, grown, options):
  rng = np.random.default_rng(1)
  first, second = rng.random((2, 8, 6)) < 0.5
  frozen = random_values({PATH: first})
  changes = rules.Changes(
    at_step(2),
    lambda probe, amount: {PATH: tf.constant(second)},
    grow=grown and (lambda probe, path: tf.fill((8, 6), grown)),
  )
  model = small(k, optimizer=k.optimizers.Adam(0.01, use_ema=True), **options)
  seen, hold = Record(), tfl.callbacks.HoldMasks({PATH: first}, changes, frozen=frozen)
  model.fit(data(), verbose=0, callbacks=[hold, seen])
  held = frozen[PATH]
  for step, (kernel, mask) in enumerate(zip(seen.kernels, seen.masks, strict=True)):
    assert (mask == (first if step < 2 else second)).all(), step
    assert kernel[~mask].tobytes() == held[~mask].tobytes(), step
  thawed, stayed = second & ~first, second & first
  assert thawed.any() and (first & ~second).any()
  start = held if grown is None else np.full_like(held, grown)
  assert seen.kernels[2][thawed].tobytes() == start[thawed].tobytes()
  assert (seen.kernels[3][thawed] != start[thawed]).all(), "what thawed did not learn"
  assert (seen.kernels[2][stayed] != seen.kernels[1][stayed]).all()


@pytest.mark.parametrize(
  "options",
  [{}, pytest.param({"steps_per_execution": 2, "jit_compile": True}, marks=pytest.mark.slow)],
  ids=["plain", "compiled"],
)
def test_a_rule_sees_the_weights_that_the_masks_were_first_laid_on(k, options):
  def grew(probe, amount):
    return {PATH: probe.weights[PATH] > probe.initial_weights[PATH]}

  twin, model = small(k), small(k, **options)
  start, mask = values(model)[PATH], {PATH: np.indices((8, 6)).sum(0) % 3 > 0}
  seen, free = Record(), Record()
  twin.fit(data(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(mask), free])
  changes = rules.Changes(at_step(3), grew, initial=True)
  model.fit(data(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(mask, changes), seen])
  # At step 3 masked weights are 0, and what was negative before it was masked has grown.
  np.testing.assert_array_equal(seen.masks[-1], free.kernels[3] > start)
  assert seen.masks[-1].any() and (seen.masks[-1] != mask[PATH]).any()
  for kept in seen.initial:
    np.testing.assert_array_equal(kept, start)


def test_without_asking_no_initial_weights_are_kept(k):
  asked = []

  def look(probe, amount):
    asked.append(probe.initial_weights)
    return {}

  seen = Record()
  hold = tfl.callbacks.HoldMasks({PATH: np.ones((8, 6), bool)}, rules.Changes(at_step(1), look))
  small(k).fit(data(), verbose=0, callbacks=[hold, seen])
  assert set(asked) == {None} and set(seen.initial) == {None}


def test_initial_weights_are_those_that_another_callback_has_loaded(k):
  class Load(tf_keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
      self.model.set_weights([np.full((8, 6), 0.5, "float32")])

  seen, changes = Record(), rules.Changes(at_step(1), lambda probe, amount: {}, initial=True)
  hold = tfl.callbacks.HoldMasks({PATH: np.indices((8, 6)).sum(0) % 2 > 0}, changes)
  small(k).fit(data(), verbose=0, callbacks=[hold, Load(), seen])
  assert (seen.initial[0] == 0.5).all() and (seen.initial[-1] == 0.5).all()


# --- Fits that go on -----------------------------------------------------------------------------


def _drawing(masks):
  """A function of the model that gives other frozen values whenever it is asked."""
  seeds = itertools.count()
  return lambda model: random_values(masks, next(seeds))


def _keeping(masks, frozen):
  changes = rules.Changes(at_step(0), lambda probe, amount: {}, initial=True)
  return tfl.callbacks.HoldMasks(masks, changes, frozen=frozen)


def test_a_second_fit_goes_on_with_the_same_frozen_values_and_initial_weights(k):
  masks = {PATH: np.indices((8, 6)).sum(0) % 2 > 0}
  hold, seen, model = _keeping(masks, _drawing(masks)), Record(), small(k)
  start, frozen = values(model)[PATH], random_values(masks, 0)[PATH]
  for callbacks in ([hold, seen], [hold, seen, Interrupt(0, 2, KeyboardInterrupt)], [hold, seen]):
    with contextlib.suppress(KeyboardInterrupt):
      model.fit(data(), verbose=0, callbacks=callbacks)
  assert len(seen.kernels) > 12
  for kernel, initial in zip(seen.kernels, seen.initial, strict=True):
    assert (kernel[~masks[PATH]] == frozen[~masks[PATH]]).all()
    np.testing.assert_array_equal(initial, start)
  other = small(k, seed=1)
  other.fit(data(), verbose=0, callbacks=[hold])
  frozen = random_values(masks, 1)[PATH]
  assert (values(other)[PATH][~masks[PATH]] == frozen[~masks[PATH]]).all()


def test_a_backup_brings_frozen_values_and_initial_weights_back(k, tmp_path):
  masks = {PATH: np.indices((8, 6)).sum(0) % 2 > 0}

  def fit(seed, *more):
    model, seen = small(k, seed), Record()
    hold = _keeping(masks, random_values(masks, seed))
    model.fit(data(), epochs=3, verbose=0, callbacks=[hold, *more[:1], seen, *more[1:]])
    return values(model)[PATH], seen

  whole, _ = fit(0)
  with pytest.raises(KeyboardInterrupt):
    backup = k.callbacks.BackupAndRestore(str(tmp_path / "b"))
    fit(0, backup, Interrupt(1, 4, KeyboardInterrupt))
  resumed, seen = fit(1, k.callbacks.BackupAndRestore(str(tmp_path / "b")))
  assert len(seen.kernels) == 12
  np.testing.assert_array_equal(
    seen.initial[0], np.float32(np.random.default_rng(0).normal(size=(8, 6)))
  )
  np.testing.assert_allclose(resumed, whole, atol=1e-6)
  dropped = ~masks[PATH]
  assert resumed[dropped].tobytes() == random_values(masks, 0)[PATH][dropped].tobytes()


_KILLED = """
import os, signal, sys
import conftest
import keras, tf_keras, numpy as np
import test_frozen as t
import tflottery as tfl

k, seed, folder = {"keras": keras, "tf_keras": tf_keras}[sys.argv[1]], int(sys.argv[2]), sys.argv[3]

class Kill(tf_keras.callbacks.Callback):
  def on_epoch_begin(self, epoch, logs=None):
    self.epoch = epoch
  def on_train_batch_end(self, batch, logs=None):
    if (self.epoch, batch, seed) == (1, 4, 0):
      os.kill(os.getpid(), signal.SIGKILL)

model, masks = t.killed_model(k, seed)
hold = tfl.callbacks.HoldMasks(masks, frozen=t.random_values(masks, seed))
backup = k.callbacks.BackupAndRestore(os.path.join(folder, "backup"))
model.fit(t.data(), epochs=3, verbose=0, callbacks=[hold, backup, Kill()])
np.save(os.path.join(folder, "kernel.npy"), t.values(model)[t.PATH])
"""


def killed_model(k, seed):
  """The model of the two processes, and its masks."""
  return small(k, seed), {PATH: np.indices((8, 6)).sum(0) % 2 > 0}


@pytest.mark.slow
def test_a_killed_fit_goes_on_with_its_frozen_values(k, tmp_path):
  def process(seed):
    command = [sys.executable, "-c", _KILLED, k.__name__, str(seed), str(tmp_path)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)

  assert process(0).returncode == -signal.SIGKILL
  second = process(1)
  assert second.returncode == 0, second.stderr
  model, masks = killed_model(k, 0)
  frozen = random_values(masks, 0)
  hold = tfl.callbacks.HoldMasks(masks, frozen=frozen)
  model.fit(data(), epochs=3, verbose=0, callbacks=[hold])
  resumed, dropped = np.load(tmp_path / "kernel.npy"), ~masks[PATH]
  np.testing.assert_allclose(resumed, values(model)[PATH], atol=1e-6)
  assert resumed[dropped].tobytes() == frozen[PATH][dropped].tobytes()


# --- Exports -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["released", "held"])
def test_exports_carry_the_frozen_values(k, state, tmp_path):
  layers = [k.layers.Dense(128, "relu", name="fc1"), k.layers.Dense(64, name="fc2")]
  model = k.Sequential([k.Input((64,), name="x"), *layers])
  model.compile("sgd", "mse")
  masks = random_masks(model, 0.95)
  held = tfl.hold(model, masks, frozen={"fc2/kernel": random_values(masks)["fc2/kernel"]})
  weights = model.get_weights()
  if state == "released":
    held.release()
  traced, stored = write(model, tmp_path / "saved")
  assert {w.path: w.format != "dense" for w in stored if "kernel" in w.path} == {
    "fc1/kernel": True,
    "fc2/kernel": False,
  }
  x = inputs.arguments(traced["serve"], None)
  found, expected = outputs(tmp_path / "saved", x), model(x[0])
  np.testing.assert_allclose(found[0], np.array(expected), rtol=1e-5, atol=1e-5)
  tfl.export.dense_weights(model, tmp_path / "w.weights.h5", verbose=False)
  model.set_weights([np.zeros_like(w) for w in weights])
  held.release()
  model.load_weights(tmp_path / "w.weights.h5")
  for ours, theirs in zip(model.get_weights(), weights, strict=True):
    np.testing.assert_array_equal(ours, theirs)
