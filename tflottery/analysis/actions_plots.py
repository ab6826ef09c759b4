"""Actions plots: what becomes of the kept against what becomes of the pruned, as a matrix.

Zhou et al. 2019, arXiv:1905.01067, section 4.
"""

import statistics

import numpy as np

from tflottery.analysis.axes import new_axes
from tflottery.analysis.results import percent


def actions_figure(cells, *, remaining):
  """Early-stop test accuracy in % for each pair of actions, as a mean over the seeds.

  Args:
    cells: dict from (what becomes of the kept, what of the pruned) to the accuracies of the seeds,
      in [0, 1]; a pair that was not trained stays empty. None makes empty axes.
    remaining: the weights remaining, in %, for the title.
  """
  kept = list(dict.fromkeys(row for row, _ in cells))
  pruned = list(dict.fromkeys(column for _, column in cells))
  axes = new_axes(legend_lines=len(kept))
  axes.grid(False)
  if not cells:
    return axes.figure
  matrix = np.full((len(kept), len(pruned)), np.nan)
  for (row, column), accuracies in cells.items():
    matrix[kept.index(row), pruned.index(column)] = 100 * statistics.fmean(accuracies)
  image = axes.imshow(matrix, cmap="viridis", aspect="auto", interpolation="nearest")
  middle = (np.nanmin(matrix) + np.nanmax(matrix)) / 2
  for (i, j), value in np.ndenumerate(matrix):
    if not np.isnan(value):
      colour = "#ffffff" if value <= middle else "#111111"
      axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
  axes.set_xticks(range(len(pruned)), map(_words, pruned), rotation=30, ha="right", fontsize=8)
  axes.set_yticks(range(len(kept)), map(_words, kept), fontsize=8)
  axes.set_xlabel("The pruned (mask-0)")
  axes.set_ylabel("The kept (mask-1)")
  axes.set_title(f"{percent(remaining)} % of the weights remain", fontsize=9)
  axes.figure.colorbar(image, label="Test accuracy at early stop (%)")
  return axes.figure


def _words(name):
  return name.replace("_", " ")
