"""The experiment behind `python -m tflottery.bin.early_bird`."""

import dataclasses
import functools
import time

from tflottery.experiments import (
  bird_pieces,
  bird_report,
  bird_settings,
  bird_task,
  run,
  settings,
  task,
)
from tflottery.experiments.progress import NowAndThen, Steps, duration
from tflottery.versions import versions

_SECONDS_BETWEEN_REPORTS = 60.0


def main(config, workdir):
  """Search, slim and retrain as `config` says in `workdir`, or what is missing of it.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
  """
  chosen = bird_settings.read(config)
  place = bird_pieces.Workdir(workdir)
  names = settings.as_json(chosen)
  place.check(names)
  if all(place.run(piece).is_done for piece in bird_pieces.planned(chosen, place)):
    place.claim(names, versions())
    print("Finished already: nothing to train.", flush=True)
  else:
    work = dataclasses.replace(task.load(chosen, bird_task.Task), workdir=place)
    place.claim(names, versions())
    print(_picked(work), flush=True)
    begun = time.perf_counter()
    train(work)
    print(f"Done in {duration(time.perf_counter() - begun)}.", flush=True)
  for sentence in bird_report.write(chosen, place):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def _progress(piece, end):
  return Steps(f"seed {piece.seed}  {piece.name}", end)


def train(work, telling=_progress):
  """Train the pieces that are not done; a finished search adds those of its tickets.

  Args:
    work: a `bird_task.Task` with its workdir.
    telling: function (piece, end of its training) that returns what is called with the row of every
      evaluation.
  """
  chosen, place = work.settings, work.workdir
  refresh = NowAndThen(
    functools.partial(bird_report.write, chosen, place), _SECONDS_BETWEEN_REPORTS
  )
  for piece in bird_pieces.planned(chosen, place):
    there = place.run(piece)
    if not there.is_done:
      there.claim(settings.as_json(chosen) | {"piece": piece.name}, versions())
      run.run(dataclasses.replace(work, piece=piece), there, telling(piece, work.end))
      refresh()


def _picked(work):
  s = work.settings
  return (
    f"{s.model} ({s.keras}) on {s.dataset}: {work.end} steps of {s.batch_size}, masks drawn every "
    f"{s.eval_every}; picked steps_per_execution={work.steps_per_execution} and "
    f"jit_compile={work.jit_compile}."
  )
