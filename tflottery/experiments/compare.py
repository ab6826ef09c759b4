"""The experiment behind `python -m tflottery.bin.compare`."""

import functools
import time

from tflottery.analysis import comparison_table
from tflottery.experiments import (
  compare_tables,
  grid,
  parents,
  processes,
  rethinking,
  run,
  settings,
  sparse,
  task,
)
from tflottery.experiments.place import Place
from tflottery.experiments.progress import NowAndThen, Steps, duration
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

_WRITTEN = (
  "cells", "cells.csv", "table.csv", "layers.csv", "events", "pieces", "checkpoint.npz",
  "summary.json",
)  # fmt: skip
_SECONDS_BETWEEN_REPORTS = 60.0


def main(config, workdir):
  """Train the cells of the grid that `config` describes in `workdir`, those that are not done yet.

  Networks under learned masks come last: whose masks they are depends on the validation accuracies of
  all others.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
    ChildProcessError: a process failed; the others were brought to their end first.
  """
  chosen = grid.read(config)
  place = _place(workdir)
  place.check(chosen.values)
  missing = _missing(place, chosen.cells)
  again, plan = _retrained(place, chosen) if not missing else ({}, chosen.plan)
  missing |= _missing(place, again)
  if missing:
    work = _checked([*missing.values(), *([] if again else _provisional(chosen))])
    place.claim(chosen.values, versions())
    waiting = 0 if again else len(chosen.waiting)
    print(_picked(work, len(plan.keys) + waiting, len(missing), waiting), flush=True)
    begun = time.perf_counter()
    trained = _train(chosen, place, plan, missing)
    if chosen.waiting and not again:
      again, plan = _retrained(place, chosen)
      trained += _train(chosen, place, plan, _missing(place, again))
    print(f"{trained} trainings in {duration(time.perf_counter() - begun)}.", flush=True)
  else:
    place.claim(chosen.values, versions())
    print("Finished already: nothing to train.", flush=True)
  print(comparison_table.text(compare_tables.write(place, plan)))
  print(f"Report: {place.path / 'report.html'}", flush=True)


def train_cells(names, workdir, plan, share):
  """What one of several processes does.

  Args:
    names: dict from a cell's name to its settings as JSON values.
    workdir: the comparison's directory.
    plan: the `grid.Plan` of what stands in its tables.
    share: the names of the cells to train.
  """
  cells = {name: settings.from_json(names[name], sparse.Training) for name in share}
  _train_one_by_one(cells, _place(workdir), plan)


def _place(workdir):
  return Place(workdir, written=_WRITTEN, free=run.FREE)


def _missing(place, cells):
  """Those of the cells that are not finished; refuses directories of other settings."""
  for name, cell in cells.items():
    compare_tables.cell_run(place, name).check(settings.as_json(cell))
  return {n: cell for n, cell in cells.items() if not compare_tables.cell_run(place, n).is_done}


def _retrained(place, chosen):
  """(cells, plan) of the networks under learned masks, all others being trained."""
  points = compare_tables.selected(place, chosen.plan).points
  for source, sparsity in {(parents.RETRAINED[a][0], s): None for a, s, _ in chosen.waiting}:
    if (source, sparsity) not in points:
      print(
        f"Skipped: what would be trained under masks of {source} at {sparsity:g}, which it did not reach.",
        flush=True,
      )
  return chosen.retrained(points)


def _train(chosen, place, plan, missing):
  """Train the cells `missing`; how many they were."""
  for names in grid.rounds(missing):
    _train_round(chosen.workers, place, plan, {name: missing[name] for name in names})
  return len(missing)


def _train_round(workers, place, plan, cells):
  workers = min(workers, len(cells))
  if workers == 1:
    _train_one_by_one(cells, place, plan)
    return
  names = {name: settings.as_json(cell) for name, cell in cells.items()}
  shares = [tuple(names)[i::workers] for i in range(workers)]
  processes.run(train_cells, (names, str(place.path), plan), shares, noun="cells")


def _train_one_by_one(cells, place, plan):
  work = _loaded(next(iter(cells.values())))
  refresh = NowAndThen(
    functools.partial(compare_tables.write, place, plan), _SECONDS_BETWEEN_REPORTS
  )
  for name, cell in cells.items():
    there = compare_tables.cell_run(place, name)
    there.claim(settings.as_json(cell), versions())
    parent = grid.parent_name(cell, plan.keys[name].point)
    own = rethinking.task_of(work, cell, functools.partial(_network, place, parent))
    run.run(own, there, Steps(name, own.end))
    refresh()


def _network(place, name):
  """The trained network of a cell."""
  return Ticket.load(compare_tables.cell_run(place, name).path / "final.ticket")


def _loaded(cell):
  return task.load(cell, rethinking.kind_of(cell))


def _provisional(chosen):
  """Settings of the networks under learned masks, with the first points of their sources."""
  first = {
    (source, sparsity): next(iter(chosen.points.get(source, [""])))
    for source in parents.SOURCES
    for sparsity in chosen.plan.sparsities
  }
  return chosen.retrained(first)[0].values()


def _checked(cells):
  """The task of the first of the cells, after a look at whether all of them can be trained."""
  work = _loaded(cells[0])
  model = work.model(seed=0)
  for cell in {_kind(cell): cell for cell in cells}.values():
    rethinking.task_of(work, cell).refuse(model)
  return work


def _kind(cell):
  """What of a cell it depends on whether it can be trained."""
  # How a network is trained after it was pruned, its settings have checked; sources are cells.
  if cell.algorithm in parents.RETRAINED:
    return parents.RETRAINED[cell.algorithm][1]
  return parents.pruning(cell), cell.sparsity, repr(cell.algorithm_arguments)


def _picked(work, of, missing, waiting):
  s = work.settings
  last = f" Then up to {waiting} under learned masks." if waiting else ""
  return (
    f"{missing} of {of} cells to train: {s.model} ({s.keras}) on {s.dataset}, {work.end} steps of "
    f"{s.batch_size}; picked steps_per_execution={work.steps_per_execution} and "
    f"jit_compile={work.jit_compile}.{last}"
  )
