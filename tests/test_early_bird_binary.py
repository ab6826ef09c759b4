"""The Early-Bird binary: what it writes, what it refuses, and that it can be killed anywhere."""

import csv
import dataclasses
import json
import random
import re
import signal
import subprocess
import time

import birds
import numpy as np
import pytest
from runs import command
from searches import ROOT, environment, on_disk, run

from tflottery import site
from tflottery.experiments import bird_snapshot, early_bird
from tflottery.experiments.bird_pieces import Piece, Workdir, planned
from tflottery.structured.channels import draw

pytestmark = pytest.mark.slow
EVERY = {"draw_at": (24,), "controls": ("dense", "reinit")}
PIECES = ["drawn_at_24-0.5", "early_bird-0.5", "reinit-0.5", "search"]
TIMES = ("train_seconds", "search_seconds", "seconds_share", "steps_per_second", "seconds_at")


def _rows(path):
  with open(path, newline="", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def _timeless(values):
  return {name: value for name, value in values.items() if name not in TIMES}


def outcome(workdir):
  """What an experiment gave, without what depends on the clock, and pictures of what is there."""
  found, others = {}, ("tfevents", "mask_distances.png")
  files = (path for path in workdir.rglob("*") if path.is_file())
  for path in (path for path in files if not any(name in path.name for name in others)):
    name = str(path.relative_to(workdir))
    found[name] = None  # drawn from the others, or with the clock in it
    if path.suffix == ".csv":
      found[name] = [_timeless(row) for row in _rows(path)]
    elif path.suffix in (".npy", ".ticket"):
      found[name] = path.read_bytes()
    elif path.suffix == ".npz":
      with np.load(path) as file:
        found[name] = {key: file[key].tobytes() for key in file.files}
    elif path.name == "summary.json":
      found[name] = _timeless(json.loads(path.read_text()))
  return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """The workdir of an experiment that was never stopped."""
  workdir = tmp_path_factory.mktemp("bird") / "new" / "run"
  early_bird.main(birds.values(**EVERY), workdir)
  return workdir


@pytest.fixture(scope="module")
def again(finished):
  """The task of the finished experiment."""
  return birds.task_of(finished, **EVERY)


@pytest.fixture(scope="module")
def starts(again):
  """Dict from the name of a piece to its compiled model and callbacks before training."""
  pieces = [*planned(again.settings, again.workdir), Piece("plain_dense", 0)]
  return {piece.name: dataclasses.replace(again, piece=piece).start() for piece in pieces}


def _summary(workdir, name):
  return json.loads((workdir / "seed_0" / name / "summary.json").read_text())


def test_it_writes_what_it_promises_and_nothing_else(finished):
  assert sorted(p.name for p in finished.iterdir()) == [
    "channels.csv", "channels.png", "config.json", "distances_0.5.png", "drawing.png", "pieces.csv",
    "report.html", "seconds.png", "seed_0",
  ]  # fmt: skip
  assert sorted(p.name for p in (finished / "seed_0").iterdir()) == PIECES
  assert [p for p in finished.rglob("*") if p.name.startswith(".")] == []


def test_the_report_is_one_self_contained_page_that_begins_with_the_verdict(finished):
  page = (finished / "report.html").read_text(encoding="utf-8")
  sources = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'> ]+)""", page)
  assert len([s for s in sources if s.startswith("data:image/png;base64,")]) == 4
  assert [s[:60] for s in sources if not s.startswith(("data:", "#"))] == []
  first = re.search(r'<section class="card verdict".*?<p>(.*?)</p>', page)[1]
  assert first.startswith("The ticket without 50\u00a0% of the channels, drawn at epoch ")


def test_a_row_for_every_piece_with_flops_by_hand(finished):
  rows = {row["arm"]: row for row in _rows(finished / "pieces.csv")}
  assert list(rows) == ["dense", "early_bird", "reinit", "drawn_at"]
  drawn = _summary(finished, "search")["drawn"]["0.5"]
  kept = [left for left, _ in _summary(finished, "early_bird-0.5")["channels"].values()]
  assert sum(kept) == 16

  def flops(first, second):
    # A multiplication and an addition per weight and per channel of a normalisation; 10 biases.
    return 2 * (64 * first + first * second + second * 10 + first + second) + 10

  share = flops(*kept) / flops(16, 16)
  assert float(rows["early_bird"]["inference_flops_share"]) == pytest.approx(share)
  of_dense = {
    "dense": 1.0,
    "early_bird": (drawn + (40 - drawn) * share) / 40,
    "reinit": (drawn + 40 * share) / 40,
  }
  for arm, value in of_dense.items():
    assert float(rows[arm]["training_flops_share"]) == pytest.approx(value), arm
  assert rows["drawn_at"]["drawn_step"] == "24" and rows["drawn_at"]["steps"] == "16"
  assert float(rows["drawn_at"]["drawn_epoch"]) == pytest.approx(24 / 43, abs=1e-3)


def test_seconds_are_those_of_the_search_up_to_the_draw_and_of_the_retraining(finished):
  rows = {row["arm"]: row for row in _rows(finished / "pieces.csv")}
  drawn, row = rows["early_bird"]["drawn_step"], rows["early_bird"]
  metrics = {r["step"]: r for r in _rows(finished / "seed_0" / "search" / "metrics.csv")}
  search = float(metrics[drawn]["train_seconds"])
  own = _summary(finished, "early_bird-0.5")["train_seconds"]
  assert float(row["train_seconds"]) == pytest.approx(search + own, abs=1e-3)
  dense = float(metrics["40"]["train_seconds"])
  assert float(row["seconds_share"]) == pytest.approx((search + own) / dense, abs=1e-3)


def _drawn(finished):
  return _summary(finished, "early_bird-0.5")["drawn_step"]


def test_the_ticket_goes_on_from_the_weights_and_the_step_of_its_draw(finished, starts):
  path = Workdir(finished).snapshot(0, _drawn(finished))
  weights, masks = bird_snapshot.weights(path), bird_snapshot.masks(path, 0.5)
  model, _ = starts["early_bird-0.5"]
  own = {name: site.value(variable) for name, variable in site.weights(model).items()}
  first, second = masks["bn1/gamma"], masks["bn2/gamma"]
  np.testing.assert_array_equal(own["fc1/kernel"], weights["fc1/kernel"][:, first])
  np.testing.assert_array_equal(own["fc2/kernel"], weights["fc2/kernel"][first][:, second])
  moving = weights["bn2/moving_variance"][second]
  np.testing.assert_array_equal(own["bn2/moving_variance"], moving)
  assert int(model.optimizer.iterations) == 0
  metrics = _rows(finished / "seed_0" / "early_bird-0.5" / "metrics.csv")
  assert [int(row["step"]) for row in metrics] == list(range(_drawn(finished) + 8, 41, 8))


def test_the_learning_rate_of_a_ticket_goes_on_with_the_schedule(starts):
  rate = starts["drawn_at_24-0.5"][0].optimizer._learning_rate
  assert [float(rate(step)) for step in (7, 8)] == pytest.approx([0.1, 0.01])  # the drop: step 32


def test_the_masks_of_a_draw_are_those_of_its_weights(again):
  path, model = again.workdir.snapshot(0, 24), again.network()
  weights, found = bird_snapshot.weights(path), bird_snapshot.masks(path, 0.5)
  for name, variable in site.weights(model).items():
    variable.assign(weights[name])
  expected = draw(model, 0.5)
  assert {n: m.tolist() for n, m in found.items()} == {n: m.tolist() for n, m in expected.items()}


def test_the_control_has_the_tickets_shape_and_new_weights_from_the_beginning(finished, starts):
  [model, _], [ticket, _] = starts["reinit-0.5"], starts["early_bird-0.5"]
  assert [w.shape for w in model.get_weights()] == [w.shape for w in ticket.get_weights()]
  assert (model.get_weights()[0] != ticket.get_weights()[0]).all()
  assert _summary(finished, "reinit-0.5")["steps"] == 40


def test_the_arms_begin_with_the_scales_and_the_regulariser_that_are_theirs(starts):
  kinds = {name: [type(callback).__name__ for callback in own] for name, (_, own) in starts.items()}
  assert kinds == {
    "search": ["Slimming", "EarlyBird", "Snapshots"], "plain_dense": [],
    "early_bird-0.5": ["Slimming"], "reinit-0.5": ["Slimming"], "drawn_at_24-0.5": ["Slimming"],
  }  # fmt: skip
  scales = {name: set(m.get_layer("bn1").gamma.numpy().tolist()) for name, (m, _) in starts.items()}
  assert (scales["search"], scales["plain_dense"], scales["reinit-0.5"]) == ({0.5}, {1.0}, {0.5})


def test_a_search_stopped_and_started_again_ends_with_the_same_bits(finished, tmp_path):
  work = birds.task_of(tmp_path, **EVERY)
  for stop in (("search", 16), ("search", 24), ("early_bird-0.5", 0)):
    assert not birds.trained(work, stop=stop), stop
  expected, found = outcome(finished / "seed_0/search"), outcome(tmp_path / "seed_0/search")
  assert found.keys() == expected.keys()
  assert [path for path in expected if found[path] != expected[path]] == []


@pytest.mark.slow
def test_every_piece_stopped_and_started_again_ends_with_the_same_bits(finished, tmp_path):
  work = birds.task_of(tmp_path, **EVERY)
  stops = [("early_bird-0.5", _drawn(finished) + 8), ("reinit-0.5", 16), ("drawn_at_24-0.5", 32)]
  for stop in stops:
    assert not birds.trained(work, stop=stop), stop
  early_bird.main(birds.values(**EVERY), tmp_path)
  expected, found = outcome(finished), outcome(tmp_path)
  assert found.keys() == expected.keys()
  assert [path for path in expected if found[path] != expected[path]] == []


def test_a_finished_experiment_says_so_and_trains_nothing(finished, capsys):
  pieces = finished / "seed_0"
  before = on_disk(pieces)
  early_bird.main(birds.values(**EVERY, data_dir="nowhere"), finished)
  out = capsys.readouterr().out
  assert "Finished already: nothing to train." in out
  assert "The ticket without 50 % of the channels" in out
  assert on_disk(pieces) == before


def test_another_configuration_is_refused_and_nothing_changes(finished):
  before = on_disk(finished)
  with pytest.raises(ValueError, match=r"another configuration: window is 2 there and 3 now"):
    early_bird.main(birds.values(**EVERY, window=3), finished)
  assert on_disk(finished) == before


def test_without_a_ticket_it_says_so_and_trains_no_small_network(tmp_path, capsys):
  values = birds.values(window=3, threshold=0.001, keras="tf_keras", model="birds:small_tf_keras")
  early_bird.main(values, tmp_path)
  out = capsys.readouterr().out
  assert (
    "No ticket was drawn at share 0.5 with seed 0, so nothing was slimmed: up to step 32" in out
  )
  assert [p.name for p in (tmp_path / "seed_0").iterdir()] == ["search"]
  assert "so nothing was slimmed" in (tmp_path / "report.html").read_text(encoding="utf-8")
  early_bird.main(values, tmp_path)
  assert "Finished already" in capsys.readouterr().out


@pytest.mark.slow
def test_at_low_precision_the_search_ends_at_the_draw_and_dense_is_a_training_of_its_own(tmp_path):
  work = birds.task_of(tmp_path, precision="int8", threshold=0.9, controls=("dense",))
  assert birds.trained(work)
  search, dense = _summary(tmp_path, "search"), _summary(tmp_path, "dense")
  assert (search["drawn"]["0.5"], search["steps"], dense["steps"]) == (16, 16, 40)
  assert _summary(tmp_path, "early_bird-0.5")["begin"] == 16
  pieces = {piece.arm: piece for piece in planned(work.settings, work.workdir)}
  networks = {n: dataclasses.replace(work, piece=pieces[n]).network() for n in ("search", "dense")}
  rounds = {name: "call" in vars(model.get_layer("fc1")) for name, model in networks.items()}
  assert rounds == {"search": True, "dense": False}
  assert len(_rows(tmp_path / "seed_0" / "search" / "metrics.csv")) == 2


@pytest.mark.slow
def test_after_the_limit_no_ticket_counts_and_the_search_ends_where_nothing_is_left_to_find(
  tmp_path,
):
  changes = {"controls": (), "threshold": 0.9, "search_limit": 8, "draw_at": (16,)}
  assert birds.trained(birds.task_of(tmp_path, **changes))
  search = _summary(tmp_path, "search")
  assert (search["drawn"], search["draw_steps"], search["steps"]) == ({"0.5": None}, [16], 16)
  assert sorted(p.name for p in (tmp_path / "seed_0").iterdir()) == ["drawn_at_16-0.5", "search"]


# Changes of the config, and what the error must say.
BAD = {
  "a share of 1": ({"shares": (1.0,)}, "config.shares=1.0.*below 1"),
  "no share": ({"shares": ()}, "config.shares=.*at least one"),
  "a share twice": ({"shares": (0.5, 0.5)}, "config.shares=.*each once"),
  "a share that would empty a layer": ({"shares": (0.97,)}, "config.shares=.*Give a lower share"),
  "an unknown control": ({"controls": ("random",)}, "config.controls='random' is unknown"),
  "an unknown precision": ({"precision": "int4"}, "config.precision='int4' is unknown"),
  "an unknown scope": ({"scope": "block"}, "config.scope='block' is unknown"),
  "a window of one": ({"window": 1}, "config.window=1.*at least 2"),
  "a threshold of 1": ({"threshold": 1.0}, "config.threshold=1.0"),
  "a negative regulariser": ({"slimming": -1e-4}, "config.slimming=-0.0001.*above 0"),
  "a negative seed": ({"seeds": (-1,)}, "config.seeds=-1"),
  "a width of 0": ({"width": 0}, "config.width=0.*above 0"),
  "patterns of weights": ({"only": "fc"}, "config.only='fc'.*Leave both empty"),
  "a misspelt setting": ({"windw": 3}, "config.windw=3.*Did you mean window"),
  "steps that draws do not divide": ({"steps": 41}, "config.eval_every=8 does not divide the 41"),
  "a limit before the first draw": ({"search_limit": 4}, "config.search_limit=4: no mask would"),
  "draws between draws": (
    {"draw_at": (12,)},
    "config.draw_at=.*step 12.*multiples of eval_every=8",
  ),
  "a draw before the beginning": ({"draw_at": (0,)}, "config.draw_at=.*all scales are equal"),
  "a draw at the end": ({"draw_at": (40,)}, "config.draw_at=.*before the end, step 40"),
  "a draw that is no duration": ({"draw_at": ("soon",)}, "config.draw_at='soon' is not a duration"),
  "no batch normalisation": (
    {"model": "lenet_300_100"},
    "config.model='lenet_300_100' has no batch normalisation.*Choose resnet_20",
  ),
  "a subclassed model": ({"model": "birds:subclassed"}, "config.model='birds:subclassed'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_any_work(name, tmp_path):
  changes, words = BAD[name]
  with pytest.raises(ValueError, match=words):
    early_bird.main(birds.values(**changes), tmp_path / "run")
  assert not (tmp_path / "run").exists()


def _command(workdir, *flags):
  small = ["--config.model=birds:small_keras", "--config.steps=40", "--config.eval_every=8"]
  small += ["--config.window=2", "--config.threshold=0.3", "--config.draw_at=(24,)"]
  return command("early_bird", workdir, *small, *flags, file="configs/early_bird.py")


KILLED = {
  "keras": [],
  "tf_keras": ["--config.keras=tf_keras", "--config.model=birds:small_tf_keras"],
  "int8": ["--config.precision=int8", "--config.draw_at=()"],
  "mixed_bfloat16": ["--config.precision=mixed_bfloat16"],
  "two shares, two seeds": ["--config.shares=(0.25,0.5)", "--config.seeds=(0,1)"],
}  # fmt: skip


def _evaluations(workdir):
  """How many rows all pieces have written."""
  return sum(len(_rows(path)) for path in workdir.glob("seed_*/*/metrics.csv"))


def _kill(args, workdir, after, *, seconds):
  """Start the command and kill it so long after so many rows have been written."""
  process = subprocess.Popen(
    args, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  while process.poll() is None and _evaluations(workdir) < after:
    time.sleep(0.01)
  time.sleep(seconds)
  process.send_signal(signal.SIGKILL)
  process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_killed_often_it_ends_with_the_same_numbers(name, tmp_path):
  done = run(*_command(tmp_path / "whole", *KILLED[name]))
  assert (done.returncode, done.said) == (0, []), done.stderr
  args, seed = _command(tmp_path / "killed", *KILLED[name]), random.randrange(10**6)
  rng, every = random.Random(seed), _evaluations(tmp_path / "whole")
  for kill in range(3):
    after = rng.randint(round(every * kill / 4), round(every * (kill + 1) / 4))
    _kill(args, tmp_path / "killed", after, seconds=rng.uniform(0, 0.3))
  done = run(*args)
  assert (done.returncode, done.said) == (0, []), done.stderr
  expected, found = outcome(tmp_path / "whole"), outcome(tmp_path / "killed")
  assert found.keys() == expected.keys()
  wrong = [path for path in expected if found[path] != expected[path]]
  assert wrong == [], f"not the same after kills drawn from {seed}"


@pytest.mark.slow
def test_two_replicas_train_every_piece(tmp_path):
  changes = {"keras": "tf_keras", "model": "birds:small_tf_keras", "strategy": "mirrored"}
  work = birds.task_of(tmp_path, **EVERY | changes | {"jit_compile": None})
  assert birds.trained(work)
  assert sorted(p.name for p in (tmp_path / "seed_0").iterdir()) == PIECES
  assert _summary(tmp_path, "early_bird-0.5")["begin"] == _drawn(tmp_path)


@pytest.mark.slow
def test_bad_input_is_one_line(tmp_path):
  done = run(*_command(tmp_path / "run", "--config.shares=(2.0,)"))
  assert done.returncode == 1 and len(done.said) == 1, done.stderr
  assert done.said[0].startswith("error: config.shares=2.0 is out of range")


def test_the_names_of_pieces_tell_shares_and_steps_apart():
  pieces = [Piece("early_bird", 0, 0.5, 16), Piece("drawn_at", 0, 0.5, 16), Piece("search", 0)]
  assert [p.name for p in pieces] == ["early_bird-0.5", "drawn_at_16-0.5", "search"]
  assert [p.begin for p in pieces] == [16, 16, 0]


def test_a_workdir_of_another_binary_is_refused(tmp_path):
  (tmp_path / "cells").mkdir()
  with pytest.raises(ValueError, match="of another work"):
    Workdir(tmp_path).check({})
