"""Translations: read from TensorFlow Datasets' files, cut into subwords, trained on and scored."""

import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds
import translations

from tflottery.experiments import losses, models, prepared, sequences, subwords, tokens

NAME = "ted_hrlr_translate/pt_to_en"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  return translations.prepare(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="module")
def loaded(data_dir):
  with pytest.warns(UserWarning) as warned:
    dataset = sequences.load(NAME, data_dir=data_dir)
  return dataset, [str(w.message) for w in warned]


def _file(data_dir):
  return next(pathlib.Path(data_dir).rglob("subwords_8192.model"))


def test_long_pairs_are_left_out_of_training_and_validation_and_counted(loaded):
  dataset, warned = loaded
  assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [299, 29, 20]
  assert dataset.image_shape == (64, 64) and dataset.train.source.shape == (299, 64)
  for split, count in (("train", 300), ("validation", 30)):
    text = f"1 of the {count} pairs in the {split} split of {NAME!r}"
    assert any(text in line and "more than 64 tokens" in line for line in warned), warned


def test_subwords_come_back_as_the_very_sentences(loaded):
  dataset, _ = loaded
  read = [
    [dataset.text(row) for row in tokens.until_end(side)]
    for side in (dataset.train.source, dataset.train.target)
  ]
  assert list(zip(*read, strict=True)) == translations.sentences("train")[:-1]
  assert dataset.classes > max(dataset.train.source.max(), dataset.train.target.max())


def test_the_test_split_keeps_its_long_pair_whole_as_a_reference_and_cut_as_tokens(loaded):
  dataset, _ = loaded
  assert dataset.references == tuple(english for _, english in translations.sentences("test"))
  assert dataset.test.source[-1].tolist().index(tokens.END) == 63


def test_the_vocabulary_is_kept_in_a_file_and_another_in_its_place_is_used(
  data_dir, loaded, tmp_path
):
  dataset, _ = loaded
  copy = tmp_path / "copy"
  shutil.copytree(data_dir, copy)
  kept = _file(copy).read_bytes()
  with pytest.warns(UserWarning, match="left out"):
    again = sequences.load(NAME, data_dir=copy)
  np.testing.assert_array_equal(again.train.source, dataset.train.source)
  assert _file(copy).read_bytes() == kept
  other = subwords.load(tmp_path / "other.model", 300, ["abc abc abc"])
  shutil.copy(tmp_path / "other.model", _file(copy))
  with pytest.warns(UserWarning, match="left out"):
    smaller = sequences.load(NAME, data_dir=copy, validation=3)
  assert smaller.classes == other.get_piece_size() < dataset.classes


def test_equal_texts_give_equal_vocabularies_in_memory_where_nothing_can_be_written(tmp_path):
  blocked = tmp_path / "file"
  blocked.write_text("no directory")
  texts = [english for _, english in translations.sentences("train")]
  first, second = (subwords.load(blocked / "x.model", 400, texts) for _ in range(2))
  assert first.serialized_model_proto() == second.serialized_model_proto()
  assert first.decode(first.encode("nine ☃ ones")) == "nine ☃ ones"
  assert [first.pad_id(), first.bos_id(), first.eos_id()] == [0, 1, 2]
  assert not {0, 1, 2} & set(first.encode("one two </s> <s> <pad>"))


def test_the_other_order_of_the_languages_turns_every_pair_round(data_dir, loaded):
  dataset, _ = loaded
  with pytest.warns(UserWarning, match="left out"):
    turned = sequences.load("ted_hrlr_translate/en_to_pt", data_dir=data_dir, validation=9)
  assert [len(turned.train), len(turned.validation)] == [290, 9]
  np.testing.assert_array_equal(turned.train.source, dataset.train.target[:290])
  np.testing.assert_array_equal(turned.validation.target, dataset.train.source[290:])
  assert turned.references[0] == translations.sentences("test")[0][0]


@pytest.mark.parametrize(
  ("name", "words"),
  [
    ("ted_hrlr_translate", ["ted_hrlr_translate/pt_to_en", "other way round"]),
    (
      "ted_hrlr_translate/pt_to_xx",
      ["'ted_hrlr_translate/pt_to_xx'", "ted_hrlr_translate/ru_to_en"],
    ),
    ("wmt14_translate/de", ["'wmt14_translate/de'", "wmt14_translate/de-en"]),
  ],
)
def test_an_unknown_pair_of_languages_is_refused_with_those_that_there_are(name, words, tmp_path):
  with pytest.raises(ValueError) as error:
    sequences.load(name, data_dir=tmp_path)
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_what_is_not_prepared_offline_says_where_it_was_sought_and_what_to_do(
  tmp_path, monkeypatch
):
  for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
  monkeypatch.delenv("no_proxy", raising=False)
  monkeypatch.delenv("NO_PROXY", raising=False)
  with pytest.raises(FileNotFoundError) as error:
    sequences.load("wmt14_translate/en-de", data_dir=tmp_path)
  message = str(error.value)
  for word in ("'wmt14_translate/en-de'", os.fspath(tmp_path), "TFDS_DATA_DIR", "by hand"):
    assert word in message


@pytest.mark.slow
def test_a_transformer_trains_on_translations_and_its_texts_are_scored(loaded):
  dataset, _ = loaded
  keras.utils.set_random_seed(0)
  model = models.build(
    "transformer", k=keras, input_shape=dataset.image_shape, classes=dataset.classes
  )
  before = dataset.measured(model)["bleu"]
  model.compile(
    keras.optimizers.Adam(2e-3), losses.crossentropy(keras, padding=0), jit_compile=True
  )
  steps = dataset.training(batch_size=32, seed=0, start=0, stop=400)
  model.fit(steps, steps_per_epoch=400, verbose=0)
  measured = dataset.measured(model)
  assert measured["bleu"] > before + 20, (before, measured)


def test_prepared_asks_for_nothing_where_the_data_are_there(data_dir):
  assert prepared.require(NAME, tfds.builder(NAME, data_dir=data_dir)) is None
