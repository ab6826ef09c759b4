"""Sequences: the data sets of pairs, by name."""

from tflottery.experiments import pairs, strings, tokens, translation


def is_known(name):
  """Whether `load` knows the data set `name`.

  >>> is_known("sort_digits"), is_known("wmt14_translate/de-en"), is_known("mnist")
  (True, True, False)
  """
  return name in strings.TASKS or name.partition("/")[0] in translation.FAMILIES


def load(name, *, data_dir=None, validation=None):
  """Load a data set of pairs of sequences.

  Args:
    name: "sort_digits" or "reverse_digits", which need no network, see `strings.pairs`; or a pair of
      languages of TensorFlow Datasets, as "ted_hrlr_translate/pt_to_en" or "wmt14_translate/en-de",
      from the first to the second, see `translation.load`.
    data_dir: where data sets are prepared; None: the environment variable TFDS_DATA_DIR, else
      TensorFlow Datasets' own default.
    validation: number of examples held out from the end of the training split; None: 2,000 strings, or
      the translations' own validation split.

  Returns:
    A `pairs.Pairs`.

  Raises:
    ValueError: no such data set or pair of languages, or `validation` out of range.
    FileNotFoundError: not prepared in `data_dir`, and cannot be downloaded.

  >>> dataset = load("sort_digits")
  >>> len(dataset.train), len(dataset.validation), len(dataset.test), dataset.image_shape
  (18000, 2000, 2000, (13, 13))
  """
  if name not in strings.TASKS:
    return translation.load(name, data_dir=data_dir, validation=validation)
  train, test = (pairs.Split(*arrays) for arrays in strings.pairs(name))
  train, held_out = train.cut(name, strings.VALIDATION if validation is None else validation)
  return pairs.Pairs(
    name=name,
    train=train,
    validation=held_out,
    test=test,
    classes=strings.CLASSES,
    image_shape=(strings.LENGTH, strings.LENGTH),
    references=tuple(map(strings.text, tokens.until_end(test.target))),
    text=strings.text,
    tokenize="none",
  )
