"""The tropical experiment, in this process: what is trained, what is measured, what is refused."""

import csv
import subprocess

import numpy as np
import pytest
from builders import KERASES
from runs import Stop
from searches import command, config, run

from tflottery.analysis.tropical.blocks import paths_of
from tflottery.analysis.tropical.network import Network
from tflottery.experiments import task
from tflottery.experiments.tropical import experiment, pieces, settings
from tflottery.experiments.tropical.starts import CONTROLS, start
from tflottery.experiments.tropical.task import Task
from tflottery.experiments.tropical.views import MEASURES, View, network_from
from tflottery.experiments.tropical.workdir import TABLES, Workdir
from tflottery.tickets.ticket import Ticket

FILE = "configs/tropical_moons.py"
TINY = {
  "steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False, "hidden": 8, "levels": 2,
  "rate": 0.5, "controls": ("glorot", "reshuffle"), "shares": (0.5,), "seeds": (0, 1), "workers": 1,
}  # fmt: skip


def _tiny(**changes):
  return config(FILE, **TINY | changes)


def _work(**changes):
  return task.load(settings.read(_tiny(**changes)), Task)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  path = tmp_path_factory.mktemp("tropical")
  experiment.main(_tiny(), path)
  return Workdir(path)


def _outcome(place):
  """Everything but what depends on the clock."""
  tables = {
    name: [{n: v for n, v in row.items() if n != "train_seconds"} for row in place.rows(name)]
    for name in TABLES
  }
  files = [*place.path.rglob("*.ticket"), *place.path.rglob("frames.npz")]
  return tables, {p.relative_to(place.path): p.read_bytes() for p in files}


def test_every_seed_trains_a_dense_network_and_a_ticket_and_controls_at_every_level(done):
  found = [(row["seed"], row["level"], row["start"]) for row in done.rows("results")]
  of_a_seed = [(0, "dense")] + [(n, s) for n in (1, 2) for s in ("glorot", "reshuffle", "ticket")]
  assert sorted(found) == sorted((seed, *own) for seed in (0, 1) for own in of_a_seed)
  kept = {(r["level"], r["remaining_percent"]) for r in done.rows("results")}
  assert kept == {(0, 100.0), (1, 50.0), (2, 25.0)}


def test_a_dense_network_is_at_no_distance_from_itself(done):
  dense = [row for row in done.rows("results") if row["level"] == 0]
  assert [(row["shape_distance"], row["hausdorff"]) for row in dense] == [(0, 0), (0, 0)]
  assert {row["agreement_percent"] for row in dense} == {100.0}


def test_masks_are_what_magnitude_keeps_of_the_ticket_that_the_level_before_trained(done):
  before, now = done.network(0, 1, "ticket"), done.network(0, 2, "ticket")
  for path, mask in now.masks.items():
    assert mask.sum() == mask.size // 4 and not (mask & ~before.masks[path]).any()
    values = np.abs(before.weights[path])
    assert values[mask].min() >= values[before.masks[path] & ~mask].max()
    assert not now.weights[path][~mask].any()
  for name in ("glorot", "reshuffle"):
    other = done.network(0, 2, name)
    assert all((other.masks[path] == mask).all() for path, mask in now.masks.items())


def test_measures_are_those_of_the_networks_on_disk(done):
  work = _work()
  dense, ticket = done.network(1, 0, "dense"), done.network(1, 2, "ticket")
  paths = ticket.metadata["network"]
  networks = [network_from(one.weights, paths) for one in (dense, ticket)]
  points, labels = work.data.test.images.astype(float), work.data.test.labels
  predicted = [network(points).argmax(-1) for network in networks]
  row = next(
    r for r in done.rows("results") if (r["seed"], r["level"]) == (1, 2) and r["start"] == "ticket"
  )
  assert row["test_accuracy"] == np.mean(predicted[1] == labels)
  assert row["agreement_percent"] == pytest.approx(100 * np.mean(predicted[0] == predicted[1]))
  turns = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
  directions = np.stack([np.cos(turns), np.sin(turns)], axis=1)
  supports = [_support_of_hull(network, directions) for network in networks]
  assert row["mean_width"] == pytest.approx(2 * supports[1].mean(), rel=1e-6)
  assert row["hausdorff"] == pytest.approx(np.abs(supports[0] - supports[1]).max(), rel=1e-4)
  first, second = (_normalised(support, directions) for support in supports)
  assert row["shape_distance"] == pytest.approx(np.abs(first - second).max(), rel=1e-3)


def _support_of_hull(network, directions):
  first, second = network.B
  reach = np.maximum(directions @ network.A.T, 0)
  one = reach @ (np.maximum(first, 0) + np.maximum(-second, 0))
  two = reach @ (np.maximum(second, 0) + np.maximum(-first, 0))
  return np.maximum(one, two)


def _normalised(support, directions):
  steiner = 2 * (support[:, None] * directions).mean(0)
  return (support - directions @ steiner) / (2 * support.mean())


def test_pruning_without_training_has_a_row_for_every_rule_and_share(done):
  rows = [row for row in done.rows("pruning") if row["seed"] == 0]
  assert [row["rule"] for row in rows] == [
    "tropical", "class_blind", "class_uniform", "class_distribution",
  ]  # fmt: skip
  assert all(row["pruned_percent"] == 50.0 for row in rows[1:])
  assert rows[0]["pruned_percent"] >= 50.0


def test_the_workdir_has_tables_pictures_animations_and_a_page(done):
  with (done.path / "results.csv").open() as file:
    columns = next(csv.reader(file))
  assert tuple(columns) == TABLES["results"] and set(MEASURES) < set(columns)
  page = (done.path / "report.html").read_text()
  for name in (
    "boundary.png", "ticket_boundary.png", "polytopes.png", "polygons.png", "shape_distance.png",
    "pruning.png", "training.gif", "pruning.gif",
  ):  # fmt: skip
    assert (done.path / name).stat().st_size > 1000, name
  assert page.count("data:image/png;base64") == 6 and page.count("data:image/gif;base64") == 2
  assert "How to read this" in page and "Shape distance to the dense polygon" in page


def test_frames_show_the_dense_network_of_the_first_seed_from_start_to_end(done):
  frames = done.frames(0)
  assert [step for step, _ in frames] == [0, 20, 40] and done.frames(1) == []
  initial = Ticket.load(done.network_path(0, "initial")).weights
  for weights, expected in (
    (frames[0][1], initial),
    (frames[2][1], done.network(0, 0, "dense").weights),
  ):
    assert all((weights[path] == value).all() for path, value in expected.items())


@pytest.mark.slow
def test_an_experiment_that_was_stopped_goes_on_to_the_same_end(done, tmp_path):
  work = _work()
  chosen, place = work.settings, Workdir(tmp_path)
  for count in (3, 100):
    left = iter(range(count))

    def stop(left=left):
      if next(left, None) is None:
        raise Stop

    try:
      pieces.run(work, place, chosen.seeds, after_piece=stop)
    except Stop:
      continue
  assert _outcome(place) == _outcome(done)


@pytest.mark.slow
def test_two_processes_end_as_one_does(done, tmp_path):
  binary = [part.replace("find_ticket", "tropical") for part in command(tmp_path, file=FILE)]
  flags = [f"--config.{name}={value}" for name, value in (TINY | {"workers": 2}).items()]
  run(*binary, *flags, check=True)
  assert _outcome(Workdir(tmp_path)) == _outcome(done)


@pytest.mark.slow
def test_a_bad_setting_is_one_line_on_stderr(tmp_path):
  binary = [part.replace("find_ticket", "tropical") for part in command(tmp_path, file=FILE)]
  ended = run(
    *binary, "--config.plane=x", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
  )
  assert ended.returncode == 1 and ended.stderr.startswith("error: config.plane='x' is unknown")


INITIAL = {
  "hidden/kernel": np.array([[0.5, -0.1, 2.0, -3.0]], "float32"),
  "hidden/bias": np.array([7.0, 7, 7, 7], "float32"),
}
MASKS = {"hidden/kernel": np.array([[True, False, True, True]])}


@pytest.mark.parametrize("name", ["ticket", *CONTROLS])
def test_a_start_changes_no_bias_and_is_drawn_from_its_seed(name):
  first, again, other = (start(name, INITIAL, MASKS, seed=seed, level=1) for seed in (0, 0, 1))
  kernel = "hidden/kernel"
  assert (first["hidden/bias"] == 7).all() and (first[kernel] == again[kernel]).all()
  if name == "ticket":
    assert (first[kernel] == INITIAL[kernel]).all()
  elif name == "reshuffle":
    assert sorted(first[kernel][MASKS[kernel]]) == [-3.0, 0.5, 2.0]
  else:
    assert (first[kernel] != other[kernel]).any() and (first[kernel] != INITIAL[kernel]).all()
  if name == "sign_kept":
    assert (np.sign(first[kernel]) == np.sign(INITIAL[kernel])).all()


def test_draws_are_as_wide_as_their_names_say():
  shape = (300, 100)
  weights = {"kernel": np.full(shape, 3.0, "float32")}
  weights["kernel"][:, ::2] = -1.0
  masks = {"kernel": np.ones(shape, bool)}
  widths = {
    name: start(name, weights, masks, seed=0, level=1)["kernel"].std()
    for name in ("glorot", "gaussian", "zero_mean", "sign_kept")
  }
  glorot = np.sqrt(2 / 400)
  assert widths["glorot"] == pytest.approx(glorot, rel=0.02)
  assert widths["gaussian"] == pytest.approx(1, rel=0.02)
  assert widths["zero_mean"] == pytest.approx(2, rel=0.02)  # the deviation of 3 and -1
  assert widths["sign_kept"] == pytest.approx(glorot, rel=0.05)


def test_a_view_of_many_inputs_is_the_restriction_to_a_plane_through_the_mean():
  rng = np.random.default_rng(0)
  network = Network(rng.normal(size=(6, 5)), rng.normal(size=(3, 6)), rng.normal(size=6))
  inputs, labels = rng.normal(size=(50, 5)), np.arange(50) % 3
  view = View(network, (0, 2), inputs, labels, "data")
  points = view.points(inputs)
  assert np.abs(points[labels != 1].mean(0)).max() < 1e-12
  planar = view.polytopes(network)
  first, second = planar.values([0.0, 0.0])
  logits = network(inputs[labels != 1].mean(0))
  assert first - second == pytest.approx(logits[0] - logits[2])


@pytest.mark.parametrize("k", KERASES)
def test_the_network_of_a_task_computes_what_its_model_does(k):
  work = _work(keras=k.__name__, hidden=5)
  model = work.model(seed=0)
  weights = dict(
    zip(
      ("hidden/kernel", "hidden/bias", "output/kernel", "output/bias"),
      model.get_weights(),
      strict=True,
    )
  )
  assert paths_of(model) == {
    "A": "hidden/kernel", "c1": "hidden/bias", "B": "output/kernel", "c2": "output/bias",
  }  # fmt: skip
  inputs = work.inputs(work.data.test)
  expected = np.asarray(model(inputs.astype("float32")))
  assert weights["hidden/kernel"].shape == (2, 5)
  np.testing.assert_allclose(network_from(weights, paths_of(model))(inputs), expected, atol=1e-5)


@pytest.mark.parametrize(
  ("changes", "says"),
  [
    ({"pair": (0, 0)}, r"config.pair=\(0, 0\) must name two different classes"),
    ({"pair": (0, 2)}, r"config.pair=\(0, 2\): pair=\(0, 2\) must name two different classes of 0 to 1"),
    ({"plane": "x"}, "config.plane='x' is unknown. Choose one of"),
    ({"controls": ("glorott",)}, "config.controls='glorott' is unknown. Did you mean glorot"),
    ({"rules": ("tropic",)}, "config.rules='tropic' is unknown. Did you mean tropical"),
    ({"shares": (1.0,)}, "config.shares=1.0 "),
    ({"hidden": 0}, "config.hidden=0 is out of range"),
    ({"model": "lenet_300_100"}, "config.model='lenet_300_100': "),
    ({"levels": 30}, "level"),
  ],
)  # fmt: skip
def test_what_can_not_work_is_refused_before_any_training(changes, says, tmp_path):
  with pytest.raises(ValueError, match=says):
    experiment.main(_tiny(**changes), tmp_path / "w")
  assert not (tmp_path / "w").exists()
