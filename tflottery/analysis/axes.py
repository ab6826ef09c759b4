"""Axes: how every figure is set.

Figures are plain `matplotlib.figure.Figure` objects; pyplot would keep each one alive and choose
a display, which a training machine may not have.
"""

import itertools

from matplotlib.figure import Figure

DENSE_COLOUR = "#767676"
# Colours and markers for lines; the colours are Okabe and Ito's, which colour-blind readers tell apart.
OTHER_STYLES = (("#009e73", "D"), ("#cc79a7", "v"), ("#56b4e9", "P"), ("#e69f00", "X"))
STYLES = (("#111111", "o"), ("#d55e00", "s"), ("#0072b2", "^"), *OTHER_STYLES)


def line_styles(names, styles=STYLES):
  """Dict from name to (colour, marker, line): the styles, then colours with other markers and dashes."""
  markers = [marker for _, marker in styles]
  every = [
    (colour, markers[(index + shift) % len(styles)], line)
    for shift, line in enumerate(("-", "--", ":"))
    for index, (colour, _) in enumerate(styles)
  ]
  return dict(zip(names, itertools.cycle(every), strict=False))


def new_axes(*, legend_lines, panels=1):
  """Axes of a new figure, room for its legend included; several panels share x, and come as a list.

  Args:
    legend_lines: lines of text in the legend.
    panels: how many axes stand on top of each other.
  """
  height = (3.8 if panels == 1 else 2.6 * panels) + 0.2 * legend_lines
  figure = Figure(figsize=(6.2, height), dpi=160, layout="constrained")
  every = list(figure.subplots(panels, sharex=True, squeeze=False)[:, 0])
  for axes in every:
    set_style(axes)
  return every[0] if panels == 1 else every


def set_style(axes):
  """Grid and frame, as all figures have them."""
  axes.grid(True, color="#e4e4e4", linewidth=0.8)
  axes.set_axisbelow(True)
  axes.spines[["top", "right"]].set_visible(False)


def add_legend(axes, *, columns):
  """The legend above the figure, where anything is labelled."""
  if any(panel.get_legend_handles_labels()[0] for panel in axes.figure.axes):
    axes.figure.legend(loc="outside upper center", ncols=columns, frameon=False, fontsize=9)
