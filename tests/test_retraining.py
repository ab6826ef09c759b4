"""Networks that are trained anew under learned masks: what they begin with, and what stays masked."""

import functools

import keras
import numpy as np
import pytest
from builders import KERASES, random_masks
from runs import outcome, trained
from searches import config

from tflottery import site
from tflottery.experiments import parents, rethinking, run, sparse, task
from tflottery.tickets.ticket import Ticket

SMALL = {
  "steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False, "sparsity": 0.9,
  "learning_rate_drops": ("20it", "30it"), "scratch_b": {"most": 2.0},
}  # fmt: skip


class Trainings:
  """Tasks on digits, and the ticket of a source, which stands for its training."""

  def __init__(self, k):
    self._k = k.__name__
    self.source = task.load(self.settings("magnitude"), sparse.Task)
    model = self.source.model(1)
    self.ticket = Ticket.capture(model, random_masks(model, 0.9))

  def settings(self, algorithm, **changes):
    given = {"keras": self._k, "algorithm": algorithm}
    return sparse.read(config("configs/train.py", **SMALL | changes | given))

  def task(self, way, **changes):
    settings = self.settings(f"magnitude_{way}", **changes)
    return rethinking.task_of(self.source, settings, lambda: self.ticket)


@pytest.fixture(scope="module")
def of():
  """Function of a Keras that returns its `Trainings`."""
  return functools.cache(Trainings)


def _start(work):
  model, [hold] = work.start()
  weights = {path: site.value(variable) for path, variable in site.weights(model).items()}
  with hold.hold(model) as held:
    return weights, held.masks


@pytest.mark.parametrize("k", KERASES)
def test_every_way_holds_the_masks_of_its_source(of, k):
  for way in ("ticket", "scratch_e", "scratch_b_sparse"):
    _, masks = _start(of(k).task(way))
    assert masks.keys() == of(k).ticket.masks.keys()
    assert all((masks[path] == mask).all() for path, mask in of(k).ticket.masks.items())


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_a_ticket_begins_with_its_sources_own_initial_weights_and_scratch_with_others(of, k):
  [source, ticket, scratch] = (
    {path: site.value(v) for path, v in site.weights(work.start()[0]).items()}
    for work in (of(k).source, of(k).task("ticket"), of(k).task("scratch_b"))
  )
  assert all((source[path] == ticket[path]).all() for path in source)
  kernels = [path for path in source if path.endswith("kernel")]
  assert len(kernels) == 3 and not any((source[p] == scratch[p]).any() for p in kernels)


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_sparse_aware_weights_are_as_wide_as_what_lives_asks_for(of, k):
  plain, wide = (_start(of(k).task(way))[0] for way in ("scratch_e", "scratch_e_sparse"))
  for path in ("fc1/kernel", "fc2/kernel"):
    mask = of(k).ticket.masks[path]
    ratio = wide[path][mask].std() / plain[path][mask].std()
    assert ratio == pytest.approx(mask.mean() ** -0.5, rel=0.1)
    assert not wide[path][~mask].any()


@pytest.mark.slow
def test_the_same_seed_begins_alike_and_the_order_of_the_data_is_one_for_all_ways(of):
  first, again, other = (
    of(keras).task("scratch_e", seed=seed).start()[0].get_weights()[0] for seed in (0, 0, 1)
  )
  assert (first == again).all() and not (first == other).any()
  orders = {of(keras).task(way).seeds["order"] for way in ("ticket", "scratch_e", "scratch_b")}
  assert len(orders) == 1 and orders != {of(keras).source.seeds["order"]}


def test_scratch_b_counts_the_flops_of_the_live_weights(of):
  factor = of(keras).task("scratch_b").flops_factor()
  live = sum(int(mask.sum()) for mask in of(keras).ticket.masks.values())
  # Products and sums of 50,200 weights, and of what of them lives; 410 biases and activations or so.
  assert 8 < factor < 50200 / live
  assert of(keras).task("scratch_b").end == 80
  most = {"scratch_b": {"most": 3.0}}
  s = of(keras).task("scratch_b_constant_decay", **most).settings
  assert (s.steps, s.learning_rate_drops) == (120, (100, 110))


@pytest.mark.slow
@pytest.mark.parametrize("way", parents.RETRAININGS)
def test_stopped_and_started_again_it_ends_with_the_same_bits(of, way, tmp_path):
  work = of(keras).task(way)
  assert trained(work, tmp_path / "whole")
  assert not trained(work, tmp_path / "stopped", stop=20)
  assert trained(work, tmp_path / "stopped")
  assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")
  summary = run.Run(tmp_path / "whole").summary()
  assert summary["sparsity"] == pytest.approx(0.9, abs=1e-3)
  assert summary["algorithm"] == f"magnitude_{way}"
  ticket = Ticket.load(tmp_path / "whole" / "final.ticket")
  for path, mask in of(keras).ticket.masks.items():
    assert (ticket.masks[path] == mask).all() and not np.any(ticket.weights[path][~mask])


def test_what_its_source_can_not_do_is_refused(of):
  settings = of(keras).settings("magnitude_ticket", magnitude={"frequency": 0})
  with pytest.raises(ValueError, match=r"config.algorithm='magnitude'.*frequency=0"):
    rethinking.task_of(of(keras).source, settings).refuse(of(keras).source.model(0))
