"""What the rows of the transfer experiment are summed up to, and said in words."""

import pytest

from tflottery.experiments.transfer import figures, summary
from tflottery.experiments.transfer.verdict import verdict

CONFIG = {"optimizer": "adam", "tasks": {"a": {}, "b": {}, "s": {"optimizer": "sgd"}}}


def _rows(source, target, level, arm, *accuracies, remaining=10.0, shape="8x8x1"):
  """A row for each seed."""
  return [
    {
      "seed": seed,
      "source": source,
      "target": target,
      "level": level,
      "arm": arm,
      "image_shape": shape,
      "remaining_percent": remaining,
      "final_test_accuracy": accuracy,
    }
    for seed, accuracy in enumerate(accuracies)
  ]


SPARSE = {"remaining": 3.0}
ROWS = [
  *_rows("", "b", 0, "dense", 0.98, 0.99, remaining=100.0),
  *_rows("a", "b", 5, "ticket", 0.96, 0.97),
  *_rows("a", "b", 5, "random_layerwise", 0.95, 0.94),
  *_rows("a", "b", 5, "random_global", 0.90, 0.90),
  *_rows("b", "b", 5, "ticket", 0.97, 0.97),
  *_rows("b", "b", 5, "random_layerwise", 0.95, 0.98),
  *_rows("a", "b", 9, "ticket", 0.80, 0.82, **SPARSE),
  *_rows("a", "b", 9, "random_layerwise", 0.85, 0.86, **SPARSE),
  *_rows("b", "b", 9, "ticket", 0.90, 0.90, **SPARSE),
]


def test_a_gain_is_the_mean_of_the_differences_by_seed():
  line = summary.gains(ROWS)[0]
  assert (line["source"], line["target"], line["level"], line["n"]) == ("a", "b", 5, 2)
  expected = {
    "remaining_percent": 10.0, "ticket_percent": 96.5, "random_layerwise_percent": 94.5,
    "random_global_percent": 90.0, "own_ticket_percent": 97.0, "dense_percent": 98.5,
    "gain_points": 2.0, "lowest_gain_points": 1.0, "highest_gain_points": 3.0,
  }  # fmt: skip
  assert {name: line[name] for name in expected} == pytest.approx(expected)
  assert list(line.keys() ^ set(summary.GAIN)) == []


def test_what_is_not_trained_yet_is_none():
  line = next(line for line in summary.gains(ROWS) if (line["source"], line["level"]) == ("b", 9))
  assert line["gain_points"] is None and line["random_global_percent"] is None


def test_all_numbers_of_a_line_are_of_the_same_seeds():
  rows = [
    *_rows("", "b", 0, "dense", 0.98),
    *_rows("a", "b", 5, "ticket", 0.96, 0.97, 0.10, remaining=10.0),
    *_rows("a", "b", 5, "random_layerwise", 0.95, 0.94),
    *_rows("a", "b", 5, "random_global", 0.90, 0.92, 0.20),
  ]
  [line] = summary.gains(rows)
  expected = {
    "n": 2, "ticket_percent": 96.5, "random_layerwise_percent": 94.5, "random_global_percent": 91.0,
    "gain_points": 2.0,
  }  # fmt: skip
  assert {name: line[name] for name in expected} == pytest.approx(expected)
  assert line["dense_percent"] is None, "its second seed is not trained"
  assert "96.50 % against 94.50 % (+2.00 points" in verdict(rows, CONFIG)[1]


def test_dense_networks_and_own_tickets_stand_beside_images_of_their_shape_alone():
  small = {"shape": "6x6x1"}
  rows = [
    *ROWS,
    *_rows("", "b", 0, "dense", 0.90, 0.93, **small),
    *_rows("s", "b", 5, "ticket", 0.88, 0.89, **small),
    *_rows("s", "b", 9, "ticket", 0.70, 0.71, **small, **SPARSE),
  ]
  lines = {(line["source"], line["level"]): line for line in summary.gains(rows)}
  found = {
    cell: (line["own_ticket_percent"], line["dense_percent"]) for cell, line in lines.items()
  }
  assert found["a", 5] == pytest.approx((97.0, 98.5))
  assert found["s", 5] == (None, pytest.approx(91.5))
  [sentence] = [text for text in verdict(rows, CONFIG) if "the ticket found there" in text]
  assert sentence.endswith("90.00 %: that of a -9.00 points.")
  axes = figures.figures(rows)["accuracy.png"].axes[0]
  assert {98.5, 91.5} <= {line.get_ydata()[0] for line in axes.lines if len(line.get_ydata())}


def test_the_tickets_own_size_is_said_and_another_beside_it():
  rows = [
    *_rows("b", "b", 5, "ticket", 0.90, 0.92, 0.10, remaining=6.25),
    *_rows("a", "b", 5, "ticket", 0.93, 0.93, remaining=6.75),
    *_rows("a", "b", 5, "random_layerwise", 0.80, 0.80, remaining=6.75),
    *_rows("b", "b", 5, "random_layerwise", 0.80, remaining=6.25),
  ]
  *_, gap = verdict(rows, CONFIG)
  assert gap == (
    "On b at 6.2 % of the weights, the ticket found there reaches 91.00 %: that of a +2.00 points at"
    " 6.8 % of the weights."
  )
  [first, *_] = verdict(rows, CONFIG)
  assert first.endswith("1 of 1 beat it at about 6.5 % of the weights.")
  [axes] = figures.figures(rows)["gains.png"].axes
  assert axes.get_title() == "about 6.5 % of the weights"


def test_the_levels_in_words_are_the_one_nearest_to_10_percent_and_the_sparsest():
  more = _rows("a", "b", 7, "ticket", 0.9, remaining=6.0)
  assert summary.shown_levels([*ROWS, *more]) == [5, 9]
  assert summary.shown_levels(ROWS[:4]) == [5] and summary.shown_levels([]) == []


def test_the_verdict_counts_the_moved_tickets_that_beat_random_ones_in_every_seed():
  first, moved, own, gap, layers = verdict(ROWS, CONFIG)
  assert "1 of 1 beat it at 10.0 % of the weights, 0 of 1 beat it at 3.0 %" in first
  assert (
    "ticket of a on b: at 10.0 % of the weights it beats the random ticket, 96.50 % against"
    in moved
  )
  assert "94.50 % (+2.00 points, from +1.00 to +3.00 over 2 seeds)" in moved
  assert "at 3.0 % of the weights it falls behind the random ticket" in moved
  assert "b on its own task: at 10.0 % of the weights it does not clearly beat" in own
  assert "at 3.0 % of the weights it reaches 90.00 %" in own
  assert gap == (
    "On b at 3.0 % of the weights, the ticket found there reaches 90.00 %: that of a -9.00 points."
  )
  assert "against the fully random one, +4.50 points at 10.0 % of the weights" in layers


def test_another_optimizer_is_named():
  rows = _rows("a", "s", 5, "ticket", 0.9) + _rows("a", "s", 5, "random_layerwise", 0.8)
  sentences = verdict(rows, CONFIG)
  assert "The ticket of a on s (found with adam, trained with sgd): " in sentences[1]
  assert "(+10.00 points, one seed)" in sentences[1]


@pytest.mark.parametrize("count", range(len(ROWS)))
def test_an_unfinished_experiment_has_a_verdict(count):
  sentences = verdict(ROWS[:count], CONFIG)
  assert sentences and all(sentence.endswith(".") for sentence in sentences)
  summary.gains(ROWS[:count])


def test_without_random_tickets_nothing_is_counted():
  [first, *_] = verdict(_rows("a", "b", 5, "ticket", 0.9), CONFIG)
  assert first == "No ticket was compared with a random one on another task."
