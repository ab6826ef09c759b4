"""The experiment behind `python -m tflottery.bin.tropical`."""

import functools
import time

from tflottery.experiments import processes, task
from tflottery.experiments import settings as _settings
from tflottery.experiments.progress import NowAndThen, duration
from tflottery.experiments.tropical import pieces, report, settings
from tflottery.experiments.tropical.task import Task
from tflottery.experiments.tropical.workdir import Workdir
from tflottery.versions import versions

_SECONDS_BETWEEN_REPORTS = 60.0


def main(config, workdir):
  """Do what `config` describes in `workdir`, or what is missing of it.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
  """
  chosen = settings.read(config)
  place, names = Workdir(workdir), _settings.as_json(chosen)
  place.check(names)
  work = task.load(chosen, Task)
  place.claim(names, versions())
  missing = [p for p in pieces.planned(chosen, chosen.seeds) if not place.is_done(*p)]
  if missing:
    print(_picked(work), flush=True)
    begun = time.perf_counter()
    here, shared = functools.partial(_run, work, place), (names, str(workdir))
    processes.over_seeds(here, run_seeds, shared, seeds=chosen.seeds, workers=chosen.workers)
    print(f"{len(missing)} pieces in {duration(time.perf_counter() - begun)}.", flush=True)
  else:
    print("Finished already: nothing to train.", flush=True)
  place.write_tables()
  for sentence in report.write(place, work):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def run_seeds(names, workdir, seeds):
  """What one of several processes does."""
  chosen = _settings.from_json(names, settings.Tropical)
  _run(task.load(chosen, Task), Workdir(workdir), seeds)


def _run(work, place, seeds):
  def refresh():
    place.write_tables()
    report.write(place, work, animated=False)

  after = NowAndThen(refresh, _SECONDS_BETWEEN_REPORTS)
  pieces.run(work, place, seeds, after_piece=after)


def _picked(work):
  s = work.settings
  return (
    f"{s.model} ({s.keras}) on {s.dataset}: {work.end} steps of {s.batch_size} for each network; "
    f"picked steps_per_execution={work.steps_per_execution} and jit_compile={work.jit_compile}."
  )
