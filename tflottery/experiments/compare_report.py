"""The figure and the one page that say what a comparison found."""

import json

from tflottery import files
from tflottery.analysis import comparison, comparison_plots
from tflottery.experiments import page
from tflottery.experiments.report import flat, png

_CAPTION = (
  "Test accuracy at the last evaluation, as a mean over the seeds; bars reach one sample standard"
  " deviation up and down. Lines across are dense networks, their bands likewise."
)


def write(workdir, rows, done, of):
  """Write `accuracy.png` and `report.html` into `workdir`.

  Args:
    workdir: `pathlib.Path` of the comparison.
    rows: those of table.csv.
    done, of: how many cells are finished, of how many.
  """
  image = png(comparison_plots.comparison_figure(rows))
  config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
  files.write(workdir / "accuracy.png", image)
  files.write(workdir / "report.html", _html(rows, config, image, done, of))


def _html(rows, config, image, done, of):
  title = f"{config['model']} on {config['dataset']}"
  body = [
    page.element("h1", title),
    page.element(
      "p", f"Sparse training compared: {done} of {of} networks trained", kind="subtitle"
    ),
    page.picture(image, alt="Test accuracy against sparsity", caption=_CAPTION),
    page.element("h2", "Table"),
    page.table(comparison.lines(rows), header=comparison.HEADER, kind="numbers"),
    page.element("p", comparison.NOTE, kind="note"),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(title, body)
