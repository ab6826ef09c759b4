"""The figures of the tropical geometry draw the right numbers."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from tflottery.analysis import shape_plots, tropical_animation, tropical_plots
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical_drawings import COLOURS, box_of

# f_0 - f_1 = max(x, 0) - max(2 y, 0) + 2, which is 0 from (-1, 1) by (0, 1) to (2, 2).
BENT = DecisionPolytopes(Network([[1, 0], [0, 2]], [[1, 0], [0, 1]], c2=[0, -2]))
BOX = ((-1, 4), (-1, 2))
PLANE = ("first direction of the plane", "second direction of the plane")
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
ORIGIN = np.zeros((1, 2))


def _labelled(axes, words):
  """The artist of `axes` whose label begins with these words."""
  [found] = [child for child in axes.get_children() if str(child.get_label()).startswith(words)]
  return found


def _assert_nothing_is_cut_off(figure):
  figure.draw_without_rendering()
  left, bottom, right, top = figure.get_tightbbox().extents
  width, height = figure.get_size_inches()
  assert min(left, bottom, width - right, height - top) > 0.03, "the layout leaves 0.04 inches"


def _segments(axes, words):
  return {frozenset(map(tuple, ends)) for ends in np.array(_labelled(axes, words).get_segments())}


def _bars(axes):
  """Dict from the label of a line of means to its points, its bars' ends and its width."""
  found = {}
  for container in axes.containers:
    line, _, bars = container.lines
    ends = [[float(y) for _, y in segment] for bar in bars for segment in bar.get_segments()]
    points = list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    found[container.get_label() or line.get_color()] = (points, ends, line.get_linewidth())
  return found


def test_the_boundary_lies_over_the_regions_and_the_points_of_the_classes():
  points, labels = [[3, 0], [-0.5, 1.5], [0, -0.5], [1, 1]], [0, 1, 0, 2]
  [axes] = tropical_plots.boundary_figure(BENT, points, labels, box=BOX, title="moons").axes
  boundary = {frozenset({(-1.0, 1.0), (0.0, 1.0)}), frozenset({(0.0, 1.0), (2.0, 2.0)})}
  assert _segments(axes, "decision boundary") == boundary
  assert boundary < _segments(axes, "tropical hypersurface"), "and the lines of the units"
  [image] = axes.images
  assert image.get_extent() == [-1, 4, -1, 2]
  signs = image.get_array()
  assert (signs[0, 0], signs[0, -1], signs[-1, 0], signs[-1, -1]) == (1, 1, -1, 1)
  assert [to_hex(image.cmap(image.norm(sign)))[1:3] for sign in (-1, 1)] == ["d8", "fb"]
  for words, colour, own in (
    ("class 0", COLOURS[0], [[3, 0], [0, -0.5]]),
    ("class 1", COLOURS[1], [[-0.5, 1.5]]),
    ("other classes", "#bdbdbd", [[1, 1]]),
  ):
    drawn = _labelled(axes, words)
    assert drawn.get_offsets().tolist() == own and to_hex(drawn.get_facecolor()[0]) == colour
  assert (axes.get_xlim(), axes.get_ylim(), axes.get_title()) == (*BOX, "moons")


def test_the_box_is_what_the_points_fill_and_a_boundary_outside_is_said_to_be_there():
  points = [[10, -5], [30, -1]]
  assert box_of(points) == ((8, 32), (-7, 1))
  assert box_of([[3, 4]]) == ((2, 4), (3, 5))
  far = DecisionPolytopes(Network([[1, 0]], [[1], [0]], c2=[1, 0]))
  [axes] = tropical_plots.boundary_figure(far, points, [0, 1]).axes
  assert (axes.get_xlim(), axes.get_ylim()) == ((8, 32), (-7, 1))
  assert [text.get_text() for text in axes.texts] == ["no decision boundary in this box"]
  with pytest.raises(ValueError, match=r"points has the shape \(0, 2\).*to choose a box"):
    tropical_plots.boundary_figure(far, np.zeros((0, 2)), [])
  [axes] = tropical_plots.boundary_figure(far, np.zeros((0, 2)), [], box=BOX).axes
  assert axes.get_xlim() == BOX[0]


@pytest.mark.parametrize(
  "box", [((-1, 4), (-1, 2)), ((-4, 4), (-1, 1)), ((0, 1), (0, 9))], ids=["wide", "wider", "high"]
)
def test_a_boundary_fills_its_figure_whatever_the_box(box):
  figure = tropical_plots.boundary_figure(BENT, [[0, 0]], [2], box=box, title="T", names=PLANE)
  _assert_nothing_is_cut_off(figure)
  [axes] = figure.axes
  assert (axes.get_xlabel(), axes.get_ylabel()) == PLANE
  below, above = (part.get_window_extent() for part in (axes.title, figure.legends[0]))
  assert 0 < (above.y0 - below.y1) / figure.dpi < 0.2, "in inches"


@pytest.mark.parametrize(
  ("points", "labels", "words"),
  [
    (np.zeros((4, 64)), [0] * 4, r"points has the shape \(4, 64\).*project"),
    ([[0, 0], [1, 1]], [0], r"labels has the shape \(1,\); \(2,\) is needed"),
  ],
)
def test_data_that_does_not_lie_in_the_plane_or_has_no_labels_is_refused(points, labels, words):
  with pytest.raises(ValueError, match=words):
    tropical_plots.boundary_figure(BENT, points, labels, box=BOX)
  with pytest.raises(ValueError, match="not finite"):
    box_of([[0, np.nan]])


def test_a_network_of_more_inputs_is_refused_with_its_cure():
  solid = DecisionPolytopes(Network([[1, 0, 0]], [[1], [0]]))
  with pytest.raises(ValueError, match="on_plane"):
    tropical_plots.boundary_figure(solid, [[0, 0]], [0])
  with pytest.raises(ValueError, match="on_plane"):
    tropical_plots.polytopes_figure(solid)


def test_the_polytopes_and_the_edges_that_cross_the_boundary():
  left, right = tropical_plots.polytopes_figure(BENT).axes
  drawn = {line.get_label(): line for line in left.lines}
  first, second = drawn["zonotope Z1, for class 0"], drawn["zonotope Z2, for class 1"]
  assert first.get_xydata().tolist() == [[0, 0], [1, 0], [0, 0]]
  assert second.get_xydata().tolist() == [[0, 0], [0, 2], [0, 0]]
  assert (first.get_color(), second.get_color()) == COLOURS
  assert drawn["their hull"].get_xydata().tolist() == [[0, 0], [1, 0], [0, 2], [0, 0]]
  assert first.get_marker() == "o", "a segment has no inside that would be seen"
  assert _segments(right, "edge between Z1 and Z2") == {
    frozenset({(0.0, 0.0), (0.0, 2.0)}),
    frozenset({(1.0, 0.0), (0.0, 2.0)}),
  }


def test_the_polytopes_fit_with_every_line_of_the_legend_and_long_names():
  # Z1 and Z2 share the vertex 0, and each has some of its own.
  network = Network([[1, 0], [0, 2], [1, 1]], [[1, 0, 1], [0, 1, 0.5]], c1=[0.5, -0.3, 0.2])
  figure = tropical_plots.polytopes_figure(DecisionPolytopes(network), names=PLANE)
  assert len(figure.legends[0].get_texts()) == 7
  _assert_nothing_is_cut_off(figure)
  for axes in figure.axes:
    labels = axes.get_xlabel(), axes.get_ylabel()
    assert labels == tuple(f"Slope along {name}" for name in PLANE)


def test_an_edge_that_is_not_there_is_not_in_the_legend():
  far = DecisionPolytopes(Network([[1, 0]], [[1], [0]], c2=[1, 0]))
  [legend] = tropical_plots.polytopes_figure(far).legends
  assert not any("edge" in text.get_text() for text in legend.get_texts())


@pytest.mark.parametrize("weights", [[[0], [0]], [[1], [-1]]], ids=["point", "segment"])
def test_a_point_and_a_segment_are_still_seen(weights):
  flat = DecisionPolytopes(Network([[3, 4]], weights))
  figure = tropical_plots.polytopes_figure(flat)
  figure.savefig(io.BytesIO(), format="png", dpi=20)
  for axes in figure.axes:
    assert np.ptp(axes.get_xlim()) > 1 and np.ptp(axes.get_ylim()) > 1
  left, right = figure.axes
  first, second = left.lines[:2]
  assert first.get_marker() == second.get_marker() == "o"
  assert first.get_linewidth() > second.get_linewidth(), "one does not hide the other"
  seen = {tuple(at) for dots in right.collections for at in np.ma.filled(dots.get_offsets())}
  assert set(map(tuple, flat.hull().tolist())) <= seen


def test_polygons_are_compared_in_place_and_size_over_the_dense_one():
  rows = {"ticket": {100.0: 5 * SQUARE + 3, 20.0: ORIGIN}, "Glorot": {20.0: SQUARE * [1, 0]}}
  distances = {"ticket": {100.0: 0.0, 20.0: 0.123}}
  figure = tropical_plots.polygons_figure(
    rows, columns=[100.0, 20.0], reference=SQUARE, distances=distances
  )
  panels = figure.axes
  dense, same = (line.get_xydata() for line in panels[0].lines)
  np.testing.assert_allclose(same, dense, atol=1e-12)
  width = 4 / np.pi  # of the unit square
  np.testing.assert_allclose(dense[0], [-0.5 / width, -0.5 / width])
  assert panels[1].lines[1].get_xydata().tolist() == [[0, 0], [0, 0]]
  np.testing.assert_allclose(np.abs(panels[3].lines[1].get_xydata()[:, 0]), np.pi / 4)
  texts = [[text.get_text() for text in axes.texts] for axes in panels]
  assert texts == [["0.00"], ["0.12"], ["none"], []]
  assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
  assert [axes.get_title() for axes in panels[:2]] == ["100 %", "20.0 %"]
  assert [axes.get_ylabel() for axes in panels[::2]] == ["ticket", "Glorot"]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_caption_of_the_polygons_fits(count):
  columns = list(range(count))
  rows, distances = {"class distribution": dict.fromkeys(columns, SQUARE)}, {"a": {0: 1}}
  figure = tropical_plots.polygons_figure(
    rows, columns=columns, reference=SQUARE, distances=distances
  )
  _assert_nothing_is_cut_off(figure)


def test_bars_are_the_interval_of_the_mean_of_five_seeds():
  lines = {"ticket": {100.0: [0.0] * 5, 10.0: [1.0, 2.0, 3.0, 4.0, 5.0]}}
  axes = shape_plots.shape_distance_figure(lines).axes[0]
  points, ends, _ = _bars(axes)["ticket"]
  assert points == [(10.0, 3.0), (100.0, 0.0)]
  half = 2.7764451 * (2.5 / 5) ** 0.5  # Student's t of 4 degrees of freedom
  np.testing.assert_allclose(ends, [[3 - half, 3 + half], [0, 0]], rtol=1e-7)
  assert "95 % interval" in axes.get_title()
  assert axes.get_xlim()[0] > axes.get_xlim()[1] and axes.get_xscale() == "log"


def test_bars_of_fewer_seeds_reach_from_the_lowest_to_the_highest_and_the_first_line_is_strongest():
  lines = {"ticket": {100.0: [0.1, 0.2, 0.6], 10.0: [1.0]}, "Glorot": {10.0: [2.0] * 5}}
  axes = shape_plots.shape_distance_figure(lines).axes[0]
  (points, ends, strong), (_, _, weak) = _bars(axes)["ticket"], _bars(axes)["Glorot"]
  np.testing.assert_allclose(points, [(10.0, 1.0), (100.0, 0.3)])
  assert ends == [[1.0, 1.0], [0.1, 0.6]] and strong > weak
  assert "lowest to highest" in axes.get_title()


def test_points_of_one_seed_say_so():
  axes = shape_plots.shape_distance_figure({"ticket": {100.0: [0.1], 10.0: [1.0]}}).axes[0]
  assert axes.get_title() == "one seed" and _bars(axes)["ticket"][1] == []


def test_a_rule_looks_the_same_in_the_panel_of_every_measure():
  measures = {
    "Distance": {"tropical": {50.0: [1.0], 90.0: [2.0]}, "class_blind": {50.0: [3.0]}},
    "Test accuracy (%)": {"class_blind": {50.0: [97.0]}},
  }
  upper, lower = shape_plots.pruning_figure(measures).axes
  assert _bars(upper)["tropical"][:2] == ([(50.0, 1.0), (90.0, 2.0)], [])
  assert ([(50.0, 97.0)], []) in [bars[:2] for bars in _bars(lower).values()]
  colours = [
    {
      container.lines[0].get_color()
      for container in axes.containers
      if container.lines[0].get_xdata().tolist() == [50.0]
    }
    for axes in (upper, lower)
  ]
  assert colours[0] == colours[1]
  assert [axes.get_ylabel() for axes in (upper, lower)] == list(measures)
  [legend] = upper.figure.legends
  assert [text.get_text() for text in legend.get_texts()] == ["tropical", "class_blind"]


def test_a_long_measure_is_no_higher_than_its_panel():
  measures = {"Shape distance to the dense polygon\n(mean widths)": {"a": {50.0: [1.0]}}, "b": {}}
  figure = shape_plots.pruning_figure(measures)
  _assert_nothing_is_cut_off(figure)
  upper = figure.axes[0]
  label, panel = upper.yaxis.label.get_window_extent(), upper.get_window_extent()
  assert label.height < panel.height


def test_little_can_be_drawn_too():
  for figure in (
    tropical_plots.polygons_figure({}, columns=[], reference=ORIGIN),
    tropical_plots.polygons_figure({"a": {1.0: ORIGIN}}, columns=[1.0], reference=ORIGIN),
    shape_plots.shape_distance_figure({}),
    shape_plots.pruning_figure({}),
  ):
    figure.savefig(io.BytesIO(), format="png", dpi=20)


def test_an_animation_goes_round_and_holds_its_last_picture(tmp_path):
  half = DecisionPolytopes(Network([[1, 0]], [[1], [0]]))
  path = tmp_path / "new" / "training.gif"
  frames = [("step 0", half), ("step 1", BENT)]
  options = {"points": [[0, 0]], "labels": [0], "names": PLANE, "frames_per_second": 1}
  tropical_animation.animate(frames, path, box=BOX, **options)
  with Image.open(path) as image:
    durations = [image.seek(i) or image.info["duration"] for i in range(image.n_frames)]
    assert image.info["loop"] == 0
    seen = np.asarray(image.convert("L"))
  edges = np.concatenate([seen[[0, -1]].ravel(), seen[:, [0, -1]].ravel()])
  assert edges.min() == 255, "nothing is cut off"
  assert durations == [1000, 3000]
  assert [file.name for file in path.parent.iterdir()] == ["training.gif"]


@pytest.mark.slow
def test_the_same_frames_give_the_same_bytes(tmp_path):
  for name in ("a", "b"):
    options = {"points": [[0, 0]], "labels": [0], "frames_per_second": 1}
    tropical_animation.animate([("", BENT)], tmp_path / name, **options)
  assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_animation_of_nothing_is_refused(tmp_path):
  with pytest.raises(ValueError, match="frames is empty"):
    tropical_animation.animate([], tmp_path / "none.gif", points=[[0, 0]], labels=[0])
