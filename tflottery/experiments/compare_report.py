"""The figures and the one page that say what a comparison found."""

import json

from tflottery import files
from tflottery.analysis import (
  comparison,
  comparison_layers,
  comparison_plots,
  comparison_table,
)
from tflottery.experiments import compare_verdict, page
from tflottery.experiments.report import flat, png

_CAPTION = (
  "Test accuracy at the last evaluation, as a mean over the seeds; bars reach one sample standard"
  " deviation up and down. Lines across are dense networks, their bands likewise."
)
_LEARNED = (
  " Networks whose sparsity comes of itself, and those under their masks, stand at the sparsity that"
  " they reached."
)
_RETRAINED = (
  " The panels below show networks that were trained anew under the masks of one that became sparse while"
  " it was trained, the solid line."
)
_LAYERS = (
  "Sparsity of each layer, as a mean over the seeds. Networks that are trained anew under learned masks"
  " have that of their source."
)
_SELECTION = (
  "Of each algorithm's points the one with the highest mean validation accuracy over the seeds at the"
  " last evaluation, the first of equals, once all seeds of a point are trained. Where sparsity comes of"
  " itself, only points within half a point of the asked sparsity, or above it, compete. Test accuracies"
  " of the other points are reported nowhere on this page."
)


def write(workdir, rows, layers, found, plan, *, done):
  """Write `accuracy.png`, `layers.png` where there are layers, and `report.html` into `workdir`.

  Args:
    workdir: `pathlib.Path` of the comparison.
    rows: those of table.csv.
    layers: those of layers.csv.
    found: the `selection.Selection`.
    plan: the `grid.Plan`.
    done: how many of its cells are finished.
  """
  images = {"accuracy.png": png(comparison_plots.comparison_figure(rows))}
  if layers:
    images["layers.png"] = png(comparison_layers.layers_figure(layers))
  for name, image in images.items():
    files.write(workdir / name, image)
  config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
  title = f"{config['model']} on {config['dataset']}"
  count = f"{done} of {len(plan.keys)} networks trained"
  settings = {name: value for name, value in config.items() if name != "versions"}
  body = [
    page.element("h1", title),
    page.element("p", f"Sparse training compared: {count}", kind="subtitle"),
    *_verdict(rows, found),
    _accuracy(rows, images["accuracy.png"]),
    page.element("h2", "Table"),
    page.table(comparison_table.lines(rows), header=comparison_table.header(rows), kind="numbers"),
    page.element("p", comparison_table.NOTE, kind="note"),
    *_chosen(found, plan),
    *(_layers(layers, images["layers.png"]) if layers else []),
    page.element("h2", "Configuration"),
    page.table(flat(settings)),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  files.write(workdir / "report.html", page.document(title, body))


def _verdict(rows, found):
  sentences = [*compare_verdict.verdict(rows), *_unreached(found)]
  return [page.verdict_card(sentences)] if sentences else []


def _unreached(found):
  """A sentence for each algorithm that stayed below a sparsity that was asked for."""
  missed = {}
  for algorithm, sparsity in found.unreached:
    missed.setdefault(algorithm, []).append(f"{100 * sparsity:.4g} %")
  return [
    f"No point of {comparison.label(algorithm)} reached {', '.join(sparsities)}: there it has no row, and"
    " nothing was trained under its masks."
    for algorithm, sparsities in missed.items()
  ]


def _accuracy(rows, image):
  names = {row["algorithm"] for row in rows}
  learned = {name for name in names if name.startswith(comparison.LEARNED)}
  caption = _CAPTION + (_LEARNED if learned else "")
  caption += _RETRAINED if names & comparison.RETRAINED.keys() else ""
  return page.picture(image, alt="Test accuracy against sparsity", caption=caption)


def _chosen(found, plan):
  """What was chosen at which sparsity, and from what, where there was a choice."""
  points = {}
  for key in plan.keys.values():
    if key.point and key.algorithm not in comparison.RETRAINED:
      points.setdefault(key.algorithm, {})[key.point] = None
  lines = [
    (
      comparison.label(choice.algorithm),
      f"{100 * choice.sparsity:.4g}",
      choice.point,
      f"{choice.of} of {len(points[choice.algorithm])}",
      f"{100 * choice.validation_accuracy:.2f}",
      f"{100 * choice.reached_sparsity:.2f}",
    )
    for choice in found.choices
    if choice.algorithm in points
  ]
  header = (
    "Algorithm", "Sparsity (%)", "Chosen", "Points that competed", "Validation accuracy (%)",
    "Reached (%)",
  )  # fmt: skip
  if not points:
    return []
  tried = [(comparison.label(name), "; ".join(every)) for name, every in points.items()]
  return [
    page.element("h2", "Best of the grid"),
    page.table(tried),
    page.table(lines, header=header, kind="numbers"),
    page.element("p", _SELECTION, kind="note"),
  ]


def _layers(rows, image):
  """The figure and the table of the layers."""
  lines = {}
  for row in rows:
    line = lines.setdefault((row["algorithm"], row["sparsity"]), {})
    line[row["site"]] = f"{100 * row['layer_sparsity_mean']:.2f}"
  sites = list(dict.fromkeys(row["site"] for row in rows))
  table = [
    (comparison.label(name), f"{100 * sparsity:.4g}", *(line.get(site, "-") for site in sites))
    for (name, sparsity), line in lines.items()
  ]
  header = ("Algorithm", "Sparsity (%)", *sites)
  return [
    page.element("h2", "Layers"),
    page.picture(image, alt="Sparsity of each layer", caption=_LAYERS),
    page.table(table, header=header, kind="numbers"),
  ]
