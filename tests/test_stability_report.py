"""The verdict, the choice of what is drawn, and the page of the stability experiment, worked by hand."""

import json
import re

import pytest

from tflottery.experiments.stability import figures, report
from tflottery.experiments.stability.networks import Network
from tflottery.experiments.stability.verdict import verdict
from tflottery.experiments.stability.workdir import Workdir

REMAINING = {0: 100.0, 1: 51.3, 5: 32.8, 15: 3.52}


def _training(k, accuracy, *, arm="ticket", level=15, seed=0, copy=0):
  return {
    "seed": seed, "k": k, "level": level, "arm": arm, "copy": copy,
    "remaining_percent": REMAINING[level], "final_test_accuracy": accuracy, "early_stop_step": 900,
    "early_stop_test_accuracy": accuracy + 0.001, "steps": 1000 - k, "order_seed": 1,
    "augmentation_seed": 2, "dropout_seed": 3, "train_seconds": 5.0,
  }  # fmt: skip


def _pair(k, instability, *, arm="ticket", level=15, seed=0, path="line", split="test"):
  return {
    "seed": seed, "k": k, "level": level, "arm": arm, "remaining_percent": REMAINING[level],
    "first": 0, "second": 1, "path": path, "split": split, "first_error_percent": 2.0,
    "second_error_percent": 3.0, "highest_error_percent": 2.5 + instability,
    "instability": instability, "loss_instability": instability / 10, "stable": instability <= 2,
  }  # fmt: skip


def _distance(k, kind, length, angle, *, arm="ticket", seed=0):
  return {
    "seed": seed, "k": k, "level": 15, "arm": arm, "remaining_percent": 3.52, "kind": kind,
    "first": 0, "second": 1, "l2_distance": length, "angle": angle,
  }  # fmt: skip


DENSE = [
  _training(0, 0.980, arm="dense", level=0),
  _training(0, 0.982, arm="dense", level=0, seed=1),
]


def _stability(*pairs):
  return verdict(DENSE, pairs, [])


def test_a_network_that_is_stable_at_every_step_comes_first_with_its_numbers():
  pairs = [_pair(0, 0.2), _pair(0, 0.4, seed=1), _pair(100, 0.1), _pair(100, 0.1, seed=1)]
  pairs += [_pair(0, 0.5, arm="dense", level=0)]
  found = _stability(*pairs)
  assert found[0] == (
    "The ticket with 3.5 % of the weights is stable from step 0 on: instability 0.30, 0.10 points at"
    " steps 0, 100 (over 2 seeds)."
  )
  assert found[1] == (
    "The dense network is stable at the only step measured: instability 0.50 points at step 0 (over 1"
    " seed)."
  )


def test_two_points_are_stable_and_a_little_more_is_not():
  assert "is stable at" in _stability(_pair(0, 2.0))[0]
  assert "is stable at" in _stability(_pair(0, 2.0 + 1e-12))[0], "the rounding of a float"
  assert "is unstable at" in _stability(_pair(0, 2.01))[0]


def test_a_network_that_becomes_stable_says_from_which_step():
  found = _stability(_pair(0, 12.0), _pair(100, 1.5), _pair(500, 1.8), _pair(1000, 0.5))
  assert found[0] == (
    "The ticket with 3.5 % of the weights is stable from step 100 on: instability 12.00, 1.50, 1.80,"
    " 0.50 points at steps 0, 100, 500, 1000, falling, though not at every step (over 1 seed)."
  )


def test_a_network_that_is_stable_in_between_alone_is_not_called_stable_from_there_on():
  found = _stability(_pair(0, 12.0), _pair(100, 1.0), _pair(500, 13.0))[0]
  assert "is stable at step 100, but not at steps 0, 500:" in found
  assert "not falling, against the paper" in found


def test_controls_that_are_unstable_are_as_in_the_paper_and_others_are_not():
  unstable, stable = (_stability(_pair(0, value, arm="random_mask"))[0] for value in (30.0, 1.0))
  assert unstable == (
    "Random mask with 3.5 % of the weights is unstable at every step measured: instability 30.00 points"
    " at step 0 (over 1 seed)."
  )
  assert stable.endswith("in the paper such controls of the smallest tickets are unstable.")


def test_pairs_that_contradict_their_mean_are_counted():
  found = _stability(_pair(0, 0.5), _pair(0, 2.5, seed=1))[0]
  assert found.endswith("(over 2 seeds); of the 2 pairs there 1 by themselves are not.")


def test_training_error_and_bezier_paths_do_not_decide():
  pairs = [_pair(0, 0.5), _pair(0, 50.0, split="train"), _pair(0, 60.0, path="bezier")]
  assert "instability 0.50 points at step 0" in _stability(*pairs)[0]


def test_other_levels_follow_in_one_sentence_the_largest_first():
  pairs = [_pair(k, 30.0) for k in (0, 100)]
  pairs += [_pair(k, 30.0 - 0.29 * k, level=5) for k in (0, 100)]
  pairs += [_pair(k, 1.0, level=1) for k in (0, 100)]
  assert _stability(*pairs)[1] == (
    "At its other levels it is stable with 51.3 % from step 0 on; with 32.8 % from step 100 on."
  )


def test_of_a_run_that_is_not_done_the_level_with_most_steps_is_compared():
  rows = [_training(0, 0.90), _training(0, 0.95, level=1), _training(100, 0.96, level=1)]
  assert _accuracy(*rows)[1].startswith("Rewound to step 100 the ticket with 51.3 % of the weights")


def test_seeds_that_lack_a_step_do_not_bend_what_is_compared():
  # Over all seeds the mean would rise from 6 to 8; only the seed with both steps counts.
  pairs = [_pair(0, 10.0), _pair(100, 8.0), _pair(0, 2.0, seed=1)]
  assert "10.00, 8.00 points at steps 0, 100, falling (over 1 seed)" in _stability(*pairs)[0]


def _accuracy(*trainings, pairs=()):
  return verdict([*DENSE, *trainings], pairs, [])


def test_a_later_step_that_beats_the_first_says_by_how_much_and_how_often():
  rows = [_training(0, 0.90), _training(0, 0.94, seed=1), _training(100, 0.95)]
  rows += [_training(100, 0.93, seed=1), _training(500, 0.92), _training(500, 0.92, seed=1)]
  assert _accuracy(*rows)[1] == (
    "Rewound to step 100, the best of 2 later ones, the ticket with 3.5 % of the weights is 2.00 points"
    " above the one rewound to step 0: 94.00 % against 92.00 % final test accuracy (over 2 seeds, better"
    " in 1 of them)."
  )


def test_later_steps_that_do_not_beat_the_first_are_said_to_be_below():
  found = _accuracy(_training(0, 0.95), _training(100, 0.94))[1]
  assert found.startswith(
    "Rewound to step 100 the ticket with 3.5 % of the weights is 1.00 points below"
  )
  assert found.endswith("(over 1 seed, better in 0 of them).")


def test_the_ticket_matches_within_the_tolerance():
  # Dense seeds 98.0 and 98.2 %: mean 98.10 %, deviation 0.14, so the floor is 97.90 %.
  found = _accuracy(_training(0, 0.9785), _training(100, 0.979))[2]
  assert found == (
    "The ticket with 3.5 % of the weights matches the dense network (98.10 %, tolerance 0.20 points)"
    " from step 100 on."
  )


def test_matching_without_being_stable_is_against_the_paper():
  rows = [_training(0, 0.98), _training(100, 0.90), _training(500, 0.98)]
  found = _accuracy(*rows, pairs=[_pair(0, 9.0), _pair(100, 1.0), _pair(500, 1.0)])[2]
  assert found.endswith(
    "at steps 0, 500, but not at step 100; it is stable without matching at step 100; it matches without"
    " being stable at step 0, against the paper."
  )


def test_controls_that_match_are_not_as_in_the_paper():
  rows = [_training(0, 0.98, arm="reinit"), _training(0, 0.90, arm="random_mask")]
  mask, reinit = _accuracy(*rows)[1:]
  assert mask.endswith("matches the dense network (98.10 %, tolerance 0.20 points) at no step.")
  assert reinit == (
    "Random re-initialisation with 3.5 % of the weights matches the dense network at the only step"
    " measured; in the paper such controls of the smallest tickets do not."
  )


def test_distances_of_the_ticket_are_told_with_their_way():
  rows = [_distance(0, "pruning", 9.0, 60.0), _distance(100, "pruning", 5.0, 40.0)]
  rows += [_distance(0, "data_order", 3.0, 30.0), _distance(100, "data_order", 3.0, 30.0)]
  rows += [_distance(0, "data_order", 70.0, 80.0, arm="reinit")]
  pruning, order = verdict(DENSE, [], rows)[1:]
  assert pruning == (
    "From the ticket with 3.5 % of the weights to the same weights of the dense network, both trained,"
    " the L2 distance is 9.00, 5.00 and the angle 60.0, 40.0 degrees at steps 0, 100 (over 1 seed); the"
    " distance falls, as in the paper."
  )
  assert order.endswith("the distance does not fall, against the paper.")


def test_a_run_without_comparisons_says_so():
  assert verdict(DENSE, [], []) == ["No copies are compared yet."]


def _paths(pair, errors):
  network = ("seed", "k", "level", "arm", "first", "second", "path", "split")
  return [
    {name: pair[name] for name in network} | {"amount": i / 2, "error_percent": error, "loss": 0.1}
    for i, error in enumerate(errors)
  ]


def _without(row, *names):
  return {name: value for name, value in row.items() if name not in names}


def _finish(place, copy, **tables):
  """One piece of all these rows, which are of one network."""
  row = next(iter(tables.values()))[0]
  network = Network(row["k"], row["level"], row["arm"])
  rows = {
    name: [_without(row, "seed", *network.columns) for row in own] for name, own in tables.items()
  }
  place.finish(row["seed"], network, copy, **rows)


CONFIG = {"model": "<lenet> & co", "dataset": "mnist", "rewind_steps": ["init", "100it"]}


def _place(path, *, paths=True):
  place = Workdir(path)
  place.claim(CONFIG, {"keras": "3.15"})
  for training in DENSE:
    _finish(place, 0, trainings=[training])
  if not paths:
    return place
  for k in (0, 100):
    for level in (1, 15):
      _finish(place, 0, trainings=[_training(k, 0.97, level=level)])
      test, train = (_pair(k, 0.5, level=level, split=split) for split in ("test", "train"))
      distances = [_distance(k, "pruning", 5.0, 40.0), _distance(k, "data_order", 4.0, 30.0)]
      distances = [
        row | {"level": level, "remaining_percent": REMAINING[level]} for row in distances
      ]
      rows = _paths(test, [2, 3, 3]) + _paths(train, [1, 1, 1])
      _finish(place, "paths", pairs=[test, train], paths=rows, distances=distances)
  return place


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  place = _place(tmp_path_factory.mktemp("stability"))
  sentences = report.write(place)
  return place, sentences, (place.path / "report.html").read_text(encoding="utf-8")


def _cells(text, start):
  """Texts of the cells in the rows of tables that begin with these."""
  rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text)
  cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
  return [row for row in cells if tuple(row[: len(start)]) == start]


def test_the_page_has_the_verdict_its_figures_and_what_is_escaped(written):
  place, sentences, text = written
  assert sentences == verdict(*(place.rows(name) for name in ("trainings", "pairs", "distances")))
  for sentence in sentences:
    assert sentence.replace(" %", "\u00a0%") in text
  assert text.count("data:image/png;base64,") == 4
  assert {file.name for file in place.path.glob("*.png")} == {
    "lines.png", "instability.png", "accuracy.png", "distances.png",
  }  # fmt: skip
  assert "&lt;lenet&gt; &amp; co on mnist" in text


def test_the_tables_of_the_page_are_worked_by_hand(written):
  text = written[2]
  [line] = _cells(text, ("IMP ticket, 3.5 %", "100", "2.50"))
  assert line[2:] == ["2.50", "3.00", "0.50", "1 of 1", "one pair", "0.50", "0.050"]
  [line] = _cells(text, ("IMP ticket, 51.3 %", "0", "another copy"))
  assert line[3:] == ["4.00", "30.0", "1"]
  [line] = _cells(text, ("dense network", "0", "0"))
  assert line[3:] == ["98.10 ± 0.14", "98.00 to 98.20", "98.20", "900", "2"]


def test_lines_and_distances_are_drawn_at_the_sparsest_level(written):
  drawn = figures.figures(written[0])
  labels = [text.get_text() for text in drawn["lines.png"].legends[0].get_texts()]
  assert labels == ["IMP ticket, 3.5 %"]
  assert len(drawn["instability.png"].axes[0].containers) == 2, "both levels"


@pytest.mark.parametrize(("count", "kept"), [(3, [1, 2, 3]), (15, [1, 8, 15])])
def test_of_many_levels_a_few_are_drawn_the_sparsest_among_them(count, kept):
  rows = [{"level": level} for level in range(count + 1)]
  assert [row["level"] for row in figures.at_levels(rows, 3)] == [0, *kept]
  assert [row["level"] for row in figures.at_levels(rows, 1)] == [0, count]


def test_a_run_that_was_killed_after_its_first_training_has_a_page(tmp_path):
  place = _place(tmp_path, paths=False)
  assert report.write(place) == ["No copies are compared yet."]
  assert not list(tmp_path.glob("*.png"))


def test_a_run_that_was_killed_before_has_a_page_too(tmp_path):
  (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"versions": {}}), encoding="utf-8")
  assert report.write(Workdir(tmp_path)) == ["Nothing is trained yet."]
