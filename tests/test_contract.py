"""The contract that every algorithm keeps: a row per algorithm, a test per clause, both Kerases."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
from algorithms import ALGORITHMS, EPOCHS
from builders import Interrupt, Watch, batches, mlp, two_replicas

import tflottery as tfl

SHAPES = {"fc1/kernel": (8, 6), "fc2/kernel": (6, 5), "out/kernel": (5, 3)}
SETTINGS = {
  "plain": {},
  "steps_per_execution": {"steps_per_execution": 4},
  "jit_compile": {"jit_compile": True},
  "two_replicas": {},
}


# The others share the code of these, or have tests of their own; `pytest -m ""` runs them too.
FAST = {"rigl"}


@pytest.fixture(
  params=[pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in ALGORITHMS]
)
def name(request):
  return request.param


def _builder(k, setting, seed=0):
  def build():
    strategy = two_replicas() if setting == "two_replicas" else tf.distribute.get_strategy()
    with strategy.scope():
      return mlp(k, k.optimizers.Adam(0.005), seed=seed, **SETTINGS[setting])

  return build


@functools.cache
def _trained(name, k, setting="plain", seed=0, again=0):
  """(model, its masks after every look); `again` makes a further run of the same."""
  build = _builder(k, setting, seed)
  watch = Watch()  # raises where a dropped weight is not 0 after a step
  model = build()
  callbacks = [ALGORITHMS[name].callback(build, seed), watch]
  model.fit(batches(), epochs=EPOCHS, verbose=0, callbacks=callbacks)
  return model, watch


def _same(ours, theirs):
  assert ours.keys() == theirs.keys()
  return all((ours[path] == theirs[path]).all() for path in ours)


def test_counts_are_exact(name, k):
  _, watch = _trained(name, k)
  assert {path: int(mask.sum()) for path, mask in watch.masks.items()} == ALGORITHMS[name].kept


def test_masks_change_at_the_steps_that_are_due_and_at_no_other(name, k):
  _, watch = _trained(name, k)
  pairs = enumerate(itertools.pairwise(watch.history), start=1)
  assert tuple(step for step, (a, b) in pairs if not _same(a, b)) == ALGORITHMS[name].changes


def test_masks_are_bool_and_of_the_kernels_shape(name, k):
  _, watch = _trained(name, k)
  for masks in watch.history:
    assert {path: mask.shape for path, mask in masks.items()} == SHAPES
    assert all(mask.dtype == bool for mask in masks.values())


def test_dropped_weights_are_zero_after_every_step(name, k):
  model, watch = _trained(name, k)
  assert watch.looks == EPOCHS * 15
  for path, site in tfl.sites(model).items():
    weight = np.array(site.variable.numpy())
    assert not weight[~watch.masks[path]].any()
    assert weight[watch.masks[path]].any()


def test_the_same_seed_gives_the_same_masks_and_another_seed_others(name, k):
  _, first = _trained(name, k)
  _, again = _trained(name, k, again=1)
  _, other = _trained(name, k, seed=1)
  assert all(_same(a, b) for a, b in zip(first.history, again.history, strict=True))
  assert not _same(first.masks, other.masks)


@pytest.mark.parametrize("setting", list(SETTINGS)[1:])
def test_every_setting_ends_the_same(name, k, setting):
  model, watch = _trained(name, k)
  other, others = _trained(name, k, setting)
  assert others.looks >= EPOCHS * 3
  assert _same(watch.masks, others.masks)
  for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5, rtol=0)


def test_two_replicas_agree_elementwise(name, k):
  model, _ = _trained(name, k, "two_replicas")
  for variable in model.trainable_variables:
    one, other = (variable.value if k.__name__ == "keras" else variable).values
    assert (one.numpy() == other.numpy()).all()


def test_saving_and_loading_keeps_the_masks(name, k, tmp_path):
  model, watch = _trained(name, k)
  model.save(tmp_path / "model.keras")
  loaded = k.models.load_model(tmp_path / "model.keras")
  for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
    assert (ours == theirs).all()
  for path, mask in tfl.capture(loaded).masks.items():  # a weight that has just grown may be 0
    assert not (mask & ~watch.masks[path]).any()
  tfl.capture(model, watch.masks).save(tmp_path / "t")
  assert _same(tfl.Ticket.load(tmp_path / "t").masks, watch.masks)


def test_an_interrupted_training_resumes_to_the_same_end(name, k, tmp_path):
  model, watch = _trained(name, k)
  build = _builder(k, "plain")

  def fit(*more):
    resumed, seen = build(), Watch()
    backup = k.callbacks.BackupAndRestore(str(tmp_path / "backup"))
    callbacks = [ALGORITHMS[name].callback(build, 0), backup, seen, *more]
    resumed.fit(batches(), epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return resumed, seen

  with pytest.raises(RuntimeError, match="interrupted"):
    fit(Interrupt(2, 5))
  resumed, seen = fit()
  assert seen.looks == 2 * 15
  assert _same(seen.masks, watch.masks)
  for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6, rtol=0)
