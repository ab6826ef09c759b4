"""Scikit-learn's handwritten digits as a TensorFlow Datasets builder that needs no network.

Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998 (its test
part): 1,797 images of 8x8 pixels.
"""

import numpy as np
import tensorflow_datasets as tfds

_TRAIN = 1437
_SPLIT_SEED = 1998


class Digits(tfds.core.GeneratorBasedBuilder):
  """The data set `digits`: 1,437 training and 360 test images, uint8 of shape (8, 8, 1).

  The source's intensities 0..16 become 0..255. Which images are for testing is a fixed
  permutation: the source keeps its writers in groups, so that a cut by order would test on
  writers that training never saw.

  >>> Digits(data_dir="/nowhere").info.features["label"].num_classes
  10
  """

  VERSION = tfds.core.Version("1.0.0")
  # Nothing is downloaded. Looking for checksums needs importlib_resources, which TFDS 4.9.10 uses
  # but does not install.
  url_infos = None

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description="Handwritten digits, 1,797 grey images of 8x8 pixels, from scikit-learn.",
      features=tfds.features.FeaturesDict(
        {
          "image": tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
          "label": tfds.features.ClassLabel(num_classes=10),
        }
      ),
      supervised_keys=("image", "label"),
      homepage="https://archive.ics.uci.edu/dataset/80",
      disable_shuffling=True,
    )

  def _split_generators(self, dl_manager):
    order = np.random.RandomState(_SPLIT_SEED).permutation(1797)
    return {
      "train": self._generate_examples(order[:_TRAIN]),
      "test": self._generate_examples(order[_TRAIN:]),
    }

  def _generate_examples(self, indices):
    # Slow to import, and nothing but preparing the data needs it.
    from sklearn.datasets import load_digits

    source = load_digits()
    images = np.round(source.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    for index in map(int, indices):
      yield index, {"image": images[index], "label": int(source.target[index])}
