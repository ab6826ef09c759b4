"""What the tropical experiment's report says, of rows worked by hand."""

from tflottery.experiments.tropical import summary
from tflottery.experiments.tropical.verdict import verdict

LEVELS = {0: 100.0, 1: 50.0, 2: 25.0, 3: 12.5}


def _rows(distances):
  """Rows from a dict from start to a dict from level to the seeds' shape distances."""
  return [
    {
      "seed": seed, "level": level, "start": start, "remaining_percent": LEVELS[level],
      "shape_distance": value, "test_accuracy": 0.9,
    }
    for start, levels in distances.items()
    for level, values in levels.items()
    for seed, value in enumerate(values)
  ]  # fmt: skip


DENSE = {"dense": {0: [0.0, 0.0]}}
BETTER = DENSE | {
  "ticket": {1: [0.3, 0.3], 2: [0.1, 0.3], 3: [0.2, 0.2]},
  "glorot": {1: [0.1, 0.1], 2: [0.2, 0.4], 3: [0.1, 0.5]},
  "zero_mean": {1: [0.5, 0.5], 2: [0.5, 0.5], 3: [0.5, 0.5]},
}


def test_the_ticket_wins_where_its_mean_is_below_every_controls_at_the_sparser_half():
  first, second, third, *_ = verdict(_rows(BETTER), [], planned=20)
  assert first.endswith("polygon better than every control.") and "NOT" not in first
  assert (
    "at 25.0 % of the weights 0.200 against 0.300 (glorot; the ticket is closer in 2 of 2" in second
  )
  assert (
    "at 12.5 % of the weights 0.200 against 0.300 (glorot; the ticket is closer in 1 of 2" in second
  )
  assert third == (
    "Over all 3 levels, the ticket's mean distance is the lowest at 2; a control is as low or lower at "
    "50.0 % of the weights."
  )


def test_a_control_that_is_as_close_is_said_in_the_first_sentence():
  rows = _rows(BETTER | {"zero_mean": {2: [0.5, 0.5], 3: [0.2, 0.2]}})
  first = verdict(rows, [], planned=18)[0]
  assert "do NOT keep the shape" in first
  assert first.endswith("at 1 of 1 levels zero mean comes as close or closer.")


def test_levels_whose_starts_are_not_all_trained_do_not_count():
  rows = [
    row for row in _rows(BETTER) if (row["level"], row["seed"], row["start"]) != (3, 1, "glorot")
  ]
  assert summary.complete(rows, 3) is None and summary.complete(rows, 2) is not None
  sentences = verdict(rows, [], planned=20)
  assert sentences[0] == "Unfinished: 19 of 20 trainings are done."
  assert sentences[3].startswith("Over all 2 levels")


def test_nothing_is_said_of_shapes_without_controls():
  sentences = verdict(_rows(DENSE | {"ticket": {1: [0.1, 0.1]}}), [], planned=4)
  assert sentences == [
    "The dense network reaches 90.00 % test accuracy, the ticket with 50.0 % of the weights 90.00 %."
  ]


def test_rules_are_compared_by_their_means_over_the_shares():
  pruned = [
    {"rule": rule, "shape_distance": value, "test_accuracy": accuracy}
    for rule, value, accuracy in (("tropical", 0.1, 0.9), ("tropical", 0.2, 0.8), ("class_blind", 0.3, 0.7))
  ]  # fmt: skip
  assert verdict(_rows(DENSE), pruned, planned=2)[1].endswith(
    "by tropical 0.150 mean widths and 85.00 %; class blind 0.300 mean widths and 70.00 %."
  )
