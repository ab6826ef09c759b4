"""Figures of the supermask experiment, from what lies in its workdir."""

from tflottery.analysis import results, supermask_plots
from tflottery.experiments.supermasks.verdict import groups, mean
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets.prune import one_shot_rates, prune, site_rates

_SHOWN = 0.3  # the share of the weights that remains, about, where regions can be told apart


def figures(rows, place, config):
  """Dict from file name to figure; what has nothing to show is left out.

  Args:
    rows: those of the finished pieces.
    place: the `Workdir`.
    config: its config.json.
  """
  dense = mean([row for row in rows if row["network"] == "dense"], "test_accuracy")
  found, curves, networks = {}, _curves(rows), _networks(rows)
  if curves:
    found["untrained.png"] = supermask_plots.untrained_figure(curves, dense=dense)
  if networks:
    found["trained.png"] = supermask_plots.trained_figure(networks, dense=dense)
  if config["criteria"] and place.is_done(config["seeds"][0], "dense"):
    found["regions.png"] = _regions(place, config)
  return found


def _curves(rows):
  curves = {}
  for (criterion, weights), own in groups(rows, "untrained", "criterion").items():
    points = {}
    for row in own:
      points.setdefault(row["remaining_percent"], []).append(row["test_accuracy"])
    curves.setdefault(f"{weights} weights", {})[criterion.replace("_", " ")] = points
  return curves


def _networks(rows):
  return {
    f"{name.replace('_', '-')}, {weights}": [
      (row["remaining_percent"], row["test_accuracy"]) for row in own
    ]
    for network in ("supermask", "edge_popup")
    for (name, weights), own in groups(rows, network, "network").items()
  }


def _regions(place, config):
  """What each criterion keeps of the first layer, at the level nearest to the share that is shown."""
  seed = config["seeds"][0]
  initial, final = (place.ticket(seed, name) for name in ("initial", "final"))
  path = next(iter(initial.masks))
  rates = site_rates(list(initial.masks), config["rate"], config["rates"])
  levels = range(1, config["levels"] + 1)
  level = min(levels, key=lambda n: abs((1 - rates[path]) ** n - _SHOWN))
  shares = {path: one_shot_rates(rates, level)[path]}
  masks = {
    criterion: prune(
      final.weights,
      {path: initial.masks[path]},
      rates=shares,
      criterion=criterion,
      initial=initial.weights,
      seed=[seeds_of(seed)["masks"], level],
    )
    for criterion in config["criteria"]
  }
  remaining = [100 * (1 - sparsity(found)) for found in masks.values()]
  title = f"{path}, {results.percent(remaining[0])} % of the weights kept" if masks else path
  return supermask_plots.regions_figure(
    initial.weights[path],
    final.weights[path],
    {criterion: found[path] for criterion, found in masks.items()},
    title=title,
  )
