"""Planar data: the same points every time, that go through the machinery of images unscaled."""

import numpy as np
import pytest

from tflottery.experiments import batches, data, planar

# Four points, so that batches tell which they hold; the second coordinate never changes.
SPLIT = data.Split(np.float32([[-3, 0.1], [-1, 0.1], [1, 0.1], [3, 0.1]]), np.int32([0, 0, 1, 1]))


@pytest.fixture(scope="module")
def moons():
  return data.load("moons")


@pytest.mark.parametrize("name", planar.CLASSES)
def test_sizes_types_and_classes(name):
  loaded = data.load(name)
  assert (loaded.name, loaded.classes, loaded.image_shape) == (name, planar.CLASSES[name], (2,))
  assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [1500, 500, 1000]
  for split in (loaded.train, loaded.validation, loaded.test):
    assert split.images.shape == (len(split), 2) and split.images.dtype == np.float32
    assert split.labels.shape == (len(split),) and split.labels.dtype == np.int32
    assert np.bincount(split.labels).min() > 0.8 * len(split) / loaded.classes


def test_the_points_are_always_the_same_and_no_test_point_is_trained_on(moons):
  again = data.load("moons", validation=20)
  whole = np.concatenate([moons.train.images, moons.validation.images])
  np.testing.assert_array_equal(
    np.concatenate([again.train.images, again.validation.images]), whole
  )
  np.testing.assert_array_equal(again.validation.labels, moons.validation.labels[-20:])
  assert not {point.tobytes() for point in whole} & {point.tobytes() for point in again.test.images}


def test_each_data_set_has_its_form(moons):
  upper = moons.test.images[moons.test.labels == 0]
  lower = moons.test.images[moons.test.labels == 1]
  assert np.abs(np.hypot(*upper.T) - 1).mean() < 0.15, "around 0"
  assert np.abs(np.hypot(*(lower - [1, 0.5]).T) - 1).mean() < 0.15, "around (1, 0.5)"
  circles = data.load("circles").test
  assert 0.98 < np.mean((np.hypot(*circles.images.T) < 0.75) == circles.labels) < 1
  blobs = data.load("blobs").test
  centres = np.array([(-2, 0), (0, -2), (2, 0), (0, 2)])
  nearest = np.hypot(*(blobs.images[:, None] - centres).T).T.argmin(1)
  assert 0.94 < np.mean(nearest == blobs.labels) < 0.99, "slightly overlapping"


def test_points_are_not_scaled_as_pixels_are():
  [(points, labels)] = batches.training(SPLIT, batch_size=4, seed=0, start=0, stop=1)
  assert sorted(points.numpy().tolist()) == sorted(SPLIT.images.tolist())
  assert labels.numpy().tolist() == (points[:, 0] > 0).numpy().astype(int).tolist()


def test_moments_standardise_each_coordinate_and_leave_a_constant_one_at_zero():
  mean, std = moments = batches.moments(SPLIT)
  assert mean.dtype == std.dtype == np.float32
  np.testing.assert_allclose(mean, [0, 0.1])
  np.testing.assert_allclose(std, [5**0.5, 1])
  [(points, _)] = batches.whole(SPLIT, batch_size=4, moments=moments)
  np.testing.assert_allclose(points[:, 0], np.array([-3, -1, 1, 3]) / 5**0.5, rtol=1e-6)
  np.testing.assert_allclose(points[:, 1], 0)


def test_halves_and_labels_are_parts_of_points_as_of_images():
  blobs, part = data.load("blobs"), data.load("blobs", half="b", labels=(3, 1))
  labels = blobs.train.labels[1::2]
  kept = np.isin(labels, (1, 3))
  np.testing.assert_array_equal(part.train.images, blobs.train.images[1::2][kept])
  np.testing.assert_array_equal(part.train.labels, (labels[kept] == 1).astype(int))
  assert part.classes == 2 and part.image_shape == (2,)


@pytest.mark.parametrize(
  ("refused", "words"),
  [
    (lambda: data.load("moons", shape=(8, 8, 1)), ["shape=(8, 8, 1)", "points of 2", "()"]),
    (lambda: data.load("moons", validation=2000), ["validation=2000", "0..1999 for 'moons'"]),
    (lambda: data.load("moon"), ["unknown data set 'moon'", "moons"]),
    (
      lambda: batches.training(SPLIT, batch_size=2, seed=0, start=0, stop=1, augment=True),
      ["augment=True", "points of 2 coordinates", "False"],
    ),
  ],
)
def test_refused_with_the_name_the_value_and_the_cure(refused, words):
  with pytest.raises(ValueError) as error:
    refused()
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)
