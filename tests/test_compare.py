"""The binary that compares: a grid of runs, done cells skipped, one table and one figure."""

import contextlib
import io
import json
import shutil
import signal
import statistics
import subprocess

import numpy as np
import pytest
from runs import command, rows
from searches import ROOT, config, environment, on_disk, run
from test_processes import wait_until

from tflottery.experiments import compare
from tflottery.tickets.ticket import Ticket

GRID = {"algorithms": ("dense", "rigl"), "sparsities": (0.9,), "seeds": (0, 1)}
SMALL = {"steps": 40, "eval_every": 20, "jit_compile": False, "rigl": {"frequency": 10}}
CELLS = ["dense-0-0", "rigl-0.9-0", "dense-0-1", "rigl-0.9-1"]


def _compared(workdir, **changes):
  """Compare in this process; what was printed."""
  out = io.StringIO()
  values = GRID | SMALL | {"workers": 1} | changes
  with contextlib.redirect_stdout(out):
    compare.main(config("configs/compare.py", **values), workdir)
  return out.getvalue()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """A comparison by one process: (its workdir, what it printed)."""
  workdir = tmp_path_factory.mktemp("compare") / "run"
  return workdir, _compared(workdir)


def _summary(workdir, cell):
  return json.loads((workdir / "cells" / cell / "summary.json").read_text())


def test_it_writes_what_it_promises_and_nothing_else(finished):
  assert sorted(p.name for p in finished[0].iterdir()) == [
    "accuracy.png", "cells", "cells.csv", "config.json", "layers.csv", "layers.png", "report.html",
    "table.csv",
  ]  # fmt: skip
  assert sorted(p.name for p in (finished[0] / "cells").iterdir()) == sorted(CELLS)
  assert (finished[0] / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_every_cell_has_its_row(finished):
  table = rows(finished[0] / "cells.csv")
  assert [f"{r['algorithm']}-{float(r['sparsity']):g}-{r['seed']}" for r in table] == CELLS
  for cell, row in zip(CELLS, table, strict=True):
    summary = _summary(finished[0], cell)
    assert float(row["test_accuracy"]) == summary["test_accuracy"]
    assert float(row["reached_sparsity"]) == summary["sparsity"]
    assert (row["cell"], row["point"], float(row["chosen_at"])) == (
      cell,
      "",
      float(row["sparsity"]),
    )


def test_the_layers_have_their_sizes_and_mean_sparsities(finished):
  table = rows(finished[0] / "layers.csv")
  found = [(row["algorithm"], row["site"], row["size"], row["n"]) for row in table]
  sizes = {"fc1/kernel": "19200", "fc2/kernel": "30000", "output/kernel": "1000"}
  assert found == [("rigl", site, size, "2") for site, size in sizes.items()]
  every = [_summary(finished[0], f"rigl-0.9-{seed}")["sparsity_per_layer"] for seed in (0, 1)]
  for row in table:
    mean = statistics.fmean(layers[row["site"]] for layers in every)
    assert float(row["layer_sparsity_mean"]) == pytest.approx(mean)


def test_the_table_has_mean_deviation_and_number_of_seeds(finished):
  table = rows(finished[0] / "table.csv")
  assert [(r["algorithm"], r["n"]) for r in table] == [("dense", "2"), ("rigl", "2")]
  for row in table:
    cells = [cell for cell in CELLS if cell.startswith(row["algorithm"])]
    accuracies = [_summary(finished[0], cell)["test_accuracy"] for cell in cells]
    assert float(row["test_accuracy_mean"]) == pytest.approx(statistics.fmean(accuracies))
    deviation = float(row["test_accuracy_standard_deviation"])
    assert deviation == pytest.approx(statistics.stdev(accuracies))


def test_it_prints_the_table_and_where_the_report_is(finished):
  workdir, out = finished
  assert "4 of 4 cells to train" in out and "RigL" in out and "Test accuracy (%)" in out
  assert f"Report: {workdir / 'report.html'}" in out
  page = (workdir / "report.html").read_text(encoding="utf-8")
  assert "4 of 4 networks trained" in page and "data:image/png;base64," in page


@pytest.mark.slow
def test_finished_cells_are_skipped_and_more_seeds_train_only_what_is_new(finished, tmp_path):
  workdir = tmp_path / "run"
  shutil.copytree(finished[0], workdir)
  before = on_disk(workdir / "cells")
  assert "2 of 6 cells to train" in _compared(workdir, seeds=(0, 1, 2))
  after = on_disk(workdir / "cells")
  assert {path: after[path] for path in before} == before
  assert [row["n"] for row in rows(workdir / "table.csv")] == ["3", "3"]


def test_a_finished_comparison_says_so_and_trains_nothing(finished):
  before = on_disk(finished[0] / "cells")
  assert "Finished already: nothing to train." in _compared(finished[0], workers=2)
  assert on_disk(finished[0] / "cells") == before


def test_another_configuration_is_refused_and_nothing_changes(finished):
  before = on_disk(finished[0])
  with pytest.raises(ValueError, match="steps is 40 there and 80 now"):
    _compared(finished[0], steps=80)
  assert on_disk(finished[0]) == before


@pytest.mark.parametrize(
  ("changes", "words"),
  [
    ({"sparsities": (0.9, 0.0)}, ["config.sparsity=0.0"]),
    ({"rigl": {"frequency": 0}}, ["config.algorithm='rigl'", "frequency=0"]),
  ],
)
def test_what_one_cell_can_not_do_is_refused_before_any_is_trained(tmp_path, changes, words):
  with pytest.raises(ValueError) as error:
    _compared(tmp_path / "run", **changes)
  assert [word for word in words if word not in str(error.value)] == [], error.value
  assert not (tmp_path / "run").exists()


PRUNED = {
  "algorithms": ("l1_norm_fine_tuned", "slimming_scratch_b"), "sparsities": (0.5,), "seeds": (0,),
  "model": "test_rethinking:of_keras",
}  # fmt: skip


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
  """A comparison of networks that are pruned from others, which it does not name: (workdir, output)."""
  workdir = tmp_path_factory.mktemp("pruned") / "run"
  return workdir, _compared(workdir, **PRUNED)


@pytest.mark.slow
def test_trained_networks_that_others_are_pruned_from_are_cells_too(pruned):
  workdir, out = pruned
  assert "4 of 4 cells to train" in out and "L1-norm, fine-tuned" in out
  table = rows(workdir / "table.csv")
  assert [row["algorithm"] for row in table] == [
    "dense", "l1_norm_fine_tuned", "slimming", "slimming_scratch_b",
  ]  # fmt: skip
  steps = [float(row["steps"]) for row in table]
  assert steps[:3] == [40, 20, 40] and steps[3] > 40


@pytest.mark.slow
def test_pruned_cells_that_are_missing_take_the_networks_that_are_there(pruned, tmp_path):
  workdir, name = tmp_path / "run", "l1_norm_fine_tuned-0.5-0"
  shutil.copytree(pruned[0], workdir)
  shutil.rmtree(workdir / "cells" / name)
  before = on_disk(workdir / "cells")
  assert "1 of 4 cells to train" in _compared(workdir, **PRUNED)
  after = on_disk(workdir / "cells")
  assert {path: after[path] for path in before} == before
  tickets = [(d / "cells" / name / "final.ticket").read_bytes() for d in (workdir, pruned[0])]
  assert tickets[0] == tickets[1]


@pytest.mark.slow
def test_a_grid_that_names_the_dense_network_trains_it_once(pruned, tmp_path):
  workdir = tmp_path / "run"
  shutil.copytree(pruned[0], workdir)
  named = PRUNED | {"algorithms": ("dense", *PRUNED["algorithms"])}
  assert "Finished already: nothing to train." in _compared(workdir, **named)


@pytest.mark.slow
def test_two_processes_and_a_kill_give_the_pruned_cells_of_one(pruned, tmp_path):
  names = ",".join(PRUNED["algorithms"])
  flags = [f"--config.algorithms={names}", "--config.sparsities=0.5", "--config.seeds=0"]
  flags += [f"--config.model={PRUNED['model']}", *FLAGS[:2], *FLAGS[5:]]
  args = command("compare", tmp_path / "b", *flags, file="configs/compare.py")
  process = subprocess.Popen(
    args, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  wait_until(lambda: len(list((tmp_path / "b").glob("cells/*/summary.json"))) >= 1)
  process.send_signal(signal.SIGKILL)
  process.wait()
  done = run(*args)
  assert (done.returncode, done.said) == (0, []), done.stderr
  for cell in (pruned[0] / "cells").iterdir():
    networks = [Ticket.load(p / "final.ticket") for p in (cell, tmp_path / "b/cells" / cell.name)]
    first, second = (network.weights for network in networks)
    for path in first:  # how many threads a process has changes the last bits of convolutions
      np.testing.assert_allclose(first[path], second[path], atol=1e-4, err_msg=cell.name)


LEARNED = {
  "algorithms": (
    "magnitude_ticket", "magnitude_scratch_b_constant_decay", "variational_dropout_scratch_e_sparse",
  ),
  "sparsities": (0.3, 0.95), "seeds": (0, 1), "learning_rate_drops": ("20it",),
  "scratch_b": {"most": 2.0},
  # Weights of little magnitude are noise from the first step on at so low a threshold: some 60 %.
  "grid": {
    "magnitude": {"end_step": (20, 30)}, "variational_dropout": {"threshold": (3.0, -4.0)},
  },
}  # fmt: skip
POINTS = ("end_step=20", "end_step=30")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
  """A comparison of networks under learned masks, their sources chosen from a grid: (workdir, output)."""
  workdir = tmp_path_factory.mktemp("learned") / "run"
  return workdir, _compared(workdir, **LEARNED)


def _best(workdir, sparsity):
  """The point of magnitude pruning of the highest mean validation accuracy, from its summaries."""
  means = {
    point: statistics.fmean(
      _summary(workdir, f"magnitude-{sparsity}-{seed}-{point}")["validation_accuracy"]
      for seed in (0, 1)
    )
    for point in POINTS
  }
  return max(means, key=means.get)


@pytest.mark.slow
def test_the_masks_of_the_point_that_validated_best_are_trained_anew(learned):
  workdir, out = learned
  assert "12 of 24 cells to train" in out and "up to 12 under learned masks" in out
  for sparsity in (0.3, 0.95):
    best = _best(workdir, sparsity)
    for seed in (0, 1):
      names = [f"{n}-{sparsity}-{seed}-{best}" for n in ("magnitude", "magnitude_ticket")]
      source, ticket = (Ticket.load(workdir / "cells" / n / "final.ticket") for n in names)
      assert all((source.masks[path] == mask).all() for path, mask in ticket.masks.items())
    others = [f"magnitude_ticket-{sparsity}-0-{point}" for point in POINTS if point != best]
    assert not any((workdir / "cells" / other).exists() for other in others)


@pytest.mark.slow
def test_the_tables_tell_test_accuracies_of_chosen_points_alone(learned):
  workdir, _ = learned
  for row in rows(workdir / "cells.csv"):
    assert bool(row["test_accuracy"]) == bool(row["best_test_accuracy"]) == bool(row["chosen_at"])
    assert float(row["validation_accuracy"]) >= 0
    if row["algorithm"] == "magnitude":
      is_best = row["point"] == _best(workdir, float(row["sparsity"]))
      assert row["chosen_at"] == (row["sparsity"] if is_best else "")
  table = [(row["algorithm"], row["sparsity"], row["n"]) for row in rows(workdir / "table.csv")]
  magnitudes = ("magnitude", "magnitude_ticket", "magnitude_scratch_b_constant_decay")
  assert sorted(table) == sorted(
    [(name, sparsity, "2") for name in magnitudes for sparsity in ("0.3", "0.95")]
    + [(f"variational_dropout{way}", "0.3", "2") for way in ("", "_scratch_e_sparse")]
  )


@pytest.mark.slow
def test_a_sparsity_that_was_not_reached_is_skipped_and_told(learned):
  workdir, out = learned
  assert "masks of variational_dropout at 0.95, which it did not reach" in out
  page = (workdir / "report.html").read_text(encoding="utf-8")
  assert "No point of variational dropout reached 95\u00a0%" in page
  assert "Best of the grid" in page and "threshold=-4.0" in page
  [cell] = [r for r in rows(workdir / "table.csv") if r["algorithm"] == "variational_dropout"]
  assert cell["point"] == "threshold=-4.0" and 0.3 < float(cell["reached_sparsity"]) < 0.95


def _timeless(path):
  clock = ("train_seconds", "steps_per_second")
  return [{n: value for n, value in row.items() if n not in clock} for row in rows(path)]


@pytest.mark.slow
def test_with_cells_of_either_round_missing_it_ends_with_the_same_rows(learned, tmp_path):
  for i, names in enumerate((["*_ticket-0.95-1-*"], ["magnitude-0.3-0-*=20", "*_ticket-*"])):
    workdir = tmp_path / str(i)
    shutil.copytree(learned[0], workdir)
    gone = [cell for name in names for cell in (workdir / "cells").glob(name)]
    for cell in gone:
      shutil.rmtree(cell)
    # Of 22, for two that would need a sparser source are skipped; while a source is missing, of 24.
    assert ("1 of 22 cells", "1 of 24 cells")[i] in _compared(workdir, **LEARNED)
    assert all((cell / "summary.json").exists() for cell in gone)
    for name in ("cells.csv", "table.csv", "layers.csv"):
      assert _timeless(workdir / name) == _timeless(learned[0] / name)
  assert "Finished already" in _compared(workdir, **LEARNED)


@pytest.mark.slow
def test_two_processes_and_a_kill_choose_and_train_as_one_does(learned, tmp_path):
  names = ",".join(LEARNED["algorithms"])
  flags = [f"--config.algorithms={names}", "--config.sparsities=0.3,0.95", *FLAGS[:2], *FLAGS[4:6]]
  flags += ["--config.learning_rate_drops=20it", "--config.scratch_b.most=2.0"]
  args = command("compare", tmp_path, *flags, file="tests/grids.py")
  process = subprocess.Popen(
    args, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  wait_until(lambda: any((tmp_path / "cells").glob("*_ticket-*/summary.json")), seconds=400)
  process.send_signal(signal.SIGKILL)
  process.wait()
  done = run(*args)
  assert (done.returncode, done.said) == (0, []), done.stderr
  for name in ("cells.csv", "table.csv", "layers.csv"):
    assert _timeless(tmp_path / name) == _timeless(learned[0] / name)


def test_what_waits_for_a_choice_is_refused_before_anything_is_trained(tmp_path):
  given = {"algorithms": ("magnitude_ticket",), "grid": {"magnitude": {"frequency": (100, 0)}}}
  with pytest.raises(ValueError, match=r"config.algorithm='magnitude'.*frequency=0"):
    _compared(tmp_path / "run", **given)
  assert not (tmp_path / "run").exists()


FLAGS = (
  "--config.steps=40", "--config.eval_every=20", "--config.algorithms=dense,rigl",
  "--config.sparsities=0.9", "--config.seeds=0,1", "--config.jit_compile=False",
  "--config.rigl.frequency=10",
)  # fmt: skip


def _same_cells(ours, theirs):
  for cell in CELLS:
    networks = [p / "cells" / cell / "final.ticket" for p in (ours, theirs)]
    assert networks[0].read_bytes() == networks[1].read_bytes(), cell


@pytest.mark.slow
def test_two_processes_and_a_kill_give_the_same_cells_as_one(tmp_path):
  args = [command("compare", tmp_path / n, *FLAGS, file="configs/compare.py") for n in "ab"]
  done = run(*args[0], "--config.workers=1")
  assert (done.returncode, done.said) == (0, []), done.stderr
  process = subprocess.Popen(
    args[1], cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  wait_until(lambda: len(list((tmp_path / "b").glob("cells/*/summary.json"))) >= 1)
  process.send_signal(signal.SIGKILL)
  process.wait()
  done = run(*args[1])
  assert (done.returncode, done.said) == (0, []), done.stderr
  assert "of 4 cells to train" in done.stdout and "4 of 4 cells to train" not in done.stdout
  _same_cells(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
def test_a_process_that_fails_is_named_and_the_other_cells_are_trained(tmp_path):
  args = command("compare", tmp_path / "run", *FLAGS, file="configs/compare.py")
  done = run(*args, "--config.optimizer=sgd", "--config.sgd.learning_rate=1e30")
  assert done.returncode == 1 and "Traceback" not in done.stderr
  assert any("Lower the learning rate" in line for line in done.said)
  assert any("the process of cells" in line and "dense-0-0" in line for line in done.said)
