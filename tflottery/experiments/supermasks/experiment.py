"""The experiment behind `python -m tflottery.bin.supermask`."""

import functools
import time

from tflottery.experiments import settings as _settings
from tflottery.experiments import task
from tflottery.experiments.progress import NowAndThen, duration
from tflottery.experiments.supermasks import pieces, report, settings
from tflottery.experiments.supermasks.task import Task
from tflottery.experiments.supermasks.workdir import Workdir
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
  if all(place.is_done(*piece) for piece in pieces.planned(chosen)):
    place.claim(names, versions())
    print("Finished already: nothing to train.", flush=True)
  else:
    work = task.load(chosen, Task)
    place.claim(names, versions())
    print(_picked(work), flush=True)
    begun = time.perf_counter()
    refresh = NowAndThen(functools.partial(report.write, place), _SECONDS_BETWEEN_REPORTS)
    pieces.run(work, place, after_piece=refresh)
    print(f"Done in {duration(time.perf_counter() - begun)}.", flush=True)
  for sentence in report.write(place):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def _picked(work):
  s = work.settings
  return (
    f"{s.model} ({s.keras}) on {s.dataset}: {work.end} steps of {s.batch_size} for the dense network; "
    f"masks trained: {', '.join(s.trained) or 'none'}; picked steps_per_execution="
    f"{work.steps_per_execution} and jit_compile={work.jit_compile}."
  )
