import doctest
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from tflottery.experiments import data, digits


@pytest.fixture(scope="module")
def loaded():
  return data.load("digits")


@pytest.fixture
def real_data_dir():
  directory = os.environ.get("TFDS_DATA_DIR", "")
  if not os.path.isdir(os.path.join(directory, "mnist")):
    pytest.skip("TFDS_DATA_DIR does not hold mnist")
  return directory


@pytest.fixture
def offline(monkeypatch):
  for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
  monkeypatch.delenv("no_proxy", raising=False)
  monkeypatch.delenv("NO_PROXY", raising=False)


def test_digits_is_cut_into_1294_143_and_360_examples(loaded):
  assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [1294, 143, 360]
  assert (loaded.name, loaded.classes, loaded.image_shape) == ("digits", 10, (8, 8, 1))
  for split in (loaded.train, loaded.validation, loaded.test):
    assert split.images.shape == (len(split), 8, 8, 1) and split.images.dtype == np.uint8
    assert split.labels.shape == (len(split),) and split.labels.dtype == np.int32
    assert set(split.labels) == set(range(10))


def test_digits_holds_every_image_of_the_source_once_with_its_label(loaded):
  splits = (loaded.train, loaded.validation, loaded.test)
  images = np.concatenate([s.images for s in splits])[..., 0]
  labels = np.concatenate([s.labels for s in splits])
  source = load_digits()
  expected = [np.round(i * 255 / 16).astype(np.uint8).tobytes() for i in source.images]
  pairs = sorted(zip(expected, source.target, strict=True))
  assert sorted((i.tobytes(), label) for i, label in zip(images, labels, strict=True)) == pairs
  assert images.max() == 255


def test_validation_is_the_end_of_the_training_split(loaded):
  everything = data.load("digits", validation=0)
  assert [len(everything.train), len(everything.validation)] == [1437, 0]
  part = data.load("digits", validation=37)
  np.testing.assert_array_equal(part.train.images, everything.train.images[:1400])
  np.testing.assert_array_equal(part.validation.labels, everything.train.labels[1400:])
  np.testing.assert_array_equal(loaded.validation.labels, everything.train.labels[-143:])


def test_digits_writes_nothing_and_takes_a_data_dir_that_does_not_exist(tmp_path, loaded):
  dataset = data.load("digits", data_dir=tmp_path / "missing")
  assert list(tmp_path.iterdir()) == []
  np.testing.assert_array_equal(dataset.test.images, loaded.test.images)


def test_digits_prepared_beforehand_is_read_from_the_data_dir(tmp_path, loaded, monkeypatch):
  digits.Digits(data_dir=tmp_path).download_and_prepare()
  monkeypatch.delattr(digits.Digits, "_generate_examples")  # so it cannot be prepared again
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
  np.testing.assert_array_equal(data.load("digits").test.images, loaded.test.images)


@pytest.mark.slow
def test_two_processes_load_digits_at_once(tmp_path):
  code = (
    "from tflottery.experiments import data;"
    "print([data.load('digits').test.labels.sum() for _ in range(3)])"
  )
  environment = os.environ | {"TFDS_DATA_DIR": str(tmp_path)}
  runs = [
    subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=-1, stderr=-1)
    for _ in range(2)
  ]
  outputs = [run.communicate(timeout=100) for run in runs]
  assert [run.returncode for run in runs] == [0, 0], outputs
  assert outputs[0][0] == outputs[1][0]


def test_loading_prints_nothing(capfd):
  data.load("digits")
  assert capfd.readouterr().out == ""


def test_a_part_is_taken_after_the_validation_is_held_out(loaded):
  part = data.load("digits", half="b", labels=(3, 8), shape=(9, 8, 3))
  is_chosen = np.isin(loaded.train.labels[1::2], (3, 8))
  np.testing.assert_array_equal(
    part.train.images[:, :8, :, 1], loaded.train.images[1::2][is_chosen, ..., 0]
  )
  chosen = loaded.validation.labels[1::2]  # 1,294 stand before them
  np.testing.assert_array_equal(
    np.array([3, 8])[part.validation.labels], chosen[np.isin(chosen, (3, 8))]
  )
  assert len(part.test) == np.isin(loaded.test.labels, (3, 8)).sum()
  assert (part.classes, part.image_shape) == (2, (9, 8, 3))


@pytest.mark.parametrize("count", [-1, 1437, 5000])
def test_a_validation_count_out_of_range_is_refused(count):
  with pytest.raises(ValueError, match=rf"validation={count}: must lie in 0\.\.1436"):
    data.load("digits", validation=count)


def test_an_unknown_name_suggests_close_ones():
  with pytest.raises(ValueError, match="unknown data set 'mnits'; did you mean mnist or"):
    data.load("mnits")
  with pytest.raises(ValueError, match="unknown data set 'digit'; did you mean digits"):
    data.load("digit")


def test_a_data_set_without_images_or_class_labels_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r"'imdb_reviews' is not for image classification.*text"):
    data.load("imdb_reviews", data_dir=tmp_path)
  with pytest.raises(ValueError, match=r"'coco' is not for image classification.*objects"):
    data.load("coco", data_dir=tmp_path)


def test_images_of_varying_size_are_refused_before_any_download(tmp_path):
  with pytest.raises(ValueError, match=r"'food101' has uint8 images of shape \(None, None, 3\)"):
    data.load("food101", data_dir=tmp_path)


def test_a_data_set_that_is_too_large_is_refused(monkeypatch):
  monkeypatch.setattr(data, "_LIMIT_BYTES", 1797 * 64 - 1)
  with pytest.raises(ValueError, match=r"'digits' has 0\.0 GB of images; the limit is"):
    data.load("digits")


def test_a_data_set_that_is_not_there_offline_says_where_it_was_sought(tmp_path, offline):
  with pytest.raises(FileNotFoundError) as error:
    data.load("kmnist", data_dir=tmp_path)
  message = str(error.value)
  assert "'kmnist'" in message and str(tmp_path) in message
  assert "--config.data_dir" in message and "TFDS_DATA_DIR" in message
  assert error.value.__suppress_context__
  assert list(tmp_path.iterdir()) == []


def test_digits_is_a_builder_like_any_other(tmp_path):
  builder = tfds.builder("digits", data_dir=tmp_path)
  builder.download_and_prepare()
  assert {name: s.num_examples for name, s in builder.info.splits.items()} == {
    "train": 1437,
    "test": 360,
  }


def test_mnist_holds_out_5000_examples(real_data_dir):
  dataset = data.load("mnist", data_dir=real_data_dir)
  sizes = [len(s) for s in (dataset.train, dataset.validation, dataset.test)]
  assert sizes == [55_000, 5_000, 10_000]
  # The last rows of the training split, whatever the batches in which it was read.
  tail = tfds.as_numpy(tfds.load("mnist", data_dir=real_data_dir, split="train[-3:]"))
  for example, image, label in zip(
    tail, dataset.validation.images[-3:], dataset.validation.labels[-3:], strict=True
  ):
    np.testing.assert_array_equal(example["image"], image)
    assert example["label"] == label


@pytest.mark.parametrize("module", [data, digits], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings_hold(module):
  assert doctest.testmod(module).failed == 0


def test_sequences_are_refused_where_images_in_memory_are_needed():
  data.require_in_memory(data.load("digits"))
  with pytest.raises(ValueError, match=r"config.dataset='sort_digits' holds sequences.*'digits'"):
    data.require_in_memory(data.load("sort_digits"))


def test_an_unknown_name_is_answered_with_a_close_one_of_our_own():
  with pytest.raises(ValueError, match=r"'sort_digit'; did you mean sort_digits"):
    data.load("sort_digit")
