"""Every file in configs/ loads, and trains one step of its first level."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from searches import ROOT, config

from tflottery.experiments import lottery, settings, task
from tflottery.tickets import prune
from tflottery.tickets.restart import Restart

FILES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "configs").rglob("*.py"))
LARGE = ("conv_", "resnet_", "vgg_")


def test_the_configs_that_the_readme_needs_are_there():
  assert {"configs/default.py", "configs/lth_digits.py", "configs/lth_mnist.py"} <= set(FILES)
  assert "configs/papers/lth_lenet_mnist.py" in FILES


@pytest.mark.parametrize("file", FILES)
def test_a_config_is_read_and_plans_its_trainings(file):
  chosen = settings.read(config(file))
  pieces = lottery.pieces(chosen, chosen.seeds)
  assert len(set(pieces)) == len(pieces) >= len(chosen.seeds) * (chosen.levels + 1)
  assert settings.from_json(settings.as_json(chosen)) == chosen


def _marked(file):
  large = settings.read(config(file)).model.startswith(LARGE)
  return pytest.param(file, marks=[pytest.mark.slow] if large else [])


@pytest.mark.parametrize("file", [_marked(file) for file in FILES])
def test_a_config_trains_one_step_of_its_first_level(file):
  chosen = settings.read(config(file))
  if chosen.dataset != "digits" and not tfds.builder(chosen.dataset).is_prepared():
    pytest.skip(f"{chosen.dataset} is not on disk: set TFDS_DATA_DIR to where it is prepared")
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
