"""Runs of a few seconds that the tests share: in this process, and through the binaries."""

import csv
import json
import sys

from searches import config

from tflottery.experiments import run, sparse, task

TIMES = ("train_seconds", "steps_per_second")


class Stop(Exception):  # noqa: N818 - it stands for a kill
  """Ends a run between two steps, as a kill does."""


def task_of(**changes):
  """The task of a run on digits; not compiled by XLA, which takes longer than so few steps."""
  small = {"steps": 80, "eval_every": 20, "batch_size": 30, "jit_compile": False}
  settings = sparse.read(config("configs/train.py", **small | changes))
  return task.load(settings, sparse.Task)


def trained(work, path, *, stop=None):
  """Run `work` in `path`, stopped after the evaluation at the step `stop`; False where it was."""

  def tell(row):
    if row["step"] == stop:
      raise Stop

  try:
    run.run(work, run.Run(path), tell)
  except Stop:
    return False
  return True


def rows(path):
  """The rows of a CSV file as texts."""
  with open(path, newline="", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def outcome(workdir):
  """What a run gave, without what depends on the clock."""
  summary = json.loads((workdir / "summary.json").read_text())
  return {
    "ticket": (workdir / "final.ticket").read_bytes(),
    "layers": rows(workdir / "layers.csv"),
    "rows": [_timeless(row) for row in rows(workdir / "metrics.csv")],
    "summary": _timeless(summary),
    "files": sorted(str(p.relative_to(workdir)) for p in workdir.iterdir()),
  }


def _timeless(values):
  return {name: value for name, value in values.items() if name not in TIMES}


def command(binary, workdir, *flags, file):
  """The command line of a binary."""
  program = [sys.executable, "-m", f"tflottery.bin.{binary}"]
  return [*program, f"--config={file}", f"--workdir={workdir}", *flags]
