"""The figures of a run draw the right numbers."""

import io

import pytest

from tflottery.analysis import run_plots

ROWS = [
  {"step": 10, "loss": 2.0, "validation_loss": 1.5, "validation_accuracy": 0.5, "sparsity": 0.25,
   "replaced": 0.3},
  {"step": 20, "loss": 1.0, "validation_loss": 1.25, "validation_accuracy": 0.75, "sparsity": 0.5,
   "replaced": 0.1},
]  # fmt: skip
LAYERS = [
  {"step": step, "site": site, "size": 100.0, "kept": kept, "sparsity": 1 - kept / 100}
  for step, site, kept in [(10, "a", 90.0), (10, "b", 60.0), (20, "a", 80.0), (20, "b", 20.0)]
]


def _line(axes, label):
  [line] = [line for line in axes.lines if line.get_label() == label]
  return list(line.get_xdata()), list(line.get_ydata())


def test_losses_of_both_splits_and_accuracy_with_the_test_point():
  loss, accuracy = run_plots.curves_figure(ROWS, test_accuracy=0.7).axes
  assert _line(loss, "training") == ([10, 20], [2.0, 1.0])
  assert _line(loss, "validation") == ([10, 20], [1.5, 1.25])
  assert list(accuracy.lines[0].get_ydata()) == [50.0, 75.0]
  steps, accuracies = _line(accuracy, "test, at the end")
  assert (steps, accuracies) == ([20], [pytest.approx(70.0)])


def test_sparsity_of_the_network_and_its_layers_and_what_is_replaced():
  sparsity, replaced = run_plots.sparsity_figure(ROWS, LAYERS).axes
  assert _line(sparsity, "network")[1] == [25.0, 50.0]
  assert _line(sparsity, "b")[1] == pytest.approx([40.0, 80.0])
  assert list(replaced.lines[0].get_ydata()) == pytest.approx([30.0, 10.0])


def test_where_nothing_is_replaced_there_is_no_panel_for_it():
  still = [row | {"replaced": 0.0} for row in ROWS]
  assert len(run_plots.sparsity_figure(still, LAYERS).axes) == 1


def test_layers_are_bars_of_what_lives_at_the_end_with_counts():
  [axes] = run_plots.layers_figure(LAYERS).axes
  assert [bar.get_width() for bar in axes.patches] == [80.0, 20.0]
  assert [text.get_text() for text in axes.texts] == ["80 of 100", "20 of 100"]
  assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]


def test_no_rows_make_empty_axes_that_can_be_saved():
  for figure in (
    run_plots.curves_figure([]),
    run_plots.sparsity_figure([], []),
    run_plots.layers_figure([]),
  ):
    figure.savefig(io.BytesIO(), format="png")
