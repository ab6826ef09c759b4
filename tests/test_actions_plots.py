"""The matrix of actions shows the right numbers in the right places."""

import io

import numpy as np

from tflottery.analysis import actions_plots

CELLS = {
  ("rewind", "zero"): [0.9, 0.8],
  ("constant", "zero"): [0.5],
  ("rewind", "freeze_init"): [0.7],
}


def test_means_over_the_seeds_stand_in_their_cells_and_what_was_not_trained_stays_empty():
  axes = actions_plots.actions_figure(CELLS, remaining=4.8).axes[0]
  [image] = axes.get_images()
  expected = np.array([[85.0, 70.0], [50.0, np.nan]])
  np.testing.assert_allclose(image.get_array().filled(np.nan), expected)
  assert [(*text.get_position(), text.get_text()) for text in axes.texts] == [
    (0, 0, "85.00"), (1, 0, "70.00"), (0, 1, "50.00"),
  ]  # fmt: skip
  assert [label.get_text() for label in axes.get_xticklabels()] == ["zero", "freeze init"]
  assert [label.get_text() for label in axes.get_yticklabels()] == ["rewind", "constant"]
  assert axes.get_title() == "4.8 % of the weights remain"


def test_one_cell_and_none_are_drawn():
  for cells in ({("rewind", "zero"): [0.5]}, {}):
    figure = actions_plots.actions_figure(cells, remaining=10.0)
    figure.savefig(io.BytesIO(), format="png")
