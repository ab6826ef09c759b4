"""The experiment behind `python -m tflottery.bin.transfer`."""

import functools
import time

from tflottery.experiments import processes
from tflottery.experiments import settings as _settings
from tflottery.experiments.progress import NowAndThen, duration
from tflottery.experiments.transfer import pieces, report, settings
from tflottery.experiments.transfer.task import Tasks
from tflottery.experiments.transfer.workdir import Workdir
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
  if pieces.is_finished(chosen, place):
    place.claim(names, versions())
    print("Finished already: nothing to train.", flush=True)
  else:
    tasks = Tasks(chosen)
    tasks.refuse()
    place.claim(names, versions())
    pieces.claim(chosen, place)
    print(_picked(tasks), flush=True)
    begun = time.perf_counter()
    here, shared = functools.partial(_run, tasks, place), (names, str(workdir))
    processes.over_seeds(here, run_seeds, shared, seeds=chosen.seeds, workers=chosen.workers)
    print(f"Done in {duration(time.perf_counter() - begun)}.", flush=True)
  place.write_table()
  for line in report.moves(place):
    print(line)
  for sentence in report.write(place):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def run_seeds(names, workdir, seeds):
  """What one of several processes does."""
  chosen = _settings.from_json(names, settings.Transfer)
  _run(Tasks(chosen), Workdir(workdir), seeds)


def _run(tasks, place, seeds):
  refresh = NowAndThen(functools.partial(report.write, place), _SECONDS_BETWEEN_REPORTS)
  pieces.run(tasks, place, seeds, after_piece=refresh)


def _picked(tasks):
  s = tasks.settings
  levels, seeds = (", ".join(map(str, numbers)) for numbers in (s.transfer_levels, s.seeds))
  return (
    f"Sources: {', '.join(s.sources)}, {s.levels} levels each; targets: {', '.join(s.targets)}, at"
    f" levels {levels}; seeds {seeds}: {len(pieces.transfers(s, s.seeds))} trainings on targets and"
    " the dense networks."
  )
