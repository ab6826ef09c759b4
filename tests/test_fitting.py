"""What fit is given: its logs, a second fit, an interrupted one, and what is refused, by misuse."""

import csv
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import (
  Interrupt,
  assert_held,
  batches,
  compiled,
  mlp,
  one_kernel,
  random_masks,
  values,
)
from tensorflow.core.util import event_pb2

import tflottery as tfl
from tflottery import training

SITES = ["fc1/kernel", "fc2/kernel", "out/kernel"]
PATH = "fc/kernel"


def rigl(**options):
  """Changes at the steps 2, 7, 12, 17, 22 and 27 of two epochs of 15."""
  options = {"begin_step": 2, "end_step": 29, "frequency": 5, "allocation": "equal"} | options
  return tfl.callbacks.RigL(0.5, **options)


def small(k, seed=0, optimizer=None):
  """8 x 6 weights; an epoch of `data` has 15 steps."""
  weights = np.random.default_rng(seed).normal(size=(8, 6))
  return one_kernel(k, weights, optimizer or k.optimizers.SGD(0.1, momentum=0.9))


def data():
  rng = np.random.default_rng(9)
  x, y = (rng.normal(size=(120, n)).astype("float32") for n in (8, 6))
  return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def fit(model, *callbacks, **options):
  return model.fit(data(), verbose=0, callbacks=list(callbacks), **options).history


def same(ours, theirs):
  return ours.keys() == theirs.keys() and all((ours[p] == theirs[p]).all() for p in ours)


class Masks(tf_keras.callbacks.Callback):
  """The masks after every step, as the callback gives them and as they are in force."""

  def __init__(self, callback):
    super().__init__()
    self._callback, self.found = callback, []

  def on_train_batch_end(self, batch, logs=None):
    self.found.append(self._callback.masks)
    assert same(self.found[-1], training.held_on(self.model).masks)


# --- Logs ----------------------------------------------------------------------------------------


def scalars(directory):
  """Dict from tag to values of a TensorBoard directory."""
  found = {}
  for file in sorted(directory.rglob("*tfevents*")):
    for record in tf.data.TFRecordDataset(str(file)):
      for value in event_pb2.Event.FromString(record.numpy()).summary.value:
        if value.tensor.dtype == tf.float32.as_datatype_enum:
          found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
  return found


def test_sparsity_and_replaced_stand_in_all_logs_from_the_first_epoch_on(k, tmp_path):
  callback = rigl(begin_step=17, end_step=25, drop_schedule="constant", log_sites=True)
  callbacks = [
    callback,
    k.callbacks.CSVLogger(str(tmp_path / "log.csv")),
    k.callbacks.TensorBoard(str(tmp_path / "board")),
  ]
  model = mlp(k, "sgd")
  options = {"validation_data": batches(32), "verbose": 0, "callbacks": callbacks}
  history = model.fit(batches(), epochs=2, **options).history
  live = sum(int(mask.sum()) for mask in callback.masks.values())
  assert live == 24 + 15 + 8
  assert history["sparsity"] == [1 - live / 93] * 2
  assert history["replaced"][0] == 0 and 0 < history["replaced"][1] <= 0.3
  for path in SITES:
    mask = callback.masks[path]
    assert history[f"sparsity/{path}"] == [1 - mask.sum() / mask.size] * 2
  with open(tmp_path / "log.csv") as file:
    rows = list(csv.DictReader(file))
  keys = ["sparsity", "replaced", *(f"sparsity/{path}" for path in SITES)]
  for key in keys:
    assert [float(row[key]) for row in rows] == pytest.approx(history[key])
  board = scalars(tmp_path / "board")
  for key in keys:
    assert board[f"epoch_{key}"] == pytest.approx(history[key])


def test_replaced_is_the_share_that_the_latest_change_grew(k):
  callback = rigl(begin_step=0, end_step=14, frequency=7, drop=1.0, drop_schedule="constant")
  seen = Masks(callback)
  history = fit(small(k), callback, seen)
  before, after = (masks[PATH] for masks in seen.found[13:15])
  assert history["replaced"] == pytest.approx([(after & ~before).sum() / 24])
  assert history["replaced"][0] > 0


# --- A second fit --------------------------------------------------------------------------------


def test_two_fits_of_one_model_are_one_fit_of_as_many_epochs(k):
  whole, parts = small(k), small(k)
  one, two = rigl(), rigl()
  seen, pieces = Masks(one), Masks(two)
  fit(whole, one, seen, epochs=2)
  for _ in range(2):
    fit(parts, two, pieces)
  assert len(pieces.found) == 30
  assert all(same(a, b) for a, b in zip(seen.found, pieces.found, strict=True))
  assert not same(pieces.found[14], pieces.found[29])
  np.testing.assert_array_equal(whole.get_weights()[0], parts.get_weights()[0])


def test_a_fit_of_another_model_starts_over(k):
  callback = rigl()
  seen = Masks(callback)
  fit(small(k), callback, seen)
  fit(small(k, seed=1), callback, seen)
  assert same(seen.found[0], seen.found[15])
  assert not same(seen.found[14], seen.found[15])


def test_a_model_that_was_compiled_anew_keeps_its_masks_and_starts_its_schedule_anew(k):
  model, callback = small(k), rigl()
  model.compile("sgd", "mse")  # after the callback was made
  seen = Masks(callback)
  fit(model, callback, seen)
  assert not same(seen.found[1], seen.found[2])
  model.compile(k.optimizers.SGD(0.1, momentum=0.9), "mse")
  fit(model, callback, seen)
  assert same(seen.found[14], seen.found[16])
  assert not same(seen.found[16], seen.found[17])  # step 2 of the new optimizer
  assert_held(model, callback.masks)


def test_after_an_interrupted_fit_the_same_callback_goes_on_where_it_stood(k):
  model, callback = small(k), rigl()
  seen = Masks(callback)
  with pytest.raises(KeyboardInterrupt):
    fit(model, callback, seen, Interrupt(0, 10, KeyboardInterrupt))
  live = values(model)[PATH][seen.found[10][PATH]]
  assert live.all()
  fit(model, callback, seen)
  assert len(seen.found) == 11 + 15
  assert not same(seen.found[0], seen.found[10])
  assert same(seen.found[10], seen.found[11])  # 12 is due next
  assert not same(seen.found[11], seen.found[12])


def test_masks_is_none_before_the_first_fit():
  assert rigl().masks is None


# --- Misuse: schedules ---------------------------------------------------------------------------


def test_a_schedule_that_never_fires_in_this_fit_names_the_steps(k):
  model = small(k)
  callback = rigl(begin_step=30, end_step=40)
  with pytest.raises(ValueError, match=r"begin_step=30, end_step=40.* never fires .*step 0 .*15"):
    fit(model, callback)
  assert training.held_on(model) is None
  seen = Masks(callback)
  fit(model, callback, seen, epochs=3)
  assert same(seen.found[0], seen.found[29]) and not same(seen.found[29], seen.found[30])


def test_a_schedule_that_ended_before_this_fit_names_the_steps(k):
  model = small(k)
  fit(model)
  with pytest.raises(ValueError, match=r"never fires in this fit: .*at step 15 and .*at step 30"):
    fit(model, rigl(begin_step=2, end_step=10))


def test_epochs_before_the_initial_one_are_not_counted(k):
  with pytest.raises(ValueError, match=r"never fires .* ends at step 15"):
    fit(small(k), rigl(begin_step=16, end_step=20), initial_epoch=3, epochs=4)


def test_batches_whose_gradients_are_accumulated_make_one_step():
  optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
  with pytest.raises(ValueError, match=r"never fires .* ends at step 7"):
    fit(small(keras, optimizer=optimizer), rigl(begin_step=7, end_step=14))


def test_an_end_beyond_the_fit_is_warned_of_where_a_sparsity_is_the_aim(k):
  with pytest.warns(UserWarning, match=r"end_step=15 lies beyond this fit, .* after step 14"):
    fit(small(k), tfl.callbacks.Magnitude(0.5, end_step=15))


def test_an_end_within_the_fit_or_without_an_aim_is_not_warned_of():
  with warnings.catch_warnings():
    warnings.filterwarnings("error", message=".*lies beyond")
    fit(small(tf_keras), tfl.callbacks.Magnitude(0.5, end_step=14))
    fit(small(tf_keras), rigl())


def test_a_fit_of_unknown_length_is_trusted():
  def generator():
    yield from data()

  signature = tuple(tf.TensorSpec((None, n), tf.float32) for n in (8, 6))
  unknown = tf.data.Dataset.from_generator(generator, output_signature=signature)
  callback = rigl(begin_step=100, end_step=200)
  history = small(tf_keras).fit(unknown, verbose=0, callbacks=[callback]).history
  assert history["replaced"] == [0.0]


# --- Misuse: two callbacks -----------------------------------------------------------------------


def test_two_callbacks_that_hold_masks_of_one_model_are_refused_by_name(k):
  model = small(k)
  one, two = tfl.callbacks.Static(0.5), rigl()
  with pytest.raises(ValueError, match="Static and RigL both want to change the optimizer's step"):
    fit(model, one, two)
  assert training.held_on(model) is None
  for callback in (two, one):  # a clean fit works, and so does one after the other
    fit(model, callback)
    assert_held(model, callback.masks)


@pytest.mark.parametrize("name", ["HoldMasks", "Magnitude", "SNIP"])
def test_any_two_callbacks_of_one_fit_are_refused(name):
  others = {
    "HoldMasks": lambda: tfl.callbacks.HoldMasks(random_masks),
    "Magnitude": lambda: tfl.callbacks.Magnitude(0.5, end_step=5),
    "SNIP": lambda: tfl.callbacks.SNIP(0.5),
  }
  with pytest.raises(ValueError, match=f"{name} and RigL both want to change the optimizer's step"):
    fit(small(tf_keras), others[name](), rigl())


class _Fails(tf_keras.callbacks.Callback):
  def on_train_begin(self, logs=None):
    raise RuntimeError("before training")


def test_a_fit_that_failed_before_it_began_is_not_in_the_way(k):
  model = small(k)
  with pytest.raises(RuntimeError, match="before training"):
    fit(model, _Fails(), tfl.callbacks.Static(0.5))
  callback = tfl.callbacks.Static(0.75)
  fit(model, callback)
  assert_held(model, callback.masks)


def test_a_fit_takes_over_masks_that_were_held_by_hand(k):
  model = small(k)
  tfl.hold(model, random_masks(model))
  callback = tfl.callbacks.Static(0.75)
  fit(model, callback)
  assert_held(model, callback.masks)
  assert training.held_on(model) is None


# --- Misuse: models and optimizers ---------------------------------------------------------------


@pytest.mark.parametrize("make", [rigl, lambda: tfl.callbacks.SNIP(0.5)], ids=["rigl", "snip"])
def test_a_model_that_is_not_compiled_is_refused(k, make):
  model = k.Sequential([k.layers.Input((2,)), k.layers.Dense(2, name="fc")])
  with pytest.raises(ValueError, match=r"no optimizer. Call model.compile"):
    make().hold(model)


def test_a_model_that_is_not_built_is_refused(k):
  model = compiled(k, k.Sequential([k.layers.Dense(6, name="fc1"), k.layers.Dense(3)]))
  with pytest.raises(ValueError, match="has no weights yet: it is not built"):
    model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.Static(0.5)])


@pytest.mark.parametrize("make", [rigl, lambda: tfl.callbacks.SNIP(0.5)], ids=["rigl", "snip"])
def test_an_optimizer_that_can_not_be_hooked_is_refused(make):
  model = small(tf_keras, optimizer=tf_keras.optimizers.legacy.SGD())
  with pytest.raises(TypeError, match=r"SGD can't hold masks\. .*not a legacy one"):
    fit(model, make())


def test_adafactor_is_refused(k):
  model = small(k, optimizer=k.optimizers.Adafactor(0.01))
  with pytest.raises(TypeError, match="Adafactor can't hold masks"):
    fit(model, rigl())


@pytest.mark.parametrize("name", ["RigL", "SET", "SNFS", "Static", "Magnitude", "Random", "SNIP"])
def test_a_pattern_that_matches_nothing_is_refused(name):
  options = {} if name in ("Static", "SNIP") else {"end_step": 5}
  for argument in ("only", "exclude"):
    callback = getattr(tfl.callbacks, name)(0.5, **options, **{argument: "conv"})
    with pytest.raises(ValueError, match=f"{argument}='conv' matches no prunable weight"):
      callback.hold(small(tf_keras))


def test_a_ranking_that_takes_a_layers_last_weight_is_warned_of_once(k):
  model = mlp(k, k.optimizers.SGD(0.0))
  kernel, bias = model.get_layer("fc2").get_weights()
  model.get_layer("fc2").set_weights([kernel / 1000, bias])
  callback = tfl.callbacks.Magnitude(0.9, scope="global", end_step=2, frequency=1)
  with pytest.warns(UserWarning, match="leave no weight in fc2/kernel. Ask for a lower") as found:
    model.fit(batches(), epochs=2, verbose=0, callbacks=[callback])
  assert sum("leave no weight" in str(warning.message) for warning in found) == 1


@pytest.mark.parametrize("case", ["never_fires", "two_callbacks", "evaluate"])
def test_what_is_refused_or_only_evaluated_keeps_its_weights(case):
  model = small(tf_keras)
  weights = model.get_weights()[0]
  if case == "evaluate":
    model.evaluate(data(), verbose=0, callbacks=[rigl()])
  else:
    callbacks = [rigl(begin_step=20)] + [tfl.callbacks.Static(0.5)] * (case == "two_callbacks")
    with pytest.raises(ValueError, match=r"both want|never fires"):
      fit(model, *callbacks)
  assert (model.get_weights()[0] == weights).all()
