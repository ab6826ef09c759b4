"""Figures of the tropical experiment, from what lies in its workdir."""

import functools
import math

from tflottery.analysis import shape_plots, tropical_animation, tropical_drawings, tropical_plots
from tflottery.analysis.results import percent
from tflottery.analysis.tropical.distances import shape_distance
from tflottery.experiments.tropical import summary
from tflottery.experiments.tropical.pieces import DENSE
from tflottery.experiments.tropical.starts import TICKET
from tflottery.experiments.tropical.views import View, network_from

_COLUMNS = 4  # levels that stand side by side
_DIRECTIONS = ("first direction of the plane", "second direction of the plane")
_FRAMES = 24  # pictures in an animation, about: more make a large file


class Figures:
  """What is drawn of the first seed, and the curves over all of them.

  Args:
    work: the `Task`.
    place: the `Workdir`.
  """

  def __init__(self, work, place):
    self._work, self._place = work, place
    self._seed = work.settings.seeds[0]

  @property
  def in_a_plane(self):
    """Whether networks have more than two inputs, and are seen in a plane."""
    return math.prod(self._work.data.image_shape) > 2

  def pictures(self):
    """Dict from file name to figure; what has nothing to show is left out."""
    rows, pruned = self._place.rows("results"), self._place.rows("pruning")
    found = {}
    if self._done(0, DENSE):
      dense = self._polytopes(0, DENSE)
      found["boundary.png"] = self._boundary(dense, "The dense network")
      found["polytopes.png"] = tropical_plots.polytopes_figure(dense, names=self._names)
    level = self._sparsest()
    if level:
      remaining = percent(summary.remaining(rows)[level])
      title = f"The ticket with {remaining} % of the weights"
      found["ticket_boundary.png"] = self._boundary(self._polytopes(level, TICKET), title)
    if any(row["level"] for row in rows):
      found["polygons.png"] = self._polygons(rows)
      found["shape_distance.png"] = shape_plots.shape_distance_figure(_lines(rows))
    if pruned:
      found["pruning.png"] = shape_plots.pruning_figure(_rules(pruned))
    return found

  def animate(self):
    """Write the animations; returns the names of the files."""
    frames = {"training.gif": self._training(), "pruning.gif": self._pruning()}
    written = [name for name, own in frames.items() if len(own) > 1]
    seen = {"points": self._points, "labels": self._labels, "names": self._names}
    for name in written:
      tropical_animation.animate(frames[name], self._place.path / name, **seen)
    return written

  @functools.cached_property
  def _paths(self):
    return self._place.network(self._seed, 0, DENSE).metadata["network"]

  @functools.cached_property
  def _view(self):
    s, train = self._work.settings, self._work.data.train
    dense = self._network(0, DENSE)
    return View(dense, s.pair, self._work.inputs(train), train.labels, s.plane)

  @functools.cached_property
  def _points(self):
    return self._view.points(self._work.inputs(self._work.data.test))

  @property
  def _names(self):
    """Of the two coordinates: the inputs', or the plane's."""
    return _DIRECTIONS if self.in_a_plane else tropical_drawings.NAMES

  @property
  def _labels(self):
    return self._work.data.test.labels

  def _done(self, level, start):
    return self._place.is_done(self._seed, level, start)

  def _network(self, level, start):
    return network_from(self._place.network(self._seed, level, start).weights, self._paths)

  def _polytopes(self, level, start):
    return self._view.polytopes(self._network(level, start))

  def _sparsest(self):
    """The last level whose ticket is trained; 0 where none is."""
    levels = range(1, self._work.settings.levels + 1)
    return max((level for level in levels if self._done(level, TICKET)), default=0)

  def _boundary(self, polytopes, title):
    style = {"title": title, "names": self._names}
    return tropical_plots.boundary_figure(polytopes, self._points, self._labels, **style)

  def _polygons(self, rows):
    levels = summary.remaining(rows)
    chosen = _spread(list(levels), _COLUMNS)
    reference = self._polytopes(0, DENSE).hull()
    polygons, distances = {}, {}
    for name in (TICKET, *self._work.settings.controls):
      for level in chosen:
        if self._done(level, name):
          hull = self._polytopes(level, name).hull()
          polygons.setdefault(_words(name), {})[levels[level]] = hull
          distances.setdefault(_words(name), {})[levels[level]] = shape_distance(hull, reference)
    columns = [levels[level] for level in chosen]
    return tropical_plots.polygons_figure(
      polygons, columns=columns, reference=reference, distances=distances
    )

  def _training(self):
    """The dense network while it trains: (title, polytopes)."""
    frames = self._place.frames(self._seed)
    return [
      (f"step {step:,}", self._view.polytopes(network_from(weights, self._paths)))
      for step, weights in [*frames[:1], *_spread(frames[1:], _FRAMES)]
    ]

  def _pruning(self):
    """The trained ticket at every level: (title, polytopes)."""
    levels = [0, *range(1, self._sparsest() + 1)]
    remaining = summary.remaining(self._place.rows("results"))
    return [
      (
        f"{percent(remaining.get(level, 100))} % of the weights",
        self._polytopes(level, TICKET if level else DENSE),
      )
      for level in levels
      if self._done(level, TICKET if level else DENSE)
    ]


def _spread(items, count):
  """Up to `count` items, evenly spread, the last among them."""
  if len(items) <= count:
    return items
  return [items[round((i + 1) * len(items) / count) - 1] for i in range(count)]


def _lines(rows):
  """Shape distances: dict from start to a dict from weights remaining to the seeds' values."""
  levels = summary.remaining(rows)
  return {
    _words(name): {levels[level]: list(values.values()) for level, values in own.items()}
    for name, own in summary.by_start(rows, "shape_distance").items()
  }


def _rules(pruned):
  """Dict from measure to a dict from rule to a dict from the share asked for, in %, to the values."""
  measures = {
    "Shape distance to the dense polygon\n(mean widths)": ("shape_distance", 1),
    "Test accuracy (%)": ("test_accuracy", 100),
  }
  found = {measure: {} for measure in measures}
  for row in pruned:
    for measure, (column, scale) in measures.items():
      points = found[measure].setdefault(_words(row["rule"]), {})
      points.setdefault(100 * row["share"], []).append(scale * row[column])
  return found


def _words(name):
  return name.replace("_", " ")
