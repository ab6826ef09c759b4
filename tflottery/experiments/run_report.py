"""The figures and the one page that say what a run gave."""

import json

from tflottery import files
from tflottery.analysis import comparison, results, run_plots
from tflottery.experiments import page
from tflottery.experiments.report import flat, png

_FIGURES = {
  "curves.png": (
    "Loss and accuracy over the steps",
    "Loss on the training batches since the last evaluation and on the validation split; accuracy on"
    " the validation split and, at the end, on the test split.",
  ),
  "sparsity.png": (
    "Sparsity over the steps",
    "Sparsity of the network and of its layers; below, the share of the live weights that the latest"
    " change of the masks replaced.",
  ),
  "layers.png": (
    "Live weights of each layer at the end",
    "Live weights of each layer at the end, as a share of the layer and as counts.",
  ),
}


def write(workdir):
  """Write `curves.png`, `sparsity.png`, `layers.png` and `report.html` of a finished run.

  Reads `metrics.csv`, `layers.csv`, `summary.json` and `config.json`.

  Args:
    workdir: `pathlib.Path` of the run.
  """
  rows, layers = (results.read(workdir / name) for name in ("metrics.csv", "layers.csv"))
  summary, config = (
    json.loads((workdir / name).read_text(encoding="utf-8"))
    for name in ("summary.json", "config.json")
  )
  figures = {
    "curves.png": run_plots.curves_figure(rows, test_accuracy=summary["test_accuracy"]),
    "sparsity.png": run_plots.sparsity_figure(rows, layers),
    "layers.png": run_plots.layers_figure(layers),
  }
  images = {name: png(figure) for name, figure in figures.items()}
  for name, image in images.items():
    files.write(workdir / name, image)
  files.write(workdir / "report.html", _html(summary, layers, config, images))


def sentences(summary):
  """What came out, in words."""
  live, every = summary["live_parameters"], summary["parameters"]
  inference, training = summary["inference_flops_share"], summary["training_flops_share"]
  removed = summary["channels_removed_share"]
  return [
    f"{100 * summary['test_accuracy']:.2f} % test accuracy with {live:,} of {every:,} parameters, "
    + (
      f"{100 * removed:.4g} % of the ranked channels removed."
      if removed
      else f"{100 * summary['sparsity']:.4g} % of the prunable weights masked."
    ),
    *_of_sequences(summary),
    f"At the evaluation of the highest validation accuracy, step {summary['best_step']:,}, it was "
    f"{100 * summary['best_test_accuracy']:.2f} %.",
    f"An example takes {100 * inference:.3g} % of the dense network's FLOPs, the whole training "
    f"{100 * training:.3g} % of the dense training's"
    + (
      ": the network is smaller."
      if removed
      else ", where masked weights are skipped; here nothing is skipped."
    ),
    f"{summary['steps']:,} steps in {summary['train_seconds']:,.1f} s, evaluations not counted: "
    f"{summary['steps_per_second']:,.0f} steps per second (median).",
  ]


def _of_sequences(summary):
  if "exact_match" in summary:
    yield (
      f"Written by itself, {100 * summary['exact_match']:.2f} % of the test sequences are right as a whole, "
      f"with a BLEU of {summary['bleu']:.2f}; the accuracy is that of single tokens after right ones."
    )


def _html(summary, layers, config, images):
  title = f"{config['model']} on {config['dataset']}"
  last = [row for row in layers if row["step"] == summary["steps"]]
  lines = [
    (row["site"], f"{row['size']:,.0f}", f"{row['kept']:,.0f}", f"{100 * row['sparsity']:.2f}")
    for row in last
  ]
  body = [
    page.element("h1", title),
    page.element("p", f"Trained: {comparison.label(summary['algorithm'])}", kind="subtitle"),
    page.verdict_card(sentences(summary)),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
    ),
    page.element("h2", "Layers"),
    page.table(lines, header=("Layer", "Weights", "Live", "Sparsity (%)"), kind="numbers"),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(title, body)
