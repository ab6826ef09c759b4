"""ImageNet through TensorFlow Datasets: read from disk as it is trained on, not held in memory."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tflottery.experiments import crops, labelled, records

NAMES = ("imagenet2012", "imagenet2012_subset/1pct", "imagenet2012_subset/10pct")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the channels in [0, 1]
_SIDE = 224
_EVALUATED = 250  # images at once: activations of a thousand need gigabytes


@dataclasses.dataclass(frozen=True, eq=False)
class ImageNet(labelled.Labelled):
  """A data set of JPEGs of any size, with the attributes and methods of `data.Dataset`.

  Attributes:
    classes: number of labels.
    image_shape: (side, side, 3) that images are cropped and resized to, see `crops`.
    features: the `tfds.features.FeaturesDict` by which examples are read.
  """

  name: str
  train: records.Split
  validation: records.Split
  test: records.Split
  classes: int
  image_shape: tuple[int, ...]
  features: Any

  def part(self, *, half="", labels=(), shape=(), fit="pad"):
    """The data set with images of another size; as `subsets.part`, but the rest can't be asked of it.

    Args:
      shape: (side, side, 3); () leaves it as it is.
      fit: counts for nothing, since images are cropped.

    Raises:
      ValueError: a half or labels, or a shape that is not that of a square of three channels.
    """
    del fit
    for name, value in {"half": half, "labels": tuple(labels)}.items():
      if value:
        raise ValueError(
          f"{name}={value!r}: {self.name!r} is read from disk as it is, so no part of it can be kept. "
          f"Give {type(value)()!r}."
        )
    if not shape:
      return self
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3 or shape[0] < 1:
      raise ValueError(
        f"shape={tuple(shape)!r}: images of {self.name!r} are cropped to squares of three channels. Give "
        f"(side, side, 3), for instance {(_SIDE, _SIDE, 3)}, or ()."
      )
    return dataclasses.replace(self, image_shape=tuple(shape))

  def check(self, *, augment, standardize):
    """Refuse what can't be done with these examples: nothing."""
    del augment, standardize

  def moments(self):
    """(mean, std) of the channels in [0, 1], float32 [3]: the usual ones, which are not measured again."""
    return np.float32(MEAN), np.float32(STD)

  def training(
    self, *, batch_size, seed, start, stop, augment=False, augment_seed=None, moments=None
  ):
    """Shuffled batches for the steps [start, stop), each a pure function of (seed, step).

    So a run may be cut anywhere, as `batches.training` may. The order is that of `records.shuffled`.

    Args:
      batch_size: examples in a step, over all replicas.
      seed: int; another seed gives another order.
      start, stop: the first step, and the one after the last.
      augment: random crops, half of them flipped; otherwise central crops.
      augment_seed: int, the seed of the crops; None takes `seed`.
      moments: (mean, std) to standardise by; None: images in [0, 1].

    Returns:
      A `tf.data.Dataset` of (images float32 [batch_size, side, side, 3], labels int32 [batch_size]).

    Raises:
      ValueError: `batch_size` or the steps out of range.
    """
    drawn = tf.constant(seed if augment_seed is None else augment_seed, tf.int64)
    decoded = self._decoded(moments)

    def example(place, record):
      if not augment:
        return decoded(record)
      # Folded first, or epoch 3's order and step 3's crops would be drawn from the same numbers.
      key = tf.random.fold_in(tf.stack([drawn, place // batch_size]), 1)
      return decoded(record, tf.random.fold_in(key, place % batch_size))

    order = records.shuffled(self.train, batch_size=batch_size, seed=seed, start=start, stop=stop)
    examples = order.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    steps = examples.batch(batch_size, drop_remainder=True)
    return _fixed(steps.apply(tf.data.experimental.assert_cardinality(stop - start)))

  def whole(self, split, *, batch_size, moments):
    """Central crops of all examples once and in order, at most 250 in a batch; decoded at every pass."""
    decoded = records.in_order(split).map(
      self._decoded(moments), num_parallel_calls=tf.data.AUTOTUNE
    )
    return _fixed(decoded.batch(min(batch_size, _EVALUATED)))

  def _decoded(self, moments):
    """The function (record, key) -> (image, label); a key augments."""
    mean, std = moments or (0.0, 1.0)
    side, decoders = self.image_shape[0], {"image": tfds.decode.SkipDecoding()}

    def decoded(record, key=None):
      example = self.features.deserialize_example(record, decoders=decoders)
      encoded = example["image"]
      image = crops.central(encoded, side) if key is None else crops.random(encoded, key, side)
      return (image / 255 - mean) / std, tf.cast(example["label"], tf.int32)

    return decoded


def load(name, *, data_dir=None, validation=None):
  """ImageNet as TensorFlow Datasets has prepared it.

  Args:
    name: "imagenet2012", or "imagenet2012_subset/1pct" or ".../10pct".
    data_dir: where it is prepared; None: the environment variable TFDS_DATA_DIR, else TensorFlow
      Datasets' own default.
    validation: number of examples held out from the end of the training split, 0 for none; None:
      5,000, or a tenth of a training split of fewer than 50,000.

  Returns:
    An `ImageNet`. Its test split is the data set's "validation", whose labels are public; images are
    224 x 224 x 3.

  Raises:
    FileNotFoundError: not prepared in `data_dir`: says what must be downloaded by hand, and where to.
    ValueError: `validation` out of range, or the files are no TFRecords.
  """
  builder = tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR"))
  splits = builder.info.splits
  if not builder.is_prepared() or not {"train", "validation"} <= set(splits):
    raise FileNotFoundError(_how_to_prepare(name, builder))
  if builder.info.file_format is not tfds.core.FileFormat.TFRECORD:
    raise ValueError(
      f"data set {name!r} is prepared in {builder.data_dir} as {builder.info.file_format.value} files: "
      f"prepare it in another data_dir by tfds build {name} --file_format=tfrecord"
    )
  count = splits["train"].num_examples
  cut = count - labelled.held_out(name, count, validation)
  return ImageNet(
    name=name,
    train=records.split(builder, "train", 0, cut),
    validation=records.split(builder, "train", cut, count),
    test=records.split(builder, "validation", 0, splits["validation"].num_examples),
    classes=builder.info.features["label"].num_classes,
    image_shape=(_SIDE, _SIDE, 3),
    features=builder.info.features,
  )


def _how_to_prepare(name, builder):
  # Below data_dir are the parts of the name, as imagenet2012/5.1.0.
  root = pathlib.Path(builder.data_dir).parents[len(builder.info.full_name.split("/")) - 1]
  return (
    f"data set {name!r} is not prepared with its train and validation splits in {root}, and has to be "
    "downloaded by hand: register at https://image-net.org/download-images, put ILSVRC2012_img_train.tar "
    f"and ILSVRC2012_img_val.tar into {root / 'downloads' / 'manual'}, and run: tfds build {name} "
    f"--data_dir={root}. Or set --config.data_dir or the environment variable TFDS_DATA_DIR to a "
    "directory that holds it"
  )


def _fixed(batches):
  options = tf.data.Options()
  options.deterministic = True
  return batches.prefetch(2).with_options(options)
