"""Plots: what a search found, as matplotlib figures."""

import math
import statistics

import matplotlib
import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tflottery.analysis.axes import (
  DENSE_COLOUR,
  OTHER_STYLES,
  add_legend,
  line_styles,
  new_axes,
)
from tflottery.analysis.results import arms, by_level, label, mean_by_level, of_arm, percent

# The usual arms own their styles, so that an arm looks the same in every report, whichever others ran.
_STYLES = {
  "ticket": ("#111111", "o", "-"),
  "reinit": ("#d55e00", "s", "-"),
  "random_mask": ("#0072b2", "^", "-"),
}


_TOP = 100.1  # of an accuracy axis in the log of the error, which is 0 at 100
_ACCURACIES = (20, 40, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 97.5, 98, 98.5, 99, 99.5, 99.8)


def accuracy_figure(rows):
  """Early-stop test accuracy in % against the weights remaining, a line per arm.

  Points are means over the seeds; bars reach from the lowest seed to the highest.

  Args:
    rows: rows of `results.csv` as `results.read` gives them; none makes empty axes.
  """
  percentages = [{**row, "test_percent": 100 * row["early_stop_test_accuracy"]} for row in rows]
  return _arms_figure(percentages, "test_percent", name="Test accuracy at early stop (%)")


def early_stop_figure(rows):
  """Step of the early stop against the weights remaining, drawn as `accuracy_figure` is."""
  return _arms_figure(rows, "early_stop_step", name="Early stop (step)")


def criteria_figure(rows, *, first):
  """Early-stop test accuracy in % against the weights remaining, a line per criterion.

  Args:
    rows: those of the tickets, whose arms are "ticket" and names of criteria; none makes empty axes.
    first: the criterion of the arm "ticket".
  """
  named = [{**row, "test_percent": 100 * row["early_stop_test_accuracy"]} for row in rows]
  found = arms(named)
  styles = line_styles(found)
  labels = {arm: label(first if arm == "ticket" else arm) for arm in found}
  figure = _arms_figure(
    named, "test_percent", name="Test accuracy at early stop (%)", styles=styles, labels=labels
  )
  _spread_the_best(figure.axes[0], [row["test_percent"] for row in named])
  return figure


def _spread_the_best(axes, percentages):
  """Make y the accuracy in the log of the error, so that 98 and 99 lie as far apart as 60 and 80."""
  axes.set_yscale(
    "function",
    functions=(lambda y: -np.log10(np.maximum(_TOP - y, 1e-3)), lambda v: _TOP - 10.0**-v),
  )
  low, high = (min(percentages), max(percentages)) if percentages else (0, 100)
  axes.set_ylim(low - 0.05 * (_TOP - low), high + 0.1 * (_TOP - high))
  ticks = [tick for tick in _ACCURACIES if low <= tick <= high] or [low]
  axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


def layers_figure(layers):
  """Weights remaining in each layer, in %, over the levels.

  Lines are means over the seeds; a band reaches from the lowest seed to the highest.

  Args:
    layers: rows of `layers.csv` as `results.read` gives them; none makes empty axes.
  """
  sites = list(dict.fromkeys(row["site"] for row in layers))
  columns = max(1, min(4, 78 // (max(map(len, sites), default=0) + 8)))
  axes = new_axes(legend_lines=math.ceil(len(sites) / columns))
  for index, site in enumerate(sites):
    colour = matplotlib.colormaps["viridis"](0.78 * index / max(1, len(sites) - 1))
    kept = by_level([row for row in layers if row["site"] == site], "remaining_percent")
    levels, seeds = list(kept), list(kept.values())
    means = [statistics.fmean(values) for values in seeds]
    axes.plot(levels, means, marker="o", markersize=3.5, color=colour, label=site)
    lowest, highest = [min(values) for values in seeds], [max(values) for values in seeds]
    axes.fill_between(levels, lowest, highest, color=colour, alpha=0.2, linewidth=0)
  axes.set_yscale("log")
  axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
  axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
  axes.yaxis.set_minor_locator(NullLocator())
  axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
  axes.set_xlabel("Level")
  axes.set_ylabel("Weights remaining (%)")
  add_legend(axes, columns=columns)
  return axes.figure


def _arms_figure(rows, column, *, name, styles=None, labels=None):
  """`column` against the weights remaining: a line per arm and, dashed, the dense network."""
  styles = styles or _arm_styles(arms(rows))
  labels = labels or {arm: label(arm) for arm in styles}
  axes = new_axes(legend_lines=math.ceil((len(styles) + 1) / 3))
  for arm, style in styles.items():
    _draw_arm(axes, of_arm(rows, arm), column, style, label=labels[arm])
  dense = mean_by_level(of_arm(rows, "ticket"), column).get(0)
  if dense is not None:
    axes.axhline(dense, color=DENSE_COLOUR, linestyle="--", linewidth=1.2, label="dense network")
  set_remaining_axis(axes, mean_by_level(rows, "remaining_percent").values())
  axes.set_ylabel(name)
  add_legend(axes, columns=3)
  return axes.figure


def _arm_styles(names):
  """Colour, marker and line of each arm in `names`; arms without their own go round the others."""
  others = line_styles([name for name in names if name not in _STYLES], OTHER_STYLES)
  return {name: (_STYLES | others)[name] for name in names}


def _draw_arm(axes, rows, column, style, *, label):
  colour, marker, line = style
  seeds = list(by_level(rows, column).values())
  means = [statistics.fmean(values) for values in seeds]
  below = [mean - min(values) for mean, values in zip(means, seeds, strict=True)]
  above = [max(values) - mean for mean, values in zip(means, seeds, strict=True)]
  axes.errorbar(
    list(mean_by_level(rows, "remaining_percent").values()),
    means,
    # The caps of bars of length 0 would say "no spread" where one seed knows of none.
    yerr=[below, above] if max(map(len, seeds)) > 1 else None,
    color=colour,
    marker=marker,
    linestyle=line,
    markersize=5,
    linewidth=1.6,
    elinewidth=1,
    capsize=2.5,
    label=label,
  )


def set_remaining_axis(axes, remaining):
  """Make x the weights remaining, in %: log scale, all of them at the left, plain numbers at levels."""
  remaining = sorted(remaining, reverse=True) or [100]
  axes.set_xscale("log")
  axes.set_xlabel("Weights remaining (%)")
  axes.xaxis.set_minor_locator(NullLocator())
  left, right = remaining[0] * 1.12, remaining[-1] / 1.12
  axes.set_xlim(left, right)
  ticks = _spaced(remaining, ratio=(left / right) ** (1 / 12))
  axes.set_xticks(ticks, [percent(tick) for tick in ticks])


def _spaced(values, *, ratio):
  """The falling `values` without those less than a factor `ratio` below the last one taken."""
  taken = []
  for value in values:
    if not taken or taken[-1] / value >= ratio:
      taken.append(value)
  return taken
