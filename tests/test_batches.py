import contextlib
import doctest

import keras
import numpy as np
import pytest
import tf_keras

from tflottery.experiments import batches, data, task

# Image i is all of value i and has label i, so that a batch tells which examples it holds.
SPLIT = data.Split(
  np.broadcast_to(np.arange(23, dtype=np.uint8)[:, None, None, None], (23, 6, 5, 2)).copy(),
  np.arange(23, dtype=np.int32),
)


def rows(split=SPLIT, *, batch_size=4, seed=3, **kwargs):
  dataset = batches.training(split, batch_size=batch_size, seed=seed, **kwargs)
  return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("cut", [1, 5, 7, 19])
def test_a_run_cut_anywhere_gives_the_same_batches(cut, augment):
  split = data.load("digits").test
  split = data.Split(split.images[:23], split.labels[:23])
  whole = rows(split, start=0, stop=20, augment=augment)
  parts = rows(split, start=0, stop=cut, augment=augment)
  parts += rows(split, start=cut, stop=20, augment=augment)
  assert len(whole) == len(parts) == 20
  for (images, labels), (part_images, part_labels) in zip(whole, parts, strict=True):
    np.testing.assert_array_equal(images, part_images)
    np.testing.assert_array_equal(labels, part_labels)


def test_an_epoch_holds_each_example_at_most_once_and_drops_the_rest():
  labels = np.reshape([labels for _, labels in rows(start=0, stop=15)], (3, 20))
  for epoch in labels:
    assert len(set(epoch)) == 20  # 5 batches of 4; 3 of the 23 examples wait for another epoch
  assert not np.array_equal(labels[0], labels[1])
  assert set(labels.ravel()) == set(range(23))


def test_another_seed_gives_another_order():
  first = np.concatenate([labels for _, labels in rows(seed=3, start=0, stop=5)])
  second = np.concatenate([labels for _, labels in rows(seed=4, start=0, stop=5)])
  assert not np.array_equal(first, second)


@pytest.mark.parametrize("seed", [0, -1, 2**40])
def test_labels_stay_with_their_images(seed):
  for images, labels in rows(seed=seed, start=2, stop=12):
    assert images.shape == (4, 6, 5, 2) and images.dtype == np.float32
    assert labels.dtype == np.int32
    expected = np.broadcast_to(labels[:, None, None, None], images.shape) / np.float32(255)
    np.testing.assert_array_equal(images, expected.astype(np.float32))


def test_batches_have_a_static_shape_and_a_known_number():
  dataset = batches.training(SPLIT, batch_size=4, seed=0, start=3, stop=12)
  assert [tuple(spec.shape) for spec in dataset.element_spec] == [(4, 6, 5, 2), (4,)]
  assert dataset.cardinality().numpy() == 9


def test_augmented_images_are_shifted_by_up_to_four_pixels_and_half_are_flipped():
  image = np.arange(1, 65, dtype=np.uint8).reshape(1, 8, 8, 1)
  split = data.Split(np.repeat(image, 200, axis=0), np.zeros(200, np.int32))
  padded = np.pad(image[0, :, :, 0], 4)
  crops = {
    np.ascontiguousarray(padded[y : y + 8, x : x + 8][:, ::way]).tobytes(): (y, x, way)
    for y in range(9)
    for x in range(9)
    for way in (1, -1)
  }
  (images, _), (others, _) = rows(split, batch_size=200, start=0, stop=2, augment=True)
  found = [crops[np.round(i[..., 0] * 255).astype(np.uint8).tobytes()] for i in images]
  ys, xs, ways = map(np.array, zip(*found, strict=True))
  assert set(ys) == set(xs) == set(range(9))
  assert 70 < np.sum(ways == -1) < 130
  assert not np.array_equal(ys, xs)
  assert not np.array_equal(images, others)


def test_moments_are_those_of_each_channel():
  images = np.zeros((2, 1, 2, 2), np.uint8)
  images[..., 0] = [[[0, 51]], [[102, 255]]]  # 0, 0.2, 0.4 and 1
  mean, std = batches.moments(data.Split(images, np.zeros(2, np.int32)))
  np.testing.assert_allclose(mean, [0.4, 0.0], atol=1e-7)
  np.testing.assert_allclose(std, [np.sqrt(0.14), 1.0], rtol=1e-6)  # a constant channel keeps 1


def test_standardised_images_have_mean_0_and_deviation_1():
  split = data.load("digits").test
  moments = batches.moments(split)
  ((images, _),) = batches.whole(split, batch_size=360, moments=moments).as_numpy_iterator()
  assert images.mean() == pytest.approx(0, abs=1e-5)
  assert images.std() == pytest.approx(1, abs=1e-5)


def test_whole_gives_every_example_once_in_order_and_a_smaller_last_batch():
  found = list(batches.whole(SPLIT, batch_size=10).as_numpy_iterator())
  assert [len(labels) for _, labels in found] == [10, 10, 3]
  np.testing.assert_array_equal(np.concatenate([labels for _, labels in found]), range(23))
  np.testing.assert_allclose(found[2][0][:, 0, 0, 0] * 255, [20, 21, 22], rtol=1e-6)


@pytest.mark.parametrize("batch_size", [0, 24])
def test_a_batch_that_the_split_cannot_fill_is_refused(batch_size):
  with pytest.raises(ValueError, match=rf"batch_size={batch_size}: must lie in 1\.\.23"):
    rows(batch_size=batch_size, start=0, stop=1)


def test_steps_that_run_backwards_are_refused():
  with pytest.raises(ValueError, match="start=5, stop=4"):
    rows(start=5, stop=4)
  assert rows(start=5, stop=5) == []


@pytest.mark.parametrize("k", [keras, tf_keras], ids=lambda k: k.__name__)
def test_two_replicas_share_each_batch_and_end_as_one_would(k):
  split = data.load("digits").test

  def trained(strategy):
    k.utils.set_random_seed(0)
    with strategy.scope() if strategy else contextlib.nullcontext():
      layers = [k.Input((8, 8, 1)), k.layers.Flatten(), k.layers.Dense(10)]
      model = k.Sequential(layers)
      loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
      model.compile(k.optimizers.SGD(0.1), loss)
    model.fit(batches.training(split, batch_size=60, seed=0, start=4, stop=16), verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 12
    return model.get_weights()[0]

  two = task.mirrored(2)
  np.testing.assert_allclose(trained(two), trained(None), atol=1e-6)


def test_the_examples_of_the_docstrings_hold():
  assert doctest.testmod(batches).failed == 0
