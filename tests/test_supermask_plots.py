"""The figures of the supermask experiment draw the right numbers."""

import io

import numpy as np
import pytest

from tflottery.analysis import supermask_plots

CURVES = {
  "initial weights": {"large final": {80.0: [0.4, 0.6], 20.0: [0.8, 0.9]}, "random": {80.0: [0.1]}},
  "signed constant weights": {"large final": {20.0: [0.7]}},
}


def _points(axes):
  return {line.get_label(): line for line in axes.lines}


def test_untrained_accuracy_is_a_mean_over_the_seeds_a_panel_for_each_kind_of_weights():
  first, second = supermask_plots.untrained_figure(CURVES, dense=0.95).axes
  lines = _points(first)
  assert list(lines["large final"].get_xdata()) == [80.0, 20.0]
  assert list(lines["large final"].get_ydata()) == pytest.approx([50.0, 85.0])
  assert list(lines["random"].get_ydata()) == pytest.approx([10.0])
  assert list(lines["trained dense network"].get_ydata()) == [95.0, 95.0]
  assert first.get_title() == "initial weights"
  [constant] = [line for line in second.lines if len(line.get_xdata()) == 1]
  assert constant.get_color() == lines["large final"].get_color()
  left, right = second.get_xlim()
  assert left > 80 and right < 20, "all of the weights are at the left"


def test_a_trained_mask_is_a_point_for_each_seed():
  networks = {"supermask": [(50.0, 0.9), (52.0, 0.91)]}
  [axes] = supermask_plots.trained_figure(networks, dense=0.97).axes
  points = _points(axes)["supermask"]
  assert list(points.get_xdata()) == [50.0, 52.0]
  assert list(points.get_ydata()) == pytest.approx([90.0, 91.0])


def test_regions_show_what_each_criterion_keeps():
  initial, final = np.array([[1.0, -2.0], [3.0, 4.0]]), np.array([[0.5, -6.0], [7.0, 8.0]])
  masks = {"movement": np.array([[False, True], [True, False]]), "random": np.ones((2, 2), bool)}
  figure = supermask_plots.regions_figure(initial, final, masks, title="fc1")
  first, second = figure.axes
  lines = _points(first)
  assert list(lines["kept"].get_xdata()) == [-2.0, 3.0]
  assert list(lines["kept"].get_ydata()) == [-6.0, 7.0]
  assert list(lines["pruned"].get_xdata()) == [1.0, 4.0]
  assert len(_points(second)["kept"].get_xdata()) == 4
  assert first.get_title() == "movement"


@pytest.mark.parametrize("count", [0, 1, 4])
def test_any_number_of_criteria_can_be_drawn(count):
  weights = np.linspace(-1, 1, 7000)
  masks = {f"criterion {i}": weights > 0 for i in range(count)}
  figure = supermask_plots.regions_figure(weights, weights**3, masks)
  figure.savefig(io.BytesIO(), format="png")
  supermask_plots.untrained_figure({}).savefig(io.BytesIO(), format="png")
  supermask_plots.trained_figure({}).savefig(io.BytesIO(), format="png")
