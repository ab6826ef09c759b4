"""Distances between masks, and their figure."""

import numpy as np

from tflottery.analysis.axes import new_axes


def distances(masks):
  """The normalised Hamming distances between masks, in [0, 1].

  Args:
    masks: bool array [draws, size].

  Returns:
    A float32 array [draws, draws], symmetric, 0 on its diagonal.

  >>> distances(np.array([[True, False, True, False], [True, True, True, False]])).tolist()
  [[0.0, 0.25], [0.25, 0.0]]
  """
  bits = np.asarray(masks, np.float32)
  if not len(bits):
    return np.zeros((0, 0), np.float32)
  same = bits @ bits.T + (1 - bits) @ (1 - bits).T
  return np.float32(1 - same / bits.shape[1])


def distances_figure(matrix, labels, *, unit="Epoch", drawn=None):
  """The pairwise distances as a heat map: dark where two masks are alike.

  Args:
    matrix: float array [draws, draws].
    labels: the epoch or step of every draw.
    unit: what the labels count.
    drawn: the label at which the ticket was drawn, None for none.
  """
  axes = new_axes(legend_lines=0)
  axes.grid(False)
  image = axes.imshow(matrix, cmap="viridis", vmin=0, origin="lower", interpolation="nearest")
  every = max(1, -(-len(labels) // 6))  # more labels of steps would run together
  ticks = range(0, len(labels), every)
  axes.set_xticks(ticks, [f"{labels[i]:,}" for i in ticks])
  axes.set_yticks(ticks, [f"{labels[i]:,}" for i in ticks])
  axes.set_xlabel(unit)
  axes.set_ylabel(unit)
  axes.figure.colorbar(image, label="Normalised Hamming distance of the masks")
  if drawn is not None:
    place = labels.index(drawn)
    axes.plot(place, place, "*", color="#d55e00", markersize=13, markeredgecolor="#ffffff")
    axes.annotate(
      "drawn", (place, place), textcoords="offset points", xytext=(9, -3), color="#ffffff"
    )
  return axes.figure
