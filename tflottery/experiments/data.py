"""Data sets by name; those of images or of points in the plane are kept in memory here."""

import contextlib
import dataclasses
import difflib
import io
import math
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tflottery.experiments import (
  batches,
  imagenet,
  labelled,
  planar,
  prepared,
  sequences,
  strings,
  subsets,
)
from tflottery.experiments import digits as _digits

_LIMIT_BYTES = 4 * 10**9


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Examples in memory: images uint8 [n, height, width, channels] and labels int32 [n].

  Planar data has points float32 [n, 2] in the place of images.
  """

  images: np.ndarray
  labels: np.ndarray

  def __len__(self):
    return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset(labelled.Labelled):
  """A data set cut into train, validation and test.

  Attributes:
    classes: number of labels.
    image_shape: (height, width, channels), or (2,) of points in the plane.
  """

  name: str
  train: Split
  validation: Split
  test: Split
  classes: int
  image_shape: tuple[int, ...]

  def part(self, **parts):
    """A part of the data set, see `subsets.part`."""
    return subsets.part(self, **parts)

  def check(self, *, augment, standardize):
    """Refuse what can't be done with these examples.

    Raises:
      ValueError: naming the setting and the cure.
    """
    del standardize
    if augment:
      planar.require_images(self.train.images, ("augment=True", "Set it to False."))

  def moments(self):
    """Mean and standard deviation of the channels, to standardise by."""
    return batches.moments(self.train)

  def training(self, **steps):
    """The training batches, as `batches.training` makes them of these keywords."""
    return batches.training(self.train, **steps)

  def whole(self, split, *, batch_size, moments):
    """List of the batches of a split: all of its examples once and in order."""
    return list(batches.whole(split, batch_size=batch_size, moments=moments))


def load(name, *, data_dir=None, validation=None, half="", labels=(), shape=(), fit="pad"):
  """Load a data set: of images, points in the plane, or pairs of sequences.

  Args:
    name: a TensorFlow Datasets name with "image" and "label" features, or "digits", which needs no
      network and writes nothing; "moons", "circles" or "blobs", see `planar.points`; sequences, see
      `sequences.load`; "imagenet2012", see `imagenet.load`.
    data_dir: where data sets are prepared; None: the environment variable TFDS_DATA_DIR, else
      TensorFlow Datasets' own default.
    validation: number of examples held out from the end of the training split, 0 for none; None:
      5,000, or a tenth of a training split of fewer than 50,000; 500 of planar data.
    half, labels, shape, fit: the part that is kept and the shape of its images, see
      `subsets.part`; the validation is held out first.

  Returns:
    A `Dataset`, or a `pairs.Pairs` or `imagenet.ImageNet` of the same form. Its test split is the data
    set's "validation" where it has no "test".

  Raises:
    ValueError: no such data set, not one of images of one size with labels, over 4 GB,
      `validation` out of range, or no such part.
    FileNotFoundError: not prepared in `data_dir`, and cannot be downloaded.

  >>> dataset = load("digits", validation=100)
  >>> len(dataset.train), len(dataset.validation), len(dataset.test), dataset.image_shape
  (1337, 100, 360, (8, 8, 1))
  """
  return _whole(name, data_dir, validation).part(half=half, labels=labels, shape=shape, fit=fit)


def require_in_memory(dataset):
  """Refuse sequences, and what is read from disk, where images or points in memory are needed.

  Raises:
    ValueError: naming the data set and the cure.
  """
  if not isinstance(dataset, Dataset):
    raise ValueError(
      f"config.dataset={dataset.name!r} holds sequences or is read from disk, and this experiment looks at "
      "images or points in memory. Give a data set of these, as 'digits'."
    )


def _whole(name, data_dir, validation):
  if name in planar.CLASSES:
    return _planar(name, validation)
  if sequences.is_known(name):
    return sequences.load(name, data_dir=data_dir, validation=validation)
  if name in imagenet.NAMES:
    return imagenet.load(name, data_dir=data_dir, validation=validation)
  return _images(name, data_dir, validation)


def _planar(name, validation):
  (where, labels), test = planar.points(name)
  validation = labelled.held_out(name, len(labels), validation, planar.VALIDATION)
  return _cut(name, Split(where, labels), validation, Split(*test), planar.CLASSES[name])


def _images(name, data_dir, validation):
  tfds.disable_progress_bar()
  # TensorFlow Datasets itself reads the variable only once, when it is imported.
  data_dir = data_dir or os.environ.get("TFDS_DATA_DIR")
  try:
    builder = tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError:
    known = [
      *planar.CLASSES,
      *strings.TASKS,
      *imagenet.NAMES,
      *tfds.list_builders(with_community_datasets=False),
    ]
    close = difflib.get_close_matches(name, known) or ["digits", "mnist", "cifar10"]
    raise ValueError(f"unknown data set {name!r}; did you mean {' or '.join(close)}?") from None
  _require_labelled_images(name, builder.info.features)
  with contextlib.ExitStack() as stack:
    if name == _digits.Digits.name and not builder.is_prepared():
      builder = _prepared_digits(stack.enter_context(tempfile.TemporaryDirectory()))
    prepared.require(name, builder)
    return _read(name, builder, validation)


def _require_labelled_images(name, features):
  kinds = dict(features) if isinstance(features, tfds.features.FeaturesDict) else {}
  image, label = kinds.get("image"), kinds.get("label")
  if not isinstance(image, tfds.features.Image) or not isinstance(label, tfds.features.ClassLabel):
    raise ValueError(
      f"data set {name!r} is not for image classification: it needs an 'image' and a class"
      f" 'label', and has {', '.join(kinds) or features}"
    )
  dtype = tf.as_dtype(image.dtype)
  if None in image.shape or dtype != tf.uint8:
    raise ValueError(
      f"data set {name!r} has {dtype.name} images of shape {image.shape}, where None varies: only"
      " uint8 images that are all of one size can be loaded"
    )


def _prepared_digits(directory):
  # In a directory of this call alone: nothing to lock, and a read-only data_dir will do.
  builder = _digits.Digits(data_dir=directory)
  with contextlib.redirect_stdout(io.StringIO()):
    builder.download_and_prepare()
  return builder


def _read(name, builder, validation):
  splits = builder.info.splits
  test = next((s for s in ("test", "validation") if s in splits), None)
  if "train" not in splits or test is None:
    raise ValueError(f"data set {name!r} needs a train and a test split, and has {list(splits)}")
  shape = builder.info.features["image"].shape
  size = (splits["train"].num_examples + splits[test].num_examples) * math.prod(shape)
  if size > _LIMIT_BYTES:
    raise ValueError(
      f"data set {name!r} has {size / 1e9:.1f} GB of images; the limit is"
      f" {_LIMIT_BYTES / 1e9:g} GB, for they are kept in memory"
    )
  count = splits["train"].num_examples
  validation = labelled.held_out(name, count, validation)
  classes = builder.info.features["label"].num_classes
  return _cut(name, _arrays(builder, "train"), validation, _arrays(builder, test), classes)


def _cut(name, train, validation, test, classes):
  """The `Dataset` whose validation is so many examples at the end of `train`."""
  cut = len(train) - validation
  return Dataset(
    name=name,
    train=Split(train.images[:cut], train.labels[:cut]),
    validation=Split(train.images[cut:], train.labels[cut:]),
    test=test,
    classes=classes,
    image_shape=train.images.shape[1:],
  )


def _arrays(builder, split):
  count = builder.info.splits[split].num_examples
  images = np.empty((count, *builder.info.features["image"].shape), np.uint8)
  labels = np.empty(count, np.int32)
  # One file after the other, or "the end of the split" would be a mixture of all files.
  config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
  examples = builder.as_dataset(split=split, read_config=config, shuffle_files=False)
  examples = examples.map(lambda example: (example["image"], example["label"]))
  for i, (image, label) in enumerate(tfds.as_numpy(examples.batch(1024))):
    images[i * 1024 : i * 1024 + len(label)] = image
    labels[i * 1024 : i * 1024 + len(label)] = label
  return Split(images, labels)
