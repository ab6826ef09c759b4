"""The supermask experiment, in this process: masks without training, and masks that are trained."""

import shutil

import numpy as np
import pytest
from searches import config

import tflottery as tfl
from tflottery.experiments import task
from tflottery.experiments.supermasks import experiment, pieces, settings, verdict
from tflottery.experiments.supermasks.workdir import Workdir

FILE = "configs/supermask.py"
TRAINED = ("supermask_signed_constant_rescaled", "edge_popup_initial")
SHORT = {"steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False}
TINY = SHORT | {
  "levels": 2, "rate": 0.5, "criteria": ("large_final", "random"), "rescale": (False, True),
  "trained": TRAINED, "samples": 3, "supermask": SHORT | {"adam": {"learning_rate": 0.1}},
  "edge_popup": SHORT | {"sparsity": 0.7},
}  # fmt: skip


def _tiny(**changes):
  return config(FILE, **TINY | changes)


def _rows(place):
  """The rows without what depends on the clock."""
  return [{n: v for n, v in row.items() if n != "train_seconds"} for row in place.rows()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  path = tmp_path_factory.mktemp("supermask")
  experiment.main(_tiny(), path)
  return Workdir(path)


def test_every_criterion_is_measured_at_every_level_on_every_kind_of_weights(done):
  rows = [row for row in done.rows() if row["network"] == "untrained"]
  found = {(r["criterion"], r["level"], r["weights"], r["rescale"]) for r in rows}
  assert len(found) == len(rows) == 2 * 2 * 2 * 2
  # Half of 19200 and 30000, 0.9 of the output's 1000; a quarter, and 0.81.
  assert {row["level"]: row["remaining_percent"] for row in rows} == {
    1: pytest.approx(100 * (9600 + 15000 + 900) / 50200),
    2: pytest.approx(100 * (4800 + 7500 + 810) / 50200),
  }


def _accuracy(weights, split):
  """Of LeNet-300-100, by hand."""
  x = split.images.reshape(len(split), -1) / 255
  for name in ("fc1", "fc2", "output"):
    x = x @ weights[f"{name}/kernel"].astype("float64") + weights[f"{name}/bias"]
    x = np.maximum(x, 0) if name != "output" else x
  return float((x.argmax(1) == split.labels).mean())


@pytest.mark.parametrize("weights", ["initial", "signed_constant"])
@pytest.mark.parametrize("rescale", [False, True])
def test_an_untrained_network_under_a_mask_is_worked_by_hand(done, weights, rescale):
  data = task.load(settings.read(_tiny()), task.Task).data
  initial, final = (done.ticket(0, name).weights for name in ("initial", "final"))
  values = dict(initial)
  for path, left in (("fc1/kernel", 0.25), ("fc2/kernel", 0.25), ("output/kernel", 0.81)):
    size = initial[path].size
    kept = np.zeros(size)
    kept[np.argsort(-np.abs(final[path]).ravel(), kind="stable")[: round(left * size)]] = 1
    value = initial[path]
    if weights == "signed_constant":
      value = np.sign(value) * value.std()
    values[path] = value * kept.reshape(value.shape) * (1 / left if rescale else 1)
  [row] = [
    r
    for r in done.rows()
    if (r["criterion"], r["level"], r["weights"], r["rescale"])
    == ("large_final", 2, weights, rescale)
  ]
  assert row["test_accuracy"] == pytest.approx(_accuracy(values, data.test), abs=1.5 / 360)


def test_a_trained_mask_is_a_small_ticket_that_gives_the_network_its_accuracy(done):
  work = task.load(settings.read(_tiny()), task.Task)
  rows = {
    row["network"]: row for row in done.rows() if row["network"] in ("supermask", "edge_popup")
  }
  for name in TRAINED:
    row = rows[name.partition("_signed")[0].partition("_initial")[0]]
    ticket = tfl.Ticket.load(done.ticket_path(0, name))
    model = work.model(seed=5)
    ticket.apply(model)
    assert work.evaluator(model, work.data.test)()[1] == pytest.approx(row["test_accuracy"])
    assert row["ticket_bytes"] == done.ticket_path(0, name).stat().st_size
    assert row["ticket_bytes"] < 50_200 / 8 + 4 * 410 + 4_000
    assert row["remaining_percent"] == pytest.approx(100 * (1 - ticket.sparsity))
  assert rows["edge_popup"]["remaining_percent"] == pytest.approx(30, abs=0.01)
  assert rows["edge_popup"]["samples_test_accuracy"] is None
  assert 0 < rows["supermask"]["samples_test_accuracy"] <= 1
  assert 40 < rows["supermask"]["expected_remaining_percent"] < 60


def test_the_figures_the_table_and_the_page_are_there(done):
  files = {"results.csv", "untrained.png", "trained.png", "regions.png", "report.html"}
  assert files <= {path.name for path in done.path.iterdir()}
  text = (done.path / "report.html").read_text()
  for sentence in verdict.verdict(done.rows()):
    assert sentence.replace(" %", "\u00a0%") in text
  assert "Without any training of its weights" in text


@pytest.mark.slow
def test_what_is_missing_after_a_kill_is_done_again_with_the_same_rows(done, tmp_path):
  expected = _rows(done)
  part = shutil.copytree(done.path, tmp_path / "part")
  (part / "pieces" / "seed_0" / f"{TRAINED[0]}.json").unlink()
  (part / "report.html").unlink()
  before = (part / "pieces" / "seed_0" / "dense.json").stat().st_mtime_ns
  experiment.main(_tiny(), part)
  assert _rows(Workdir(part)) == expected
  assert (part / "report.html").exists()
  assert (part / "pieces" / "seed_0" / "dense.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_tf_keras_does_the_same(tmp_path):
  experiment.main(_tiny(keras="tf_keras", seeds=(1, 0)), tmp_path)
  rows = Workdir(tmp_path).rows()
  assert [row["seed"] for row in rows] == [0] * 19 + [1] * 19
  assert {row["network"] for row in rows} == {"dense", "untrained", "supermask", "edge_popup"}


def test_pieces_come_seed_by_seed_the_dense_network_first():
  chosen = settings.read(_tiny(seeds=(3, 1)))
  names = ["dense", *TRAINED]
  assert pieces.planned(chosen) == [(seed, name) for seed in (3, 1) for name in names]


def _row(network, accuracy, **more):
  row = {"network": network, "test_accuracy": accuracy, "weights": "initial", "rescale": False}
  row |= {"criterion": "movement", "level": 1, "remaining_percent": 50.0}
  return row | {"samples_test_accuracy": None} | more


def test_the_verdict_tells_the_best_untrained_mask_and_every_trained_one():
  rows = [
    _row("dense", 0.98),
    _row("untrained", 0.3),
    _row("untrained", 0.6, level=2, remaining_percent=25.0),
    _row("untrained", 0.8, level=2, remaining_percent=25.0),
    _row("untrained", 0.5, criterion="random"),
    _row("supermask", 0.9, samples_test_accuracy=0.88, weights="signed_constant", rescale=True),
  ]
  first, second, third = verdict.verdict(rows)
  assert "reaches 70.00 % test accuracy: by the mask of movement over initial weights" in first
  assert "keeps 25.0 % of them (over 2 seeds)" in first
  assert "supermask over signed constant, rescaled weights reaches 90.00 %, 88.00 %" in second
  assert third == "The trained dense network reaches 98.00 % (over 1 seed)."
  assert verdict.verdict([]) == ["Nothing is trained yet."]


def test_each_algorithm_has_the_arguments_of_its_own_optimizer():
  values = _tiny(supermask=SHORT | {"optimizer": "sgd"})
  assert settings.read(values).of("supermask").optimizer_arguments == {
    "learning_rate": 0.1, "momentum": 0.9,
  }  # fmt: skip
  own = {"optimizer": "sgd", "sgd": {"learning_rate": 7.0}, "adam": {"learning_rate": 0.1}}
  chosen = settings.read(_tiny(supermask=SHORT | own)).of("supermask")
  assert (chosen.optimizer, chosen.optimizer_arguments) == ("sgd", {"learning_rate": 7.0})
  assert chosen.steps == 40 and settings.read(_tiny(steps=60)).of("edge_popup").steps == 40


def test_the_authors_recipe_can_be_given_on_a_command_line():
  values = config(FILE)
  values.supermask.optimizer, values.supermask.batch_size = "sgd", 250
  values.supermask.sgd.learning_rate, values.supermask.steps = 50.0, "2ep"
  chosen = settings.read(values).of("supermask")
  assert chosen.optimizer_arguments == {"learning_rate": 50.0, "momentum": 0.9}
  assert (chosen.batch_size, chosen.steps) == (250, "2ep")


def test_without_any_masks_the_page_has_no_empty_figures(tmp_path):
  experiment.main(_tiny(criteria=(), trained=()), tmp_path)
  assert not list(tmp_path.glob("*.png"))
  assert "Masks that were trained" not in (tmp_path / "report.html").read_text()


BAD = {
  "an unknown criterion": ({"criteria": ("larg_final",)}, ["config.criteria='larg_final'", "movement"]),
  "unknown weights": ({"weights": ("ones",)}, ["config.weights='ones'", "signed_constant"]),
  "an unknown mask": ({"trained": ("supermask_ones",)}, ["'supermask_ones'", "supermask_initial"]),
  "a setting that training has not": (
    {"supermask": {"sparsity": 0.5}}, ["config.supermask.sparsity=0.5", "batch_size"],
  ),
  "a bad setting of training": (
    {"supermask": {"batch_size": 0}}, ["config.supermask: config.batch_size=0"],
  ),
  "no sparsity for edge_popup": ({"edge_popup": {}}, ["config.edge_popup.sparsity=None"]),
  "a sparsity of 1": ({"edge_popup": {"sparsity": 1.0}}, ["config.edge_popup.sparsity=1.0"]),
  "no samples": ({"samples": 0}, ["config.samples=0"]),
  "no levels": ({"levels": 0}, ["config.levels=0"]),
  "a misspelt key": ({"smaples": 3}, ["config.smaples=3", "Did you mean samples"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_is_named_with_its_value(name):
  changes, texts = BAD[name]
  with pytest.raises(ValueError) as caught:
    settings.read(_tiny(**changes))
  for text in texts:
    assert text in str(caught.value)


def test_a_network_that_masks_cannot_serve_is_refused_before_any_training(tmp_path):
  with pytest.raises(ValueError, match=r"config.model='test_supermask_experiment:recurrent'.*lstm"):
    experiment.main(_tiny(model="test_supermask_experiment:recurrent"), tmp_path)
  assert not (tmp_path / "pieces").exists()


def test_sequences_are_refused_before_any_training(tmp_path):
  with pytest.raises(ValueError, match=r"config.dataset='sort_digits' holds sequences"):
    experiment.main(_tiny(dataset="sort_digits", model="transformer"), tmp_path)
  assert not (tmp_path / "pieces").exists()


def recurrent(input_shape, classes):
  """A network with a recurrent layer."""
  import keras

  image = keras.Input(input_shape)
  x = keras.layers.Reshape(input_shape[:2])(image)
  x = keras.layers.LSTM(8, name="lstm")(x)
  return keras.Model(image, keras.layers.Dense(classes, name="output")(x))


def test_results_csv_has_the_rows(done):
  text = (done.path / "results.csv").read_text().splitlines()
  assert len(text) == 1 + len(done.rows()) and text[0].startswith("seed,network,criterion")
