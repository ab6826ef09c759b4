"""Comparison of layers: how sparse each algorithm makes each of them, as rows and as a figure."""

import statistics

from tflottery.analysis import comparison, comparison_styles
from tflottery.analysis.axes import add_legend, new_axes

ROW = ("algorithm", "sparsity", "site", "size", "n", "layer_sparsity_mean")
_MOST_LABELS = 24


def rows(cells, layers):
  """Dicts of `ROW`: of each algorithm at each sparsity every site, in the order of the network.

  Networks that are trained anew under learned masks have those of their source, and dense and smaller
  ones have no masks: they are left out.

  Args:
    cells: those that were chosen, as `comparison.selected` gives them.
    layers: dict from a cell's name to a list of (site, size, sparsity).
  """
  found = {}
  for cell in cells:
    is_left_out = not cell["sparsity"] or cell["algorithm"] in comparison.RETRAINED
    own = [] if is_left_out else layers[cell["cell"]]
    if any(share for _, _, share in own):
      for site, size, share in own:
        key = (cell["algorithm"], cell["sparsity"], site, size)
        found.setdefault(key, []).append(share)
  return [
    dict(zip(ROW, (*key, len(shares), statistics.fmean(shares)), strict=True))
    for key, shares in found.items()
  ]


def layers_figure(rows):
  """The sparsity of each layer in %: a panel per asked sparsity, a line per algorithm.

  Args:
    rows: as `rows` gives them, of one network; none makes empty axes.
  """
  sparsities = sorted({row["sparsity"] for row in rows}) or [0.0]
  names = list(dict.fromkeys(row["algorithm"] for row in rows))
  looks = comparison_styles.styles(names)
  sites = list(dict.fromkeys(row["site"] for row in rows))
  panels = new_axes(legend_lines=len(names) // 3 + 2, panels=len(sparsities))
  panels = panels if isinstance(panels, list) else [panels]
  for axes, sparsity in zip(panels, sparsities, strict=True):
    for index, name in enumerate(names):
      # Side by side, for equal sparsities would hide each other.
      aside = 0.05 * (index - (len(names) - 1) / 2)
      own = [row for row in rows if (row["algorithm"], row["sparsity"]) == (name, sparsity)]
      colour, marker, line = looks[name]
      axes.plot(
        [sites.index(row["site"]) + aside for row in own],
        [100 * row["layer_sparsity_mean"] for row in own],
        color=colour,
        marker=marker,
        linestyle=line,
        markersize=5,
        linewidth=1.2,
        label=comparison.label(name) if axes is panels[0] else None,
      )
    if rows:
      axes.set_title(f"{100 * sparsity:.4g} % asked for", fontsize=9, loc="left")
    axes.set_ylabel("Sparsity (%)")
  _set_site_axis(panels[-1], sites)
  add_legend(panels[0], columns=3)
  return panels[0].figure


def _set_site_axis(axes, sites):
  """Name the sites; of very many every second, third and so on."""
  shown = range(0, len(sites), -(-len(sites) // _MOST_LABELS) or 1)
  names = [sites[i].removesuffix("/kernel") for i in shown]
  axes.set_xticks(list(shown), names, rotation=90 if len(sites) > 6 else 0, fontsize=8)
  axes.set_xlabel("Layer")
