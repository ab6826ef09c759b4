"""The settings of a run and of a grid: what they become, and what is refused before training."""

import json

import pytest
from runs import task_of
from searches import config

from tflottery.experiments import grid, settings, sparse, starts


def _read(**changes):
  return sparse.read(config("configs/train.py", **changes))


def _grid(**changes):
  return grid.read(config("configs/compare.py", **changes))


def test_the_arguments_under_the_algorithms_name_are_taken():
  assert _read(algorithm="rigl").algorithm_arguments["drop"] == 0.3
  assert _read(algorithm="snip").algorithm_arguments == {"batches": 1, "scope": "global"}
  assert _read(algorithm="static").algorithm_arguments == {}


def test_the_dense_network_has_no_sparsity():
  assert _read(algorithm="dense", sparsity=0.9).sparsity == 0.0


def test_settings_come_back_from_json():
  s = _read(allocation={"fc": 0.9}, learning_rate_drops=("9it",))
  assert settings.from_json(json.loads(json.dumps(settings.as_json(s))), sparse.Training) == s


def test_durations_of_the_algorithm_become_steps():
  work = task_of(algorithm="set", set={"begin_step": "1ep", "end_step": "70it"})
  arguments = work.arguments()
  assert (arguments["begin_step"], arguments["end_step"]) == (43, 70)  # 1,294 images, batches of 30


def test_without_an_end_masks_change_up_to_three_quarters_of_the_training():
  for given in ({}, {"end_step": None}):
    assert task_of(algorithm="set", set=given).arguments("end_step") == {"end_step": 60}


def test_seeds_of_masks_differ_from_those_of_initialisation():
  work = task_of(algorithm="static")
  assert work.arguments("seed")["seed"] == work.seeds["masks"] != work.seeds["initialisation"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in starts.STARTS if n != "slimming"])
def test_every_algorithm_starts_from_the_same_weights(name):
  expected = task_of(algorithm="static").start()[0].get_weights()
  model, _ = task_of(algorithm=name).start()
  if name != "small_dense":
    assert all((a == b).all() for a, b in zip(expected, model.get_weights(), strict=True))


# A bad setting, and what its error must say.
BAD = {
  "a misspelt key": ({"sparsty": 0.5}, ["config.sparsty=0.5", "Did you mean sparsity"]),
  "an unknown algorithm": ({"algorithm": "rgil"}, ["config.algorithm='rgil'", "rigl"]),
  "a sparsity of 1": ({"sparsity": 1.0}, ["config.sparsity=1.0", "below 1"]),
  "a negative sparsity": ({"sparsity": -0.1}, ["config.sparsity=-0.1"]),
  "a sparsity in words": ({"sparsity": "high"}, ["config.sparsity='high'"]),
  "arguments that are none": ({"rigl": 0.3}, ["config.rigl=0.3", "keyword arguments"]),
  "a negative seed": ({"seed": -1}, ["config.seed=-1"]),
  "no evaluations": ({"eval_every": 0}, ["config.eval_every=0"]),
  "a level of a search": ({"levels": 3}, ["config.levels=3", "not a setting"]),
}
BAD_TASKS = {
  "evaluations that do not divide the steps": (
    {"steps": 90},
    ["config.eval_every=20", "90 steps", "config.steps=90", "18"],
  ),
  "an argument that the algorithm does not take": (
    {"rigl": {"dorp": 0.3}},
    ["config.rigl={'dorp': 0.3}", "dorp"],
  ),
  "a share out of range": ({"rigl": {"drop": 2.0}}, ["rigl", "drop=2.0"]),
  "a duration": ({"rigl": {"end_step": "5x"}}, ["config.rigl.end_step='5x'", "'500it'"]),
  "an end before the beginning": (
    {"rigl": {"begin_step": 50, "end_step": 40}},
    ["begin_step=50", "end_step=40"],
  ),
  "an unknown allocation": ({"allocation": "erkk"}, ["'erkk'", "erk"]),
  "a sparsity that is too small to mean any": (
    {"sparsity": 0.0},
    ["config.sparsity=0.0", "sparsity"],
  ),
  "a pattern that matches nothing": ({"only": "conv"}, ["only='conv'", "fc1/kernel"]),
  "a network that can't be narrower": (
    {"algorithm": "small_dense", "model": "searches:noisy_keras"},
    ["searches:noisy_keras", "width"],
  ),
}
BAD_GRIDS = {
  "an unknown algorithm": ({"algorithms": ("rigl", "sett")}, ["config.algorithms='sett'", "set?"]),
  "an algorithm twice": ({"algorithms": ("set", "set")}, ["config.algorithms=", "once"]),
  "no algorithms": ({"algorithms": ()}, ["config.algorithms=()", "at least one"]),
  "no sparsities": ({"sparsities": ()}, ["config.sparsities=()", "at least one"]),
  "a sparsity of 1": ({"sparsities": (0.5, 1.0)}, ["config.sparsities=1.0"]),
  "no seeds": ({"seeds": ()}, ["config.seeds=()"]),
  "no workers": ({"workers": 0}, ["config.workers=0"]),
  "one algorithm": ({"algorithm": "set"}, ["config.algorithm='set'", "algorithms"]),
}


@pytest.mark.parametrize(
  ("refuse", "bad"),
  [
    *(pytest.param(_read, bad, id=name) for name, bad in BAD.items()),
    *(pytest.param(task_of, bad, id=name) for name, bad in BAD_TASKS.items()),
    *(pytest.param(_grid, bad, id=f"grid: {name}") for name, bad in BAD_GRIDS.items()),
  ],
)
def test_refused_in_one_sentence_that_names_argument_value_and_cure(refuse, bad):
  changes, words = bad
  with pytest.raises(ValueError) as error:
    refuse(**changes)
  text = str(error.value)
  assert "\n" not in text
  assert [word for word in words if word not in text] == [], text


def test_a_grid_has_a_cell_for_each_algorithm_sparsity_and_seed_and_one_dense_per_seed():
  cells = _grid(algorithms=("dense", "set"), sparsities=(0.5, 0.9), seeds=(0, 3)).cells
  assert list(cells) == [
    "dense-0-0", "set-0.5-0", "set-0.9-0", "dense-0-3", "set-0.5-3", "set-0.9-3",
  ]  # fmt: skip
  cell = cells["set-0.9-3"]
  assert (cell.algorithm, cell.sparsity, cell.seed) == ("set", 0.9, 3)
  assert cell.algorithm_arguments["drop_schedule"] == "cosine"


def test_words_with_commas_are_a_grid_too():
  cells = _grid(algorithms="dense,rigl", sparsities=0.9, seeds=1).cells
  assert list(cells) == ["dense-0-1", "rigl-0.9-1"]


def test_a_grid_may_grow_without_another_configuration():
  small, large = _grid(seeds=(0,)), _grid(seeds=(0, 1), algorithms=("snip",), workers=1)
  assert small.values == large.values
