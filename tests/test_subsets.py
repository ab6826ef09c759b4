"""Parts of a data set: disjoint halves, some classes, images in another shape."""

import numpy as np
import pytest
from searches import tiny

from tflottery.experiments import data, settings, subsets, task


def _split(labels, first):
  """Images of 1x2 pixels whose first says which example of all it is."""
  images = np.zeros((len(labels), 1, 2, 1), np.uint8)
  images[:, 0, 0, 0] = np.arange(first, first + len(labels))
  return data.Split(images, np.array(labels, np.int32))


def _dataset():
  """Seven training examples, three of validation (places 7, 8, 9), four of the test (10 to 13)."""
  train = _split([0, 1, 2, 0, 1, 2, 0], 0)
  return data.Dataset("toy", train, _split([2, 0, 1], 7), _split([0, 1, 2, 2], 10), 3, (1, 2, 1))


def _examples(split):
  """(place, label) of each example."""
  return list(zip(split.images[:, 0, 0, 0].tolist(), split.labels.tolist(), strict=True))


def test_halves_are_the_even_and_the_odd_places_of_the_training_split():
  a, b = (subsets.part(_dataset(), half=half) for half in "ab")
  assert _examples(a.train) == [(0, 0), (2, 2), (4, 1), (6, 0)]
  assert _examples(a.validation) == [(8, 0)]
  assert _examples(b.train) == [(1, 1), (3, 0), (5, 2)]
  assert _examples(b.validation) == [(7, 2), (9, 1)]
  for part in (a, b):
    assert _examples(part.test) == _examples(_dataset().test)
    assert (part.classes, part.name, part.image_shape) == (3, "toy", (1, 2, 1))


def test_labels_are_renumbered_in_their_order_in_every_split():
  part = subsets.part(_dataset(), labels=(2, 0))
  assert _examples(part.train) == [(0, 1), (2, 0), (3, 1), (5, 0), (6, 1)]
  assert _examples(part.validation) == [(7, 0), (8, 1)]
  assert _examples(part.test) == [(10, 1), (12, 0), (13, 0)]
  assert part.classes == 2 and part.train.labels.dtype == np.int32


def test_any_order_of_labels_is_undone_by_itself():
  whole = _dataset()
  for labels in [(0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2)]:
    part = subsets.part(whole, labels=labels)
    assert np.array(labels)[part.train.labels].tolist() == whole.train.labels.tolist()


def test_the_half_is_taken_before_the_labels():
  part = subsets.part(_dataset(), half="a", labels=(0, 2))
  assert _examples(part.train) == [(0, 0), (2, 1), (6, 0)]


def test_images_are_brought_to_the_shape_in_every_split():
  part = subsets.part(_dataset(), shape=(2, 2, 3))
  assert part.image_shape == (2, 2, 3)
  for split, count in ((part.train, 7), (part.validation, 3), (part.test, 4)):
    assert split.images.shape == (count, 2, 2, 3)
  assert part.test.images[1].tolist() == [[[11] * 3, [0] * 3], [[0] * 3, [0] * 3]]
  resized = subsets.part(_dataset(), shape=(1, 1, 1), fit="resize")
  assert resized.train.images.ravel().tolist() == [0, 0, 1, 2, 2, 2, 3]  # halves, rounded to even


def test_nothing_asked_is_the_data_set_itself():
  whole = _dataset()
  assert subsets.part(whole) is whole


@pytest.mark.parametrize(
  ("asked", "words"),
  [
    ({"half": "c"}, ["half='c' is unknown", "'a', 'b'"]),
    ({"labels": (1,)}, ["labels=(1,)", "two classes or more", "()"]),
    ({"labels": (1, 1)}, ["labels=(1, 1)", "once"]),
    ({"labels": (1, 3)}, ["3 is no class of 'toy'", "0 to 2"]),
    ({"labels": (-1, 1)}, ["-1 is no class"]),
    ({"labels": ("cat", "dog")}, ["'cat' is no class"]),
    ({"labels": (True, 0)}, ["True is no class"]),
    ({"half": "a", "labels": (1, 2)}, ["nothing is left of the validation split of 'toy'", "1 ex"]),
    ({"shape": (1, 1, 1)}, ["shape=(1, 1, 1)", "'resize'"]),
    ({"shape": (1, 2, 1), "fit": "crop"}, ["'crop' is unknown"]),
  ],
)
def test_refused_with_the_name_the_value_and_the_cure(asked, words):
  with pytest.raises(ValueError) as error:
    subsets.part(_dataset(), **asked)
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_a_split_that_was_empty_may_stay_so():
  whole = _dataset()
  none = data.Dataset("toy", whole.train, _split([], 7), whole.test, 3, (1, 2, 1))
  assert len(subsets.part(none, half="a", labels=(0, 1), shape=(2, 2, 1)).validation) == 0


def _load(**changes):
  return task.load(settings.read(tiny(**changes)))


@pytest.mark.slow
def test_a_task_trains_on_its_part_and_shares_it_with_its_like():
  first, again = (_load(half="b", labels=(7, 4), image_shape=(9, 8, 1)) for _ in range(2))
  assert first.data is again.data, "a process holds it once"
  assert first.model(0).output_shape == (None, 2)
  images, labels = next(iter(first.batches(0)(start=0, stop=1)))
  assert images.shape == (30, 9, 8, 1) and set(labels.numpy()) == {0, 1}


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    (
      {"labels": (3, 10)},
      ["config.half=''", "config.labels=(3, 10)", "10 is no class of 'digits'"],
    ),
    (
      {"image_shape": (7, 8, 1)},
      ["config.image_shape=(7, 8, 1)", "config.image_fit='pad'", "8x8 are larger", "'resize'"],
    ),
    ({"half": "b", "validation_examples": 1}, ["config.half='b'", "of the validation split"]),
  ],
)
def test_a_task_names_the_settings_of_a_part_that_is_not_there(changes, words):
  with pytest.raises(ValueError) as error:
    _load(**changes)
  text = str(error.value)
  assert "\n" not in text
  assert [word for word in words if word not in text] == [], text
