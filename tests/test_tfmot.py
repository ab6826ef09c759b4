"""Models wrapped by tfmot, programs that use it, and its traps where our way is another."""

import keras
import numpy as np
import pytest
import tf_keras
from builders import Watch, batches, compiled, one_kernel, values

import tflottery as tfl
from tflottery import granularity, masks

COUNTS = {"fc1/kernel": 19, "out/kernel": 7}  # at a sparsity of 0.6


def plain():
  """8 x 6 and 6 x 3 weights."""
  layers = [
    tf_keras.layers.Input((8,)),
    tf_keras.layers.Dense(6, "relu", name="fc1"),
    tf_keras.layers.Dense(3, name="out"),
  ]
  model = tf_keras.Sequential(layers)
  rng = np.random.default_rng(0)
  model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
  return compiled(tf_keras, model, tf_keras.optimizers.SGD(0.1, momentum=0.9))


def wrapped(tfmot, schedule=None):
  """It wrapped; by default its own schedule would leave half of the weights."""
  theirs = tfmot.sparsity.keras
  schedule = schedule or theirs.PolynomialDecay(0.0, 0.5, 0, 14, frequency=2)
  model = theirs.prune_low_magnitude(plain(), pruning_schedule=schedule)
  return compiled(tf_keras, model, tf_keras.optimizers.SGD(0.1, momentum=0.9))


def rigl():
  return tfl.callbacks.RigL(
    0.6, allocation="equal", begin_step=2, end_step=14, frequency=4, drop_schedule="constant"
  )


def magnitude(**options):
  return tfl.callbacks.Magnitude(0.6, end_step=13, frequency=4, **options)


def assert_wrapped_as_held(tfmot, model, callback):
  """The wrapper's masks are the held ones, and stripping leaves exactly their sparsity."""
  for path, site in tfl.sites(model).items():
    assert (site.wrapper_mask.numpy() == callback.masks[path]).all(), path
  stripped = tfmot.sparsity.keras.strip_pruning(model)
  assert not any("prune_low_magnitude" in layer.name for layer in stripped.layers)
  for path, weight in values(stripped).items():
    assert not weight[~callback.masks[path]].any(), path
  return stripped


@pytest.mark.parametrize("make", [rigl, magnitude], ids=["rigl", "magnitude"])
def test_a_wrapped_model_ends_with_the_held_masks_and_their_exact_sparsity(tfmot, make):
  model, callback, watch = wrapped(tfmot), make(), Watch()
  model.fit(batches(), verbose=0, callbacks=[callback, watch])
  assert watch.looks == 15
  assert {path: int(mask.sum()) for path, mask in callback.masks.items()} == COUNTS
  stripped = assert_wrapped_as_held(tfmot, model, callback)
  if make is magnitude:  # nothing has just grown, so nothing that lives is 0
    found = {path: int(np.count_nonzero(weight)) for path, weight in values(stripped).items()}
    assert found == COUNTS


def trained_plainly(make):
  """(masks, weights) of the same training without tfmot."""
  model, callback = plain(), make()
  model.fit(batches(), verbose=0, callbacks=[callback])
  return callback.masks, values(model)


@pytest.mark.parametrize(
  ("make", "ours_first"), [(rigl, True), (rigl, False), (magnitude, True), (magnitude, False)]
)
def test_an_existing_tfmot_program_takes_our_callback_in_either_order(tfmot, make, ours_first):
  """And trains as the plain model does, though its own schedule and callback go on around it."""
  model, callback, watch = wrapped(tfmot), make(), Watch()
  callbacks = [callback, tfmot.sparsity.keras.UpdatePruningStep()]
  callbacks = callbacks if ours_first else callbacks[::-1]
  model.fit(batches(), verbose=0, callbacks=[*callbacks, watch])
  assert watch.looks == 15
  assert_wrapped_as_held(tfmot, model, callback)
  found, weights = trained_plainly(make)
  for path, mask in found.items():
    assert (mask == callback.masks[path]).all()
    np.testing.assert_allclose(values(model)[path], weights[path], atol=1e-5)


def test_tfmots_summaries_may_stand_beside_our_callback(tfmot, tmp_path):
  theirs = tfmot.sparsity.keras
  model, callback = wrapped(tfmot), magnitude()
  callbacks = [theirs.UpdatePruningStep(), theirs.PruningSummaries(str(tmp_path)), callback]
  model.fit(batches(), verbose=0, callbacks=callbacks)
  assert list(tmp_path.rglob("*tfevents*"))
  assert_wrapped_as_held(tfmot, model, callback)


def test_without_our_callback_the_program_goes_on_as_before(tfmot):
  theirs = tfmot.sparsity.keras
  schedule = theirs.PolynomialDecay(0.0, 0.5, 0, 30, frequency=2)
  model = wrapped(tfmot, schedule)
  model.fit(batches(), verbose=0, callbacks=[theirs.UpdatePruningStep(), rigl()])
  for site in tfl.sites(model).values():
    assert site.wrapper.pruning_obj._pruning_schedule is schedule
  model.fit(batches(), epochs=2, verbose=0, callbacks=[theirs.UpdatePruningStep()])
  site = tfl.sites(model)["fc1/kernel"]
  assert site.wrapper_mask.numpy().sum() == 24
  assert np.count_nonzero(values(model)["fc1/kernel"]) <= 24


def test_magnitude_takes_the_schedule_of_the_wrapped_model(tfmot):
  schedule = tfmot.sparsity.keras.PolynomialDecay(0.1, 0.5, 2, 12, frequency=5)
  model = wrapped(tfmot, schedule)
  callback = tfl.callbacks.Magnitude(schedule=schedule)
  model.fit(batches(), verbose=0, callbacks=[callback])
  assert [int(mask.sum()) for mask in callback.masks.values()] == [24, 9]
  assert_wrapped_as_held(tfmot, model, callback)


def test_only_some_wrapped_layers_may_be_held_and_tfmot_prunes_the_others(tfmot):
  theirs = tfmot.sparsity.keras
  model = wrapped(tfmot, theirs.ConstantSparsity(0.8, 0, frequency=1))
  callback = tfl.callbacks.Static(0.5, only="fc1")
  model.fit(batches(), verbose=0, callbacks=[callback, theirs.UpdatePruningStep()])
  found = {path: int(site.wrapper_mask.numpy().sum()) for path, site in tfl.sites(model).items()}
  assert found == {"fc1/kernel": 24, "out/kernel": 4}


# --- Traps ---------------------------------------------------------------------------------------


def test_ties_are_pruned_to_the_exact_count_where_tfmot_keeps_them_all(tfmot):
  theirs = tfmot.sparsity.keras
  x, y = np.ones((4, 100), "float32"), np.zeros((4, 1), "float32")
  still = tf_keras.optimizers.SGD(0.0)

  def model():
    return one_kernel(tf_keras, np.ones(100), still)

  pruned = theirs.prune_low_magnitude(model(), theirs.ConstantSparsity(0.5, 0, frequency=1))
  pruned.compile(tf_keras.optimizers.SGD(0.0), "mse")
  pruned.fit(x, y, verbose=0, callbacks=[theirs.UpdatePruningStep()])
  assert np.count_nonzero(theirs.strip_pruning(pruned).get_weights()[0]) == 100
  ours = model()
  ours.compile(tf_keras.optimizers.SGD(0.0), "mse")
  ours.fit(x, y, verbose=0, callbacks=[tfl.callbacks.Magnitude(0.5, end_step=0)])
  assert ours.get_weights()[0].ravel().tolist() == [1] * 50 + [0] * 50


def test_the_last_batch_of_an_epoch_is_sparse_where_tfmots_is_not(tfmot):
  theirs = tfmot.sparsity.keras
  shown = []

  class Zeros(tf_keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
      shown.append(float((values(self.model)["fc1/kernel"] == 0).mean()))

  model = wrapped(tfmot, theirs.ConstantSparsity(0.9, 0, frequency=1))
  model.fit(batches(), verbose=0, callbacks=[theirs.UpdatePruningStep(), Zeros()])
  assert shown[-1] < 0.9
  model = wrapped(tfmot)
  model.fit(
    batches(), verbose=0, callbacks=[tfl.callbacks.Static(0.9, allocation="equal"), Zeros()]
  )
  assert shown[-1] == 1 - 5 / 48


def test_predicting_changes_no_weight(tfmot):
  """tfmot's wrapper writes its kernels in `predict` too; what is sparse already stays as it is."""
  model, callback = wrapped(tfmot), rigl()
  model.fit(batches(), verbose=0, callbacks=[callback])
  before = values(model)
  model.predict(batches(), verbose=0)
  assert all((values(model)[path] == weight).all() for path, weight in before.items())


def test_two_of_four_survives_a_saved_wrapper_whose_config_forgets_it(tfmot, tmp_path):
  theirs = tfmot.sparsity.keras
  schedule = theirs.ConstantSparsity(0.5, 0, frequency=1)
  model = one_kernel(tf_keras, np.random.default_rng(0).normal(size=(8, 3)), "sgd")
  model = theirs.prune_low_magnitude(model, schedule, sparsity_m_by_n=(2, 4))
  assert "sparsity_m_by_n" not in str(model.layers[0].get_config())
  model.save(tmp_path / "model.keras")
  with theirs.prune_scope():
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
  loaded.compile("sgd", "mse")
  callback = tfl.callbacks.Magnitude(0.5, end_step=0, granularity=granularity.n_of_m(2, 4))
  loaded.fit(np.ones((8, 8)), np.ones((8, 3)), verbose=0, callbacks=[callback])
  groups = (theirs.strip_pruning(loaded).get_weights()[0] != 0).reshape(2, 4, 3)
  assert (groups.sum(1) == 2).all()


def test_blocks_of_a_convolution_kernel_where_tfmot_takes_two_axes_only(tfmot, k):
  def convolution(k):
    layers = [
      k.layers.Input((8, 8, 4)),
      k.layers.Conv2D(8, 3, name="conv"),
      k.layers.GlobalAveragePooling2D(),
    ]
    return compiled(k, k.Sequential(layers), "sgd")

  theirs = tfmot.sparsity.keras
  schedule = theirs.ConstantSparsity(0.5, 0, frequency=1)
  with pytest.raises(ValueError, match="Block Sparsity can only be used for layers which have 2"):
    model = theirs.prune_low_magnitude(convolution(tf_keras), schedule, block_size=(4, 4))
    compiled(tf_keras, model, "sgd").fit(
      np.ones((2, 8, 8, 4)), np.zeros(2), verbose=0, callbacks=[theirs.UpdatePruningStep()]
    )
  model = convolution(k)
  callback = tfl.callbacks.Magnitude(0.5, end_step=0, granularity=granularity.block((4, 4)))
  model.fit(np.ones((2, 8, 8, 4)), np.zeros(2), verbose=0, callbacks=[callback])
  blocks = callback.masks["conv/kernel"].reshape(9, 4, 2, 4).sum((1, 3))
  assert set(blocks.ravel()) == {0, 16} and (blocks == 16).sum() == 9


def test_subclassed_models_which_tfmot_refuses(tfmot, k):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.hidden, self.out = k.layers.Dense(6, name="hidden"), k.layers.Dense(3, name="out")

    def call(self, x):
      return self.out(self.hidden(x))

  model = Net()
  model(np.zeros((1, 8), "float32"))
  if k is not keras:
    with pytest.raises(ValueError, match="can only prune an object of the following types"):
      tfmot.sparsity.keras.prune_low_magnitude(model)
  callback, watch = rigl(), Watch()
  compiled(k, model, "adam").fit(batches(), verbose=0, callbacks=[callback, watch])
  expected = [masks.kept_count(size, 0.6) for size in (48, 18)]
  assert [int(mask.sum()) for mask in callback.masks.values()] == expected
