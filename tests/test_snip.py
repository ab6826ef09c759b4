"""SNIP: scores worked by hand, no update before the masks, and nothing changes after."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import arrays, batches, mlp, values
from by_hand import Weights, inputs, linear, top

import tflottery as tfl
from tflottery import masks

START = [0.5, -0.4, 0.3, 0.1, -0.2, 0.6]
GRADIENTS = np.float32(
  [
    [2, -1, 1, -5, 2, 0.5],  # |w g| = 1, 0.4, 0.3, 0.5, 0.4, 0.3: 1 and 4 tie
    [-2, 3, 1, 1, 0, 1],
    [0.2, 1, 1, 1, 0, 1],  # sums 0.2, 3, 3, -3, 2, 2.5: 0.1, 1.2, 0.9, 0.3, 0.4, 1.5
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 1],
  ]
)


def trained(k, optimizer, **options):
  callback = tfl.callbacks.SNIP(0.5, **options)
  seen = Weights(callback)
  model = linear(k, START, optimizer)
  model.fit(inputs(GRADIENTS), verbose=0, callbacks=[callback, seen])
  return seen


@pytest.mark.parametrize(("batches", "live"), [(1, [0, 1, 3]), (3, [1, 2, 5])])
def test_masks_follow_the_scores_worked_by_hand_before_anything_is_updated(k, batches, live):
  """At a rate of a million, one update would show."""
  seen = trained(k, k.optimizers.SGD(1e6, momentum=0.9), batches=batches)
  mask = np.isin(np.arange(6), live)
  for step in range(batches):
    expected = np.float32(START) * (mask if step == batches - 1 else 1)
    assert (seen.kernels[step] == expected).all(), f"step {step}"
    assert not np.any(seen.slots[step]), f"step {step}"
    assert (seen.masks[step] == (mask if step == batches - 1 else True)).all()
  for step in range(batches, 5):
    assert (seen.masks[step] == mask).all()
    assert (abs(seen.kernels[step][mask]) > 1e5).all() and not seen.kernels[step][~mask].any()


def test_the_update_after_the_masks_is_the_first_of_the_optimizer(k):
  """Its momentum begins there, and its steps are counted on."""
  seen = trained(k, k.optimizers.SGD(0.1, momentum=0.9), batches=3)
  mask = np.isin(np.arange(6), [1, 2, 5])
  expected = np.where(mask, START, 0) - np.where(mask, 0.1, 0)
  np.testing.assert_allclose(seen.kernels[3], expected, atol=1e-6)
  np.testing.assert_allclose(seen.kernels[4], expected - np.where(mask, 0.19, 0), atol=1e-6)


def test_adamw_does_not_decay_weights_before_the_masks(k):
  seen = trained(k, k.optimizers.AdamW(0.1, weight_decay=0.5), batches=3)
  assert (seen.kernels[1] == np.float32(START)).all()
  assert (seen.kernels[2] == np.where(seen.masks[2], np.float32(START), 0)).all()


def scores(k, model, count):
  """|w sum g| of the first batches, by a tape of one's own."""
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  sites = tfl.sites(model)
  total = {path: 0 for path in sites}
  for x, y in batches().take(count):
    with tf.GradientTape() as tape:
      error = loss(y, model(x, training=True))
    variables = [s.variable.value if k is keras else s.variable for s in sites.values()]
    for path, gradient in zip(sites, tape.gradient(error, variables), strict=True):
      total[path] = total[path] + gradient.numpy()
  return {path: abs(weight * total[path]) for path, weight in values(model).items()}


@pytest.mark.parametrize(("count", "scope"), [(1, "global"), (3, "global"), (3, "layer")])
def test_sites_are_ranked_together_or_by_themselves(k, count, scope):
  model = mlp(k, k.optimizers.SGD(0.1))
  expected = scores(k, model, count)
  if scope == "global":
    kept = top(np.concatenate([s.ravel() for s in expected.values()]), masks.kept_count(93, 0.6))
    parts = np.split(kept, np.cumsum([s.size for s in expected.values()])[:-1])
  else:
    parts = [top(s.ravel(), masks.kept_count(s.size, 0.6)) for s in expected.values()]
  callback = tfl.callbacks.SNIP(0.6, batches=count, scope=scope)
  model.fit(batches(), verbose=0, callbacks=[callback])
  for part, (path, mask) in zip(parts, callback.masks.items(), strict=True):
    assert (mask.ravel() == part).all(), path


@pytest.mark.parametrize(
  ("sparsity", "allocation", "counts"),
  [(0.6, "erk", [16, 12, 9]), (None, {"fc1": 0.75}, [12, 30, 15])],
)
def test_sites_may_have_sparsities_of_their_own(sparsity, allocation, counts):
  callback = tfl.callbacks.SNIP(sparsity, scope="layer", allocation=allocation)
  mlp(tf_keras).fit(batches(), verbose=0, callbacks=[callback])
  assert [int(mask.sum()) for mask in callback.masks.values()] == counts


class _Kernels(tf_keras.callbacks.Callback):
  def __init__(self):
    super().__init__()
    self.found = []

  def on_train_batch_end(self, batch, logs=None):
    self.found.append(self.model.get_weights()[0])


def test_a_second_fit_goes_on_with_the_masks_and_leaves_no_update_out(k):
  model = mlp(k, k.optimizers.SGD(0.1))
  callback, kernels = tfl.callbacks.SNIP(0.5, batches=3), _Kernels()
  model.fit(batches(), verbose=0, callbacks=[callback])
  first, weights = callback.masks, model.get_weights()[0]
  model.fit(batches(), verbose=0, callbacks=[callback, kernels])
  assert all((callback.masks[path] == mask).all() for path, mask in first.items())
  assert (kernels.found[0] != weights)[first["fc1/kernel"]].any()
  assert not kernels.found[-1][~first["fc1/kernel"]].any()


def test_a_model_that_has_been_trained_is_pruned_at_its_next_step(k):
  model = mlp(k, k.optimizers.SGD(0.1))
  model.fit(batches(), epochs=2, verbose=0)
  callback, kernels = tfl.callbacks.SNIP(0.5, batches=2), _Kernels()
  weights = model.get_weights()[0]
  model.fit(batches(), verbose=0, callbacks=[callback, kernels])
  mask = callback.masks["fc1/kernel"]
  assert (kernels.found[0] == weights).all()
  assert (kernels.found[1] == np.where(mask, weights, 0)).all() and not mask.all()
  assert (kernels.found[2] != kernels.found[1])[mask].any()
  assert int(np.array(model.optimizer.iterations.numpy())) == 45


def test_weights_of_float64_are_scored_too(k):
  layers = [k.layers.Input((8,)), k.layers.Dense(3, name="out", dtype="float64")]
  model = k.Sequential(layers)
  model.compile("sgd", k.losses.SparseCategoricalCrossentropy(from_logits=True))
  callback = tfl.callbacks.SNIP(0.5, batches=2)
  model.fit(*arrays(), verbose=0, callbacks=[callback])
  assert callback.masks["out/kernel"].sum() == 12


# --- Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0, 1, 1.5, -0.1, float("nan"), True, None])
def test_a_sparsity_that_is_none_is_refused(sparsity):
  with pytest.raises(ValueError, match=r"sparsity=.* is out of range"):
    tfl.callbacks.SNIP(sparsity)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"batches": 0}, r"batches=0 is out of range"),
    ({"batches": True}, r"batches=True is out of range"),
    ({"batches": 1.5}, r"batches=1\.5 is out of range"),
    ({"scope": "all"}, r"scope='all' is unknown"),
    ({"allocation": "erk"}, r"scope='global' ranks all sites together"),
    ({"scope": "layer", "allocation": "er"}, r"allocation='er' is unknown"),
  ],
)
def test_bad_arguments_are_refused_when_the_callback_is_made(options, message):
  with pytest.raises(ValueError, match=message):
    tfl.callbacks.SNIP(0.5, **options)


def test_more_batches_than_the_fit_has_steps_are_refused(k):
  model = mlp(k)
  weights = model.get_weights()
  with pytest.raises(ValueError, match=r"step=19\), never fires .* fit ends at step 15"):
    model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.SNIP(0.5, batches=20)])
  assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
