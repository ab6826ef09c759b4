"""The figures draw the right numbers; values worked by hand."""

import io
import itertools

import pytest

from tflottery.analysis import plots


def _row(seed, level, arm, remaining, step, accuracy):
  return {
    "seed": seed,
    "level": level,
    "arm": arm,
    "remaining_percent": remaining,
    "early_stop_step": step,
    "early_stop_test_accuracy": accuracy,
  }


TWO_SEEDS = [
  _row(0, 0, "ticket", 100.0, 1000.0, 0.96),
  _row(1, 0, "ticket", 100.0, 1400.0, 0.98),
  _row(0, 1, "ticket", 51.3, 800.0, 0.97),
  _row(1, 1, "ticket", 51.3, 1000.0, 0.99),
  _row(0, 2, "ticket", 7.0, 600.0, 0.90),
  _row(1, 2, "ticket", 7.0, 600.0, 0.94),
  _row(0, 2, "reinit", 7.0, 2000.0, 0.80),
  _row(1, 2, "reinit", 7.0, 3000.0, 0.90),
]


def _curve(figure, label):
  """The points and the bars' ends of the error bar named `label`."""
  (container,) = [c for c in figure.axes[0].containers if c.get_label() == label]
  line, _, bars = container
  ends = [segment[:, 1] for segment in bars[0].get_segments()] if bars else None
  return line, ends


def _lines(figure):
  return {line.get_label(): line for line in figure.axes[0].get_lines()}


def _tick_labels(figure):
  return [text.get_text() for text in figure.axes[0].get_xticklabels()]


def _png(figure):
  buffer = io.BytesIO()
  figure.savefig(buffer, format="png")
  return buffer.getvalue()


def test_accuracy_is_the_mean_over_seeds_in_percent_with_bars_from_lowest_to_highest():
  line, ends = _curve(plots.accuracy_figure(TWO_SEEDS), "winning ticket")
  assert list(line.get_xdata()) == [100.0, 51.3, 7.0]
  assert list(line.get_ydata()) == pytest.approx([97.0, 98.0, 92.0])
  assert [list(pair) for pair in ends] == [
    pytest.approx([96.0, 98.0]),
    pytest.approx([97.0, 99.0]),
    pytest.approx([90.0, 94.0]),
  ]


def test_an_arm_is_drawn_at_its_own_levels_only():
  line, _ = _curve(plots.accuracy_figure(TWO_SEEDS), "random re-initialisation")
  assert list(line.get_xdata()) == [7.0]
  assert list(line.get_ydata()) == pytest.approx([85.0])


def test_early_stop_is_the_mean_step():
  figure = plots.early_stop_figure(TWO_SEEDS)
  assert list(_curve(figure, "winning ticket")[0].get_ydata()) == [1200.0, 900.0, 600.0]
  assert list(_lines(figure)["dense network"].get_ydata()) == [1200.0, 1200.0]


def test_the_dense_mean_is_a_dashed_horizontal_line():
  dense = _lines(plots.accuracy_figure(TWO_SEEDS))["dense network"]
  assert list(dense.get_ydata()) == pytest.approx([97.0, 97.0])
  assert dense.get_linestyle() == "--"


def test_without_dense_rows_there_is_no_dense_line():
  assert "dense network" not in _lines(plots.accuracy_figure(TWO_SEEDS[2:]))


def test_weights_remaining_fall_from_left_to_right_on_a_log_axis():
  axes = plots.accuracy_figure(TWO_SEEDS).axes[0]
  left, right = axes.get_xlim()
  assert axes.get_xscale() == "log"
  assert left > 100.0 > 7.0 > right


def test_ticks_are_plain_percentages_of_the_levels():
  assert _tick_labels(plots.accuracy_figure(TWO_SEEDS)) == ["100", "51.3", "7.0"]


def test_ticks_of_crowded_levels_are_left_out():
  rows = [_row(0, i, "ticket", 100 * 0.95**i, 10.0, 0.9) for i in range(60)]
  labels = _tick_labels(plots.accuracy_figure(rows))
  assert labels[0] == "100"
  assert 8 <= len(labels) <= 13


def test_an_arm_keeps_its_colour_whichever_others_ran():
  alone = _curve(plots.accuracy_figure(TWO_SEEDS), "random re-initialisation")[0]
  beside_others = [*TWO_SEEDS, _row(0, 2, "another", 7.0, 1.0, 0.1)]
  beside_others.append(_row(0, 2, "random_mask", 7.0, 1.0, 0.1))
  figure = plots.accuracy_figure(beside_others)
  assert _curve(figure, "random re-initialisation")[0].get_color() == alone.get_color()
  names = ["winning ticket", "random re-initialisation", "random mask", "another"]
  assert len({_curve(figure, name)[0].get_color() for name in names}) == 4


def test_one_seed_has_no_bars():
  rows = [row for row in TWO_SEEDS if row["seed"] == 0]
  line, ends = _curve(plots.accuracy_figure(rows), "winning ticket")
  assert list(line.get_ydata()) == pytest.approx([96.0, 97.0, 90.0])
  assert ends is None


def test_one_level_is_drawn():
  figure = plots.accuracy_figure(TWO_SEEDS[:2])
  assert _tick_labels(figure) == ["100"]
  assert _png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
  "draw", [plots.accuracy_figure, plots.early_stop_figure, plots.layers_figure]
)
def test_no_rows_make_empty_axes(draw):
  figure = draw([])
  assert not figure.axes[0].get_lines()
  assert _png(figure).startswith(b"\x89PNG")


def _layer(seed, level, site, remaining):
  return {"seed": seed, "level": level, "site": site, "remaining_percent": remaining}


def test_each_layer_is_a_line_over_the_levels_with_a_band_over_the_seeds():
  layers = [
    _layer(0, 0, "fc1/kernel", 100.0),
    _layer(1, 0, "fc1/kernel", 100.0),
    _layer(0, 0, "out/kernel", 100.0),
    _layer(1, 0, "out/kernel", 100.0),
    _layer(0, 1, "fc1/kernel", 78.0),
    _layer(1, 1, "fc1/kernel", 80.0),
    _layer(0, 1, "out/kernel", 88.0),
    _layer(1, 1, "out/kernel", 92.0),
  ]
  figure = plots.layers_figure(layers)
  lines, axes = _lines(figure), figure.axes[0]
  assert list(lines) == ["fc1/kernel", "out/kernel"]
  assert list(lines["fc1/kernel"].get_xdata()) == [0, 1]
  assert list(lines["fc1/kernel"].get_ydata()) == [100.0, 79.0]
  assert list(lines["out/kernel"].get_ydata()) == [100.0, 90.0]
  band = axes.collections[1].get_paths()[0].vertices
  assert sorted(set(band[:, 1])) == [88.0, 92.0, 100.0]
  assert axes.get_yscale() == "log"


def test_one_level_of_layers_has_whole_numbers_at_its_axis():
  figure = plots.layers_figure([_layer(0, 0, "fc1/kernel", 100.0)])
  low, high = figure.axes[0].get_xlim()
  assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [0.0]


def test_criteria_are_lines_with_room_for_the_best():
  rows = [*TWO_SEEDS[:6], _row(0, 2, "small_final", 7.0, 600.0, 0.4)]
  figure = plots.criteria_figure(rows, first="large_final")
  line, _ = _curve(figure, "large final")
  assert list(line.get_ydata()) == pytest.approx([97.0, 98.0, 92.0])
  line, _ = _curve(figure, "small final")
  assert list(line.get_ydata()) == [40.0]
  [axes] = figure.axes
  assert {60, 90, 95, 97, 98} <= set(axes.get_yticks())
  heights = [axes.transData.transform((10, y))[1] for y in (40, 80, 90, 95, 97.5)]
  steps = [b - a for a, b in itertools.pairwise(heights)]
  assert max(steps) < 2 * min(steps), "every half of the error takes about the same room"
  _png(figure)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_criteria_at_the_ends_of_the_scale_are_drawn(accuracy):
  _png(plots.criteria_figure([_row(0, 1, "movement", 7.0, 1.0, accuracy)], first="large_final"))
  _png(plots.criteria_figure([], first="large_final"))
