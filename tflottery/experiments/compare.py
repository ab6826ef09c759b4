"""The experiment behind `python -m tflottery.bin.compare`."""

import functools
import time

from tflottery import files
from tflottery.analysis import comparison
from tflottery.experiments import (
  compare_report,
  grid,
  parents,
  processes,
  rethinking,
  run,
  settings,
  sparse,
  task,
)
from tflottery.experiments.place import Place, table
from tflottery.experiments.progress import NowAndThen, Steps, duration
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

_WRITTEN = ("cells", "cells.csv", "table.csv", "events", "pieces", "checkpoint.npz", "summary.json")
_SECONDS_BETWEEN_REPORTS = 60.0


def main(config, workdir):
  """Train the cells of the grid that `config` describes in `workdir`, those that are not done yet.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
    ChildProcessError: a process failed; the others were brought to their end first.
  """
  chosen = grid.read(config)
  place = _place(workdir)
  place.check(chosen.common)
  runs = {name: cell_run(place, name) for name in chosen.cells}
  for name, cell in chosen.cells.items():
    runs[name].check(settings.as_json(cell))
  missing = [name for name in chosen.cells if not runs[name].is_done]
  if missing:
    work = _checked([chosen.cells[name] for name in missing])
    place.claim(chosen.common, versions())
    print(_picked(work, len(chosen.cells), len(missing)), flush=True)
    begun = time.perf_counter()
    for names in grid.rounds({name: chosen.cells[name] for name in missing}):
      _train(chosen, place, names)
    print(f"{len(missing)} trainings in {duration(time.perf_counter() - begun)}.", flush=True)
  else:
    place.claim(chosen.common, versions())
    print("Finished already: nothing to train.", flush=True)
  print(comparison.text(write(place, list(chosen.cells))))
  print(f"Report: {place.path / 'report.html'}", flush=True)


def write(place, names):
  """Write the tables, the figure and the page from those of the named cells that are finished.

  Returns:
    The rows of table.csv.
  """
  runs = [cell_run(place, name) for name in names]
  cells = comparison.cells([there.summary() for there in runs if there.is_done])
  rows = comparison.rows(cells)
  files.write(place.path / "cells.csv", table(comparison.CELL, cells))
  files.write(place.path / "table.csv", table(comparison.ROW, rows))
  compare_report.write(place.path, rows, len(cells), len(names))
  return rows


def cell_run(place, name):
  """The directory of a cell."""
  return run.Run(place.path / "cells" / name)


def train_cells(names, workdir, grid_names, share):
  """What one of several processes does.

  Args:
    names: dict from a cell's name to its settings as JSON values.
    workdir: the comparison's directory.
    grid_names: the names of all cells of the grid.
    share: the names of the cells to train.
  """
  cells = {name: settings.from_json(names[name], sparse.Training) for name in share}
  _train_one_by_one(cells, _place(workdir), grid_names)


def _place(workdir):
  return Place(workdir, written=_WRITTEN, free=run.FREE)


def _train(chosen, place, missing):
  workers, every = min(chosen.workers, len(missing)), list(chosen.cells)
  if workers == 1:
    _train_one_by_one({name: chosen.cells[name] for name in missing}, place, every)
    return
  names = {name: settings.as_json(chosen.cells[name]) for name in missing}
  shares = [tuple(missing[i::workers]) for i in range(workers)]
  processes.run(train_cells, (names, str(place.path), every), shares, noun="cells")


def _train_one_by_one(cells, place, grid_names):
  work = _loaded(next(iter(cells.values())))
  refresh = NowAndThen(functools.partial(write, place, grid_names), _SECONDS_BETWEEN_REPORTS)
  for name, cell in cells.items():
    there = cell_run(place, name)
    there.claim(settings.as_json(cell), versions())
    parent = functools.partial(_network, place, grid.parent_name(cell))
    own = rethinking.task_of(work, cell, parent)
    run.run(own, there, Steps(name, own.end))
    refresh()


def _network(place, name):
  """The trained network of a cell."""
  return Ticket.load(cell_run(place, name).path / "final.ticket")


def _loaded(cell):
  return task.load(cell, rethinking.kind_of(cell))


def _checked(cells):
  """The task of the first of the cells, after a look at whether all of them can be trained."""
  work = _loaded(cells[0])
  model = work.model(seed=0)
  # How a network is trained after it was pruned, its settings have checked.
  for cell in {(parents.pruning(c), c.sparsity): c for c in cells}.values():
    rethinking.task_of(work, cell).refuse(model)
  return work


def _picked(work, cells, missing):
  s = work.settings
  return (
    f"{missing} of {cells} cells to train: {s.model} ({s.keras}) on {s.dataset}, {work.end} steps of "
    f"{s.batch_size}; picked steps_per_execution={work.steps_per_execution} and "
    f"jit_compile={work.jit_compile}."
  )
