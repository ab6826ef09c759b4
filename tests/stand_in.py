"""A tiny data set in the place of ImageNet: its name, its features, and files in several shards."""

import contextlib
import io

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

CLASSES = 1000


class _StandIn(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Handwritten digits, enlarged to varied sizes and coloured; the digit d has the label 100 d."""

  name = "imagenet2012"
  VERSION = tfds.core.Version("5.1.0")  # that of the real one, or it would not be found
  url_infos = None

  def __init__(self, *, train, validation, **kwargs):
    self._counts = {"train": train, "validation": validation}
    super().__init__(**kwargs)

  def _info(self):
    features = {
      "image": tfds.features.Image(encoding_format="jpeg"),
      "label": tfds.features.ClassLabel(num_classes=CLASSES),
      "file_name": tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, dl_manager):
    train, validation = self._counts.values()
    return {
      "train": self._generate_examples(range(train)),
      "validation": self._generate_examples(range(train, train + validation)),
    }

  def _generate_examples(self, places):
    source = load_digits()
    for place in places:
      rng = np.random.default_rng(place)
      image = _enlarged(source.images[place] / 16, rng)
      name = f"{place}.JPEG"
      yield name, {"image": image, "label": 100 * int(source.target[place]), "file_name": name}


def _enlarged(digit, rng):
  """uint8 [height, width, 3], 40 to 95 pixels a side."""
  height, width = rng.integers(40, 96, 2)
  grey = digit[np.arange(height) * 8 // height][:, np.arange(width) * 8 // width]
  paper, ink = rng.uniform(0, 0.3, 3), rng.uniform(0.6, 1, 3)
  colour = paper + grey[..., np.newaxis] * (ink - paper)
  return np.round(255 * colour).astype(np.uint8)


def prepare(data_dir, *, train=300, validation=60, shards=3):
  """Prepare so many examples of each split as "imagenet2012" in a directory."""
  tfds.disable_progress_bar()
  builder = _StandIn(train=train, validation=validation, data_dir=data_dir)
  with contextlib.redirect_stdout(io.StringIO()):
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=shards))
  return data_dir
