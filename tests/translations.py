"""A stand-in for the TED talks of TensorFlow Datasets: numbers in words, Portuguese and English."""

import contextlib
import io
import random
from typing import ClassVar

import tensorflow_datasets as tfds

_WORDS = (
  ("zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"),
  ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
)
COUNTS = {"train": 300, "validation": 30, "test": 20}


def sentences(split):
  """Pairs (Portuguese, English) of 2 to 6 words each; the last of a split has 80."""
  rng = random.Random(split)
  rows = [[rng.randrange(10) for _ in range(rng.randint(2, 6))] for _ in range(COUNTS[split])]
  rows[-1] = [1, 2] * 40
  return [tuple(" ".join(words[i] for i in row) for words in _WORDS) for row in rows]


class _StandIn(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Of the real one's name, version and structure, or it would not be found."""

  name = "ted_hrlr_translate"
  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name="pt_to_en")]
  url_infos = None

  def _info(self):
    features = tfds.features.Translation(languages=("en", "pt"))
    return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(split) for split in COUNTS}

  def _generate_examples(self, split):
    for i, (portuguese, english) in enumerate(sentences(split)):
      yield i, {"pt": portuguese, "en": english}


def prepare(data_dir):
  """Prepare "ted_hrlr_translate/pt_to_en" in a directory."""
  tfds.disable_progress_bar()
  with contextlib.redirect_stdout(io.StringIO()):
    _StandIn(config="pt_to_en", data_dir=data_dir).download_and_prepare()
  return data_dir
