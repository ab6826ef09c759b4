"""The README, as a newcomer pastes it."""

import pathlib
import re
import subprocess
import sys

import pytest

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _pasted(directory, *names):
  """The process in which the example of this name ran to its end; several run one after another."""
  found = [re.search(rf"<!-- {n} -->\n```python\n(.*?)```", README, re.DOTALL)[1] for n in names]
  done = subprocess.run(
    [sys.executable, "-c", "\n".join(found)],
    cwd=directory,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return done


def test_the_example_runs(tmp_path):
  done = _pasted(tmp_path, "example")
  assert "level 5: " in done.stdout and "Ticket(level=5, " in done.stdout
  assert (tmp_path / "digits.ticket").exists()


@pytest.mark.slow
def test_the_examples_that_can_follow_it_run(tmp_path):
  done = _pasted(tmp_path, "example", "stability example", "transfer example")
  assert "[(0, 0." in done.stdout and ", (50, 0." in done.stdout
  assert "Instability(step 0, " in done.stdout
  assert "4 weights copied, 2 weights re-initialised, 2 weights dropped" in done.stdout


def test_the_example_of_sparse_training_runs(tmp_path):
  done = _pasted(tmp_path, "sparse example")
  accuracy, sparsity = re.search(r"([01]\.\d+) at (0\.\d+) sparsity", done.stdout).groups()
  assert float(accuracy) > 0.9 and sparsity == "0.950"
  assert "serving/digits/1: compact, float32 values: " in done.stdout
  assert "bit for bit the model's" in done.stdout


@pytest.mark.slow
def test_the_example_of_slimming_runs(tmp_path):
  done = _pasted(tmp_path, "slim example")
  assert "16 of 32 channels (" in done.stdout and "32 of 64 channels (" in done.stdout
  assert "5,274 of 19,754 parameters" in done.stdout


@pytest.mark.slow
def test_the_example_of_deconstructing_runs_after_the_first(tmp_path):
  done = _pasted(tmp_path, "example", "deconstruct example")
  assert done.stdout.count("level 5: ") == 2


@pytest.mark.slow
def test_the_example_of_supermasks_runs(tmp_path):
  done = _pasted(tmp_path, "supermask example")
  drawn, rounded = re.search(r"([01]\.\d+) drawn, ([01]\.\d+) rounded", done.stdout).groups()
  assert float(drawn) > 0.9 and float(rounded) > 0.9
  # 50,200 bits, 410 biases, and where it all comes from.
  assert (tmp_path / "supermask.ticket").stat().st_size < 6275 + 4 * 410 + 4000


@pytest.mark.slow
def test_the_example_of_learned_masks_runs(tmp_path):
  done = _pasted(tmp_path, "learned example")
  accuracy, sparsity = re.search(r"([01]\.\d+) at (0\.\d+) sparsity", done.stdout).groups()
  assert float(accuracy) > 0.9 and float(sparsity) > 0.7


@pytest.mark.slow
def test_the_example_of_polytopes_runs(tmp_path):
  done = _pasted(tmp_path, "tropical example")
  assert 0 < float(done.stdout.split()[-1]) < 0.2
  assert (tmp_path / "boundary.png").stat().st_size > 10_000


def test_every_file_that_it_names_is_there():
  root = pathlib.Path(__file__).parents[1]
  named = set(re.findall(r"(?:configs|docs|benchmarks)/[\w/.]*", README))
  assert {"configs/lth_digits.py", "configs/lth_mnist.py", "docs/design.md"} <= named
  assert [name for name in sorted(named) if not (root / name.rstrip(".")).exists()] == []
