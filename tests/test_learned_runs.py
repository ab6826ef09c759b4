"""Runs that learn their masks: what is measured and kept is the plain network that comes of them."""

import json

import numpy as np
import pytest
from runs import task_of, trained

from tflottery.tickets.ticket import Ticket

# Variances begin where noise is nearly all, so that 80 steps are enough to drop weights.
CHANGES = {
  "variational_dropout": {"strength": 1e-3, "end_step": 40, "log_sigma2": -4.0},
  "l0": {"strength": 1e-7, "end_step": 40, "log_alpha": -2.36},
}


@pytest.fixture(scope="module", params=["variational_dropout", "l0"])
def finished(request, tmp_path_factory):
  """(its task, its directory, its summary) of a finished run."""
  name, path = request.param, tmp_path_factory.mktemp("learned")
  work = task_of(algorithm=name, **{name: CHANGES[name]})
  assert trained(work, path)
  return work, path, json.loads((path / "summary.json").read_text())


def test_the_ticket_is_the_network_that_was_measured(finished):
  work, path, summary = finished
  ticket = Ticket.load(path / "final.ticket")
  model = work.model(seed=1)
  ticket.apply(model)
  _, accuracy = work.evaluator(model, work.data.test)()
  assert accuracy == summary["test_accuracy"]
  assert 0 < ticket.sparsity == summary["sparsity"] < 1


def test_masked_weights_are_zero_and_the_others_are_not(finished):
  ticket = Ticket.load(finished[1] / "final.ticket")
  assert list(ticket.masks) == ["fc1/kernel", "fc2/kernel", "output/kernel"]
  for path, mask in ticket.masks.items():
    assert not ticket.weights[path][~mask].any()
    assert np.count_nonzero(ticket.weights[path][mask]) == mask.sum()


def test_the_summary_asks_for_no_sparsity_and_tells_that_of_every_layer(finished):
  _, _, summary = finished
  assert summary["asked_sparsity"] == 0
  assert set(summary["sparsity_per_layer"]) == {"fc1/kernel", "fc2/kernel", "output/kernel"}
  assert summary["live_parameters"] < summary["parameters"] == 50_610


def test_the_dense_training_is_one_forward_pass_and_variational_dropout_two(finished):
  work, _, summary = finished
  times = {"variational_dropout": 2, "l0": 1}[work.settings.algorithm]
  assert summary["training_flops_share"] == pytest.approx(times)


@pytest.mark.parametrize("name", CHANGES)
def test_a_ramp_that_is_longer_than_the_training_is_refused_by_name(name):
  with pytest.raises(ValueError, match=rf"config\.{name}\.end_step=81 lies behind the 80 steps"):
    task_of(algorithm=name, **{name: {"strength": 1e-3, "end_step": "81it"}})


def test_a_ramp_that_begins_when_the_training_has_ended_is_refused_by_name():
  with pytest.raises(ValueError, match=r"config\.l0\.begin_step=80 lies behind the 80 steps"):
    task_of(algorithm="l0", l0={"strength": 1e-3, "begin_step": 80, "end_step": 0})


@pytest.mark.slow
def test_weight_decay_leaves_what_decides_about_weights_alone():
  l0 = {"strength": 1e-9, "log_alpha": 2.0, "end_step": 0}
  adamw = {"learning_rate": 1e-6, "weight_decay": 1e4}
  work = task_of(algorithm="l0", l0=l0, optimizer="adamw", adamw=adamw)
  model, _ = work.start()
  layer = model.get_layer("fc1")
  before = [v.numpy() for v in (layer.layer.kernel, layer.kernel_log_alpha)]
  model.fit(work.batches(0)(start=0, stop=20), steps_per_epoch=20, verbose=0)
  kernel, log_alpha = (v.numpy() for v in (layer.layer.kernel, layer.kernel_log_alpha))
  np.testing.assert_allclose(kernel, before[0] * 0.99**20, atol=1e-3)
  np.testing.assert_allclose(log_alpha, before[1], atol=1e-3)


def test_what_a_method_refuses_is_told_with_the_algorithm():
  with pytest.raises(ValueError, match=r"config\.algorithm='l0'.*strength=-1"):
    task_of(algorithm="l0", l0={"strength": -1})


def test_an_argument_that_no_method_has_is_told_with_what_was_given():
  with pytest.raises(ValueError, match=r"config\.l0=\{'stength': 1\}.*stength"):
    task_of(algorithm="l0", l0={"stength": 1})
