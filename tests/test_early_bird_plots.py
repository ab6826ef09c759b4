"""The figures of an Early-Bird experiment draw the right numbers."""

import io

import pytest

from tflottery.analysis import early_bird_plots


def _row(arm, share, epoch, accuracy):
  return {"arm": arm, "share": share, "drawn_epoch": epoch, "test_accuracy": accuracy}


ROWS = [
  _row("dense", None, None, 0.9),
  _row("dense", None, None, 0.8),
  _row("early_bird", 0.5, 6.0, 0.7),
  _row("early_bird", 0.5, 8.0, 0.75),
  _row("reinit", 0.5, 6.0, 0.6),
  _row("drawn_at", 0.5, 2.0, 0.5),
  _row("drawn_at", 0.5, 2.0, 0.4),
]


def _line(axes, label):
  [line] = [line for line in axes.lines if line.get_label() == label]
  return list(line.get_xdata()), list(line.get_ydata())


def test_accuracy_over_the_epochs_of_drawing_with_means_stars_and_levels():
  axes = early_bird_plots.drawing_figure(ROWS).axes[0]
  [bars] = axes.containers
  assert bars.get_label() == "share 0.5"
  assert list(bars.lines[0].get_xdata()) == [2.0, 6.0, 8.0]
  assert list(bars.lines[0].get_ydata()) == pytest.approx([45.0, 70.0, 75.0])
  [segments] = [s.get_segments() for s in bars.lines[2]]
  assert [list(ends[:, 1]) for ends in segments] == [[40.0, 50.0], [70.0, 70.0], [75.0, 75.0]]
  stars = [
    (*line.get_xdata(), *line.get_ydata()) for line in axes.lines if line.get_marker() == "*"
  ]
  assert stars == [(6.0, 70.0), (8.0, 75.0)]
  assert _line(axes, "dense network")[1] == pytest.approx([85.0, 85.0])
  assert _line(axes, "share 0.5, re-initialised")[1] == pytest.approx([60.0, 60.0])


LAYERS = [
  {"share": share, "site": site, "channels": 8, "kept": kept}
  for share, site, kept in [(0.5, "a", 2), (0.5, "b", 6), (0.25, "a", 4), (0.25, "b", 8)]
]


def test_channels_are_bars_side_by_side_with_counts_the_lower_share_first():
  [axes] = early_bird_plots.channels_figure(LAYERS).axes
  assert [bar.get_width() for bar in axes.patches] == [50.0, 100.0, 25.0, 75.0]
  assert [text.get_text() for text in axes.texts] == ["4 of 8", "8 of 8", "2 of 8", "6 of 8"]
  assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
  middles = [bar.get_y() + bar.get_height() / 2 for bar in axes.patches]
  assert middles == pytest.approx([-0.2, 0.8, 0.2, 1.2])


CURVES = [
  {"label": "ticket", "share": 0.5, "points": [(10, 0.5), (14, 0.75)], "drawn": 10, "style": "-"},
  {"label": "dense", "share": None, "points": [(10, 0.5), (20, 0.7)], "drawn": None, "style": "-"},
]


def test_accuracy_over_the_seconds_with_the_draw():
  axes = early_bird_plots.seconds_figure(CURVES).axes[0]
  assert _line(axes, "ticket") == ([10, 14], [50.0, 75.0])
  assert _line(axes, "dense") == ([10, 20], pytest.approx([50.0, 70.0]))
  assert [list(line.get_xdata()) for line in axes.lines if list(line.get_ydata()) == [0, 1]] == [
    [10, 10]
  ]


def test_no_rows_make_empty_axes_that_can_be_saved():
  for draw in ("drawing_figure", "channels_figure", "seconds_figure"):
    getattr(early_bird_plots, draw)([]).savefig(io.BytesIO(), format="png")
