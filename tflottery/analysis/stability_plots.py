"""Stability plots: the error between copies of a network, and what the step that they begin with does.

Frankle et al. 2020, arXiv:1912.05671, figures 2 to 5; Frankle et al. 2019, arXiv:1903.01611.
"""

import math
import statistics

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tflottery.analysis import results
from tflottery.analysis.axes import (
  DENSE_COLOUR,
  OTHER_STYLES,
  add_legend,
  line_styles,
  new_axes,
  set_style,
)
from tflottery.analysis.connectivity import STABLE

# The usual arms own their colours and markers; the levels of an arm, sparsest first, differ in their line.
_STYLES = {
  "dense": (DENSE_COLOUR, "d"),
  "ticket": ("#111111", "o"),
  "reinit": ("#d55e00", "s"),
  "random_mask": ("#0072b2", "^"),
}
_LINES = ("-", "--", ":", "-.")
_NAMES = {"dense": "dense network", "ticket": "IMP ticket"}
_KINDS = {"pruning": ("-", "to the dense network"), "data_order": ("--", "between copies")}
_STABLE = 100 * STABLE
_POINTS = (0, 1, 2, 5, 10, 20, 50, 100)


def networks(rows):
  """Dict from (arm, level) to the rows of that network: dense, the ticket, controls; by level.

  >>> rows = [dict(arm="reinit", level=2), dict(arm="ticket", level=2), dict(arm="ticket", level=1)]
  >>> list(networks(rows))
  [('ticket', 1), ('ticket', 2), ('reinit', 2)]
  """
  order = {"dense": 0, "ticket": 1}
  found = {}
  for row in sorted(rows, key=lambda row: (order.get(row["arm"], 2), row["arm"], row["level"])):
    found.setdefault((row["arm"], row["level"]), []).append(row)
  return found


def network_name(rows):
  """Words for the network whose rows these are.

  >>> network_name([dict(arm="ticket", level=15, remaining_percent=3.52)])
  'IMP ticket, 3.5 %'
  """
  name = _NAMES.get(rows[0]["arm"]) or results.label(rows[0]["arm"])
  if rows[0]["arm"] == "dense":
    return name
  remaining = statistics.fmean(row["remaining_percent"] for row in rows)
  return f"{name}, {results.percent(remaining)} %"


def lines_figure(paths):
  """Error in % along the paths between copies, a panel per step k and a line per network.

  Lines are means over pairs and seeds, a band reaches from the lowest to the highest; Bezier paths are
  dotted.

  Args:
    paths: rows of `paths.csv` of one split, each with its network's `remaining_percent`; one level of
      each arm. None makes empty axes.
  """
  steps, found = sorted({row["k"] for row in paths}), networks(paths)
  kinds = {row["path"] for row in paths}
  columns = _columns(found)
  figure, panels = _panels(max(1, len(steps)), math.ceil((len(found) + len(kinds) - 1) / columns))
  for axes, k in zip(panels, steps, strict=False):
    axes.set_title(f"k = {k:,}", fontsize=9)
    for network, style in _styles(found).items():
      for kind in ("line", "bezier"):
        own = [row for row in found[network] if (row["k"], row["path"]) == (k, kind)]
        _draw_path(axes, own, style[0], ":" if kind == "bezier" else "-")
  for (arm, level), (colour, _, _) in _styles(found).items():
    panels[0].plot([], [], color=colour, label=network_name(found[arm, level]))
  if "bezier" in kinds:
    panels[0].plot([], [], color=DENSE_COLOUR, linestyle=":", label="along a Bezier path")
  panels[0].set_ylim(bottom=0)
  figure.supxlabel("Place on the path between two copies", fontsize=9)
  figure.supylabel("Test error (%)", fontsize=9)
  add_legend(panels[0], columns=columns)
  return figure


def _panels(count, legend_lines):
  """A figure and its axes, side by side with the same scales."""
  columns = count if count < 4 else math.ceil(count / 2)
  rows = math.ceil(count / columns)
  height = (3.8 if count == 1 else 0.5 + 2.3 * rows) + 0.2 * legend_lines
  figure = Figure(figsize=(6.2, height), dpi=160, layout="constrained")
  figure.get_layout_engine().set(wspace=0.06)
  panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
  for axes in panels[:count]:
    set_style(axes)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(labelsize=8)
  for axes in panels[max(0, count - columns) : count]:
    axes.tick_params(labelbottom=True)
  for axes in panels[count:]:
    axes.set_axis_off()
  return figure, panels[:count]


def _draw_path(axes, rows, colour, line):
  points = _values(rows, "amount", "error_percent")
  means = [statistics.fmean(values) for values in points.values()]
  axes.plot(list(points), means, color=colour, linestyle=line, linewidth=1.4)
  if any(len(values) > 1 for values in points.values()):
    low, high = ([end(values) for values in points.values()] for end in (min, max))
    axes.fill_between(list(points), low, high, color=colour, alpha=0.12, linewidth=0)


def instability_figure(pairs):
  """Instability in points of error against the step k that copies begin with, a line per network.

  Points are means over pairs and seeds; bars reach from the lowest to the highest. Networks on or below
  the dashed line are stable.

  Args:
    pairs: rows of `pairs.csv` of one kind of path and one split; none makes empty axes.
  """
  found = networks(pairs)
  columns = _columns(found)
  axes = new_axes(legend_lines=math.ceil((len(found) + 1) / columns))
  _draw_networks(axes, found, "instability")
  label = f"{_STABLE:g} points: stable up to here"
  axes.axhline(_STABLE, color="#555555", linestyle="--", linewidth=1.2, label=label)
  highest = max((row["instability"] for row in pairs), default=0.0)
  # What is far from stable would press what is stable, and the line itself, onto the axis.
  if highest > 4 * _STABLE:
    axes.set_yscale("symlog", linthresh=_STABLE)
    axes.set_yticks(_POINTS, [f"{points}" for points in _POINTS])
    axes.yaxis.set_minor_locator(NullLocator())
  top = max(1.3 * highest, 1.5 * _STABLE)
  axes.set_ylim(-0.05 * min(top, 2 * _STABLE), top)  # a marker at 0 is shown whole
  _set_steps(axes, pairs)
  axes.set_ylabel("Instability (points of test error)")
  add_legend(axes, columns=columns)
  return axes.figure


def accuracy_figure(trainings):
  """Final test accuracy in % against the step that networks are rewound to, a line per network.

  Points are means over copies and seeds; bars, and the band of the dense network, reach from the lowest to
  the highest.

  Args:
    trainings: rows of `trainings.csv`; none makes empty axes.
  """
  rows = [{**row, "percent": 100 * row["final_test_accuracy"]} for row in trainings]
  dense = [row["percent"] for row in rows if row["arm"] == "dense"]
  pruned = [row for row in rows if row["arm"] != "dense"]
  found = networks(pruned)
  columns = _columns(found)
  axes = new_axes(legend_lines=math.ceil((len(found) + 1) / columns))
  _draw_networks(axes, found, "percent")
  if dense:
    mean = statistics.fmean(dense)
    axes.axhline(mean, color=DENSE_COLOUR, linestyle="--", linewidth=1.2, label=_NAMES["dense"])
    axes.axhspan(min(dense), max(dense), color=DENSE_COLOUR, alpha=0.15, linewidth=0)
  _set_steps(axes, pruned)
  axes.set_ylabel("Final test accuracy (%)")
  add_legend(axes, columns=columns)
  return axes.figure


def distances_figure(distances):
  """L2 distance and angle against the step k: to the trained dense network, and between copies.

  Points are means over pairs and seeds; bars reach from the lowest to the highest.

  Args:
    distances: rows of `distances.csv`, one level of each arm; none makes empty axes.
  """
  found = networks(distances)
  columns = _columns(found)
  panels = new_axes(legend_lines=math.ceil((len(found) + 2) / columns), panels=2)
  names = {"l2_distance": "L2 distance", "angle": "Angle (degrees)"}
  for axes, (column, name) in zip(panels, names.items(), strict=True):
    for kind, (line, _) in _KINDS.items():
      own = networks([row for row in distances if row["kind"] == kind])
      _draw_networks(axes, own, column, every=found, line=line, labels=False)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(name)
    _set_steps(axes, distances)
  panels[0].set_xlabel("")
  for network, (colour, marker, _) in _styles(found).items():
    panels[0].plot([], [], color=colour, marker=marker, label=network_name(found[network]))
  for line, label in _KINDS.values():
    fill = _fill(line, DENSE_COLOUR)
    panels[0].plot(
      [], [], color=DENSE_COLOUR, linestyle=line, marker="o", markerfacecolor=fill, label=label
    )
  add_legend(panels[0], columns=columns)
  return panels[0].figure


def _styles(found):
  """Dict from the networks in `found` to colour and marker of the arm and line of the level."""
  arms = list(dict.fromkeys(arm for arm, _ in found))
  others = line_styles([arm for arm in arms if arm not in _STYLES], OTHER_STYLES)
  levels = sorted({level for arm, level in found if arm != "dense"}, reverse=True)
  return {
    (arm, level): (
      *(_STYLES.get(arm) or others[arm][:2]),
      "-" if arm == "dense" else _LINES[levels.index(level) % len(_LINES)],
    )
    for arm, level in found
  }


def _columns(found):
  """Columns of the legend that the names leave room for."""
  return 2 if max((len(network_name(rows)) for rows in found.values()), default=0) > 22 else 3


def _draw_networks(axes, found, column, *, every=None, line=None, labels=True):
  """Draw `column` against the place of k, a line per network, side by side lest bars hide each other."""
  styles = _styles(every or found)
  steps = sorted({row["k"] for rows in (every or found).values() for row in rows})
  for index, (network, (colour, marker, own)) in enumerate(styles.items()):
    points = _values(found.get(network, ()), "k", column)
    aside = min(0.05, 0.5 / len(styles)) * (index - (len(styles) - 1) / 2)
    means = [statistics.fmean(values) for values in points.values()]
    below = [mean - min(values) for mean, values in zip(means, points.values(), strict=True)]
    above = [max(values) - mean for mean, values in zip(means, points.values(), strict=True)]
    axes.errorbar(
      [steps.index(k) + aside for k in points],
      means,
      yerr=[below, above] if any(len(values) > 1 for values in points.values()) else None,
      color=colour, marker=marker, linestyle=line or own, markersize=5, linewidth=1.6,
      elinewidth=1, capsize=2.5, markerfacecolor=_fill(line, colour), label=network_name(found[network]) if labels else None,
    )  # fmt: skip


def _fill(line, colour):
  """The colour inside markers: none on dashed lines, which one step k alone does not show."""
  return "#ffffff" if line == "--" else colour


def _values(rows, place, column):
  """The values of `column` by the rising values of `place`."""
  points = {}
  for row in sorted(rows, key=lambda row: row[place]):
    points.setdefault(row[place], []).append(row[column])
  return points


def _set_steps(axes, rows):
  """Make x the steps k in `rows`, one beside the other: step 0 has no logarithm."""
  steps = sorted({row["k"] for row in rows})
  axes.set_xlim(-0.4, max(1, len(steps)) - 0.6)
  axes.set_xticks(range(len(steps)), [f"{k:,}" for k in steps])
  axes.set_xlabel("Step k of the weights to start from (not to scale)")
