"""The stability experiment, in this process: copies, what they share, and what lies between them."""

import json

import keras
import numpy as np
import pytest
import tf_keras
from builders import KERASES
from runs import Stop
from searches import command, config, run

from tflottery.experiments import task
from tflottery.experiments.stability import experiment, pieces, settings
from tflottery.experiments.stability.networks import WHOLE, Network
from tflottery.experiments.stability.task import Task
from tflottery.experiments.stability.workdir import TABLES, Workdir
from tflottery.tickets.prune import prune
from tflottery.tickets.ticket import Ticket

FILE = "configs/stability.py"
TINY = {
  "steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False, "rewind_steps": ("init", "20it"),
  "levels": 2, "rate": 0.5, "rates": None, "arm_levels": (2,), "points": 5, "path_examples": 100,
}  # fmt: skip
NOISY = {
  keras: {"model": "searches:noisy_keras", "keras": "keras"},
  tf_keras: {"model": "searches:noisy_tf_keras", "keras": "tf_keras"},
}
SMALL = {"levels": 1, "arms": (), "arm_levels": (1,), "rewind_steps": ("20it",)}


def _tiny(**changes):
  return config(FILE, **TINY | changes)


def _work(**changes):
  return task.load(settings.read(_tiny(**changes)), Task)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  path = tmp_path_factory.mktemp("stability")
  experiment.main(_tiny(), path)
  return Workdir(path)


@pytest.fixture(scope="module")
def work():
  return _work()


def _outcome(place):
  """Everything but what depends on the clock."""
  tables = {
    name: [{n: v for n, v in row.items() if n != "train_seconds"} for row in place.rows(name)]
    for name in TABLES
  }
  return tables, {p.relative_to(place.path): p.read_bytes() for p in place.path.rglob("*.ticket")}


def test_each_training_is_done_once_whatever_asks_for_it(done):
  rows = done.rows("trainings")
  of_a_k = {(0, "dense", 1), (1, "ticket", 0)} | {
    (2, arm, copy) for arm in ("ticket", "random_mask", "reinit") for copy in (0, 1)
  }
  expected = {(0, 0, "dense", 0)} | {(k, *own) for k in (0, 20) for own in of_a_k}
  found = [(row["k"], row["level"], row["arm"], row["copy"]) for row in rows]
  assert len(found) == len(expected) and set(found) == expected
  assert {(r["level"], r["remaining_percent"]) for r in rows} == {(0, 100.0), (1, 50.0), (2, 25.0)}
  assert {row["steps"] for row in rows if row["k"] == 20} == {20}


def test_copies_differ_in_all_seeds_of_their_noise_and_share_their_start(done):
  by_copy = {}
  for row in done.rows("trainings"):
    by_copy.setdefault(row["copy"], set()).add(
      tuple(row[f"{name}_seed"] for name in ("order", "augmentation", "dropout"))
    )
  (first,), (second,) = by_copy[0], by_copy[1]
  assert len({*first, *second}) == 6


def _output(weights, images):
  """The logits of LeNet-300-100, by hand."""
  x = images.reshape(len(images), -1) / 255
  for name in ("fc1", "fc2", "output"):
    x = x @ weights[f"{name}/kernel"].astype("float64") + weights[f"{name}/bias"]
    x = np.maximum(x, 0) if name != "output" else x
  return x


def _error(weights, split):
  return 100 * (_output(weights, split.images).argmax(1) != split.labels).mean()


@pytest.mark.parametrize("network", [Network(20, 0, "dense"), Network(0, 2, "reinit")], ids=str)
def test_the_error_on_the_line_is_worked_by_hand(done, work, network):
  first = done.network(0, WHOLE if network.arm == "dense" else network, 0).weights
  second = done.network(0, network, 1).weights
  split = work.examples(work.data.test)
  assert len(split) == 100
  rows = [
    row
    for row in done.rows("paths")
    if Network(row["k"], row["level"], row["arm"]) == network and row["split"] == "test"
  ]
  assert [row["amount"] for row in rows] == [0, 0.25, 0.5, 0.75, 1]
  errors = []
  for row in rows:
    between = {p: first[p] + row["amount"] * (second[p] - first[p]) for p in first}
    errors.append(_error(between, split))
    assert row["error_percent"] == pytest.approx(
      errors[-1], abs=1.1
    )  # a tie of logits is one image
  [pair] = [
    row
    for row in done.rows("pairs")
    if Network(row["k"], row["level"], row["arm"]) == network and row["split"] == "test"
  ]
  measured = [row["error_percent"] for row in rows]
  assert pair["instability"] == pytest.approx(max(measured) - (measured[0] + measured[-1]) / 2)
  assert pair["stable"] == (pair["instability"] <= 2)


def test_distances_are_those_of_the_weights_under_the_mask(done):
  ticket, dense = Network(20, 2, "ticket"), done.network(0, WHOLE, 0).weights
  a, b = done.network(0, ticket, 0), done.network(0, ticket, 1)

  def flat(weights):
    return np.concatenate([weights[p][m].astype("float64") for p, m in a.masks.items()])

  rows = {r["kind"]: r for r in done.rows("distances") if (r["k"], r["arm"]) == (20, "ticket")}
  for kind, other in (("pruning", dense), ("data_order", b.weights)):
    u, v = flat(a.weights), flat(other)
    cosine = u @ v / np.sqrt((u @ u) * (v @ v))
    assert rows[kind]["l2_distance"] == pytest.approx(np.sqrt(((u - v) ** 2).sum()), rel=1e-6)
    assert rows[kind]["angle"] == pytest.approx(np.degrees(np.arccos(cosine)), rel=1e-5)


def test_a_ticket_is_pruned_from_the_first_copy_of_the_level_before(done):
  for k in (0, 20):
    start = Ticket.load(done.start_path(0, k, 0))
    first, second = (Ticket.load(done.start_path(0, k, level)) for level in (1, 2))
    dense, trained = done.network(0, WHOLE, 0), done.network(0, Network(k, 1, "ticket"), 0)
    rates = dict.fromkeys(start.masks, 0.5)
    for before, after in ((dense, first), (trained, second)):
      expected = prune(before.weights, before.masks, rates=rates)
      for path, mask in after.masks.items():
        np.testing.assert_array_equal(mask, expected[path])
        np.testing.assert_array_equal(after.weights[path], start.weights[path])


def test_trained_networks_are_zero_where_masked_and_copies_have_one_mask(done):
  for arm in ("ticket", "random_mask", "reinit"):
    copies = [done.network(0, Network(20, 2, arm), copy) for copy in (0, 1)]
    for path, mask in copies[0].masks.items():
      np.testing.assert_array_equal(mask, copies[1].masks[path])
      assert not any(copy.weights[path][~mask].any() for copy in copies)


@pytest.mark.slow
def test_a_killed_experiment_goes_on_and_ends_with_the_same(done, work, tmp_path):
  place, count = Workdir(tmp_path), []

  def kill():
    count.append(1)
    if len(count) % 9 == 0:
      raise Stop

  while True:
    try:
      pieces.run(work, place, (0,), after_piece=kill)
      break
    except Stop:
      pass
  assert len(count) == len(pieces.planned(work.settings, work.rewind_steps)) > 20
  assert _outcome(place) == _outcome(done)


def test_a_finished_experiment_trains_nothing_more(done, capsys):
  before = _outcome(done)
  experiment.main(_tiny(workers=3), done.path)
  said = capsys.readouterr().out
  assert "Finished already" in said and "table of" not in said
  assert _outcome(done) == before
  assert {f"{name}.csv" for name in TABLES} <= {path.name for path in done.path.iterdir()}


@pytest.mark.parametrize("k", KERASES)
def test_only_the_noise_that_is_named_differs(k, tmp_path):
  work = _work(**SMALL, **NOISY[k], noise=("dropout",), copies=3)
  assert work.noise(0, 1)["order"] == work.noise(0, 0)["order"]
  assert work.noise(0, 1)["dropout"] != work.noise(0, 0)["dropout"]
  pieces.run(work, Workdir(tmp_path), (0,))
  rows = Workdir(tmp_path).rows("distances")
  order = [row for row in rows if row["kind"] == "data_order"]
  assert {(row["first"], row["second"]) for row in order} == {(0, 1), (0, 2), (1, 2)}
  assert all(row["l2_distance"] > 0.01 for row in order)


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_statistics_are_estimated_anew_and_paths_are_bent(k, tmp_path):
  # `noisy` has batch normalisation.
  found = {}
  for how in ("interpolate", "reestimate"):
    work = _work(**SMALL, **NOISY[k], statistics=how, bezier_steps=20, points=3)
    place = Workdir(tmp_path / how)
    pieces.run(work, place, (0,))
    found[how] = [r for r in place.rows("paths") if r["arm"] == "ticket" and r["split"] == "train"]
  assert {row["path"] for row in found["reestimate"]} == {"line", "bezier"}
  middles = [[r["loss"] for r in rows if r["amount"] == 0.5] for rows in found.values()]
  assert middles[0] != middles[1]
  networks = [sorted((tmp_path / how).rglob("networks/**/*.ticket")) for how in found]
  assert [p.read_bytes() for p in networks[0]] == [p.read_bytes() for p in networks[1]]


class Silent(Task):
  """A task whose copies all have the noise of the first."""

  def noise(self, seed, copy):
    return super().noise(seed, 0)


@pytest.mark.parametrize("k", KERASES)
def test_copies_with_the_same_noise_end_the_same_whatever_step_they_part_at(k, tmp_path):
  chosen = settings.read(_tiny(**SMALL | {"rewind_steps": ("init", "20it")}, **NOISY[k]))
  place = Workdir(tmp_path)
  pieces.run(task.load(chosen, Silent), place, (0,))
  order = [row for row in place.rows("distances") if row["kind"] == "data_order"]
  assert len(order) == 4 and not any(row["l2_distance"] for row in order)


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_comparisons_are_the_same_in_one_process_as_in_several(k, tmp_path):
  bent = {"statistics": "reestimate", "bezier_steps": 10, "points": 3}
  chosen = settings.read(
    _tiny(**SMALL, **NOISY[k] | {"model": f"{__name__}:wet_{k.__name__}"}, **bent)
  )
  work, whole, cut = task.load(chosen, Task), Workdir(tmp_path / "a"), Workdir(tmp_path / "b")
  pieces.run(work, whole, (0,))

  def kill():
    raise Stop

  for _ in pieces.missing(work, cut, (0,)):
    with pytest.raises(Stop):
      pieces.run(work, cut, (0,), after_piece=kill)
  assert not pieces.missing(work, cut, (0,))
  assert _outcome(cut) == _outcome(whole)


def _wet(k, input_shape, classes):
  """Dropout in front of batch normalisation: its statistics depend on what is drawn."""
  return k.Sequential(
    [
      k.layers.Input(input_shape),
      k.layers.Flatten(name="flatten"),
      k.layers.Dropout(0.3, name="drop"),
      k.layers.Dense(20, name="fc"),
      k.layers.BatchNormalization(name="norm"),
      k.layers.Dense(classes, name="output"),
    ]
  )


def wet_keras(input_shape, classes):
  return _wet(keras, input_shape, classes)


def wet_tf_keras(input_shape, classes):
  return _wet(tf_keras, input_shape, classes)


BAD = {
  "fewer than two copies": ({"copies": 1}, "config.copies=1"),
  "a step beyond training": (
    {"rewind_steps": ("init", "40it")}, "config.rewind_steps=.*step 40, beyond the training's 40"
  ),
  "a step twice": ({"rewind_steps": ("init", "0it")}, "name each step once"),
  "no step": ({"rewind_steps": ()}, "config.rewind_steps=.*at least one"),
  "a step that is no duration": ({"rewind_steps": ("later",)}, "config.rewind_steps='later'"),
  "unknown noise": ({"noise": ("weather",)}, "config.noise='weather' is unknown"),
  "noise that is not there": ({"noise": ("augmentation", "dropout")}, "all copies would be equal"),
  "one point": ({"points": 1}, "config.points=1"),
  "unknown statistics": ({"statistics": "guess"}, "config.statistics='guess' is unknown"),
  "an unknown control": ({"arms": ("reinitt",)}, "Did you mean reinit"),
  "a control that freezes": ({"arms": ("rewind_freeze_init",)}, "config.arms=.*is unknown"),
  "a level that is not there": ({"arm_levels": (3,)}, "config.arm_levels=.*level 3"),
  "levels that empty a layer": ({"levels": 20, "rate": 0.9, "arm_levels": ()}, "level .* would leave"),
  "a curve over replicas": ({"bezier_steps": 5, "strategy": "mirrored"}, "config.bezier_steps=5"),
  "no seeds": ({"seeds": ()}, "config.seeds"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), BAD.values(), ids=BAD)
def test_bad_settings_are_refused_before_any_training(changes, said, tmp_path):
  with pytest.raises(ValueError, match=said):
    experiment.main(_tiny(**changes), tmp_path / "work")
  assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_the_binary_works_with_two_processes_and_is_as_one(tmp_path):
  flags = [
    f"--config.{name}={value if not isinstance(value, tuple) else repr(value)}"
    for name, value in (TINY | {"seeds": (0, 1)}).items()
    if value is not None
  ]
  places = []
  for workers in (1, 2):
    workdir = tmp_path / str(workers)
    line = command(workdir, *flags, f"--config.workers={workers}", file=FILE)
    line[2] = "tflottery.bin.stability"
    done = run(*line)
    assert done.returncode == 0, done.stderr
    assert (workdir / "report.html").exists()
    places.append(Workdir(workdir))
  assert _outcome(places[0])[0] == _outcome(places[1])[0]
  assert json.loads((places[0].path / "config.json").read_text())["copies"] == 2
