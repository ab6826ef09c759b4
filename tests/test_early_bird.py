"""EarlyBird: channel masks are drawn while `fit` runs, and stop it when they have settled."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import Interrupt, two_replicas

import tflottery as tfl
from tflottery.site import weights

SCALES = {
  "first": [0.9, 0.8, 0.2, 0.1],
  "near": [0.9, 0.8, 0.1, 0.2],
  "mixed": [0.9, 0.1, 0.8, 0.2],
  "last": [0.1, 0.2, 0.8, 0.9],
}
KEPT = {"first": [True, True, False, False], "last": [False, False, True, True]}


class Script(tf_keras.callbacks.Callback):
  """Sets the scales at the end of every epoch, or after every so many batches."""

  def __init__(self, names, every=None):
    super().__init__()
    self._names, self._every = list(names), every

  def on_epoch_end(self, epoch, logs=None):
    if not self._every:
      self._set(epoch)

  def on_train_batch_end(self, batch, logs=None):
    if self._every and (batch + 1) % self._every == 0:
      self._set((batch + 1) // self._every - 1)

  def _set(self, place):
    self.model.get_layer("bn").gamma.assign(np.float32(SCALES[self._names[place]]))


def network(k, **options):
  """Four channels, all of whose scales are 1; nothing is learned."""
  k.utils.set_random_seed(0)
  layers = [k.layers.Dense(4), k.layers.BatchNormalization(name="bn"), k.layers.Dense(1)]
  model = k.Sequential([k.Input((2,)), *layers])
  model.compile(k.optimizers.SGD(0.0), "mse", **options)
  return model


def fit(model, script, *callbacks, steps=1, every=None, **options):
  x = np.random.default_rng(0).normal(size=(4 * steps, 2)).astype("float32")
  data = tf.data.Dataset.from_tensor_slices((x, x.sum(1, keepdims=True))).batch(4)
  epochs = options.pop("epochs", len(script))
  callbacks = [Script(script, every), *callbacks]
  return model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks, **options)


def masks(bird, share=0.5):
  return {path: mask.tolist() for path, mask in bird.masks[share].items()}


def test_training_stops_when_the_masks_have_settled(k):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=3)
  history = fit(network(k), ["last", "first", "first", "first", "last", "last"], bird)
  assert bird.drawn == {0.5: 4}  # the masks of the starts of epochs 2, 3 and 4 are alike
  assert len(history.epoch) == 4
  assert masks(bird) == {"bn/gamma": KEPT["first"]}


def test_scales_that_are_all_equal_draw_nothing(k):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=3)
  fit(network(k), ["first"] * 6, bird)
  assert bird.drawn == {0.5: 3}
  assert bird.labels == [0, 1, 2, 3]
  # Draw 0 is a mask of all False, which differs from the others in the half that they keep.
  assert bird.distances.tolist() == [[[0, 0.5, 0.5, 0.5], [0.5, 0, 0, 0]] + [[0.5, 0, 0, 0]] * 2]


def test_the_logs_tell_the_distance_to_the_mask_in_the_window_that_differs_most(k):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=3)
  history = fit(network(k), ["first", "mixed", "first", "first"], bird)
  np.testing.assert_array_equal(history.history["mask_distance"], [np.nan, 0.5, 0.5, 0.5])
  assert bird.drawn == {0.5: None}
  assert bird.masks == {}


def test_without_stop_it_reports_and_goes_on(k, capsys):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=2, stop=False, verbose=1)
  history = fit(network(k), ["first", "first", "last", "last"], bird)
  assert bird.drawn == {0.5: 2}
  assert masks(bird) == {"bn/gamma": KEPT["first"]}
  assert (bird.labels, len(history.epoch)) == ([0, 1, 2, 3, 4], 4)
  assert capsys.readouterr().out == (
    "Early-Bird ticket of share 0.5 drawn at the start of epoch 2.\n"
  )


def test_several_shares_are_drawn_each_by_itself_and_training_stops_after_the_last(k):
  bird = tfl.callbacks.EarlyBird(share=(0.25, 0.5), window=2)
  # "first" and "near" keep the same two channels, but not the same three.
  history = fit(network(k), ["first", "near", "near", "last"], bird)
  assert bird.drawn == {0.25: 3, 0.5: 2}
  assert len(history.epoch) == 3
  assert masks(bird, 0.25) == {"bn/gamma": [True, True, False, True]}
  assert masks(bird, 0.5) == {"bn/gamma": KEPT["first"]}
  assert list(history.history)[1:] == ["mask_distance/0.25", "mask_distance/0.5"]


def test_the_weights_are_those_of_the_draw(k):
  model = network(k)
  bird = tfl.callbacks.EarlyBird(share=0.5, window=2, stop=False)
  fit(model, ["first", "first", "last"], bird)
  np.testing.assert_allclose(bird.weights[0.5]["bn/gamma"], SCALES["first"])
  assert bird.weights[0.5].keys() == weights(model).keys()


@pytest.mark.parametrize("execution", [1, 2])
def test_masks_can_be_drawn_every_so_many_steps(k, execution):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=2, every=2)
  model = network(k, steps_per_execution=execution)
  fit(model, ["last", "first", "first", "first"], bird, steps=8, every=2, epochs=1)
  assert bird.labels == [0, 2, 4, 6]
  assert bird.drawn == {0.5: 6}


def test_steps_are_counted_over_epochs(k):
  bird = tfl.callbacks.EarlyBird(share=0.5, window=2, every=2, stop=False)
  fit(network(k), ["last"] * 3, bird, steps=3)
  assert bird.labels == [0, 2, 4, 6, 8]


def test_a_fit_that_is_resumed_goes_on_from_the_draws_in_the_directory(k, tmp_path):
  script = ["last", "first", "first", "first", "first"]
  whole = tfl.callbacks.EarlyBird(share=0.5, window=3, stop=False)
  fit(network(k), script, whole)
  model, first = network(k), tfl.callbacks.EarlyBird(0.5, window=3, stop=False, directory=tmp_path)
  fit(model, script, first, epochs=3)
  rest = tfl.callbacks.EarlyBird(0.5, window=3, directory=tmp_path)
  history = fit(model, script, rest, initial_epoch=2)  # one epoch is done once more
  assert (rest.drawn, rest.labels) == ({0.5: 4}, [0, 1, 2, 3, 4])
  assert history.epoch == [2, 3]
  np.testing.assert_array_equal(
    np.load(tmp_path / "mask_distances.npy"), whole.distances[:, :5, :5]
  )
  assert (tmp_path / "mask_distances.png").read_bytes().startswith(b"\x89PNG")


def test_a_restored_backup_goes_on_from_the_draws_in_the_directory(k, tmp_path):
  script = ["last", "first", "first", "first"]

  def callbacks():
    bird = tfl.callbacks.EarlyBird(share=0.5, window=3, directory=tmp_path / "draws")
    return bird, k.callbacks.BackupAndRestore(str(tmp_path / "backup"))

  bird, backup = callbacks()
  with pytest.raises(RuntimeError, match="interrupted"):
    fit(network(k), script, bird, backup, Interrupt(epoch=2))
  bird, backup = callbacks()
  history = fit(network(k), script, bird, backup)
  assert history.epoch == [2, 3]
  assert (bird.drawn, bird.labels) == ({0.5: 4}, [0, 1, 2, 3, 4])


def test_epochs_that_are_done_again_are_drawn_again(k):
  model, bird = network(k), tfl.callbacks.EarlyBird(share=0.5, window=2, stop=False)
  fit(model, ["first", "last", "first", "first"], bird)
  assert bird.drawn == {0.5: 4}
  fit(model, ["first", "last", "last", "first"], bird, initial_epoch=2)
  assert (bird.labels, bird.drawn) == ([0, 1, 2, 3, 4], {0.5: 3})
  assert masks(bird) == {"bn/gamma": KEPT["last"]}


def test_a_search_that_ends_without_a_ticket_warns(k):
  with pytest.warns(UserWarning, match="No Early-Bird ticket was drawn at share 0.5"):
    fit(network(k), ["first", "last"], tfl.callbacks.EarlyBird(share=0.5, window=2))


def test_channels_that_slim_could_not_remove_are_refused_before_training(k):
  layers = [k.layers.Dense(4), k.layers.BatchNormalization(name="bn")]
  layers += [k.layers.Activation("sigmoid", name="gate"), k.layers.Dense(1)]
  model = k.Sequential([k.Input((2,)), *layers])
  model.compile("sgd", "mse")
  with pytest.raises(ValueError, match=r"`gate` \(Activation\) makes of 0 something that is not 0"):
    fit(model, ["first"], tfl.callbacks.EarlyBird())


def test_two_replicas_draw_the_same_masks(k):
  with two_replicas().scope():
    model = network(k)
  bird = tfl.callbacks.EarlyBird(share=0.5, window=2)
  fit(model, ["first", "first"], bird)
  assert masks(bird) == {"bn/gamma": KEPT["first"]}


def test_a_second_fit_starts_over(k):
  model, bird = network(k), tfl.callbacks.EarlyBird(share=0.5, window=2)
  fit(model, ["first", "first"], bird)
  fit(model, ["last", "last"], bird)
  # The scales are no longer equal, so that draw 0 counts.
  assert (bird.labels, bird.drawn) == ([0, 1, 2], {0.5: 2})
  assert masks(bird) == {"bn/gamma": KEPT["last"]}


def test_it_stands_beside_slimming(k):
  model, bird = network(k), tfl.callbacks.EarlyBird(share=0.5, window=2)
  model.compile(k.optimizers.SGD(0.5), lambda y, x: 0.0 * x)
  fit(model, ["first", "first"], tfl.callbacks.Slimming(0.1), bird)
  assert bird.drawn == {0.5: 2}


def test_the_ticket_is_what_slim_takes(k):
  model, bird = network(k), tfl.callbacks.EarlyBird(share=0.5, window=2)
  fit(model, ["last", "last"], bird)
  small = tfl.structured.slim(model, bird.masks[0.5])
  np.testing.assert_allclose(small.get_layer("bn").gamma.numpy(), [0.8, 0.9])


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"share": 1.0}, "share=1.0 is out of range"),
    ({"share": ()}, r"share=\(\) must name at least one"),
    ({"share": (0.5, 0.5)}, "each once"),
    ({"window": 1}, "window=1 is out of range"),
    ({"threshold": -0.1}, "threshold=-0.1 is out of range"),
    ({"every": 0}, "every=0 is out of range"),
  ],
)
def test_bad_arguments_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    tfl.callbacks.EarlyBird(**arguments)


def test_a_share_that_would_empty_a_layer_is_refused_before_training(k):
  image = k.Input((2,))
  x = k.layers.BatchNormalization(name="bn")(k.layers.Dense(4)(image))
  x = k.layers.BatchNormalization()(k.layers.Dense(4)(x))
  model = k.Model(image, k.layers.Dense(1)(x))
  model.compile("sgd", "mse")
  with pytest.raises(ValueError, match=r"share=0.9 keeps 1 of 8 channels"):
    fit(model, ["first"], tfl.callbacks.EarlyBird(share=0.9))


def test_a_model_without_batch_normalisation_is_refused(k):
  model = k.Sequential([k.Input((2,)), k.layers.Dense(1)])
  model.compile("sgd", "mse")
  with pytest.raises(ValueError, match="no batch normalisation with a scale"):
    fit(model, ["first"], tfl.callbacks.EarlyBird())
