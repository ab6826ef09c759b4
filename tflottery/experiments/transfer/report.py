"""The figures, tables and the one page that say what the transfer experiment found."""

import json

from tflottery import files
from tflottery.analysis import results
from tflottery.experiments import page
from tflottery.experiments.place import table
from tflottery.experiments.report import flat, png
from tflottery.experiments.transfer.figures import figures
from tflottery.experiments.transfer.summary import GAIN, gains
from tflottery.experiments.transfer.verdict import verdict

_COLUMNS = (
  "Ticket found on, trained on", "Weights remaining (%)", "Ticket (%)", "Random, layerwise (%)",
  "Fully random (%)", "Target's own (%)", "Dense (%)", "Gain (points)", "Lowest to highest seed", "Seeds",
)  # fmt: skip
_NOTES = (
  "Final test accuracies, as means over the seeds of the line, which are those that the ticket and the"
  " layerwise random one are trained with; what lacks one of them is left empty. Every network is trained"
  " for the target's whole length; those of one seed and target see the same examples in the same order."
  " Gain: the ticket over the random ticket that keeps as many weights in every layer, by seed.",
  "The fully random ticket keeps as many weights in all. Random tickets have fresh weights. The target's"
  " own ticket was found on the target itself, by a search from another seed than this training's. It"
  " stands only beside tickets whose images have its shape; so does the dense network.",
  "A ticket begins with the weights of step k of its search: these steps come on top of the target's"
  " length, as in the paper's late resetting.",
)
_FIGURES = {
  "accuracy.png": (
    "Test accuracy against the weights remaining, by source",
    "Final test accuracy of moved tickets, as a mean over the seeds; bars reach from the lowest to the"
    " highest. Stars are tickets that were found on the target itself. Random tickets are means over"
    " all sources, in size too.",
  ),
  "gains.png": (
    "Gains over the random ticket, source by target",
    "Points of final test accuracy over the random ticket of equal per-layer sparsities, as a mean over"
    " the seeds. Bold: the target's own ticket.",
  ),
}
_FATES = {"copied": "Copied", "reinitialised": "Re-initialised", "dropped": "Dropped"}


def write(place):
  """Write the figures, gains.csv and the page from the pieces that are finished.

  Args:
    place: a `workdir.Workdir` with its config.json.

  Returns:
    The sentences of the verdict.
  """
  rows = place.rows()
  config = json.loads((place.path / "config.json").read_text(encoding="utf-8"))
  images = {name: png(figure) for name, figure in figures(rows).items()}
  for name, image in images.items():
    files.write(place.path / name, image)
  lines, sentences = gains(rows), verdict(rows, config)
  files.write(place.path / "gains.csv", table(GAIN, lines))
  body = [
    *_head(config, sentences, images),
    *_section("Tickets on targets", _COLUMNS, [_words(line) for line in lines], _NOTES),
    *_section("What was moved", ("Ticket", *_FATES.values()), list(_fates(place))),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  files.write(place.path / "report.html", page.document(f"Transfer: {_title(config)}", body))
  return sentences


def moves(place):
  """Lines of text that say for each source and target what became of the ticket's weights."""
  return [
    f"{way}: "
    + "; ".join(
      f"{name.lower()}: {text}" for name, text in zip(_FATES.values(), texts, strict=True)
    )
    for way, *texts in _fates(place)
  ]


def _title(config):
  return f"{config['model']}, {', '.join(config['sources'])} to {', '.join(config['targets'])}"


def _head(config, sentences, images):
  return [
    page.element("h1", _title(config)),
    page.element("p", "Transfer: tickets of one task, trained on another", kind="subtitle"),
    page.verdict_card(sentences),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
      if name in images
    ),
  ]


def _section(title, header, lines, notes=()):
  """A heading, its table and its notes, where there is anything in it."""
  if not lines:
    return []
  body = page.table(lines, header=header, kind="numbers" if notes else None)
  return [page.element("h2", title), body, *(page.element("p", n, kind="note") for n in notes)]


def _words(line):
  """A row of gains.csv as texts."""
  accuracies = [line[name] for name in GAIN if name.endswith("_percent")]
  gain = line["gain_points"]
  spread = (
    f"{line['lowest_gain_points']:+.2f} to {line['highest_gain_points']:+.2f}"
    if gain is not None
    else ""
  )
  return (
    f"{line['source']} \N{RIGHTWARDS ARROW} {line['target']}",
    results.percent(accuracies[0]),
    *("" if value is None else f"{value:.2f}" for value in accuracies[1:]),
    "" if gain is None else f"{gain:+.2f}",
    spread,
    str(line["n"]),
  )


def _fates(place):
  """(source and target, what was copied, re-initialised, dropped) as texts."""
  for (source, target), moved in place.moved().items():
    copied = [_origin(path, own, moved["placed"]) for path, own in moved["copied"].items()]
    others = [[f"{path} ({why})" for path, why in moved[fate].items()] for fate in list(_FATES)[1:]]
    texts = [", ".join(words) or "nothing" for words in (copied, *others)]
    yield (f"{source} \N{RIGHTWARDS ARROW} {target}", *texts)


def _origin(path, source, placed):
  """A copied weight, with its source's path if that is another, and where in a larger one it lies."""
  name = path if path == source else f"{path} from {source}"
  return f"{name} ({placed[path]})" if path in placed else name
