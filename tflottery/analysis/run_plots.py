"""Run plots: one training over its steps, as matplotlib figures."""

import math

import matplotlib
from matplotlib.ticker import MaxNLocator

from tflottery.analysis.axes import DENSE_COLOUR, add_legend, new_axes

_TRAIN, _VALIDATION, _TEST = "#0072b2", "#d55e00", "#111111"


def curves_figure(rows, *, test_accuracy=None):
  """Loss above, accuracy in % below, over the steps.

  Args:
    rows: rows of `metrics.csv` as `results.read` gives them; none makes empty axes.
    test_accuracy: at the end, in [0, 1]; None draws none.
  """
  loss, accuracy = new_axes(legend_lines=1, panels=2)
  steps = [row["step"] for row in rows]
  loss.plot(steps, [row["loss"] for row in rows], color=_TRAIN, label="training")
  loss.plot(steps, [row["validation_loss"] for row in rows], color=_VALIDATION, label="validation")
  loss.set_yscale("log")
  loss.set_ylabel("Loss")
  percentages = [100 * row["validation_accuracy"] for row in rows]
  accuracy.plot(steps, percentages, color=_VALIDATION)
  if test_accuracy is not None:
    last = steps[-1:]
    accuracy.plot(
      last, [100 * test_accuracy], "o", color=_TEST, clip_on=False, label="test, at the end"
    )
  accuracy.set_ylabel("Accuracy (%)")
  _set_steps(accuracy)
  add_legend(loss, columns=3)
  return loss.figure


def sparsity_figure(rows, layers):
  """Sparsity of the network and of each layer in % over the steps.

  Where weights are replaced, their share of the live ones stands below.

  Args:
    rows: rows of `metrics.csv`; none makes empty axes.
    layers: rows of `layers.csv`.
  """
  sites = list(dict.fromkeys(row["site"] for row in layers))
  columns = max(1, min(4, 78 // (max(map(len, sites), default=0) + 8)))
  panels = 2 if any(row["replaced"] for row in rows) else 1
  figure_axes = new_axes(legend_lines=math.ceil((len(sites) + 1) / columns), panels=panels)
  first, last = (figure_axes, figure_axes) if panels == 1 else figure_axes
  steps = [row["step"] for row in rows]
  for index, site in enumerate(sites):
    own = [100 * row["sparsity"] for row in layers if row["site"] == site]
    colour = matplotlib.colormaps["viridis"](0.78 * index / max(1, len(sites) - 1))
    first.plot(steps, own, color=colour, linewidth=1.1, label=site)
  whole = [100 * row["sparsity"] for row in rows]
  first.plot(steps, whole, color="#111111", linewidth=2.2, linestyle="--", label="network")
  first.set_ylabel("Sparsity (%)")
  if panels == 2:
    last.plot(steps, [100 * row["replaced"] for row in rows], color="#111111")
    last.set_ylabel("Live weights replaced (%)")
    last.set_ylim(bottom=0)
  _set_steps(last)
  add_legend(first, columns=columns)
  return first.figure


def layers_figure(layers):
  """Live weights of each layer at the end, in % of its own, as bars with the counts beside them.

  Args:
    layers: rows of `layers.csv`; none makes empty axes.
  """
  last = max((row["step"] for row in layers), default=0)
  final = [row for row in layers if row["step"] == last]
  axes = new_axes(legend_lines=max(0, len(final) - 12))
  axes.grid(False, axis="y")
  names = [row["site"] for row in final]
  bars = axes.barh(names, [100 * row["kept"] / row["size"] for row in final], color="#0072b2")
  texts = [f"{row['kept']:,.0f} of {row['size']:,.0f}" for row in final]
  axes.bar_label(bars, texts, padding=4, fontsize=8, color=DENSE_COLOUR)
  axes.set_xlim(0, 1.3 * max((100 * row["kept"] / row["size"] for row in final), default=100))
  axes.invert_yaxis()
  axes.set_xlabel("Live weights (%)")
  return axes.figure


def _set_steps(axes):
  axes.set_xlabel("Step")
  axes.set_xlim(left=0)
  axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
