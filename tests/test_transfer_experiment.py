"""The transfer experiment, in this process: searches on sources, trainings on targets."""

import dataclasses
import os
import shutil

import keras
import numpy as np
import pytest
from searches import config, on_disk

import tflottery as tfl
from tflottery import seeds
from tflottery.experiments import lottery
from tflottery.experiments import settings as _settings
from tflottery.experiments.transfer import experiment, pieces, settings, target
from tflottery.experiments.transfer.task import Tasks, target_seeds
from tflottery.experiments.transfer.workdir import Workdir

FILE = "configs/transfer.py"
TASKS = {
  "a": {"half": "a"},
  "b": {"half": "b", "optimizer": "sgd"},
  "low": {"labels": (0, 1, 2, 3, 4)},
  "small": {"image_shape": (6, 6, 1), "image_fit": "resize"},
  "deep": {"model": "test_transfer_experiment:deeper"},
}
TINY = {
  "steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False, "levels": 2, "rate": 0.5,
  "rewind_to": "20it", "tasks": TASKS, "sources": ("a", "low"), "targets": ("a", "b"),
  "transfer_levels": (2,),
}  # fmt: skip


def deeper(input_shape, classes):
  """LeNet-300-100 with a further layer."""
  image = keras.Input(input_shape)
  x = keras.layers.Flatten()(image)
  for name, units in (("fc1", 300), ("fc2", 100), ("fc3", 100)):
    x = keras.layers.Dense(units, activation="relu", name=name)(x)
  return keras.Model(image, keras.layers.Dense(classes, name="output")(x))


def _tiny(**changes):
  return config(FILE, **TINY | changes)


def _rows(place):
  """The rows without what depends on the clock."""
  return [{n: v for n, v in row.items() if n != "train_seconds"} for row in place.rows()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  path = tmp_path_factory.mktemp("transfer")
  experiment.main(_tiny(), path)
  return Workdir(path)


def test_every_source_is_trained_on_every_target_beside_its_controls(done):
  found = [(r["source"], r["target"], r["level"], r["arm"]) for r in done.rows()]
  cells = [(source, target) for source in ("a", "low") for target in ("a", "b")]
  arms = ("ticket", "random_layerwise", "random_global")
  expected = {(*cell, 2, arm) for cell in cells for arm in arms}
  assert len(found) == len(set(found))
  assert set(found) == expected | {("", "a", 0, "dense"), ("", "b", 0, "dense")}


def test_the_search_on_a_source_is_a_directory_of_find_ticket(done):
  for name in ("a", "low"):
    assert (done.source(name).path / "report.html").exists()
    assert [row["level"] for row in done.source(name).rows()] == [0, 1, 2]
    assert done.source(name).ticket(0, 2).metadata["rewind_to"] == 20


def test_random_tickets_have_the_size_of_the_moved_one_and_a_new_head_is_dense(done):
  left = {(r["source"], r["arm"]): r["remaining_percent"] for r in done.rows() if r["level"]}
  # 19200, 30000 and 1000 weights; a new head keeps all of its 1000.
  kept = {name: done.source(name).ticket(0, 2).masks for name in ("a", "low")}
  count = {name: sum(int(m.sum()) for m in masks.values()) for name, masks in kept.items()}
  count["low"] += 1000 - int(kept["low"]["output/kernel"].sum())
  for (source, _), value in left.items():
    assert value == pytest.approx(100 * count[source] / 50200)


def test_a_moved_ticket_can_be_trained_again_by_hand(done):
  tasks, own = Tasks(settings.read(_tiny())), target_seeds(0)
  work = tasks.target("b", "low")
  model = work.model(own["initialisation"])
  moved = done.source("low").ticket(0, 2).transfer(model, seed=own["masks"], verbose=False)
  data = work.batches(own["order"], own["augmentation"])(start=0, stop=40)
  model.fit(data, verbose=0, callbacks=[moved.ticket.callback()])
  _, accuracy = work.evaluator(model, work.data.test)()
  rows = {(r["source"], r["target"], r["arm"]): r["final_test_accuracy"] for r in done.rows()}
  assert accuracy == pytest.approx(rows["low", "b", "ticket"], abs=1.5 / 360)
  assert accuracy != pytest.approx(rows["low", "b", "random_layerwise"], abs=1.5 / 360)


def test_the_trainings_of_a_seed_share_their_noise_and_it_is_not_that_of_the_searches(done):
  names = [f"{name}_seed" for name in target_seeds(0)]
  assert len({tuple(row[name] for name in names) for row in done.rows()}) == 1
  assert not set(target_seeds(0).values()) & set(seeds.seeds_of(0).values())
  assert not set(target_seeds(0).values()) & set(target_seeds(1).values())


def test_the_page_says_what_was_moved_and_what_came_out(done, capsys):
  before = on_disk(done.path / "pieces")
  experiment.main(_tiny(), done.path)
  said = capsys.readouterr().out
  assert "Finished already" in said and on_disk(done.path / "pieces") == before
  assert "a → b: copied: fc1/kernel, fc1/bias" in said
  assert "re-initialised: output/kernel" in said and "dropped: output/kernel" in said
  text = (done.path / "report.html").read_text()
  for words in ("low → b", "The ticket of a on b (found with adam, trained with sgd)"):
    assert words in said and words in text
  assert "step k of its search: these steps come on top of the target" in text
  files = {"results.csv", "gains.csv", "accuracy.png", "gains.png", "report.html"}
  assert files <= {path.name for path in done.path.iterdir()}
  assert len((done.path / "results.csv").read_text().splitlines()) == 1 + len(done.rows())
  assert len((done.path / "gains.csv").read_text().splitlines()) == 1 + 4


@pytest.mark.slow
def test_what_is_missing_after_a_kill_is_done_again_with_the_same_rows(done, tmp_path):
  expected = _rows(done)
  part = Workdir(shutil.copytree(done.path, tmp_path / "part"))
  before = on_disk(part.path / "pieces" / "seed_0" / "a")
  for path in part.path.glob("pieces/seed_0/b/low/*.json"):
    path.unlink()
  (part.path / "pieces" / "seed_0" / "b" / "dense_8x8x1.json").unlink()
  pages = {name: part.source(name).path / "report.html" for name in ("a", "low")}
  fresh = pages["a"].stat().st_mtime_ns
  os.utime(pages["low"], (0, 0))  # as after a kill between the search's last piece and its page
  experiment.main(_tiny(), part.path)
  assert pages["low"].stat().st_mtime_ns > fresh == pages["a"].stat().st_mtime_ns
  assert _rows(part) == expected
  assert on_disk(part.path / "pieces" / "seed_0" / "a") == before


@pytest.mark.slow
def test_a_ticket_too_sparse_for_a_random_one_is_named_with_the_cure(done, tmp_path):
  part = Workdir(shutil.copytree(done.path, tmp_path / "part"))
  (part.path / "pieces" / "seed_0" / "a" / "a" / "level_2_random_global.json").unlink()
  ticket = part.source("a").ticket(0, 2)
  empty = {path: np.zeros(mask.shape, bool) for path, mask in ticket.masks.items()}
  dataclasses.replace(ticket, masks=empty).save(part.source("a").ticket_path(0, 2))
  with pytest.raises(ValueError, match=r"task 'a' -> 'a': .* leave random_global out"):
    experiment.main(_tiny(), part.path)


def test_another_configuration_does_not_go_on_in_a_directory(done):
  with pytest.raises(ValueError, match="controls is"):
    experiment.main(_tiny(controls=()), done.path)


@pytest.mark.slow
def test_seeds_side_by_side_and_the_other_keras(tmp_path):
  changes = {"keras": "tf_keras", "seeds": (0, 1), "sources": ("low",), "targets": ("b",)}
  experiment.main(_tiny(**changes), tmp_path / "one")
  experiment.main(_tiny(**changes, workers=2), tmp_path / "two")
  one, two = (_rows(Workdir(tmp_path / name)) for name in ("one", "two"))
  assert [row["seed"] for row in one] == [0] * 4 + [1] * 4
  # A process of two has one thread: sums come in another order.
  for first, second in zip(one, two, strict=True):
    assert second["final_test_accuracy"] == pytest.approx(first["final_test_accuracy"], abs=0.03)


def test_pieces_come_target_by_target_the_ticket_before_its_controls():
  chosen = settings.read(_tiny(controls=("random_global",), transfer_levels=(2, 1)))
  found = [(p["target"], p["source"], p["level"], p["arm"]) for p in pieces.transfers(chosen, (7,))]
  assert found[:4] == [
    ("a", "a", 2, "ticket"), ("a", "a", 2, "random_global"),
    ("a", "a", 1, "ticket"), ("a", "a", 1, "random_global"),
  ]  # fmt: skip
  assert len(found) == 2 * 2 * 2 * 2


def test_a_dense_network_serves_all_sources_of_one_image_shape(tmp_path):
  tasks = TASKS | {"a": {"half": "a", "image_fit": "resize"}}
  chosen = settings.read(_tiny(tasks=tasks, sources=("a", "low", "small"), targets=("a",)))
  missing = pieces.missing(Tasks(chosen), Workdir(tmp_path), (0,))
  found = [(piece["image_shape"], piece["arm"]) for piece in missing]
  arms = ["ticket", "random_layerwise", "random_global"]
  small = [("6x6x1", arm) for arm in ["dense", *arms]]
  assert found == [*small, *(("8x8x1", arm) for arm in ["dense", *arms, *arms])]


MASKS = {"a": np.eye(4, dtype=bool), "b": np.array([True, False]), "c": np.zeros((5, 5), bool)}
MASKS["c"][0] = True


def test_random_tickets_keep_the_counts_of_layers_or_of_the_network():
  layerwise = target.random_masks(MASKS, scope="layer", seed=[3])
  assert {path: int(mask.sum()) for path, mask in layerwise.items()} == {"a": 4, "b": 1, "c": 5}
  everywhere = target.random_masks(MASKS, scope="global", seed=[3])
  assert sum(int(mask.sum()) for mask in everywhere.values()) == 10
  again = target.random_masks(MASKS, scope="global", seed=[3])
  assert all((again[path] == everywhere[path]).all() for path in MASKS)


def test_a_fully_random_ticket_is_drawn_again_where_it_leaves_a_layer_empty():
  masks = {
    "tiny": np.array([True]),
    "large": np.arange(9) < 2,
  }  # half of the draws miss the tiny one
  for seed in range(8):
    found = target.random_masks(masks, scope="global", seed=[seed])
    assert found["tiny"].all() and found["large"].sum() == 2
  with pytest.raises(ValueError, match="leave random_global out"):
    target.random_masks(
      {"one": np.array([True]), "two": np.array([False])}, scope="global", seed=[0]
    )


def test_a_task_differs_from_the_common_settings_in_what_it_names():
  values = _tiny()
  values.sgd.learning_rate = 0.3
  chosen = settings.read(values)
  assert chosen.of("a").optimizer == "adam" and chosen.of("a").half == "a"
  assert chosen.of("b").optimizer_arguments == {"learning_rate": 0.3, "momentum": 0.9}
  assert chosen.of("low").labels == (0, 1, 2, 3, 4) and chosen.of("low").steps == 40
  own = {"optimizer": "sgd", "sgd": {"learning_rate": 7.0}, "learning_rate_drops": "5it,9it"}
  mine = settings.read(_tiny(tasks=TASKS | {"b": own})).of("b")
  assert mine.optimizer_arguments == {"learning_rate": 7.0, "momentum": 0.9}
  assert mine.learning_rate_drops == ("5it", "9it")
  own = {"adam": {"learning_rate": 0.5}}
  assert settings.read(_tiny(tasks=TASKS | {"b": own})).of("b").optimizer_arguments == own["adam"]


def test_the_settings_survive_json():
  chosen = settings.read(_tiny(head="fc2", mapping={"fc3": None}))
  assert _settings.from_json(_settings.as_json(chosen), settings.Transfer) == chosen
  assert len(lottery.pieces(chosen, (0,))) == 3


def _with(**own):
  return {"tasks": TASKS | {"bad": own}}


BAD = {
  "an unknown source": ({"sources": ("aa",)}, ["config.sources='aa'", "low"]),
  "an unknown target": ({"targets": ("mnist",)}, ["config.targets='mnist'", "a, b, low"]),
  "no source": ({"sources": ()}, ["config.sources=()", "at least one of a, b"]),
  "no target": ({"targets": ()}, ["config.targets=()"]),
  "a source twice": ({"sources": ("a", "a")}, ["config.sources=('a', 'a')", "each once"]),
  "a level beyond": ({"transfer_levels": (2, 3)}, ["config.transfer_levels", "3", "1 to 2"]),
  "the dense level": ({"transfer_levels": (0,)}, ["config.transfer_levels", "1 to 2"]),
  "no level": ({"transfer_levels": ()}, ["config.transfer_levels=()"]),
  "an unknown control": ({"controls": ("random",)}, ["config.controls='random'", "random_global"]),
  "arms": ({"arms": ("reinit",)}, ["config.arms=('reinit',)", "config.controls"]),
  "criteria": ({"criteria": ("movement",)}, ["config.criteria=('movement',)"]),
  "an unknown fresh": ({"fresh": "zero"}, ["config.fresh='zero'", "random"]),
  "a mapping that is none": ({"mapping": ("fc1",)}, ["config.mapping=('fc1',)", "dict"]),
  "a broken pattern": ({"head": "("}, ["config.head='('", "regular expression"]),
  "tasks that are none": ({"tasks": ("a",)}, ["config.tasks=('a',)", "dict"]),
  "a task that is none": ({"tasks": {"a": "mnist"}}, ["config.tasks", "dict"]),
  "a task's name": ({"tasks": {"a/b": {}}}, ["'a/b'", "directory"]),
  "a setting that tasks have not": (_with(levels=3), ["task 'bad'", "levels=3", "dataset"]),
  "a half": (_with(half="c"), ["task 'bad'", "config.half='c'"]),
  "one label": (_with(labels=(3,)), ["task 'bad'", "config.labels=(3,)"]),
  "an unknown optimizer": (_with(optimizer="sdg"), ["task 'bad'", "config.optimizer='sdg'"]),
  "arguments that are none": (_with(adam=3), ["task 'bad'", "config.adam=3"]),
  "arguments of another optimizer": (
    _with(sgd={"momentum": 0.5}), ["task 'bad'", "config.sgd={'momentum': 0.5}", "'adam'", "optimizer='sgd'"],
  ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_is_named_with_its_value(name):
  changes, texts = BAD[name]
  with pytest.raises(ValueError) as caught:
    settings.read(_tiny(**changes))
  for text in texts:
    assert text in str(caught.value)


REFUSED = {
  "a shape that images can't be brought to": (
    {"sources": ("small",), "targets": ("a",)},
    ["task 'small' -> 'a'", "config.image_shape=(6, 6, 1)", "resize"],
  ),
  "labels that are not there": (
    {"tasks": TASKS | {"a": {"labels": (3, 12)}}}, ["task 'a'", "config.labels=(3, 12)", "12"],
  ),
  "sites that a mapping leaves uncovered": (
    {"sources": ("a",), "targets": ("deep",)}, ["task 'a' -> 'deep'", "fc3 (kernel, bias)", "mapping="],
  ),
  "a site that the target leaves dense": (
    {"tasks": TASKS | {"b": {"exclude": "output"}}, "sources": ("a",), "targets": ("b",)},
    ["task 'a' -> 'b'", "masks output/kernel", "fc1/kernel, fc2/kernel", "config.exclude"],
  ),
  "a mapping of a layer that is not there": (
    {"sources": ("a",), "targets": ("deep",), "mapping": {"fc3": "fc9"}},
    ["task 'a' -> 'deep'", "fc9"],
  ),
}  # fmt: skip


_SLOW = ("sites that a mapping leaves uncovered", "a mapping of a layer that is not there")


@pytest.mark.parametrize(
  "name", [pytest.param(n, marks=pytest.mark.slow) if n in _SLOW else n for n in REFUSED]
)
def test_what_can_not_work_is_refused_before_any_training(name, tmp_path):
  changes, texts = REFUSED[name]
  with pytest.raises(ValueError) as caught:
    experiment.main(_tiny(**changes), tmp_path / "new")
  for text in texts:
    assert text in str(caught.value)
  assert not (tmp_path / "new").exists()


def test_a_mapping_serves_pairs_of_different_models_alone():
  chosen = settings.read(_tiny(sources=("a",), targets=("b", "deep"), mapping={"fc3": None}))
  assert chosen.maps("a", "deep") == {"fc3": None} and chosen.maps("a", "b") == {}
  tasks = Tasks(chosen)
  ticket = tfl.capture(tasks.source("a").uncompiled(), _ones(tasks.source("a")))
  model = tasks.target("deep", "a").uncompiled()
  moved = tasks.move(ticket, model, "a", "deep")
  assert list(moved.reinitialised) == ["fc3/kernel", "fc3/bias"]
  assert moved.copied["output/kernel"] == "output/kernel" and not moved.dropped


def _ones(work):
  return {p: np.ones(site.shape, bool) for p, site in work.sites(work.uncompiled()).items()}
