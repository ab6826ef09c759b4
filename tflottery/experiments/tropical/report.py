"""The figures and the one page that say what the tropical experiment found."""

import json
import statistics

from tflottery import files
from tflottery.analysis import results
from tflottery.experiments import page
from tflottery.experiments.report import flat, png
from tflottery.experiments.tropical import summary
from tflottery.experiments.tropical.figures import Figures
from tflottery.experiments.tropical.starts import TICKET
from tflottery.experiments.tropical.verdict import verdict

_EXPLAINED = (
  "A network with one hidden layer of ReLUs is a difference of two convex functions. Each of them is a"
  " sum of terms max(<g, x>, 0), one for every hidden unit, and such a sum is described by a shape: the"
  " zonotope, which is what the segments from 0 to g cover when they are added up.",
  "For a pair of classes there are two zonotopes, one of what speaks for the first class and one of what"
  " speaks for the second. Which of the two wins at an input x is a race: the class whose zonotope reaches"
  " farther in the direction of x. (With biases it is the direction of x and a last coordinate that is"
  " always 1; the polygons that are drawn here leave it out.) Their common hull is the polygon of the"
  " decision. An edge that belongs to one zonotope stands for lines across which the network bends, the more"
  " sharply the longer the edge is; an edge from one zonotope to the other stands for an end of the decision"
  " boundary that runs off to infinity. Edges and what they stand for are at right angles.",
  "The size and the place of the hull say little: a network whose output weights and biases are all doubled"
  " decides as before, and its hull is twice as large. Its shape is what counts: polygons are moved to a"
  " common centre and brought to a common mean width before the distance between them is measured. Shape"
  " distance 0 is the same shape; 0.1 means that somewhere the outlines lie a tenth of the mean width apart.",
  "Pruned networks are trained again from several initial weights under the same mask, which magnitude"
  " pruning took from the trained ticket of the level before. If the ticket's own initial weights lead back"
  " to the dense network's shape and others don't, then these weights, and not the mask alone, carry the"
  " decision boundary.",
)
_MEASURES = (
  "Shape distances are in mean widths of the polygon, as means ± sample standard deviations over the seeds;"
  " in brackets, in how many seeds the ticket is closer. The polygon is the hull of both zonotopes, without"
  " biases, which move lines and leave their directions as they are. results.csv and pruning.csv have every"
  " number."
)
_CONTROLS = {
  "glorot": "a fresh Glorot normal draw",
  "gaussian": "standard normal",
  "reshuffle": "the kept initial weights, permuted within each layer",
  "sign_kept": "as glorot, with the signs of the initial weights",
  "zero_mean": "normal with the standard deviation of the layer's kept initial weights",
}
_IN_A_PLANE = (
  "The network has more than two inputs: it is seen in a plane through the mean of the two classes, and its"
  " polytopes are projected on the directions of the plane. Points are projected too, so that a point may"
  " lie on the wrong side here and on the right side in truth."
)
_FIGURES = {
  "boundary.png": (
    "Data, decision regions and tropical hypersurface of the dense network",
    "Test examples, the regions in which either logit of the pair is the larger (colours) in the first seed's"
    " dense network, the decision boundary (thick), and the tropical hypersurface T(R) that contains it"
    " (thin): where whichever side is ahead bends.",
  ),
  "ticket_boundary.png": (
    "Data, decision regions and tropical hypersurface of the sparsest ticket",
    "The same of the sparsest ticket that was trained: fewer lines are left to bend at.",
  ),
  "polytopes.png": (
    "The two zonotopes, their hull and its subdivision",
    "The two zonotopes of the dense network and their hull, and the subdivision that is dual to T(R). Edges"
    " between the two zonotopes (black) are orthogonal to the pieces of the decision boundary.",
  ),
  "polygons.png": (
    "Polygons of subnetworks by their initial weights and sparsity",
    "Hulls of the first seed's subnetworks after training (colour) and of the dense network (grey), moved to"
    " one centre and brought to one mean width. Numbers are shape distances.",
  ),
  "shape_distance.png": (
    "Shape distance to the dense polygon against the weights remaining",
    "Shape distance to the dense network's polygon, after training from each initialisation: means over the"
    " seeds. The title says what the bars are.",
  ),
  "pruning.png": (
    "Shape distance and accuracy of pruned networks that are not trained again",
    "The dense network pruned by each rule and not trained again: shape distance to what it was, and test"
    " accuracy, as means over the seeds.",
  ),
}
_ANIMATIONS = {
  "training.gif": (
    "The polygons while the dense network trains",
    "The first seed's dense network while it trains.",
  ),
  "pruning.gif": (
    "The polygons while the network is pruned",
    "The first seed's trained ticket, level by level.",
  ),
}


def write(place, work, *, animated=True):
  """Write the figures and the page from the pieces that are finished.

  Args:
    place: the `Workdir` with its config.json.
    work: the `Task`.
    animated: False leaves the animations as they are, which take seconds.

  Returns:
    The sentences of the verdict.
  """
  rows, pruned = place.rows("results"), place.rows("pruning")
  drawn = Figures(work, place)
  images = {name: png(figure) for name, figure in drawn.pictures().items()}
  for name, image in images.items():
    files.write(place.path / name, image)
  if animated:
    images |= {name: (place.path / name).read_bytes() for name in drawn.animate()}
  s = work.settings
  sentences = verdict(rows, pruned, levels=s.levels, controls=s.controls, seeds=s.seeds)
  files.write(place.path / "report.html", _html(place, drawn, rows, pruned, images, sentences))
  return sentences


def _html(place, drawn, rows, pruned, images, sentences):
  config = json.loads((place.path / "config.json").read_text(encoding="utf-8"))
  title = f"{config['model']} on {config['dataset']}"
  notes = [_MEASURES, *([_IN_A_PLANE] if drawn.in_a_plane else [])]
  if config["controls"]:
    named = (f"{_words(name)}: {_CONTROLS[name]}" for name in config["controls"])
    notes.append(f"Initial weights: {'; '.join(named)}.")
  body = [
    page.element("h1", title),
    page.element("p", "The tropical geometry of its decision boundary", kind="subtitle"),
    page.verdict_card(sentences),
    page.element("h2", "How to read this"),
    *(page.element("p", text) for text in _EXPLAINED),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption, kind=name.rpartition(".")[2])
      for name, (alt, caption) in (_FIGURES | _ANIMATIONS).items()
      if name in images
    ),
    *_tables(rows),
    *page.section("Pruned without training again", *_pruned_table(pruned)),
    *(page.element("p", note, kind="note") for note in notes),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(f"Tropical geometry: {title}", body)


def _tables(rows):
  """Shape distances and accuracies: a line for each start, a column for each level."""
  header = ("Start", *(f"{results.percent(p)} %" for p in summary.remaining(rows).values()))
  distances, accuracies = (
    summary.by_start(rows, column) for column in ("shape_distance", "test_accuracy")
  )
  ticket = distances.get(TICKET, {})
  return [
    *page.section("Shape distance to the dense polygon", header, [
      (_words(name), *(_distance(values, ticket.get(level, {}), name) for level, values in own.items()))
      for name, own in distances.items()
    ]),
    *page.section("Test accuracy (%)", header, [
      (_words(name), *(_mean([100 * v for v in values.values()], 2) for values in own.values()))
      for name, own in accuracies.items()
    ]),
  ]  # fmt: skip


def _distance(values, ticket, name):
  text = _mean(list(values.values()), 3)
  if name == TICKET:
    return text
  wins, seeds = summary.closer(ticket, values)
  return f"{text} ({wins}/{seeds})"


def _pruned_table(pruned):
  """(header, lines): a line for each rule, a column for each share."""
  shares = sorted({row["share"] for row in pruned})
  rules = {}
  for row in pruned:
    rules.setdefault(row["rule"], {}).setdefault(row["share"], []).append(row)
  lines = [
    (f"{_words(rule)}: {words}", *(_mean([scale * row[column] for row in own[s]], digits) for s in shares))
    for rule, own in rules.items()
    for words, column, scale, digits in (
      ("shape distance", "shape_distance", 1, 3),
      ("accuracy (%)", "test_accuracy", 100, 2),
    )
  ]  # fmt: skip
  return ("Rule", *(f"{100 * share:g} % off" for share in shares)), lines


def _mean(values, digits):
  """Mean and standard deviation over the seeds, as text."""
  spread = f" ± {results.deviation(values):.{digits}f}" if len(values) > 1 else ""
  return f"{statistics.fmean(values):.{digits}f}{spread}"


def _words(name):
  return name.replace("_", " ")
