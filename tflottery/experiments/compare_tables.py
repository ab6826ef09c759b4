"""The tables of a comparison, from those of its cells that are finished."""

import csv

from tflottery import files
from tflottery.analysis import comparison, comparison_layers
from tflottery.experiments import compare_report, run, selection
from tflottery.experiments.place import table


def cell_run(place, name):
  """The directory of a cell."""
  return run.Run(place.path / "cells" / name)


def selected(place, plan):
  """The `Selection` from the cells of a plan that are finished."""
  return selection.choose(_cells(_summaries(place, plan)), plan)


def write(place, plan):
  """Write the tables, the figures and the page from those of the plan's cells that are finished.

  cells.csv has them all, with the test results of those that were chosen; table.csv and layers.csv
  have the chosen ones.

  Returns:
    The rows of table.csv.
  """
  summaries = _summaries(place, plan)
  cells = _cells(summaries)
  found = selection.choose(cells, plan)
  every, chosen = comparison.selected(cells.values(), found.points)
  rows, more = comparison.rows(chosen), comparison.optional(chosen)
  layers = comparison_layers.rows(chosen, _layers(place, summaries))
  texts = {
    "cells.csv": table((*comparison.CELL, *comparison.optional(every)), every),
    "table.csv": table(comparison.row_columns(more), rows),
    "layers.csv": table(comparison_layers.ROW, layers),
  }
  for name, text in texts.items():
    files.write(place.path / name, text)
  compare_report.write(place.path, rows, layers, found, plan, done=len(cells))
  return rows


def _summaries(place, plan):
  """Dict from the finished cells' names to their summaries, with what the plan says of them."""
  runs = {name: cell_run(place, name) for name in plan.keys}
  return {
    name: there.summary() | {"cell": name, "point": plan.keys[name].point}
    for name, there in runs.items()
    if there.is_done
  }


def _cells(summaries):
  return dict(zip(summaries, comparison.cells(summaries.values()), strict=True))


def _layers(place, summaries):
  """Dict from a cell's name to a list of (site, size, sparsity)."""
  found = {}
  for name, summary in summaries.items():
    sizes = _sizes(cell_run(place, name).path / "layers.csv")
    found[name] = [(site, sizes[site], s) for site, s in summary["sparsity_per_layer"].items()]
  return found


def _sizes(path):
  with open(path, newline="", encoding="utf-8") as file:
    return {row["site"]: int(row["size"]) for row in csv.DictReader(file)}
