"""The figures of the transfer experiment draw the right numbers."""

import io

import pytest

from tflottery.analysis import transfer_plots

TICKETS = {
  "b": {"a": {10.0: [96.0, 98.0], 3.0: [90.0, 95.0]}, "b": {10.0: [97.0, 97.0], 3.0: [94.0, 94.0]}},
  "c": {"a": {10.0: [80.0, 82.0]}},
}
DENSE = {"b": {"dense network": [98.0, 99.0]}}
CONTROLS = {"b": {"random": {10.0: [90.0], 3.0: [70.0]}}, "c": {}}


def _bars(axes):
  """Dict from the colour and the marker of a line of means to its points and its bars' ends."""
  found = {}
  for container in axes.containers:
    line, _, bars = container.lines
    ends = [[y for _, y in segment] for bar in bars for segment in bar.get_segments()]
    points = list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    found[line.get_marker()] = (points, ends, line.get_color())
  return found


def test_points_are_means_and_bars_reach_from_the_lowest_seed_to_the_highest():
  first, second = transfer_plots.accuracy_figure(TICKETS, CONTROLS, dense=DENSE).axes
  (points, ends, colour), own = _bars(first)["o"], _bars(first)["*"]
  assert points == [(10.0, 97.0), (3.0, 92.5)]
  assert ends == [[96.0, 98.0], [90.0, 95.0]]
  assert own[0] == [(10.0, 97.0), (3.0, 94.0)]
  assert _bars(second)["o"] == ([(10.0, 81.0)], [[80.0, 82.0]], colour)
  assert _bars(first)["x"][0] == [(10.0, 90.0), (3.0, 70.0)]
  assert _bars(first)["x"][1] == [], "one seed knows of no spread"


def test_every_network_is_in_the_legend_once_and_the_dense_one_is_a_line():
  figure = transfer_plots.accuracy_figure(TICKETS, CONTROLS, dense=DENSE)
  [legend] = figure.legends
  assert [text.get_text() for text in legend.get_texts()] == [
    "ticket of a", "ticket of b", "the target's own ticket", "random", "dense network",
  ]  # fmt: skip
  assert any(list(line.get_ydata()) == [98.5, 98.5] for line in figure.axes[0].lines)
  assert [axes.get_title() for axes in figure.axes] == ["trained on b", "trained on c"]


def test_dense_networks_of_several_image_shapes_are_lines_of_their_own():
  dense = {"b": {"dense, 8x8x1": [98.0, 99.0], "dense, 6x6x1": [90.0]}}
  figure = transfer_plots.accuracy_figure(TICKETS, CONTROLS, dense=dense)
  heights = {
    line.get_ydata()[0]: line.get_linestyle() for line in figure.axes[0].lines if _is_flat(line)
  }
  assert heights.keys() == {98.5, 90.0} and heights[98.5] != heights[90.0]
  [legend] = figure.legends
  assert {"dense, 8x8x1", "dense, 6x6x1"} <= {text.get_text() for text in legend.get_texts()}


def _is_flat(line):
  return list(line.get_xdata()) == [0, 1] and len(set(line.get_ydata())) == 1


def test_gains_stand_in_the_row_of_their_source_and_the_column_of_their_target():
  matrices = {"10 %": {("a", "b"): 1.0, ("b", "b"): -0.5}, "3 %": {("a", "c"): 2.0}}
  first, second = transfer_plots.gains_figure(matrices).axes
  texts = {text.get_position(): text for text in first.texts}
  assert {p: t.get_text() for p, t in texts.items()} == {
    (0, 0): "+1.00", (1, 0): "", (0, 1): "-0.50", (1, 1): "",
  }  # fmt: skip
  assert texts[0, 1].get_fontweight() == "bold" and texts[0, 0].get_fontweight() == "normal"
  assert second.texts[1].get_text() == "+2.00"
  assert [label.get_text() for label in first.get_xticklabels()] == ["b", "c"]
  assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b"]
  low, high = first.images[0].get_clim()
  assert low == -high and second.images[0].get_clim() == (low, high), "0 is white in both"


@pytest.mark.parametrize("matrices", [{}, {"10 %": {("a", "b"): 0.0}}])
def test_little_can_be_drawn_too(matrices):
  transfer_plots.gains_figure(matrices).savefig(io.BytesIO(), format="png")
  transfer_plots.accuracy_figure({}, {}, dense={}).savefig(io.BytesIO(), format="png")
