"""The verdict's sentences, their numbers worked by hand."""

from tflottery.experiments.verdict import verdict


def _row(seed, level, remaining, accuracy, *, arm="ticket", step=1000):
  return {
    "seed": seed,
    "level": level,
    "arm": arm,
    "remaining_percent": remaining,
    "early_stop_step": step,
    "early_stop_test_accuracy": accuracy,
  }


# Means: dense 97.00 %, then 98.00 % and 96.80 %; the dense seeds' deviation is 0.10 points.
THREE_SEEDS = [
  *(_row(seed, 0, 100.0, 0.969 + 0.001 * seed, step=1000 + 100 * seed) for seed in range(3)),
  *(_row(seed, 1, 51.3, 0.979 + 0.001 * seed, step=800 + 40 * seed) for seed in range(3)),
  *(_row(seed, 2, 21.1, 0.967 + 0.001 * seed, step=1300) for seed in range(3)),
  *(_row(seed, 3, 7.0, 0.950, step=100) for seed in range(3)),
]
REINIT = [
  *(_row(seed, 1, 51.3, 0.940, arm="reinit") for seed in range(3)),
  *(_row(seed, 2, 21.1, 0.938, arm="reinit") for seed in range(3)),
]


def test_the_smallest_matching_ticket_comes_first_with_its_tolerance():
  # 96.80 % is exactly at the floor of 97.00 - 0.20.
  assert verdict(THREE_SEEDS)[0] == (
    "With 21.1 % of the weights the ticket still matches the dense network: 96.80 % early-stop"
    " test accuracy against 97.00 %, over 3 seeds (tolerance: 0.20 points)."
  )


def test_the_tolerance_widens_to_the_deviation_of_the_dense_network():
  # Dense seeds 96, 97 and 98 %: deviation 1.00 points, so the floor is 96.00 %.
  rows = [_row(seed, 0, 100.0, 0.96 + 0.01 * seed) for seed in range(3)]
  rows += [_row(seed, 1, 51.3, 0.961) for seed in range(3)]
  assert verdict(rows)[0].endswith(
    "over 3 seeds (tolerance: 1.00 points, the dense network's standard deviation)."
  )
  assert verdict(rows)[0].startswith("With 51.3 % of the weights")


def test_levels_that_fall_short_before_the_smallest_match_are_named():
  rows = [_row(0, 0, 100.0, 0.97), _row(0, 1, 51.3, 0.95), _row(0, 2, 21.1, 0.97)]
  assert verdict(rows)[0] == (
    "With 21.1 % of the weights the ticket still matches the dense network: 97.00 % early-stop"
    " test accuracy against 97.00 %, over 1 seed (tolerance: 0.20 points). It falls short on the"
    " way, at 51.3 %."
  )


def test_seeds_that_are_not_trained_yet_are_not_claimed():
  rows = [_row(0, 0, 100.0, 0.97), _row(1, 0, 100.0, 0.97), _row(0, 1, 51.3, 0.97)]
  assert "against 97.00 %, over 1 seed against 2 (tolerance" in verdict(rows)[0]


def test_the_most_accurate_ticket_is_compared_with_the_dense_network():
  assert verdict(THREE_SEEDS)[1] == (
    "The most accurate ticket keeps 51.3 % of the weights: at 98.00 % it is 1.00 points above the"
    " dense network."
  )


def test_of_equally_accurate_tickets_the_smallest_is_named():
  rows = [_row(0, level, remaining, 0.97) for level, remaining in enumerate((100.0, 51.3, 21.1))]
  assert verdict(rows)[1] == (
    "The most accurate ticket keeps 21.1 % of the weights: at 97.00 % it is equal to the dense"
    " network."
  )


def test_the_fastest_matching_ticket_is_compared_with_the_dense_network():
  # Steps 1100 and 840: 260 / 1100 is 23.6 %. The level at 7.0 % stops at 100 but does not match.
  assert verdict(THREE_SEEDS)[2] == (
    "Of the matching tickets, the one with 51.3 % of the weights learns fastest: it reaches its"
    " early stop at step 840, 23.6 % earlier than the dense network (step 1,100)."
  )


def test_a_search_in_which_nothing_learns_faster_says_so():
  rows = [_row(0, 0, 100.0, 0.97, step=1000), _row(0, 1, 51.3, 0.97, step=1000)]
  assert verdict(rows)[2] == (
    "No matching ticket learns faster: none reaches its early stop before the dense network does,"
    " at step 1,000."
  )


def test_a_search_in_which_nothing_matches_says_so():
  match, best, speed, *_ = verdict([_row(0, 0, 100.0, 0.97), _row(0, 1, 51.3, 0.96, step=1)])
  assert match == (
    "At no level trained so far does the ticket match the dense network, which reaches 97.00 %"
    " early-stop test accuracy over 1 seed (tolerance: 0.20 points)."
  )
  assert best.endswith("at 96.00 % it is 1.00 points below the dense network.")
  assert speed == "No level matches, so none can be said to learn faster."


def test_a_control_is_compared_at_its_sparsest_level_and_at_its_widest_gap():
  # Gaps: 94.00 - 98.00 = -4.00 at 51.3 % and 93.80 - 96.80 = -3.00 at 21.1 %.
  assert verdict(THREE_SEEDS + REINIT)[3:] == [
    "Random re-initialisation with 21.1 % of the weights is 3.00 points below the ticket (93.80 %"
    " against 96.80 %, over 3 seeds); the widest gap is at 51.3 %, where it is 4.00 points below"
    " it.",
    "Not trained, so not compared: random mask.",
  ]


def test_a_control_above_the_ticket_is_said_to_be_above():
  rows = [_row(0, 0, 100.0, 0.97), _row(0, 1, 51.3, 0.97)]
  rows += [_row(0, 1, 51.3, 0.98, arm="random_mask"), _row(0, 1, 51.3, 0.97, arm="SNIP_mask")]
  assert verdict(rows)[3:] == [
    "SNIP mask with 51.3 % of the weights is equal to the ticket (97.00 % against 97.00 %, over 1"
    " seed); no other level is trained.",
    "Random mask with 51.3 % of the weights is 1.00 points above the ticket (98.00 % against"
    " 97.00 %, over 1 seed); no other level is trained.",
    "Not trained, so not compared: random re-initialisation.",
  ]


def test_a_control_without_a_ticket_of_its_level_is_not_compared():
  rows = [*THREE_SEEDS, _row(0, 9, 1.8, 0.5, arm="reinit")]
  assert verdict(rows)[3] == "Random re-initialisation shares no level with the ticket yet."


def test_missing_controls_are_named():
  assert verdict(THREE_SEEDS)[3:] == [
    "Not trained, so not compared: random re-initialisation and random mask."
  ]


def test_a_search_with_only_the_dense_network_says_so():
  assert verdict(THREE_SEEDS[:3]) == [
    "Only the dense network is trained so far: 97.00 % early-stop test accuracy over 3 seeds. No"
    " ticket has been found yet."
  ]


def test_a_search_without_the_dense_network_says_so():
  expected = ["The dense network is not trained yet, so there is nothing to compare with."]
  assert verdict(THREE_SEEDS[3:]) == expected
