"""One run in this process: killed anywhere it ends with the same bits; what it writes is right."""

import json

import numpy as np
import pytest
from runs import outcome, rows, task_of, trained
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tflottery as tfl
from tflottery.experiments import run

REWIRED = {"frequency": 7, "end_step": 60}
ALGORITHMS = {
  "dense": {},
  "slimming": {"slimming": {"strength": 0.1}, "model": "test_rethinking:of_keras"},
  "small_dense": {},
  "static": {},
  "set": {"set": REWIRED},
  "rigl": {"rigl": REWIRED},
  "snfs": {"snfs": REWIRED},
  "magnitude": {"magnitude": REWIRED},
  "random": {"random": REWIRED},
  "snip": {"snip": {"batches": 3}},
  "grasp": {"grasp": {"batches": 2}},
  "synflow": {"synflow": {"iterations": 3}},
  "variational_dropout": {"variational_dropout": {"strength": 1e-4, "end_step": 60}},
  "l0": {"l0": {"strength": 1e-3, "end_step": 60}},
  "magnitude_extended": {"magnitude_extended": REWIRED, "sparsity": 0.5},
}
OTHERS = {
  "tf_keras": {"algorithm": "rigl", "rigl": REWIRED, "keras": "tf_keras"},
  "dense tf_keras": {"algorithm": "dense", "keras": "tf_keras"},
  "dropout": {"algorithm": "rigl", "rigl": REWIRED, "model": "searches:noisy_keras"},
  "dropout of tf_keras": {
    "algorithm": "rigl", "rigl": REWIRED, "model": "searches:noisy_tf_keras", "keras": "tf_keras",
  },
  "warm-up and momentum": {
    "algorithm": "set", "set": REWIRED, "optimizer": "sgd", "warmup": "20it",
    "learning_rate_drops": ("50it",),
  },
  "two replicas": {
    "algorithm": "rigl", "rigl": REWIRED, "keras": "tf_keras", "strategy": "mirrored",
    "jit_compile": None,
  },
  "XLA": {"algorithm": "snfs", "snfs": REWIRED, "jit_compile": True},
  "learned masks of tf_keras": {
    "algorithm": "variational_dropout", "keras": "tf_keras", "jit_compile": True,
    "variational_dropout": {"strength": 1e-4, "end_step": 60},
  },
}  # fmt: skip
CASES = {name: {"algorithm": name, **more} for name, more in ALGORITHMS.items()} | OTHERS
FAST = ("rigl",)


@pytest.mark.parametrize(
  "name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in CASES]
)
def test_stopped_and_started_again_it_ends_with_the_same_bits(name, tmp_path):
  work = task_of(**CASES[name])
  assert trained(work, tmp_path / "whole")
  assert not trained(work, tmp_path / "cut", stop=40)
  assert trained(work, tmp_path / "cut")
  assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


@pytest.mark.slow
def test_stopped_at_every_evaluation_it_ends_with_the_same_bits(finished, tmp_path):
  work, path = finished
  for stop in (20, 40, 60):
    assert not trained(work, tmp_path, stop=stop)
  assert trained(work, tmp_path)
  assert outcome(tmp_path) == outcome(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """(its task, its directory) of a finished run."""
  work, path = task_of(rigl=REWIRED), tmp_path_factory.mktemp("run")
  assert trained(work, path)
  return work, path


def test_rows_after_the_checkpoint_come_again_and_none_is_lost_or_doubled(tmp_path):
  work = task_of(algorithm="dense")
  assert not trained(work, tmp_path, stop=20)
  early = (tmp_path / "checkpoint.npz").read_bytes()
  assert not trained(work, tmp_path, stop=40)
  assert [row["step"] for row in rows(tmp_path / "metrics.csv")] == ["20", "40"]
  assert not run.Run(tmp_path).is_done
  (tmp_path / "checkpoint.npz").write_bytes(early)  # as if killed before the next one was renamed
  assert trained(work, tmp_path)
  assert run.Run(tmp_path).is_done and not (tmp_path / "checkpoint.npz").exists()
  assert [row["step"] for row in rows(tmp_path / "metrics.csv")] == ["20", "40", "60", "80"]
  steps = [event.step for event in _events(tmp_path).Tensors("validation_loss")]
  assert steps == [20, 40, 60, 80]


def test_a_row_per_evaluation_with_the_columns_promised(finished):
  table = rows(finished[1] / "metrics.csv")
  assert [*table[0]] == [
    "step", "loss", "validation_loss", "validation_accuracy", "sparsity", "replaced",
    "train_seconds", "steps_per_second",
  ]  # fmt: skip
  assert [row["step"] for row in table] == ["20", "40", "60", "80"]
  assert float(table[-1]["validation_accuracy"]) > 0.5, "digits are learned a little in 80 steps"
  seconds = [float(row["train_seconds"]) for row in table]
  assert seconds == sorted(seconds) and seconds[0] > 0


def test_sparsity_stays_and_the_share_replaced_falls(finished):
  table = rows(finished[1] / "metrics.csv")
  # 5,020 of 50,200 kernel weights live; ERK's counts are rounded per layer.
  assert all(float(row["sparsity"]) == pytest.approx(0.9, abs=1e-4) for row in table)
  replaced = [float(row["replaced"]) for row in table]
  assert 0.3 > replaced[0] > replaced[1] > 0


def test_layers_tell_the_counts_of_the_final_masks(finished):
  ticket = tfl.Ticket.load(finished[1] / "final.ticket")
  last = [row for row in rows(finished[1] / "layers.csv") if row["step"] == "80"]
  assert {row["site"]: int(row["kept"]) for row in last} == {
    path: mask.sum() for path, mask in ticket.masks.items()
  }
  for row in last:
    assert float(row["sparsity"]) == 1 - int(row["kept"]) / int(row["size"])


def test_the_final_network_is_sparse_and_has_the_accuracy_that_is_told(finished):
  work, path = finished
  ticket = tfl.Ticket.load(path / "final.ticket")
  for site, mask in ticket.masks.items():
    assert not ticket.weights[site][~mask].any()
  model = work.model(0)
  ticket.apply(model)
  images = np.float32(work.data.test.images) / 255
  hits = model.predict(images, verbose=0).argmax(1) == work.data.test.labels
  assert run.Run(path).summary()["test_accuracy"] == pytest.approx(hits.mean(), abs=1e-6)


def test_the_final_network_says_where_it_came_from(finished):
  metadata = tfl.Ticket.load(finished[1] / "final.ticket").metadata
  assert metadata["config"]["algorithm"] == "rigl" and metadata["steps"] == 80
  assert "data_dir" not in metadata["config"] and "keras" in metadata["versions"]


def test_the_summary_of_a_sparse_run_by_hand(finished):
  summary = run.Run(finished[1]).summary()
  last = rows(finished[1] / "metrics.csv")[-1]
  assert summary["validation_accuracy"] == float(last["validation_accuracy"])
  assert (summary["algorithm"], summary["asked_sparsity"], summary["seed"]) == ("rigl", 0.9, 0)
  assert summary["parameters"] == 50_610  # 64*300 + 300 + 300*100 + 100 + 100*10 + 10
  kept = sum(mask.sum() for mask in tfl.Ticket.load(finished[1] / "final.ticket").masks.values())
  assert summary["live_parameters"] == kept + 410
  # A multiplication and an addition per weight, an addition per bias.
  assert summary["inference_flops"] == 2 * kept + 410
  assert summary["dense_inference_flops"] == 2 * 50_200 + 410
  share = (2 * kept + 410) / (2 * 50_200 + 410)
  assert summary["inference_flops_share"] == pytest.approx(share, rel=1e-9)
  # Every 7th step computes dense gradients: (3 f_S 7 + 2 f_S + f_D) / 8, of 3 f_D.
  rigl = (3 * share * 7 + 2 * share + 1) / 8 / 3
  assert summary["training_flops_share"] == pytest.approx(rigl, rel=1e-9)


def test_the_summary_of_a_dense_run(tmp_path):
  trained(task_of(algorithm="dense", sparsity=0.5, steps=20), tmp_path)
  summary = run.Run(tmp_path).summary()
  assert (summary["asked_sparsity"], summary["sparsity"]) == (0.0, 0.0)
  assert summary["inference_flops_share"] == summary["training_flops_share"] == 1.0
  assert set(summary["sparsity_per_layer"].values()) == {0.0}
  assert tfl.Ticket.load(tmp_path / "final.ticket").sparsity == 0.0


@pytest.mark.slow
def test_a_small_dense_run_has_no_more_parameters_than_live_in_the_sparse_network(tmp_path):
  trained(task_of(algorithm="small_dense", sparsity=0.9, steps=20), tmp_path)
  summary = run.Run(tmp_path).summary()
  assert 0.95 * (5020 + 410) < summary["parameters"] <= 5020 + 410
  assert summary["live_parameters"] == summary["parameters"]
  # Of the network's own width, not of the narrow one.
  assert 0.09 < summary["inference_flops_share"] < 0.11
  assert summary["training_flops_share"] == pytest.approx(summary["inference_flops_share"])


# The learning rate grows until nothing is left of what was learned in the first 20 steps.
SPOILT = {"algorithm": "dense", "adam": {"learning_rate": 0.5}, "warmup": "80it"}


@pytest.mark.slow
def test_the_best_evaluation_is_that_of_the_highest_validation_accuracy_and_not_the_last(tmp_path):
  work = task_of(**SPOILT)
  assert not trained(work, tmp_path, stop=60)  # after the best: a run that goes on knows it too
  assert trained(work, tmp_path)
  summary, table = run.Run(tmp_path).summary(), rows(tmp_path / "metrics.csv")
  accuracies = [float(row["validation_accuracy"]) for row in table]
  assert summary["best_validation_accuracy"] == max(accuracies) == accuracies[0]
  assert summary["best_step"] == 20
  assert not trained(work, tmp_path / "again", stop=20)
  model = work.model(0)
  tfl.Ticket.load(tmp_path / "again" / "best.ticket").apply(model)
  _, accuracy = work.evaluator(model, work.data.test)()
  assert summary["best_test_accuracy"] == accuracy > summary["test_accuracy"] + 0.2
  tfl.Ticket.load(tmp_path / "final.ticket").apply(model)
  assert summary["test_accuracy"] == work.evaluator(model, work.data.test)()[1]
  assert not (tmp_path / "best.ticket").exists()


@pytest.mark.slow
def test_the_first_of_equals_is_the_best(tmp_path):
  trained(task_of(algorithm="dense", steps=40, adam={"learning_rate": 1e-9}), tmp_path)
  assert len({row["validation_accuracy"] for row in rows(tmp_path / "metrics.csv")}) == 1
  assert run.Run(tmp_path).summary()["best_step"] == 20


def test_the_best_of_gradual_pruning_is_sought_at_its_final_sparsity(tmp_path):
  pruned = {"begin_step": 20, "end_step": 55, "frequency": 5}
  trained(task_of(algorithm="magnitude", sparsity=0.98, magnitude=pruned), tmp_path)
  table, summary = rows(tmp_path / "metrics.csv"), run.Run(tmp_path).summary()
  accuracies = [float(row["validation_accuracy"]) for row in table]
  assert accuracies[0] > max(accuracies[2:]), "the dense network is better than the sparse one"
  assert [row["sparsity"] for row in table[2:]] == ["0.98", "0.98"]
  assert summary["best_validation_accuracy"] == max(accuracies[2:])


def test_tensorboard_reads_the_rows(finished):
  events = _events(finished[1])
  tags = events.Tags()["tensors"]
  assert {"loss", "validation_loss", "sparsity", "replaced", "kept/fc1/kernel"} <= set(tags)
  assert [event.step for event in events.Tensors("loss")] == [20, 40, 60, 80]


def _events(path):
  return EventAccumulator(str(path / "events")).Reload()


def test_a_training_that_diverges_is_an_error_that_names_the_step(tmp_path):
  work = task_of(algorithm="dense", adam={"learning_rate": 1e30})
  with pytest.raises(FloatingPointError, match=r"at step 20.*Lower the learning rate"):
    trained(work, tmp_path)
  assert not run.Run(tmp_path).is_done


def test_every_place_has_what_json_can_hold(finished):
  summary = json.loads((finished[1] / "summary.json").read_text())
  assert all(np.isfinite(v) for v in summary.values() if isinstance(v, float))
