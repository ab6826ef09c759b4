"""The search over levels, arms and seeds, in this process."""

import itertools
import json
import shutil

import numpy as np
import pytest
from searches import outcome, table, tiny

import tflottery as tfl
from tflottery.experiments import arms, find_ticket, lottery, settings, task
from tflottery.experiments.workdir import Workdir
from tflottery.seeds import seeds_of


def _search(path, **changes):
  find_ticket.main(tiny(**changes), path)
  return path


def _tickets(path, seed=0, levels=2):
  return [Workdir(path).ticket(seed, level) for level in range(levels + 1)]


def _counts(ticket):
  return {path: int(mask.sum()) for path, mask in ticket.masks.items()}


def _same(ours, theirs):
  assert ours.keys() == theirs.keys()
  for path, value in ours.items():
    np.testing.assert_array_equal(value, theirs[path], err_msg=path)


def test_pieces_come_seed_by_seed_and_level_by_level_the_ticket_before_its_controls():
  s = settings.read(tiny(levels=2, seeds=(4, 0), arms=("random_mask", "reinit"), arm_levels=(2,)))
  one = [(0, "ticket"), (1, "ticket"), (2, "ticket"), (2, "random_mask"), (2, "reinit")]
  assert lottery.pieces(s, s.seeds) == [(seed, *rest) for seed in (4, 0) for rest in one]
  assert lottery.pieces(s, (0,)) == [(0, *rest) for rest in one]


@pytest.mark.parametrize("name", [pytest.param("keras", marks=pytest.mark.slow), "tf_keras"])
def test_rewound_to_initialisation_every_level_starts_from_the_weights_drawn_from_the_seed(
  name, tmp_path
):
  changes = {"keras": name, "rewind_to": "init", "seeds": (5,), "rates": {"output": 0.1}}
  _search(tmp_path, **changes)
  work = task.load(settings.read(tiny(**changes)))
  model = work.model(seeds_of(5)["initialisation"])
  initial = {f"{v.name}": v for v in model.variables}
  assert initial
  tickets = _tickets(tmp_path, seed=5)
  for ticket in tickets:
    _same(
      ticket.weights,
      {p: np.array(v) for p, v in zip(ticket.weights, model.get_weights(), strict=True)},
    )
  # 0.8 * 19200 = 15360, 0.8 * 15360 = 12288; 30000, 24000, 19200; 1000, 900, 810.
  assert [list(_counts(t).values()) for t in tickets] == [
    [19200, 30000, 1000],
    [15360, 24000, 900],
    [12288, 19200, 810],
  ]
  assert [row["early_stop_step"] in ("10", "20", "30", "40") for row in table(tmp_path)] == [
    True
  ] * 3


@pytest.fixture(scope="module")
def rewound(tmp_path_factory):
  return _search(tmp_path_factory.mktemp("rewound"))


@pytest.mark.slow
def test_a_search_that_goes_on_without_reset_starts_from_the_final_weights(tmp_path, rewound):
  dense, first, second = _tickets(_search(tmp_path, start="continue"))
  _same(dense.weights, _tickets(rewound)[0].weights)
  _same(first.masks, _tickets(rewound)[1].masks)
  # The final weights of the dense training are what its masks were chosen by.
  for path, mask in first.masks.items():
    magnitude = np.abs(first.weights[path])
    assert magnitude[mask].min() >= magnitude[~mask].max()
    assert not second.weights[path][~mask].any(), "level 2 starts from what level 1 left"
    assert (second.weights[path] != first.weights[path]).any()


@pytest.mark.slow
def test_rewinding_the_learning_rate_alone_keeps_the_final_weights(tmp_path, rewound):
  changes = {"warmup": "40it", "levels": 1}
  final = _search(tmp_path / "rate", start="rewind_learning_rate", **changes)
  on = _search(tmp_path / "on", start="continue", **changes)
  ours, theirs = _tickets(final, levels=1), _tickets(on, levels=1)
  _same(ours[1].weights, theirs[1].weights)
  _same(ours[1].masks, theirs[1].masks)
  # The warm-up is over for the one and half over for the other, so they end differently.
  losses = [table(path)[1]["early_stop_validation_loss"] for path in (final, on)]
  assert losses[0] != losses[1]


@pytest.mark.slow
def test_one_shot_masks_come_from_the_dense_network_alone(tmp_path, rewound):
  tickets = _tickets(_search(tmp_path, one_shot=True, arms=("reinit",), arm_levels=(2,)))
  iterated = _tickets(rewound)
  _same(tickets[1].masks, iterated[1].masks)
  _same(tickets[2].weights, iterated[2].weights)
  # 0.64 of 19200, 30000 and 1000.
  assert list(_counts(tickets[2]).values()) == [12288, 19200, 640]
  assert any((tickets[2].masks[p] != iterated[2].masks[p]).any() for p in tickets[2].masks)
  assert [row["arm"] for row in table(tmp_path)] == ["ticket", "ticket", "ticket", "reinit"]


@pytest.mark.slow
def test_a_global_ranking_keeps_the_share_of_the_network_and_not_of_each_layer(tmp_path, rewound):
  tickets = _tickets(_search(tmp_path, scope="global"))
  assert [sum(_counts(t).values()) for t in tickets] == [50200, 40160, 32128]
  assert _counts(tickets[2]) != _counts(_tickets(rewound)[2])
  for before, after in itertools.pairwise(tickets):
    assert all((before.masks[p] >= after.masks[p]).all() for p in before.masks)


@pytest.mark.parametrize("name", ["keras", "tf_keras"])
@pytest.mark.slow
def test_two_replicas_find_a_ticket(name, tmp_path):
  path = _search(tmp_path, strategy="mirrored", keras=name, steps=20, rewind_to=0, levels=1)
  dense, ticket = _tickets(path, levels=1)
  assert list(_counts(ticket).values()) == [15360, 24000, 800]
  _same(dense.weights, ticket.weights)
  rows = table(path)
  assert len(rows) == 2 and all(float(row["final_test_accuracy"]) > 0.3 for row in rows)


def test_a_search_of_no_levels_trains_the_dense_network(tmp_path):
  _search(tmp_path, levels=0)
  [row] = table(tmp_path)
  assert (row["level"], row["arm"], row["remaining_percent"]) == ("0", "ticket", "100.0")
  assert (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_every_arm_is_trained_at_the_size_of_the_ticket(tmp_path):
  others = [arm for arm in arms.ARMS if arm not in arms.ACTIONS]
  others += [f"constant_keep_sign_{how}" for how in tfl.FREEZES if how != "zero"]
  _search(tmp_path, levels=1, steps=10, rewind_to=0, arms=tuple(others))
  rows = {row["arm"]: row for row in table(tmp_path) if row["level"] == "1"}
  assert rows.keys() == {"ticket", *others}
  assert {row["remaining_percent"] for row in rows.values()} == {
    rows["ticket"]["remaining_percent"]
  }
  assert len({row["early_stop_validation_loss"] for row in rows.values()}) == len(rows)


DECONSTRUCTED = {
  "criteria": ("large_init", "random"),
  "arms": ("rewind_freeze_init_zero_mask", "constant_keep_sign_freeze_init"),
  "arm_levels": (2,),
  "rewind_to": "init",
}


@pytest.fixture(scope="module")
def deconstructed(tmp_path_factory):
  return _search(tmp_path_factory.mktemp("deconstructed"), **DECONSTRUCTED)


def test_each_criterion_finds_tickets_of_its_own_from_one_dense_network(deconstructed):
  place = Workdir(deconstructed)
  rows = [(row["level"], row["arm"]) for row in table(deconstructed)]
  assert rows == [("0", "ticket")] + [
    (level, arm)
    for level, more in (("1", ()), ("2", DECONSTRUCTED["arms"]))
    for arm in ("ticket", *sorted([*DECONSTRUCTED["criteria"], *more]))
  ]
  for level in (1, 2):
    ticket = place.ticket(0, level, "large_init")
    assert _counts(ticket) == _counts(place.ticket(0, level))
    assert ticket.metadata["criterion"] == "large_init"
    for path, mask in ticket.masks.items():
      magnitude = np.abs(place.ticket(0, 0).weights[path])
      assert magnitude[mask].min() >= magnitude[~mask].max(), "the initial weights never change"
  first, second = (place.ticket(0, level, "random") for level in (1, 2))
  assert all((first.masks[p] >= second.masks[p]).all() for p in first.masks)
  assert not list((deconstructed / "tickets" / "seed_0" / "random").glob("level_0*"))


def test_what_was_pruned_at_each_level_is_judged_by_the_end_of_its_own_last_training(deconstructed):
  place = Workdir(deconstructed)
  ends = [tfl.Ticket.load(place.trained_path(0, level)).weights for level in (0, 1)]
  gone = {p: ~mask for p, mask in place.ticket(0, 1).masks.items()}
  for path, pruned in gone.items():
    np.testing.assert_array_equal(ends[1][path][pruned], ends[0][path][pruned])
    assert ends[0][path][pruned].any() and (ends[1][path] != ends[0][path])[~pruned].any()


@pytest.mark.slow
def test_a_search_by_several_criteria_goes_on_with_the_same_bits(tmp_path, deconstructed):
  expected = outcome(deconstructed)
  for done in (1, 4, 8):
    part = shutil.copytree(deconstructed, tmp_path / str(done))
    pieces = sorted((part / "pieces").rglob("*.json"), key=lambda p: p.stat().st_mtime_ns)
    for piece in pieces[done:]:
      piece.unlink()
    assert outcome(_search(part, **DECONSTRUCTED)) == expected


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
  words = {"criterion": "movement", "kept": "constant", "keep_sign": True, "pruned": "freeze_init"}
  return _search(tmp_path_factory.mktemp("moved"), rewind_to="init", **words)


@pytest.mark.slow
def test_movement_is_from_what_the_same_training_began_with(moved):
  place = Workdir(moved)
  ticket, after = place.ticket(0, 1), place.ticket(0, 2)
  ends = tfl.Ticket.load(place.trained_path(0, 1)).weights
  for path, mask in ticket.masks.items():
    distance = np.abs(ends[path] - ticket.weights[path])[mask]
    stays = after.masks[path][mask]
    assert distance[stays].min() >= distance[~stays].max()


def test_a_search_holds_the_pruned_and_resets_the_kept_at_every_level(moved):
  tickets = _tickets(moved)
  assert tickets[0].frozen == {}
  for ticket in tickets[1:]:
    for path, mask in ticket.masks.items():
      initial = tickets[0].weights[path]
      np.testing.assert_array_equal(ticket.frozen[path][~mask], initial[~mask])
      constant = np.sign(initial) * initial.std()
      np.testing.assert_allclose(ticket.weights[path], constant, rtol=1e-6)


def test_the_levels_train_the_steps_after_k_and_are_watched_at_the_same_steps(rewound):
  curves = [
    json.loads((rewound / "pieces" / "seed_0" / f"level_{n}_ticket.json").read_text())["curve"]
    for n in (0, 1, 2)
  ]
  assert [[step for step, _, _ in curve] for curve in curves] == [
    [10, 20, 30, 40],
    [30, 40],
    [30, 40],
  ]


def _killed_after(path, done, to):
  """What a search killed after so many finished pieces leaves, with the next one's ticket half done."""
  shutil.copytree(path, to)
  pieces = sorted((to / "pieces").rglob("*.json"), key=lambda p: p.stat().st_mtime_ns)
  for piece in pieces[done:]:
    piece.unlink()
  for name in ("results.csv", "layers.csv", "report.html", "accuracy.png"):
    (to / name).unlink()
  later = sorted((to / "tickets").rglob("*.ticket"))[done + 1 :]
  for ticket in later:
    ticket.unlink()
  return to


NOISY = {
  "lenet-keras": {},
  "noise-keras": {"model": "searches:noisy_keras"},
  "noise-tf_keras": {"model": "searches:noisy_tf_keras", "keras": "tf_keras"},
  "augmented-continued": {"augment": True, "standardize": True, "start": "continue"},
}


@pytest.mark.parametrize(
  "name",
  [
    pytest.param(
      n,
      marks=pytest.mark.slow
      if n in ("augmented-continued", "noise-keras", "noise-tf_keras")
      else [],
    )
    for n in NOISY
  ],
)
def test_a_search_that_goes_on_ends_with_the_same_bits(name, tmp_path):
  changes = {"arms": ("reinit", "random_mask"), "arm_levels": (2,)} | NOISY[name]
  whole = _search(tmp_path / "whole", **changes)
  expected = outcome(whole)
  assert len(expected["rows"]) == 5 and len(expected["tickets"]) == 3
  for done in (3,) if name == "lenet-keras" else (1,):
    part = _killed_after(whole, done, tmp_path / f"after_{done}")
    assert outcome(_search(part, **changes)) == expected, f"killed after {done} trainings"


@pytest.mark.slow
def test_seeds_do_not_depend_on_each_other(tmp_path):
  changes = {"model": "searches:noisy_keras", "levels": 1}
  both = outcome(_search(tmp_path / "both", seeds=(3, 1), **changes))
  alone = outcome(_search(tmp_path / "alone", seeds=(1,), **changes))
  assert [row for row in both["rows"] if row["seed"] == "1"] == alone["rows"]
  for name, data in alone["tickets"].items():
    ours, theirs = (tfl.Ticket.load(tmp_path / part / name) for part in ("both", "alone"))
    _same(ours.weights, theirs.weights)
    _same(ours.masks, theirs.masks)
    assert data


@pytest.mark.slow
def test_a_learning_rate_that_diverges_is_an_error_and_no_piece(tmp_path):
  with pytest.raises(FloatingPointError, match=r"at step \d+.*Lower the learning rate"):
    _search(tmp_path, adam={"learning_rate": 1e30})
  assert not list(tmp_path.glob("pieces/*/*"))
