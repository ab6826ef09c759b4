"""Tropical animation: how boundary and polytopes move while a network trains or is pruned."""

import pathlib
import tempfile

from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

from tflottery import files
from tflottery.analysis.axes import add_legend, set_style
from tflottery.analysis.tropical_drawings import (
  NAMES,
  box_of,
  draw_boundary,
  draw_zonotopes,
  limits_of,
  settle,
)

_DPI = 80
_HOLD = 1.5  # seconds that the last picture stays before all begins again


def animate(frames, path, *, points, labels, box=None, names=NAMES, frames_per_second=5):
  """Write a GIF that goes round: the boundary over the data, and beside it the two zonotopes.

  The axes stay as they are over all frames, so that sizes compare. Some 25 frames make a file of less
  than a megabyte. The same frames give the same bytes.

  Args:
    frames: (title, `DecisionPolytopes`) of each picture, in time; of networks with two inputs.
    path: the file, written beside and renamed.
    points: [n, 2], as the networks take them.
    labels: [n], their classes.
    box: ((x0, x1), (y0, y1)), what is shown of the plane; None takes what the points fill.
    names: of the two coordinates.
    frames_per_second: pictures in a second.

  Raises:
    ValueError: no frames, a network that has not two inputs, or neither points nor a box.
  """
  frames = list(frames)
  if not frames:
    raise ValueError("frames is empty: give a (title, polytopes) of each picture.")
  box = box_of(points) if box is None else box
  limits = limits_of([polytopes.hull() for _, polytopes in frames])
  figure = Figure(figsize=(7.8, 4.6), dpi=_DPI, layout="constrained")
  panels = figure.subplots(1, 2)

  def draw(title, polytopes):
    for axes in panels:
      axes.clear()
    draw_boundary(panels[0], polytopes, points, labels, box=box, names=names)
    panels[0].set_title(title)
    set_style(panels[1])
    draw_zonotopes(panels[1], polytopes, names=names, limits=limits)
    panels[1].set_title("Zonotopes")

  draw(*frames[0])
  add_legend(panels[0], columns=2)
  settle(figure)
  figure.set_layout_engine("none")  # a new layout for each picture would make the axes tremble
  _write(figure, frames, draw, path, frames_per_second)


def _write(figure, frames, draw, path, frames_per_second):
  with tempfile.TemporaryDirectory() as directory:
    whole = pathlib.Path(directory, "whole.gif")
    writer = PillowWriter(fps=frames_per_second)
    with writer.saving(figure, whole, _DPI):
      for title, polytopes in frames:
        draw(title, polytopes)
        writer.grab_frame()
      for _ in range(round(_HOLD * frames_per_second)):
        writer.grab_frame()
    files.write(path, whole.read_bytes())
