"""Pieces of a training: the examples of each, whatever the cuts."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from builders import KERASES, one_kernel, two_replicas

from tflottery.tickets.fit import Fit, Shuffled, batched

SIZE, LENGTH = 12, 3  # examples and batches in an epoch


def _seen(batches):
  """The first input of every batch, as lists."""
  return [np.array(inputs).tolist() for inputs, *_ in batches]


@pytest.fixture(scope="module")
def shuffled():
  """Epochs of 5, 5, 5 and 2 examples."""
  return Shuffled((np.arange(17), -np.arange(17)), batch_size=5, seed=3)


def test_every_epoch_has_every_example_once_in_an_order_of_its_own(shuffled):
  assert shuffled.cardinality() == 4
  seen = _seen(shuffled(0, 12))
  assert [len(batch) for batch in seen] == [5, 5, 5, 2] * 3
  epochs = [[x for batch in seen[i : i + 4] for x in batch] for i in (0, 4, 8)]
  assert all(sorted(epoch) == list(range(17)) for epoch in epochs)
  assert len(set(map(tuple, epochs))) == 3


def test_the_parts_of_an_example_stay_together(shuffled):
  for x, y in shuffled(2, 6):
    np.testing.assert_array_equal(x, -y)


@pytest.mark.parametrize("cut", [1, 4, 6, 8])
def test_two_pieces_are_the_whole(shuffled, cut):
  whole = _seen(shuffled(0, 10))
  assert _seen(shuffled(0, cut)) + _seen(shuffled(cut, 10)) == whole
  assert int(shuffled(cut, 10).cardinality()) == 10 - cut


def test_the_order_is_the_seeds_and_not_the_global_seeds(shuffled):
  arrays = np.arange(17), -np.arange(17)
  tf.random.set_seed(1)
  assert _seen(Shuffled(arrays, 5, 3)(0, 4)) == _seen(shuffled(0, 4))
  assert _seen(Shuffled(arrays, 5, 4)(0, 4)) != _seen(shuffled(0, 4))


def test_it_is_iterated_several_times_over_the_same_epoch(shuffled):
  assert _seen(shuffled) == _seen(shuffled) == _seen(shuffled(0, 4))


def test_inputs_may_be_nested_and_lists_are_arrays():
  inputs = {"a": np.arange(6), "b": (np.arange(6) * 10, np.eye(6))}
  for x, y in Shuffled((inputs, [0, 1, 2, 3, 4, 5]), 4, seed=0)(0, 2):
    np.testing.assert_array_equal(x["a"], y)
    np.testing.assert_array_equal(x["b"][0], 10 * y)
    np.testing.assert_array_equal(np.argmax(x["b"][1], 1), y)


def test_arrays_of_different_lengths_are_refused():
  with pytest.raises(ValueError, match="not compatible"):
    Shuffled((np.zeros(4), np.zeros(5)), 2, seed=0)


def test_only_arrays_with_a_seed_are_shuffled():
  arrays = np.arange(5), np.arange(5)
  dataset = batched(arrays, 2, None)
  assert _seen(dataset) == [[0, 1], [2, 3], [4]]
  assert batched(dataset, 2, seed=1) is dataset and batched(None, 2, 1) is None
  assert isinstance(batched(arrays, 2, 1), Shuffled)


# --- Fit, with a network that counts: a step adds 1 to the weight of every example in it -----------


def _counting(k, **options):
  return one_kernel(k, [0.0] * SIZE, k.optimizers.SGD(4.0), lambda _, y: -y, **options)


def _counts(model):
  return model.get_weights()[0][:, 0].round(4).tolist()


def _data(seed=0):
  return Shuffled((np.eye(SIZE, dtype="float32"), np.zeros((SIZE, 1), "float32")), 4, seed)


def _Ends(k, found):  # noqa: N802 - a class of the Keras that is given
  class Ends(k.callbacks.Callback):
    """Notes every epoch's number, and the steps done by its end."""

    def on_epoch_end(self, epoch, logs=None):
      found.append((epoch, int(self.model.optimizer.iterations)))

  return Ends()


@pytest.mark.parametrize("pieces", [[1, 2, 3], [2, 3]], ids=str)
def test_an_epoch_that_is_cut_has_every_example_once(k, pieces):
  model, start = _counting(k), 0
  fit = Fit(model, _data(), None, (), 0)
  for stop in pieces:
    fit(start, stop)
    assert sum(_counts(model)) == 4 * stop
    start = stop
  assert _counts(model) == [1] * SIZE


def test_the_steps_after_a_cut_are_those_of_the_uncut_training(k):
  model = _counting(k)
  fit = Fit(model, _data(), None, (), 0)
  ways = []
  for cuts in ([0, 8], [0, 1, 5, 6, 8]):
    model.set_weights([np.zeros((SIZE, 1))])
    for start, stop in itertools.pairwise(cuts):
      fit(start, stop)
    ways.append(_counts(model))
  assert ways[0] == ways[1]
  assert sorted(set(ways[0])) == [2, 3]


@pytest.mark.parametrize("k", KERASES)
def test_an_execution_of_several_steps_stays_within_its_epoch(k):
  ends = []
  model = _counting(k, steps_per_execution=2)
  fit = Fit(model, _data(), None, [_Ends(k, ends)], 0)
  fit(0, 3 * LENGTH)
  assert ends == [(0, 3), (1, 6), (2, 9)]
  assert _counts(model) == [3] * SIZE


@pytest.mark.slow
def test_two_replicas_see_every_example_once_in_an_epoch(k):
  with two_replicas().scope():
    model = _counting(k)
  fit = Fit(model, _data(), None, (), 0)
  for start, stop in ((0, 1), (1, 8), (8, 9)):
    fit(start, stop)
  assert _counts(model) == [3] * SIZE


@pytest.mark.parametrize("k", KERASES)
def test_a_dataset_of_fixed_order_has_every_example_once_too(k):
  ends = []
  x, y = np.eye(SIZE, dtype="float32"), np.zeros((SIZE, 1), "float32")
  data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
  model = _counting(k)
  fit = Fit(model, data, None, [_Ends(k, ends)], 0)
  for start, stop in ((0, 2), (2, 3), (3, 9)):
    fit(start, stop)
  assert _counts(model) == [3] * SIZE
  assert ends == [(0, 2), (0, 3), (1, 6), (2, 9)]
