"""The experiment behind `python -m tflottery.bin.find_ticket`."""

import functools
import time

from tflottery.experiments import lottery, processes, report, settings, task
from tflottery.experiments.progress import NowAndThen, duration
from tflottery.experiments.workdir import Workdir
from tflottery.versions import versions

_SECONDS_BETWEEN_REPORTS = 60.0


def main(config, workdir):
  """Run the search that `config` describes in `workdir`, or what is missing of it.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
  """
  chosen = settings.read(config)
  place = Workdir(workdir)
  names = settings.as_json(chosen)
  place.check(names)
  missing = [p for p in lottery.pieces(chosen, chosen.seeds) if not place.is_done(*p)]
  if missing:
    work = task.load(chosen)
    place.claim(names, versions())
    print(_picked(work), flush=True)
    begun = time.perf_counter()
    here, shared = functools.partial(_search, work, place), (names, str(workdir))
    processes.over_seeds(here, run_seeds, shared, seeds=chosen.seeds, workers=chosen.workers)
    print(f"{len(missing)} trainings in {duration(time.perf_counter() - begun)}.", flush=True)
  else:
    place.claim(names, versions())
    print("Finished already: nothing to train.", flush=True)
  place.write_tables()
  report.write(place.path)
  for sentence in report.verdict(place.rows()):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def run_seeds(names, workdir, seeds):
  """What one of several processes does."""
  _search(task.load(settings.from_json(names)), Workdir(workdir), seeds)


def _search(work, place, seeds):
  refresh = NowAndThen(functools.partial(report.write, place.path), _SECONDS_BETWEEN_REPORTS)
  lottery.run(work, place, seeds, after_piece=refresh)


def _picked(work):
  s = work.settings
  above = [level for level in s.arm_levels if level > s.levels]
  left_out = f" No arms at {above}: there are only {s.levels} levels." if above and s.arms else ""
  return (
    f"{s.model} ({s.keras}) on {s.dataset}: {work.end} steps of {s.batch_size}, rewound to step "
    f"{work.rewind_step}; picked steps_per_execution={work.steps_per_execution} and "
    f"jit_compile={work.jit_compile}.{left_out}"
  )
