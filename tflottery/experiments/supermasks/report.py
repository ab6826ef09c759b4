"""The figures and the one page that say what the supermask experiment found."""

import json
import statistics

from tflottery import files
from tflottery.analysis import results
from tflottery.experiments import page
from tflottery.experiments.report import flat, png
from tflottery.experiments.supermasks import figures
from tflottery.experiments.supermasks.verdict import best, groups, mean, verdict

_UNTRAINED = (
  "Criterion", "Weights", "Best accuracy (%)", "Lowest to highest seed (%)", "At (% remaining)",
)  # fmt: skip
_TRAINED = (
  "Network", "Weights", "Rounded (%)", "Samples (%)", "Remaining (%)", "Expected (%)", "Ticket (bytes)",
  "n",
)  # fmt: skip
_NOTES = (
  "Untrained: the highest accuracy over the levels, as a mean over the seeds.",
  "Rounded: the network of the weights that are more likely kept than not. Samples: the mean of"
  " networks drawn from the probabilities, as the paper evaluates; ± is the standard deviation over the"
  " seeds. Expected: the mean probability. The ticket holds the mask's bits and how to draw the weights.",
)
_FIGURES = {
  "untrained.png": (
    "Accuracy of untrained networks under masks",
    "Test accuracy of networks whose weights were never trained, under masks that each criterion took"
    " from the trained network, as a mean over the seeds.",
  ),
  "trained.png": (
    "Accuracy of trained masks against the weights they keep",
    "Test accuracy of trained masks over fixed weights, rounded, against the weights they keep: a point"
    " per seed.",
  ),
  "regions.png": (
    "Initial against final weights and what each criterion keeps",
    "Initial against final weights of the first seed's first layer, a selection of them; orange ones are"
    " kept.",
  ),
}


def write(place):
  """Write the figures and the page from the pieces that are finished.

  Args:
    place: a `workdir.Workdir` with its config.json.

  Returns:
    The sentences of the verdict.
  """
  rows = place.rows()
  config = json.loads((place.path / "config.json").read_text(encoding="utf-8"))
  images = {name: png(figure) for name, figure in figures.figures(rows, place, config).items()}
  for name, image in images.items():
    files.write(place.path / name, image)
  sentences = verdict(rows)
  files.write(place.path / "report.html", _html(config, rows, images, sentences))
  return sentences


def _html(config, rows, images, sentences):
  title = f"{config['model']} on {config['dataset']}"
  body = [
    page.element("h1", title),
    page.element("p", "Supermasks: networks that work by their mask", kind="subtitle"),
    page.verdict_card(sentences),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
      if name in images
    ),
    *page.section("Masks that were trained", _TRAINED, _trained(rows)),
    *page.section("Masks without training", _UNTRAINED, _untrained(rows)),
    *(page.element("p", note, kind="note") for note in _NOTES),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(f"Supermasks: {title}", body)


def _untrained(rows):
  lines = []
  for (criterion, weights), own in groups(rows, "untrained", "criterion").items():
    top = best(own)
    spread = [100 * row["test_accuracy"] for row in top]
    lines.append(
      (
        criterion.replace("_", " "),
        weights,
        f"{statistics.fmean(spread):.2f}",
        f"{min(spread):.2f} to {max(spread):.2f}" if len(spread) > 1 else "one seed",
        results.percent(mean(top, "remaining_percent")),
      )
    )
  return lines


def _trained(rows):
  lines = []
  for name in ("supermask", "edge_popup"):
    for (network, weights), own in groups(rows, name, "network").items():
      lines.append(
        (
          network.replace("_", "-"),
          weights,
          _percent(own, "test_accuracy"),
          _percent(own, "samples_test_accuracy"),
          results.percent(mean(own, "remaining_percent")),
          _plain(own, "expected_remaining_percent", "{:.1f}"),
          _plain(own, "ticket_bytes", "{:,.0f}"),
          str(len(own)),
        )
      )
  return lines


def _percent(rows, column):
  """Mean and standard deviation of an accuracy over the seeds, as text."""
  values = [100 * row[column] for row in rows if row[column] is not None]
  if not values:
    return ""
  spread = f" ± {results.deviation(values):.2f}" if len(values) > 1 else ""
  return f"{statistics.fmean(values):.2f}{spread}"


def _plain(rows, column, form):
  return "" if mean(rows, column) is None else form.format(mean(rows, column))
