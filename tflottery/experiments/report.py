"""Report: the figures and the one page that say what a search found."""

import datetime
import io
import json
import statistics

from tflottery import files
from tflottery.analysis import actions_plots, plots, results
from tflottery.criteria import DECONSTRUCTED
from tflottery.experiments import arms, page
from tflottery.experiments.verdict import verdict
from tflottery.tickets.freeze import FREEZES

_COLUMNS = (
  "Network",
  "Level",
  "Weights remaining (%)",
  "Early stop (step)",
  "Test accuracy at early stop (%)",
  "Lowest to highest seed (%)",
  "Final test accuracy (%)",
  "Seeds",
)
_FIGURES = {
  "accuracy.png": (
    "Test accuracy against the weights remaining",
    "Test accuracy at the early stop, as a mean over the seeds; bars reach from the lowest seed to"
    " the highest. The dashed line is the dense network.",
  ),
  "criteria.png": (
    "Test accuracy against the weights remaining, by criterion",
    "Test accuracy at the early stop of the tickets that each criterion found, level by level, as a"
    " mean over the seeds. Bars and dashed line as above.",
  ),
  "early_stop.png": (
    "Step of the early stop against the weights remaining",
    "Step of the early stop, where the validation loss is lowest: the lower, the faster the"
    " network learned. Bars and dashed line as above.",
  ),
  "layers.png": (
    "Weights remaining in each layer over the levels",
    "Weights remaining in each layer. Layers whose line falls less steeply keep more than their"
    " share. Bands reach from the lowest seed to the highest.",
  ),
  "actions.png": (
    "What becomes of the kept against what becomes of the pruned",
    "Test accuracy at the early stop of the ticket's masks, as a mean over the seeds, by what the kept"
    " weights start from and what the pruned ones are held at.",
  ),
}


def write(workdir):
  """Write `accuracy.png`, `early_stop.png`, `layers.png` and `report.html` into `workdir`.

  Where several criteria found tickets, `criteria.png` too, and where pruned weights were held at other
  values than 0, `actions.png`.

  Reads `results.csv`, `layers.csv` and `config.json` there, also those of an unfinished search.
  Each file is replaced whole, so that an interruption leaves the old one or the new one.

  Args:
    workdir: `pathlib.Path` of the search.
  """
  rows = results.read(workdir / "results.csv")
  config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
  lines = [row for row in rows if row["arm"] not in {*arms.ACTIONS, *DECONSTRUCTED}]
  tickets = results.of_arms(rows, ("ticket", *config.get("criteria", ())))
  figures = {
    "accuracy.png": plots.accuracy_figure(lines),
    "early_stop.png": plots.early_stop_figure(lines),
    "layers.png": plots.layers_figure(results.read(workdir / "layers.csv")),
  }
  if any(row["arm"] in DECONSTRUCTED for row in rows):
    figures["criteria.png"] = plots.criteria_figure(tickets, first=config["criterion"])
  if any(row["arm"] in arms.ACTIONS for row in rows):
    figures["actions.png"] = _actions_figure(rows)
  images = {name: png(figure) for name, figure in figures.items()}
  for name, image in images.items():
    files.write(workdir / name, image)
  files.write(workdir / "report.html", _html(rows, config, images))


def _actions_figure(rows):
  """The matrix of actions, at the level with the most of them, of equals the sparsest."""
  pairs = {}
  for row in rows:
    if row["level"] and arms.actions(row["arm"]):
      pairs.setdefault(row["level"], []).append(row)
  chosen = max(pairs, key=lambda level: (len({row["arm"] for row in pairs[level]}), level))
  trained = {}
  for row in pairs[chosen]:
    trained.setdefault(arms.actions(row["arm"]), []).append(row["early_stop_test_accuracy"])
  order = [(kept, pruned) for pruned in FREEZES for kept in arms.KEPT]
  return actions_plots.actions_figure(
    {pair: trained[pair] for pair in order if pair in trained},
    remaining=results.mean_by_level(pairs[chosen], "remaining_percent")[chosen],
  )


def png(figure):
  """The bytes of a figure as a PNG file."""
  buffer = io.BytesIO()
  # Without the name of the software the same rows make the same bytes.
  figure.savefig(buffer, format="png", metadata={"Software": None})
  return buffer.getvalue()


def _html(rows, config, images):
  """The page as text."""
  title = f"{config.get('model', 'model')} on {config.get('dataset', 'data')}"
  settings = {name: value for name, value in config.items() if name != "versions"}
  body = [
    page.element("h1", title),
    page.element("p", f"Lottery ticket search: {_extent(rows)}", kind="subtitle"),
    page.verdict_card(verdict(rows)),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
      if name in images
    ),
    page.element("h2", "Levels"),
    _levels_table(rows),
    page.element("p", "Means over the seeds; ± is their sample standard deviation.", kind="note"),
    page.element("h2", "Time"),
    page.table(_times(rows)),
    page.element("h2", "Configuration"),
    page.table(flat(settings)),
  ]
  if "versions" in config:
    body += [page.element("h2", "Versions"), page.table(flat(config["versions"]))]
  return page.document(title, body)


def _extent(rows):
  """How much of the search has been trained, in words."""
  seeds, levels = len({row["seed"] for row in rows}), len({row["level"] for row in rows} - {0})
  return ", ".join(
    f"{count} {noun}{'' if count == 1 else 's'}"
    for count, noun in ((levels, "level"), (seeds, "seed"), (len(rows), "trained network"))
  )


def _levels_table(rows):
  levels = sorted({row["level"] for row in rows})
  groups = [
    [row for row in results.of_arm(rows, arm) if row["level"] == level]
    for level in levels
    for arm in results.arms(rows)
  ]
  groups = [group for group in groups if group]
  tickets = [index for index, group in enumerate(groups) if group[0]["arm"] == "ticket"]
  lines = [_level_line(group) for group in groups]
  return page.table(lines, header=_COLUMNS, emphasised=tickets, kind="numbers")


def _level_line(group):
  """Texts of the table for `group`: the seeds of one arm at one level."""

  def mean(column):
    return statistics.fmean(row[column] for row in group)

  arm, level = group[0]["arm"], group[0]["level"]
  accuracy = [100 * row["early_stop_test_accuracy"] for row in group]
  spread = results.deviation(accuracy)
  return (
    "dense network" if arm == "ticket" and level == 0 else results.label(arm),
    str(level),
    results.percent(mean("remaining_percent")),
    f"{mean('early_stop_step'):,.0f}",
    f"{statistics.fmean(accuracy):.2f}" + (f" ± {spread:.2f}" if len(group) > 1 else ""),
    f"{min(accuracy):.2f} to {max(accuracy):.2f}" if len(group) > 1 else "one seed",
    f"{100 * mean('final_test_accuracy'):.2f}",
    str(len(group)),
  )


def _times(rows):
  if not rows:
    return [("Training", "none yet")]
  seconds = sum(row["train_seconds"] for row in rows)
  speed = statistics.median(row["steps_per_second"] for row in rows)
  return [
    ("Training, all networks", f"{seconds:,.0f} s ({datetime.timedelta(seconds=round(seconds))})"),
    ("Median speed", f"{speed:,.1f} steps/s"),
  ]


def flat(settings, prefix=""):
  """Pairs of dotted names and texts for the nested dict `settings`."""
  pairs = []
  for name, value in settings.items():
    if isinstance(value, dict):
      pairs += flat(value, f"{prefix}{name}.")
    else:
      pairs.append((prefix + name, value if isinstance(value, str) else json.dumps(value)))
  return pairs
