"""The binary, run as a newcomer runs it: what it writes, what it refuses, and that it can be killed."""

import json
import random
import re
import signal
import subprocess
import time

import pytest
from runs import command, outcome, rows
from searches import ROOT, config, environment, on_disk, run

from tflottery.experiments import train

FLAGS = (
  "--config.steps=120", "--config.eval_every=20", "--config.rigl.frequency=7",
  "--config.rigl.end_step=100it",
)  # fmt: skip
FILE = "configs/train.py"


def _command(workdir, *flags, file=FILE):
  return command("train", workdir, *flags, file=file)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
  """A run that was never killed: (its workdir, what it printed)."""
  workdir = tmp_path_factory.mktemp("train") / "new" / "run"
  done = run(*_command(workdir, *FLAGS))
  assert (done.returncode, done.said) == (0, []), done.stderr
  return workdir, done.stdout


def test_it_writes_what_it_promises_and_nothing_else(finished):
  assert sorted(p.name for p in finished[0].iterdir()) == [
    "config.json", "curves.png", "events", "final.ticket", "layers.csv", "layers.png",
    "metrics.csv", "report.html", "sparsity.png", "summary.json",
  ]  # fmt: skip
  for name in ("curves", "sparsity", "layers"):
    assert (finished[0] / f"{name}.png").read_bytes().startswith(b"\x89PNG")
  assert [p for p in finished[0].rglob("*") if p.name.startswith(".")] == []


def test_it_shows_progress_what_it_picked_and_what_came_out(finished):
  workdir, out = finished
  assert "picked steps_per_execution=20 and jit_compile=True" in out
  assert re.search(r"rigl: step 120/120, \d+ steps/s, .* sparsity 0\.9000, 0 s left", out)
  accuracy = json.loads((workdir / "summary.json").read_text())["test_accuracy"]
  assert f"{100 * accuracy:.2f} % test accuracy" in out
  assert f"Report: {workdir / 'report.html'}" in out


def test_the_report_is_one_self_contained_page(finished):
  page = (finished[0] / "report.html").read_text(encoding="utf-8")
  sources = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'> ]+)""", page)
  assert len([s for s in sources if s.startswith("data:image/png;base64,")]) == 3
  assert [s[:60] for s in sources if not s.startswith(("data:", "#"))] == []
  for text in ("RigL", "algorithm_arguments.frequency", "fc1/kernel", "FLOPs"):
    assert text in page


def _again(workdir, capsys, **changes):
  """The command once more, in this process; what it prints."""
  values = {"steps": 120, "eval_every": 20} | changes
  again = config(FILE, **values)
  again.rigl.frequency, again.rigl.end_step = 7, "100it"
  train.main(again, workdir)
  return capsys.readouterr().out


def test_a_finished_run_says_so_and_trains_nothing(finished, capsys):
  workdir, _ = finished
  kept = {p: p.stat().st_mtime_ns for p in workdir.rglob("*") if p.suffix not in (".png", ".html")}
  before = outcome(workdir)
  assert "Finished already: nothing to train." in _again(workdir, capsys, data_dir="nowhere")
  assert outcome(workdir) == before
  changed = [p.name for p, t in kept.items() if p.is_file() and p.stat().st_mtime_ns != t]
  assert changed == []


def test_another_configuration_is_refused_and_nothing_changes(finished, capsys):
  before = on_disk(finished[0])
  with pytest.raises(
    ValueError, match=r"another configuration: sparsity is 0\.9 there and 0\.5 now"
  ):
    _again(finished[0], capsys, sparsity=0.5)
  assert on_disk(finished[0]) == before


PRUNED = {
  "algorithm": "slimming_scratch_e", "sparsity": 0.5, "steps": 40, "eval_every": 20,
  "jit_compile": False, "model": "test_rethinking:of_keras",
}  # fmt: skip


@pytest.mark.slow
def test_a_network_that_this_one_is_pruned_from_is_trained_in_a_folder_of_its_own(tmp_path, capsys):
  train.main(config(FILE, **PRUNED), tmp_path)
  out = capsys.readouterr().out
  assert "parent, slimming: step 40/40" in out and "slimming_scratch_e: step 40/40" in out
  assert "50 % of the ranked channels removed" in out
  parent = json.loads((tmp_path / "parent" / "summary.json").read_text())
  assert parent["algorithm"] == "slimming" and parent["sparsity"] == 0
  before, ticket = on_disk(tmp_path / "parent"), (tmp_path / "final.ticket").read_bytes()
  (tmp_path / "summary.json").unlink()  # as if killed before it was written
  train.main(config(FILE, **PRUNED), tmp_path)
  assert "parent" not in capsys.readouterr().out
  assert on_disk(tmp_path / "parent") == before
  assert (tmp_path / "final.ticket").read_bytes() == ticket


def _kill_at(args, workdir, *, step=None, seconds=0.0):
  """Start the command and kill it so long after it has written the row of a step, or has started."""
  process = subprocess.Popen(
    args, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  metrics = workdir / "metrics.csv"
  while process.poll() is None and step is not None:
    if metrics.exists() and str(step) in [row["step"] for row in rows(metrics)]:
      break
    time.sleep(0.002)
  time.sleep(seconds)
  process.send_signal(signal.SIGKILL)
  process.wait()


def _killed_and_gone_on(args, workdir, expected, *, kills, seed):
  rng = random.Random(seed)
  for _ in range(kills):
    step = rng.choice([None, 20, 60, 80])
    _kill_at(args, workdir, step=step, seconds=rng.uniform(0, 0.05) if step else rng.uniform(3, 8))
  done = run(*args)
  assert (done.returncode, done.said) == (0, []), done.stderr
  assert outcome(workdir) == expected, f"not the same after kills drawn from {seed}"


@pytest.mark.slow
def test_killed_at_a_random_step_it_ends_with_the_same_masks_weights_and_rows(finished, tmp_path):
  seed = random.randrange(10**6)
  expected = outcome(finished[0])
  _killed_and_gone_on(_command(tmp_path, *FLAGS), tmp_path, expected, kills=1, seed=seed)


CASES = {
  "snfs": ["--config.algorithm=snfs", "--config.snfs.frequency=7"],
  "magnitude": ["--config.algorithm=magnitude", "--config.magnitude.frequency=7"],
  "movement": ["--config.algorithm=gradual", "--config.gradual.frequency=7"],
  "set in tf_keras": ["--config.algorithm=set", "--config.keras=tf_keras"],
  "two replicas": ["--config.strategy=mirrored"],
  "a convolutional network": ["--config.model=resnet_20", "--config.steps=60"],
  "dropout in tf_keras": ["--config.model=searches:noisy_tf_keras", "--config.keras=tf_keras"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_often_it_ends_with_the_same_masks_weights_and_rows(name, tmp_path):
  flags = [*FLAGS, *CASES[name]]
  done = run(*_command(tmp_path / "whole", *flags))
  assert (done.returncode, done.said) == (0, []), done.stderr
  args, expected = _command(tmp_path / "killed", *flags), outcome(tmp_path / "whole")
  seed = random.randrange(10**6)
  _killed_and_gone_on(args, tmp_path / "killed", expected, kills=3, seed=seed)


# What is given on the command line, and what the one line on stderr must say.
BAD_FLAGS = {
  "a sparsity of 1": (["--config.sparsity=1.0"], ["config.sparsity=1.0", "below 1"]),
  "a misspelt key": (["--config.sparsty=0.5"], ["--config.sparsty", 'Did you mean "sparsity"']),
  "another algorithm's argument": (["--config.snip.drop=1.0"], ["--config.snip.drop=1.0"]),
  "an unknown data set": (["--config.dataset=minst"], ["'minst'", "mnist"]),
  "steps that evaluations do not divide": (["--config.steps=1201"], ["config.eval_every=100"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_FLAGS)
def test_bad_input_is_one_line_and_writes_nothing(name, tmp_path):
  arguments, words = BAD_FLAGS[name]
  done = run(*_command(tmp_path / "run", *arguments))
  assert done.returncode == 1, done.stderr
  assert len(done.said) == 1 and done.said[0].startswith("error: "), done.stderr
  assert [word for word in words if word not in done.said[0]] == [], done.said[0]
  assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_config_of_another_binary_is_refused(tmp_path):
  done = run(*_command(tmp_path / "run", file="configs/lth_digits.py"))
  assert done.returncode == 1 and len(done.said) == 1, done.stderr
  assert "is not a setting" in done.said[0]
