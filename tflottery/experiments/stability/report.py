"""The figures and the one page that say what the stability experiment found."""

import json
import statistics

from tflottery import files
from tflottery.analysis import results
from tflottery.analysis.stability_plots import network_name, networks
from tflottery.experiments import page
from tflottery.experiments.report import flat, png
from tflottery.experiments.stability import figures
from tflottery.experiments.stability.verdict import verdict

_INSTABILITY = (
  "Network", "k", "Error of the ends (%)", "Highest error (%)", "Instability (points)", "Stable pairs",
  "Lowest to highest pair", "In training error", "In test loss",
)  # fmt: skip
_DISTANCES = ("Network", "k", "To", "L2 distance", "Angle (degrees)", "n")
_TRAININGS = (
  "Network", "Level", "k", "Final test accuracy (%)", "Lowest to highest (%)", "At early stop (%)",
  "Early stop (step)", "n",
)  # fmt: skip
_PATHS = {
  "line": "Instability along the line",
  "bezier": "Instability along quadratic Bezier paths",
}
_KINDS = {"pruning": "the dense network", "data_order": "another copy"}
_NOTES = (
  "k is the step whose weights the copies of a network begin with. Instability is the highest error on the"
  " path minus the mean error of its two ends; a pair of copies is stable at 2 points of test error or"
  " less. Values are means over pairs and seeds.",
  "The dense network of a seed is trained once from step 0, as the first copy at every k. Distances and"
  " angles are over the weights under the network's mask.",
  "± is the sample standard deviation over copies and seeds, n their number. trainings.csv has the seeds of"
  " each copy's noise, pairs.csv, paths.csv and distances.csv what is drawn here.",
)
_FIGURES = {
  "lines.png": (
    "Error along the path between two copies",
    "Test error on the straight line between two copies of a network that were trained from the same weights"
    " at step k with different noise: means over pairs and seeds, bands from the lowest to the highest."
    " Subnetworks are those of the sparsest level that is compared.",
  ),
  "instability.png": (
    "Instability against the step k",
    "Instability against the step k that copies begin with; bars reach from the lowest to the highest of all"
    " pairs and seeds. Up to the dashed line a network is stable. The scale is logarithmic above it where"
    " networks lie far above.",
  ),
  "accuracy.png": (
    "Test accuracy against the step that networks are rewound to",
    "Final test accuracy against the step k that the network is rewound to; bars, and the band of the dense"
    " network, reach from the lowest to the highest of all copies and seeds.",
  ),
  "distances.png": (
    "Distances and angles against the step k",
    "Stability to pruning (solid): how far the trained subnetwork lies from the same weights of the trained"
    " dense network. Stability to noise (dashed): how far two trained copies lie apart. A later k leaves"
    " fewer steps in which they can part.",
  ),
}


def write(place):
  """Write the figures and the page from the pieces that are finished.

  Args:
    place: a `workdir.Workdir` with its config.json.

  Returns:
    The sentences of the verdict.
  """
  rows = {name: place.rows(name) for name in ("trainings", "pairs", "distances")}
  config = json.loads((place.path / "config.json").read_text(encoding="utf-8"))
  images = {name: png(figure) for name, figure in figures.figures(place).items()}
  for name, image in images.items():
    files.write(place.path / name, image)
  sentences = verdict(**rows)
  files.write(place.path / "report.html", _html(config, rows, images, sentences))
  return sentences


def _html(config, rows, images, sentences):
  title = f"{config['model']} on {config['dataset']}"
  body = [
    page.element("h1", title),
    page.element("p", "Stability and linear mode connectivity", kind="subtitle"),
    page.verdict_card(sentences),
    *([page.element("h2", "Figures")] if images else []),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
      if name in images
    ),
    *(
      part
      for path, heading in _PATHS.items()
      for part in page.section(heading, _INSTABILITY, _instability(rows["pairs"], path))
    ),
    *page.section("Distances", _DISTANCES, _distances(rows["distances"])),
    *page.section("Trainings", _TRAININGS, _trainings(rows["trainings"])),
    *(page.element("p", note, kind="note") for note in _NOTES),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(f"Stability: {title}", body)


def _instability(pairs, path):
  lines = []
  train, test = (
    [r for r in pairs if (r["path"], r["split"]) == (path, s)] for s in ("train", "test")
  )
  trained = _groups(train, "k")
  for key, own in _groups(test, "k").items():
    values = [row["instability"] for row in own]
    ends = (_mean(own, f"{end}_error_percent") for end in ("first", "second"))
    lines.append(
      (
        network_name(own),
        f"{own[0]['k']:,}",
        f"{statistics.fmean(ends):.2f}",
        f"{_mean(own, 'highest_error_percent'):.2f}",
        f"{statistics.fmean(values):.2f}",
        f"{sum(row['stable'] for row in own)} of {len(own)}",
        f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else "one pair",
        f"{_mean(trained[key], 'instability'):.2f}" if key in trained else "",
        f"{_mean(own, 'loss_instability'):.3f}",
      )
    )
  return lines


def _distances(rows):
  return [
    (
      network_name(own),
      f"{own[0]['k']:,}",
      _KINDS[own[0]["kind"]],
      f"{_mean(own, 'l2_distance'):.2f}",
      f"{_mean(own, 'angle'):.1f}",
      str(len(own)),
    )
    for own in _groups(rows, "k", "kind").values()
  ]


def _trainings(rows):
  lines = []
  for own in _groups(rows, "k").values():
    accuracy = [100 * row["final_test_accuracy"] for row in own]
    spread = f" ± {results.deviation(accuracy):.2f}" if len(own) > 1 else ""
    lines.append(
      (
        network_name(own),
        str(own[0]["level"]),
        f"{own[0]['k']:,}",
        f"{statistics.fmean(accuracy):.2f}{spread}",
        f"{min(accuracy):.2f} to {max(accuracy):.2f}" if len(own) > 1 else "one",
        f"{100 * _mean(own, 'early_stop_test_accuracy'):.2f}",
        f"{_mean(own, 'early_stop_step'):,.0f}",
        str(len(own)),
      )
    )
  return lines


def _groups(rows, *columns):
  """Dict from (arm, level, the columns' values) to the rows that share them."""
  found = {}
  for network, own in networks(rows).items():
    for row in sorted(own, key=lambda row: [row[column] for column in columns]):
      found.setdefault((*network, *(row[column] for column in columns)), []).append(row)
  return found


def _mean(rows, column):
  return statistics.fmean(row[column] for row in rows)
