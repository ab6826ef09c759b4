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
PLAN = {"levels": 3, "controls": ("glorot", "zero_mean"), "seeds": (0, 1)}


def test_the_ticket_wins_where_its_mean_is_below_every_controls_at_the_sparser_half():
  first, second, third, *_ = verdict(_rows(BETTER), [], **PLAN)
  assert first == (
    "On average over 2 seeds, at the higher sparsities the ticket's initial weights keep the shape of the "
    "dense network's polygon better than every control."
  )
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
  equal = BETTER | {"zero_mean": {1: [0.5, 0.5], 2: [0.5, 0.5], 3: [0.2, 0.2]}}
  first = verdict(_rows(equal), [], **PLAN)[0]
  assert "do NOT keep the shape" in first
  assert first.endswith("at 1 of 2 levels zero mean comes as close or closer.")


def test_only_seeds_in_which_all_starts_are_trained_are_compared():
  rows = [
    row for row in _rows(BETTER) if (row["level"], row["seed"], row["start"]) != (3, 1, "glorot")
  ]
  assert summary.compared(rows, 3, PLAN["controls"]) == {
    "ticket": {0: 0.2}, "glorot": {0: 0.1}, "zero_mean": {0: 0.5},
  }  # fmt: skip
  sentences = verdict(rows, [], **PLAN)
  assert sentences[0] == "Unfinished: 19 of 20 trainings are done."
  assert sentences[1].startswith("On average over 1 seed or more, at the higher")
  assert sentences[1].endswith("at 1 of 2 levels glorot comes as close or closer.")


def test_nothing_is_claimed_of_higher_sparsities_before_one_of_them_is_trained():
  rows = _rows({name: {n: v for n, v in own.items() if n < 2} for name, own in BETTER.items()})
  sentences = verdict(rows, [], **PLAN)
  assert sentences[1:3] == [
    "None of the higher sparsities is trained yet.",
    "One level is compared; the ticket's mean distance is not the lowest.",
  ]


def test_a_level_without_all_of_its_controls_is_not_compared():
  rows = _rows({name: own for name, own in BETTER.items() if name != "zero_mean"})
  assert not any("polygon" in sentence for sentence in verdict(rows, [], **PLAN))


def test_the_dense_networks_are_those_of_the_tickets_seeds():
  rows = _rows(DENSE | {"ticket": {1: [0.1]}})
  rows[1]["test_accuracy"] = 0.1  # the dense network of seed 1, whose ticket is not trained
  assert verdict(rows, [], levels=1, controls=(), seeds=(0, 1))[1:] == [
    "The dense network reaches 90.00 % test accuracy, the ticket with 50.0 % of the weights 90.00 % (1 seed)."
  ]


def test_rules_are_compared_by_their_means_over_the_shares():
  pruned = [
    {"rule": rule, "shape_distance": value, "test_accuracy": accuracy}
    for rule, value, accuracy in (("tropical", 0.1, 0.9), ("tropical", 0.2, 0.8), ("class_blind", 0.3, 0.7))
  ]  # fmt: skip
  assert verdict(_rows(DENSE), pruned, levels=0, controls=(), seeds=(0, 1))[1].endswith(
    "by tropical 0.150 mean widths and 85.00 %; class blind 0.300 mean widths and 70.00 %."
  )
