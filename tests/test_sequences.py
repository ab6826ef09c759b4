"""Sequence tasks: the strings, the order of batches, what is refused, and how texts are scored."""

import numpy as np
import pytest

from tflottery.experiments import batches, bleu, data, pairs, sequences, strings, tokens

END = tokens.END


@pytest.fixture(scope="module")
def sorting():
  return sequences.load("sort_digits")


def _split():
  """Seven pairs of two digits each; the digits tell which pair it is."""
  own = np.arange(7)[:, None] + [3, 4]
  return pairs.Split(tokens.ended(own, 4), tokens.ended(own[:, ::-1], 3))


def _tiny(text=strings.text):
  split = _split()
  return pairs.Pairs(
    name="tiny", train=split, validation=split, test=split, classes=13, image_shape=(4, 3),
    references=tuple(map(text, tokens.until_end(split.target))), text=text, tokenize="none",
  )  # fmt: skip


def _digits(row):
  return [t - tokens.FIRST for t in tokens.until_end([row])[0]]


@pytest.mark.parametrize(
  ("name", "become"), [("sort_digits", sorted), ("reverse_digits", lambda row: row[::-1])]
)
def test_every_target_is_what_becomes_of_its_source(name, become):
  loaded = sequences.load(name)
  assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [18_000, 2_000, 2_000]
  lengths = set()
  for split in (loaded.train, loaded.validation, loaded.test):
    assert split.source.shape == split.target.shape == (len(split), 13)
    for source, target in zip(split.source, split.target, strict=True):
      string = _digits(source)
      assert _digits(target) == become(string)
      assert source.tolist() == [*(d + 3 for d in string), END] + [0] * (12 - len(string))
      lengths.add(len(string))
  assert lengths == set(range(5, 13))


def test_no_string_of_one_split_is_in_another_and_all_calls_give_the_same(sorting):
  splits = (sorting.train, sorting.validation, sorting.test)
  assert len({tuple(row) for split in splits for row in split.source.tolist()}) == 22_000
  again = data.load("sort_digits", validation=5)
  np.testing.assert_array_equal(again.test.source, sorting.test.source)
  np.testing.assert_array_equal(again.validation.target, sorting.validation.target[-5:])
  assert len(again.train) == 19_995


def test_the_target_is_shown_one_place_later_behind_the_start_token():
  ((source, shown), labels) = next(iter(_tiny().whole(_split(), batch_size=2)))
  assert source.numpy().tolist() == [[3, 4, END, 0], [4, 5, END, 0]]
  assert labels.numpy().tolist() == [[4, 3, END], [5, 4, END]]
  assert shown.numpy().tolist() == [[tokens.START, 4, 3], [tokens.START, 5, 4]]


def test_whole_gives_every_pair_once_in_order_again_and_again():
  whole = _tiny().whole(_split(), batch_size=3)
  for _ in range(2):
    assert [len(labels) for _, labels in whole] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([y for _, y in whole]), _split().target)


@pytest.mark.parametrize("cut", [0, 1, 4, 9])
def test_a_run_cut_anywhere_gives_the_same_batches_in_the_order_of_images(cut):
  def rows(start, stop):
    return list(_tiny().training(batch_size=2, seed=5, start=start, stop=stop).as_numpy_iterator())

  parts = [*rows(0, cut), *rows(cut, 10)]
  order = batches.shuffled(7, batch_size=2, seed=5, start=0, stop=10)
  assert len(parts) == 10
  for ((source, _), labels), (_, indices) in zip(parts, order.as_numpy_iterator(), strict=True):
    np.testing.assert_array_equal(source, _split().source[indices])
    np.testing.assert_array_equal(labels, _split().target[indices])


def test_batches_have_a_static_shape_of_int32_and_a_known_number():
  steps = _tiny().training(batch_size=2, seed=0, start=3, stop=8)
  (source, shown), labels = steps.element_spec
  assert [tuple(spec.shape) for spec in (source, shown, labels)] == [(2, 4), (2, 3), (2, 3)]
  assert {spec.dtype.name for spec in (source, shown, labels)} == {"int32"}
  assert steps.cardinality().numpy() == 5


def test_inputs_are_tokens_of_the_vocabulary_and_logits_stand_for_each_place(sorting):
  source, target = sorting.inputs(50)
  assert source.shape == target.shape == (50, 13) and source.dtype == np.int32
  assert source.min() >= END and source.max() == sorting.classes - 1 == 12
  assert sorting.logits_shape(2) == (2, 13, 13)


@pytest.mark.parametrize(
  ("asked", "words"),
  [
    (lambda d: d.part(half="a"), ["half='a'", "images", "'tiny'", '""']),
    (lambda d: d.part(labels=(0, 1)), ["labels=(0, 1)", "()"]),
    (lambda d: d.part(shape=(8, 8, 1)), ["shape=(8, 8, 1)", "()"]),
    (lambda d: d.check(augment=True, standardize=False), ["augment=True", "False"]),
    (lambda d: d.check(augment=False, standardize=True), ["standardize=True", "False"]),
    (
      lambda d: d.training(batch_size=2, seed=0, start=0, stop=1, moments=(0, 1)),
      ["standardize=True", "pairs of sequences"],
    ),
    (lambda d: d.training(batch_size=8, seed=0, start=0, stop=1), ["batch_size=8", "1..7"]),
    (lambda d: sequences.load("sort_digits", validation=20_000), ["validation=20000", "19999"]),
  ],
)
def test_refused_with_the_name_the_value_and_the_cure(asked, words):
  with pytest.raises(ValueError) as error:
    asked(_tiny())
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_nothing_asked_is_the_data_set_itself(sorting):
  assert sorting.part(half="", labels=(), shape=(), fit="pad") is sorting
  sorting.check(augment=False, standardize=False)


def test_its_own_shape_may_be_asked_for_as_a_task_does_that_takes_tickets_of_another(sorting):
  assert sorting.part(shape=(13, 13)) is sorting


def test_too_long_a_sequence_is_cut_before_its_end_token():
  assert tokens.ended([[5, 6, 7], [5, 6]], 3).tolist() == [[5, 6, END], [5, 6, END]]


def test_bleu_is_that_of_its_formula_and_a_match_is_of_the_whole_text():
  # Precisions of 1 to 4 words: 5/6, 3/5, 2/4, 1/3; as long as the reference.
  found = bleu.scores(["1 2 3 4 9 6"], ["1 2 3 4 5 6"], tokenize="none")
  expected = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
  assert found == {"exact_match": 0.0, "bleu": pytest.approx(expected)}
  assert bleu.scores(["1 2 3 4", "5"], ["1 2 3 4", "6"])["exact_match"] == 0.5
  assert bleu.scores(["1 2 3 4"], ["1 2 3 4"], tokenize="none")["bleu"] == pytest.approx(100)


def test_words_that_are_no_digits_match_nothing():
  assert strings.text([3, END, 12]) == "0 <2> 9"
