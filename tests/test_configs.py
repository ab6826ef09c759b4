"""Every file in configs/ loads, and trains a few steps."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from runs import trained
from searches import ROOT, config

from tflottery import site
from tflottery.experiments import (
  bird_settings,
  bird_task,
  grid,
  lottery,
  rethinking,
  settings,
  sparse,
  starts,
  strings,
  task,
  translation,
)
from tflottery.experiments.stability import networks
from tflottery.experiments.stability import settings as stability_settings
from tflottery.experiments.stability import task as stability_task
from tflottery.experiments.supermasks import pieces as supermask_pieces
from tflottery.experiments.supermasks import settings as supermask_settings
from tflottery.experiments.supermasks import task as supermask_task
from tflottery.experiments.transfer import pieces as transfer_pieces
from tflottery.experiments.transfer import settings as transfer_settings
from tflottery.experiments.transfer.task import Tasks
from tflottery.experiments.tropical import pieces as tropical_pieces
from tflottery.experiments.tropical import settings as tropical_settings
from tflottery.experiments.tropical import task as tropical_task
from tflottery.tickets import prune
from tflottery.tickets.restart import Restart
from tflottery.tickets.ticket import Ticket

FILES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "configs").rglob("*.py"))
LARGE = ("conv_", "resnet_", "vgg_", "transformer")
# Others train the same model, or it is large.
LONG = (
  "configs/compare_mnist", "configs/deconstructing", "configs/lth_mnist", "configs/papers",
  "configs/rethinking_", "configs/rigl_mnist", "configs/stability_", "configs/state_of_sparsity_", "configs/train_", "configs/supermask", "configs/transfer",
)  # fmt: skip


def _of(name):
  """The files whose config has a setting of this name."""
  return [file for file in FILES if name in config(file)]


RUNS, COMPARISONS = _of("algorithm"), _of("algorithms")
BIRDS, SUPERMASKS, TRANSFERS = _of("draw_at"), _of("trained"), _of("targets")
STABILITIES, TROPICALS = _of("rewind_steps"), _of("plane")
SEARCHES = [file for file in _of("rewind_to") if file not in TRANSFERS]


def test_the_configs_that_the_readme_needs_are_there():
  assert {"configs/default.py", "configs/lth_digits.py", "configs/lth_mnist.py"} <= set(SEARCHES)
  assert "configs/papers/lth_lenet_mnist.py" in SEARCHES
  assert {"configs/train.py", "configs/rigl_mnist.py", "configs/rigl_cifar10.py"} <= set(RUNS)
  names = ("digits", "mnist", "cifar10")
  assert {f"configs/compare_{name}.py" for name in names} <= set(COMPARISONS)
  assert {f"configs/rethinking_{name}.py" for name in ("digits", "cifar10")} <= set(COMPARISONS)


def test_every_file_is_of_one_experiment_but_what_all_of_them_share():
  kinds = [*SEARCHES, *RUNS, *COMPARISONS, *BIRDS, *SUPERMASKS, *TRANSFERS, *STABILITIES]
  assert sorted([*kinds, *TROPICALS, "configs/common.py"]) == FILES


@pytest.mark.parametrize("file", SEARCHES)
def test_a_search_is_read_and_plans_its_trainings(file):
  chosen = settings.read(config(file))
  pieces = lottery.pieces(chosen, chosen.seeds)
  assert len(set(pieces)) == len(pieces) >= len(chosen.seeds) * (chosen.levels + 1)
  assert settings.from_json(settings.as_json(chosen)) == chosen


@pytest.mark.parametrize("file", COMPARISONS)
def test_a_comparison_is_read_and_plans_its_cells(file):
  values = config(file)
  chosen = grid.read(values)
  cells = chosen.cells
  if chosen.points or chosen.waiting:
    kinds = {cell.algorithm for cell in cells.values()} | {name for name, *_ in chosen.waiting}
    assert kinds >= set(values.algorithms)
    return
  sparse_ones = [name for name in values.algorithms if name not in starts.DENSE]
  expected = len(sparse_ones) * len(values.sparsities) + len(values.algorithms) - len(sparse_ones)
  assert len(cells) == expected * len(values.seeds)


def _marked(files):
  for file in files:
    large = config(file).model.startswith(LARGE) or file.startswith(LONG)
    yield pytest.param(file, marks=[pytest.mark.slow] if large else [])


def _require(dataset):
  if dataset == "digits" or dataset in strings.TASKS:
    return
  translated = dataset.partition("/")[0] in translation.FAMILIES
  if translated or not tfds.builder(dataset).is_prepared():
    pytest.skip(f"{dataset} is not on disk: set TFDS_DATA_DIR to where it is prepared")


@pytest.mark.parametrize("file", _marked(SEARCHES))
def test_a_search_trains_one_step_of_its_first_level(file):
  chosen = settings.read(config(file))
  _require(chosen.dataset)
  work = dataclasses.replace(task.load(chosen), steps_per_execution=1)
  model = work.model(seed=0)
  sites = work.sites(model)
  restart = Restart(model, sites)
  before = restart.weights()
  dense = {path: np.ones(site.shape, bool) for path, site in sites.items()}
  masks = prune.prune(before, dense, rates=work.rates(sites), scope=chosen.scope)
  restart(before, masks, step=work.rewind_step + 1)
  model.fit(work.batches(0)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  after = restart.weights()
  for path, mask in masks.items():
    assert np.isfinite(after[path]).all()
    assert not after[path][~mask].any()
    assert (after[path][mask] != before[path][mask]).any(), f"{path} did not learn"


@pytest.mark.parametrize("file", _marked([*RUNS, *COMPARISONS]))
def test_a_training_trains_its_first_steps(file, tmp_path):
  values = config(file)
  chosen = sparse.read(values) if "algorithm" in values else _last_cell(values)
  _require(chosen.dataset)
  whole = task.load(chosen, rethinking.kind_of(chosen))
  cut = dataclasses.replace(chosen, eval_every=2, jit_compile=False)
  whole = dataclasses.replace(whole, steps_per_execution=1, jit_compile=False)
  work = rethinking.task_of(whole, cut, lambda: _untrained(whole))
  assert not trained(work, tmp_path, stop=2)
  assert (tmp_path / "checkpoint.npz").exists()


def _untrained(work):
  return Ticket({}, {path: site.value(v) for path, v in site.weights(work.model(0)).items()})


def _last_cell(values):
  return list(grid.read(values).cells.values())[-1]


@pytest.mark.parametrize("file", _marked(BIRDS))
def test_an_early_bird_training_trains_one_step(file):
  chosen = bird_settings.read(config(file))
  _require(chosen.dataset)
  work = dataclasses.replace(task.load(chosen, bird_task.Task), steps_per_execution=1)
  model = work.model(seed=0)
  before = model.get_weights()
  model.fit(work.batches(0)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  assert all(np.isfinite(value).all() for value in model.get_weights())
  assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("file", _marked(SUPERMASKS))
def test_a_supermask_trains_one_step(file):
  chosen = supermask_settings.read(config(file))
  assert len(supermask_pieces.planned(chosen)) == len(chosen.seeds) * (1 + len(chosen.trained))
  _require(chosen.dataset)
  work = task.load(chosen.of("supermask"), supermask_task.Task)
  work = dataclasses.replace(work, steps_per_execution=1)
  model = work.compiled(work.masked(chosen.trained[0], 0))
  before = model.get_weights()
  model.fit(work.batches(0)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("file", _marked(TRANSFERS))
def test_tickets_can_be_moved_and_a_target_trains_one_step(file):
  chosen = transfer_settings.read(config(file))
  planned = transfer_pieces.transfers(chosen, chosen.seeds)
  each = len(chosen.transfer_levels) * (1 + len(chosen.controls))
  assert len(planned) == len(chosen.seeds) * len(chosen.pairs) * each
  for name in chosen.tasks:
    _require(chosen.of(name).dataset)
  tasks = Tasks(chosen)
  tasks.refuse()
  source, target = chosen.pairs[-1]
  work = dataclasses.replace(tasks.target(target, source), steps_per_execution=1)
  model = work.model(seed=0)
  before = model.get_weights()
  model.fit(work.batches(0)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("file", _marked(STABILITIES))
def test_a_stability_experiment_plans_its_pieces_and_trains_one_step(file):
  chosen = stability_settings.read(config(file))
  _require(chosen.dataset)
  work = dataclasses.replace(task.load(chosen, stability_task.Task), steps_per_execution=1)
  planned = networks.planned(chosen, work.rewind_steps)
  steps, levels = len(work.rewind_steps), len(chosen.arm_levels)
  copies, arms = chosen.copies, len(chosen.arms)
  of_a_step = copies + chosen.levels + levels * (copies + arms * (copies + 1))
  assert len(set(planned)) == len(planned) == 1 + steps * of_a_step
  model = work.model(seed=0)
  before = model.get_weights()
  model.fit(work.batches(0, 1)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("file", TROPICALS)
def test_a_tropical_experiment_plans_its_pieces_and_trains_one_step(file):
  chosen = tropical_settings.read(config(file))
  work = dataclasses.replace(task.load(chosen, tropical_task.Task), steps_per_execution=1)
  planned = tropical_pieces.planned(chosen, chosen.seeds)
  of_a_seed = 1 + chosen.levels * (1 + len(chosen.controls))
  assert len(set(planned)) == len(planned) == len(chosen.seeds) * of_a_seed
  model = work.model(seed=0)
  before = model.get_weights()
  model.fit(work.batches(0)(start=0, stop=1), steps_per_epoch=1, verbose=0)
  assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
