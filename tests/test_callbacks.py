"""The callback in `fit`: checkpoints, resume, interruptions, and what is left afterwards."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tf_keras
from builders import (
  Interrupt,
  Watch,
  arrays,
  assert_held,
  batches,
  compiled,
  mlp,
  optimizer_size,
  random_masks,
  two_replicas,
  values,
)

import tflottery as tfl


@pytest.mark.parametrize(
  "options", [{}, {"steps_per_execution": 4}, {"jit_compile": True}, "mirrored"], ids=str
)
def test_every_step_and_every_validation_pass_sees_exact_zeros(k, options):
  if options == "mirrored":
    with two_replicas().scope():
      model = mlp(k)
  else:
    model = mlp(k, **options)
  masks = random_masks(model)
  watch = Watch(masks)
  callbacks = [tfl.callbacks.HoldMasks(masks), watch]
  model.fit(batches(), epochs=2, verbose=0, validation_data=batches(32), callbacks=callbacks)
  assert watch.looks >= 8 and watch.validations >= 2
  assert_held(model, masks)


def test_masks_may_be_a_function_of_the_model(k):
  model = mlp(k)
  watch = Watch()
  hold = tfl.callbacks.HoldMasks(lambda m: random_masks(m, 0.75))
  model.fit(batches(), verbose=0, callbacks=[hold, watch])
  assert watch.masks["fc1/kernel"].sum() == 12


def _saved(k, folder, name):
  return str(folder / (f"{name}.keras" if k is keras else name))


def test_a_checkpoint_of_the_middle_of_an_epoch_is_sparse_and_loads(k, tmp_path):
  model = mlp(k)
  masks = random_masks(model)
  save = k.callbacks.ModelCheckpoint(_saved(k, tmp_path, "step_{batch}"), save_freq=4)
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks), save])
  written = sorted(tmp_path.iterdir())
  assert len(written) == 3
  for path in written:
    loaded = k.models.load_model(path)
    for site, mask in masks.items():
      weight = values(loaded)[site]
      assert not weight[~mask].any() and weight[mask].any()


def test_a_checkpoint_of_weights_alone_is_sparse(k, tmp_path):
  model = mlp(k)
  masks = random_masks(model)
  save = k.callbacks.ModelCheckpoint(
    str(tmp_path / "{batch}.weights.h5"), save_freq=5, save_weights_only=True
  )
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks), save])
  written = sorted(tmp_path.iterdir())
  assert len(written) == 3
  for path in written:
    other = mlp(k, seed=9)
    other.load_weights(path)
    assert not values(other)["fc1/kernel"][~masks["fc1/kernel"]].any()


class _StopError(RuntimeError):
  pass


@pytest.mark.parametrize("hold_first", [True, False], ids=["hold_first", "backup_first"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_an_interrupted_fit_resumes_to_the_same_masks_and_weights(
  k, tmp_path, hold_first, optimizer
):
  def build(seed):
    momentum = k.optimizers.SGD(0.05, momentum=0.9)
    return mlp(k, momentum if optimizer == "sgd" else k.optimizers.Adam(0.01), seed=seed)

  masks = random_masks(build(0))
  ticket = tfl.capture(build(1), masks)

  def fit(model, *more):
    callbacks = [ticket.callback(), *more[:1]]
    callbacks = callbacks if hold_first else callbacks[::-1]
    watch = Watch(masks)
    model.fit(batches(), epochs=4, verbose=0, callbacks=[*callbacks, watch, *more[1:]])
    return watch

  whole = build(0)
  assert fit(whole).looks == 60
  with pytest.raises(_StopError):
    fit(build(0), k.callbacks.BackupAndRestore(str(tmp_path / "b")), Interrupt(2, 3, _StopError))
  resumed = build(7)
  assert fit(resumed, k.callbacks.BackupAndRestore(str(tmp_path / "b"))).looks == 30
  for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)
  assert_held(resumed, masks)


def test_the_masks_themselves_come_back_from_the_backup(k, tmp_path):
  """What was assigned during a training is in force again, not what the callback began with."""
  model = mlp(k)
  first, second = random_masks(model, seed=1), random_masks(model, seed=2)

  class Change(tf_keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
      if epoch == 1:
        hold._held.assign(second)

  hold = tfl.callbacks.HoldMasks(first)
  backup = k.callbacks.BackupAndRestore(str(tmp_path / "b"))
  with pytest.raises(_StopError):
    model.fit(
      batches(),
      epochs=3,
      verbose=0,
      callbacks=[hold, Change(), backup, Interrupt(2, 1, _StopError)],
    )
  watch = Watch(second)
  hold = tfl.callbacks.HoldMasks(first)
  fresh = mlp(k, seed=5)
  backup = k.callbacks.BackupAndRestore(str(tmp_path / "b"))
  fresh.fit(batches(), epochs=3, verbose=0, callbacks=[hold, backup, watch])
  assert watch.looks == 15


@pytest.mark.slow
def test_a_resumed_fit_on_two_replicas_keeps_its_masks(k, tmp_path):
  def build(seed):
    with two_replicas().scope():
      return mlp(k, seed=seed)

  masks = random_masks(build(0))
  ticket = tfl.capture(build(0), masks)

  def fit(model, *more):
    watch = Watch(masks)
    backup = k.callbacks.BackupAndRestore(str(tmp_path / "b"))
    model.fit(batches(), epochs=3, verbose=0, callbacks=[ticket.callback(), backup, watch, *more])
    return watch

  with pytest.raises(_StopError):
    fit(build(0), Interrupt(1, 3, _StopError))
  resumed = build(3)
  assert fit(resumed).looks == 30
  whole = build(0)
  whole.fit(batches(), epochs=3, verbose=0, callbacks=[ticket.callback()])
  for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_after_fit_the_model_is_plain_and_trains_densely(k):
  model = mlp(k)
  model.fit(batches(), verbose=0)
  size = optimizer_size(model)
  masks = random_masks(model)
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks)])
  assert optimizer_size(model) == size
  assert_held(model, masks)
  model.fit(batches(), verbose=0)
  assert values(model)["fc1/kernel"][~masks["fc1/kernel"]].any()


@pytest.mark.parametrize("k", [keras, pytest.param(tf_keras, marks=pytest.mark.slow)])
def test_a_saved_model_needs_no_tflottery(k, tmp_path):
  model = mlp(k)
  masks = random_masks(model)
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks)])
  model.save(tmp_path / "model.keras")
  np.save(tmp_path / "kernel.npy", values(model)["fc1/kernel"])
  program = f"""
import sys, warnings, numpy as np, {k.__name__} as k
with warnings.catch_warnings():
  warnings.simplefilter("error")
  model = k.models.load_model("model.keras")
assert (model.get_weights()[0] == np.load("kernel.npy")).all()
assert int(model.optimizer.iterations.numpy()) == 15
model.fit(np.ones((8, 8)), np.zeros(8), verbose=0)
assert not any(name.startswith("tflottery") for name in sys.modules)
"""
  done = subprocess.run(
    [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr


def test_one_callback_serves_two_fits(k):
  model = mlp(k)
  masks = random_masks(model)
  callback, watch = tfl.callbacks.HoldMasks(masks), Watch(masks)
  for _ in range(2):
    model.fit(batches(), verbose=0, callbacks=[callback, watch])
  other = mlp(k, seed=4)
  other.fit(batches(), verbose=0, callbacks=[callback, Watch(masks)])
  assert watch.looks == 30
  assert_held(other, masks)


@pytest.mark.slow
def test_after_a_keyboard_interrupt_another_ticket_can_be_trained(k):
  model = mlp(k)
  model.fit(batches(), verbose=0)
  size = optimizer_size(model)
  first, second = (tfl.capture(mlp(k, seed=s), random_masks(model, seed=s)) for s in (1, 2))
  with pytest.raises(KeyboardInterrupt):
    model.fit(
      batches(), verbose=0, callbacks=[first.callback(), Interrupt(0, 3, KeyboardInterrupt)]
    )
  watch = Watch(second.masks)
  model.fit(batches(), verbose=0, callbacks=[second.callback(), watch])
  assert watch.looks == 15
  assert optimizer_size(model) == size
  assert (first.masks["fc1/kernel"] & ~second.masks["fc1/kernel"]).any()


def test_a_model_compiled_anew_while_held_trains_the_next_ticket(k):
  model = mlp(k)
  masks = random_masks(model)
  with pytest.raises(KeyboardInterrupt):
    callbacks = [tfl.callbacks.HoldMasks(masks), Interrupt(0, 3, KeyboardInterrupt)]
    model.fit(batches(), verbose=0, callbacks=callbacks)
  model.compile(k.optimizers.SGD(0.1), k.losses.SparseCategoricalCrossentropy(from_logits=True))
  other = random_masks(model, seed=3)
  watch = Watch(other)
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(other), watch])
  assert watch.looks == 15


def test_masks_that_do_not_fit_are_refused_before_training(k):
  model = mlp(k)
  before = model.get_weights()
  with pytest.raises(ValueError, match="nothing/kernel: no such prunable weight"):
    model.fit(
      batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks({"nothing/kernel": np.ones((2, 2))})]
    )
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


# --- tfmot ---------------------------------------------------------------------------------------


def test_importing_tflottery_does_not_import_tfmot_and_leaves_tf_keras_alone():
  program = """
import os, sys
import tflottery
assert "tensorflow_model_optimization" not in sys.modules
assert "TF_USE_LEGACY_KERAS" not in os.environ
import tensorflow as tf, keras
assert tf.keras.Model is keras.Model, tf.keras.Model
"""
  done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr


def _wrapped(tfmot, **options):
  schedule = tfmot.sparsity.keras.ConstantSparsity(0.9, 0, frequency=1)
  model = tfmot.sparsity.keras.prune_low_magnitude(mlp(tf_keras), pruning_schedule=schedule)
  loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(tf_keras.optimizers.Adam(0.01), loss, **options)
  return model, schedule


@pytest.mark.parametrize(
  "options",
  [{}, {"steps_per_execution": 5}, pytest.param({"jit_compile": True}, marks=pytest.mark.slow)],
  ids=str,
)
def test_a_wrapped_model_is_held_without_update_pruning_step(tfmot, options):
  model, schedule = _wrapped(tfmot, **options)
  masks = random_masks(model, 0.5)
  assert set(masks) == {"fc1/kernel", "fc2/kernel", "out/kernel"}
  watch = Watch(masks)
  model.fit(batches(), epochs=2, verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks), watch])
  assert watch.looks == 30 // options.get("steps_per_execution", 1)
  for path, site in tfl.sites(model).items():
    # The wrapper's own schedule would have left a tenth.
    assert (site.wrapper_mask.numpy() == masks[path]).all()
    assert site.wrapper.pruning_obj._pruning_schedule is schedule
  stripped = tfmot.sparsity.keras.strip_pruning(model)
  for path, weight in values(stripped).items():
    assert not weight[~masks[path]].any() and weight[masks[path]].all()


def test_a_ticket_of_a_plain_model_trains_a_wrapped_one(tfmot):
  ticket = tfl.capture(mlp(keras, seed=3), random_masks(mlp(keras)))
  model, _ = _wrapped(tfmot)
  watch = Watch(ticket.masks)
  model.fit(batches(), verbose=0, callbacks=[ticket.callback(), watch])
  assert watch.looks == 15
  plain = mlp(tf_keras, tf_keras.optimizers.Adam(0.01), seed=8)
  plain.fit(batches(), verbose=0, callbacks=[ticket.callback()])
  stripped = tfmot.sparsity.keras.strip_pruning(model)
  for a, b in zip(plain.get_weights(), stripped.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_after_release_tfmot_prunes_as_before(tfmot):
  model, _ = _wrapped(tfmot)
  model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(random_masks(model))])
  model.fit(batches(), verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
  site = tfl.sites(model)["fc1/kernel"]
  assert site.wrapper_mask.numpy().sum() == 5  # a tenth of 48


def test_a_wrapped_model_resumes_from_its_backup(tfmot, tmp_path):
  masks = random_masks(_wrapped(tfmot)[0])

  def fit(*more):
    model, _ = _wrapped(tfmot)
    watch = Watch(masks)
    callbacks = [tfl.callbacks.HoldMasks(masks), *more[:1], watch, *more[1:]]
    model.fit(batches(), epochs=3, verbose=0, callbacks=callbacks)
    return model, watch

  whole, _ = fit()
  with pytest.raises(_StopError):
    fit(tf_keras.callbacks.BackupAndRestore(str(tmp_path / "b")), Interrupt(1, 4, _StopError))
  resumed, watch = fit(tf_keras.callbacks.BackupAndRestore(str(tmp_path / "b")))
  assert watch.looks == 30
  for path, weight in values(whole).items():
    np.testing.assert_allclose(weight, values(resumed)[path], atol=1e-6)


def test_weights_that_another_callback_loads_are_masked(k):
  layers = [k.layers.Input((8,)), k.layers.Dense(3, name="out")]
  model = compiled(k, k.Sequential(layers))
  mask = np.indices((8, 3)).sum(0) % 2 == 0

  class Load(tf_keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
      self.model.set_weights([np.ones((8, 3)), np.zeros(3)])

  hold = tfl.callbacks.HoldMasks({"out/kernel": mask})
  model.fit(*arrays(), verbose=0, callbacks=[hold, Load()])
  assert (model.get_weights()[0][~mask] == 0).all()
