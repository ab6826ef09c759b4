"""Translation: pairs of sentences in two languages from TensorFlow Datasets, as subwords."""

import dataclasses
import os
import warnings

import numpy as np
import tensorflow_datasets as tfds

from tflottery.experiments import pairs, prepared, subwords, tokens


@dataclasses.dataclass(frozen=True)
class _Family:
  """Size of the vocabulary, tokens in a sentence at most, and what stands between two languages."""

  size: int
  longest: int
  between: str


FAMILIES = {
  "ted_hrlr_translate": _Family(8_192, 64, "_to_"),
  "wmt14_translate": _Family(32_768, 100, "-"),
}


def load(name, *, data_dir=None, validation=None):
  """Load the pairs of two languages.

  Both share one vocabulary of subwords, learnt from the training split and kept in a file beside the
  data: 8,192 of the TED talks (Qi et al. 2018, arXiv:1804.06323) and 32,768 of WMT 14. Pairs with a
  sentence of more tokens than 64 (TED) or 100 (WMT), its end included, are left out of training and
  validation, and a warning says how many. The test split keeps all of its pairs: longer sources are cut,
  and BLEU compares with the whole reference, in the text's own letters.

  Args:
    name: "ted_hrlr_translate/pt_to_en" or "wmt14_translate/en-de", from the first language to the second;
      a pair of the other order is the same data set.
    data_dir: as in `sequences.load`.
    validation: number of pairs held out from the end of the training split; None takes the data set's
      own validation split.

  Returns:
    A `pairs.Pairs`.

  Raises:
    ValueError: no such pair of languages, or `validation` out of range.
    FileNotFoundError: not prepared in `data_dir`, and cannot be downloaded.
  """
  family, languages, config = _config(name)
  tfds.disable_progress_bar()
  builder = tfds.builder(config, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR"))
  prepared.require(name, builder)
  path = os.path.join(builder.data_dir, f"subwords_{family.size}.model")
  texts = (text for both in _texts(builder, "train", languages) for side in both for text in side)
  vocabulary = subwords.load(path, family.size, texts)

  def short(split):
    return _short(name, split, _texts(builder, split, languages), vocabulary, family.longest)

  train = short("train")
  train, held_out = (
    (train, short("validation")) if validation is None else train.cut(name, validation)
  )
  sources, references = map(_joined, zip(*_texts(builder, "test", languages), strict=True))
  return pairs.Pairs(
    name=name,
    train=train,
    validation=held_out,
    test=_encoded(sources, references, vocabulary, family.longest),
    classes=vocabulary.get_piece_size(),
    image_shape=(family.longest, family.longest),
    references=tuple(references),
    text=vocabulary.decode,
    tokenize="13a",
  )


def _config(name):
  """(family, the two languages, TensorFlow Datasets' name) of a pair, in whichever order it has."""
  kind, _, pair = name.partition("/")
  family = FAMILIES[kind]
  known = [config.name for config in tfds.builder_cls(kind).BUILDER_CONFIGS]
  languages = tuple(pair.split(family.between))
  for config in (pair, family.between.join(languages[::-1])):
    if config in known and len(languages) == 2:
      return family, languages, f"{kind}/{config}"
  raise ValueError(
    f"unknown data set {name!r}: give one of {', '.join(f'{kind}/{config}' for config in known)}, or"
    " its languages the other way round"
  )


def _texts(builder, split, languages):
  """Lists of the sentences in the first and in the second language, 1,024 pairs at a time."""
  # One file after the other: always the same order.
  config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
  examples = builder.as_dataset(split=split, read_config=config, shuffle_files=False)
  for batch in tfds.as_numpy(examples.batch(1024)):
    yield [[text.decode("utf-8") for text in batch[language]] for language in languages]


def _joined(lists):
  return [text for texts in lists for text in texts]


def _short(name, split, texts, vocabulary, longest):
  """The pairs that are short enough; warns of how many are left out."""
  parts, count = [], 0
  for sources, targets in texts:
    count += len(sources)
    lists = zip(vocabulary.encode(sources), vocabulary.encode(targets), strict=True)
    kept = [both for both in lists if max(map(len, both)) < longest]  # and the end token
    parts.append([tokens.ended(side, longest) for side in zip(*kept, strict=True)])
  arrays = [np.concatenate(side) for side in zip(*filter(None, parts), strict=True)]
  left_out = count - (len(arrays[0]) if arrays else 0)
  if not arrays:
    raise ValueError(f"the {split} split of {name!r} has no pair of at most {longest} tokens")
  if left_out:
    warnings.warn(
      f"{left_out:,} of the {count:,} pairs in the {split} split of {name!r} have a sentence of more"
      f" than {longest} tokens and are left out.",
      stacklevel=4,
    )
  return pairs.Split(*arrays)


def _encoded(sources, targets, vocabulary, longest):
  """All pairs, those that are too long cut."""
  return pairs.Split(
    *(tokens.ended(vocabulary.encode(texts), longest) for texts in (sources, targets))
  )
