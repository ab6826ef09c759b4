"""Early-Bird plots: when a ticket was drawn, what it kept and what it cost, as matplotlib figures."""

import itertools
import statistics

from matplotlib.ticker import MaxNLocator

from tflottery.analysis.axes import DENSE_COLOUR, OTHER_STYLES, add_legend, new_axes

# Of each share in order, so that a share looks the same in all figures.
_STYLES = (("#0072b2", "o"), ("#d55e00", "s"), *OTHER_STYLES)


def drawing_figure(rows):
  """Test accuracy in % against the epoch of drawing: a line per share, the Early-Bird draws as stars.

  Points are means over the seeds; bars reach from the lowest to the highest. Dashed the dense
  network, dotted the re-initialised control of each share.

  Args:
    rows: those of `pieces.csv`, None where a column does not apply; none makes empty axes.
  """
  axes = new_axes(legend_lines=2)
  for share, (colour, marker) in _styles(rows).items():
    own = [row for row in rows if row["share"] == share]
    _draw_points(axes, own, color=colour, marker=marker, label=f"share {share:g}")
    for row in own:
      if row["arm"] == "early_bird":
        place = row["drawn_epoch"], 100 * row["test_accuracy"]
        axes.plot(*place, "*", color=colour, markersize=14, markeredgecolor="#ffffff", zorder=4)
    control = [row for row in own if row["arm"] == "reinit"]
    _draw_level(axes, control, colour, ":", f"share {share:g}, re-initialised")
  dense = [row for row in rows if row["arm"] == "dense"]
  _draw_level(axes, dense, DENSE_COLOUR, "--", "dense network")
  axes.set_xlim(left=0)
  axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
  axes.set_xlabel("Epoch of drawing")
  axes.set_ylabel("Test accuracy (%)")
  add_legend(axes, columns=2)
  return axes.figure


def channels_figure(layers):
  """Channels left in each layer, in % of its own, as bars with the counts beside them.

  Args:
    layers: rows of `channels.csv` of one seed's Early-Bird tickets; none makes empty axes.
  """
  styles = _styles(layers)
  sites = list(dict.fromkeys(row["site"] for row in layers))
  lines = len(sites) * max(1, len(styles))
  axes = new_axes(legend_lines=max(1, lines - 14))
  axes.grid(False, axis="y")
  height = 0.8 / max(1, len(styles))
  for index, (share, (colour, _)) in enumerate(styles.items()):
    own = [row for row in layers if row["share"] == share]
    places = [sites.index(row["site"]) + (index + 0.5) * height - 0.4 for row in own]
    widths = [100 * row["kept"] / row["channels"] for row in own]
    bars = axes.barh(places, widths, height, color=colour, label=f"share {share:g}")
    texts = [f"{row['kept']:,} of {row['channels']:,}" for row in own]
    axes.bar_label(bars, texts, padding=4, fontsize=8, color=DENSE_COLOUR)
  axes.set_yticks(range(len(sites)), sites, fontsize=8)
  axes.set_xlim(0, 122)
  axes.set_xticks(range(0, 101, 20))
  axes.invert_yaxis()
  axes.set_xlabel("Channels left (%)")
  add_legend(axes, columns=4)
  return axes.figure


def seconds_figure(curves):
  """Validation accuracy in % against the seconds of training, the search counted in.

  Args:
    curves: dicts `label`, `share` (None for dense), `points` (seconds, accuracy in [0, 1]) and
      `drawn`, the seconds at which the ticket was drawn, None for no ticket; none makes empty axes.
  """
  axes = new_axes(legend_lines=2)
  styles = _styles(curves)
  for curve in sorted(curves, key=lambda curve: curve["share"] is not None):
    colour = DENSE_COLOUR if curve["share"] is None else styles[curve["share"]][0]
    seconds = [second for second, _ in curve["points"]]
    percentages = [100 * accuracy for _, accuracy in curve["points"]]
    style = {"linestyle": curve["style"], "linewidth": 1.5}
    axes.plot(seconds, percentages, color=colour, label=curve["label"], **style)
    axes.plot(seconds[-1:], percentages[-1:], "o", color=colour, markersize=5)
    if curve["drawn"] is not None:
      axes.axvline(curve["drawn"], color=colour, linewidth=0.8, linestyle=(0, (1, 2)))
  axes.set_xlim(left=0)
  axes.set_xlabel("Seconds of training")
  axes.set_ylabel("Validation accuracy (%)")
  add_legend(axes, columns=2)
  return axes.figure


def _styles(rows):
  """Colour and marker of each share."""
  shares = sorted({row["share"] for row in rows if row["share"] is not None})
  return dict(zip(shares, itertools.cycle(_STYLES), strict=False))


def _draw_points(axes, rows, *, color, marker, label):
  """The draws asked for and, between them, the Early-Bird ones, as one line over the epochs."""
  found = {}
  for row in rows:
    if row["arm"] in ("drawn_at", "early_bird"):
      found.setdefault(row["drawn_epoch"], []).append(100 * row["test_accuracy"])
  epochs = sorted(found)
  means = [statistics.fmean(found[epoch]) for epoch in epochs]
  below = [mean - min(found[epoch]) for epoch, mean in zip(epochs, means, strict=True)]
  above = [max(found[epoch]) - mean for epoch, mean in zip(epochs, means, strict=True)]
  if epochs:
    several = max(map(len, found.values())) > 1
    bars = {"yerr": [below, above] if several else None, "elinewidth": 1, "capsize": 2.5}
    axes.errorbar(
      epochs, means, color=color, marker=marker, markersize=4.5, linewidth=1.4, label=label, **bars
    )


def _draw_level(axes, rows, colour, style, label):
  if rows:
    mean = statistics.fmean(100 * row["test_accuracy"] for row in rows)
    axes.axhline(mean, color=colour, linestyle=style, linewidth=1.2, label=label)
