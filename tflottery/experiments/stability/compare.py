"""Comparison: the copies of one network, along the paths between them and by their distances."""

import functools
import itertools

from tflottery.analysis.bezier import train_bezier
from tflottery.analysis.connectivity import barrier, bezier, evaluate_path, is_stable, line
from tflottery.analysis.stability import angle, l2_distance
from tflottery.analysis.statistics import Reestimator
from tflottery.experiments.stability.networks import DENSE, WHOLE, first_of
from tflottery.masks import sparsity

_BATCH = 500


class Comparison:
  """Compares the trained copies of a network.

  Args:
    work: the `Task`.
    place: the `Workdir` that holds the networks.
    seed: int, the run's.
    restart: the `Restart` of the model that is measured.
  """

  def __init__(self, work, place, seed, restart):
    self._work, self._place, self._seed, self._restart = work, place, seed, restart
    splits = {"train": work.data.train, "test": work.data.test}
    self._splits = {name: work.examples(split) for name, split in splits.items()}
    self._evaluators = {
      name: work.evaluator(restart.model, split) for name, split in self._splits.items()
    }

  def __call__(self, network):
    """Dict of the rows for the tables pairs, paths and distances."""
    copies = range(self._work.settings.copies)
    trained = [self._network(network, copy) for copy in copies]
    masks = trained[0].masks
    share = {"remaining_percent": 100 * (1 - sparsity(masks))}
    found = {"pairs": [], "paths": [], "distances": []}
    if network.arm != DENSE:
      dense = self._place.network(self._seed, WHOLE, 0).weights
      own = {"kind": "pruning", "first": 0, "second": DENSE}
      distances = _distances(trained[0].weights, dense, masks)
      found["distances"].append(share | own | distances)
    for i, j in itertools.combinations(copies, 2):
      ends, names = (trained[i].weights, trained[j].weights), {"first": i, "second": j}
      found["distances"].append(share | {"kind": "data_order"} | names | _distances(*ends, masks))
      # Layers that draw do so when statistics are estimated and paths bent: from a seed of the pair, so
      # that comparisons are the same in whatever process and order they are made.
      noise = self._work.noise(self._seed, 0)["dropout"]
      self._restart.reseed([noise, network.k, network.level, i, j])
      for kind, path in self._ways(*ends, masks).items():
        for split, rows in self._measured(path).items():
          own = names | {"path": kind, "split": split}
          found["paths"] += [own | row for row in rows]
          found["pairs"].append(share | own | _summary(rows))
    return found

  def _network(self, network, copy):
    return self._place.network(self._seed, first_of(network) if copy == 0 else network, copy)

  def _ways(self, first, second, masks):
    """Dict from the name of a path to the path, a function from an amount to weights."""
    s = self._work.settings
    ways = {"line": functools.partial(line, first, second)}
    if s.bezier_steps:
      noise = self._work.noise(self._seed, 0)
      control = train_bezier(
        self._restart.model,
        first,
        second,
        self._work.batches(noise["order"], noise["augmentation"])(start=0, stop=s.bezier_steps),
        steps=s.bezier_steps,
        learning_rate=s.bezier_learning_rate,
        masks=masks,
        seed=noise["dropout"],
      )
      ways["bezier"] = functools.partial(bezier, first, control, second)
    return ways

  def _measured(self, path):
    """Dict from split to rows along the path."""
    s, names = self._work.settings, list(self._splits)
    examples = self._work.whole(self._splits["train"], _BATCH)
    points = evaluate_path(
      self._restart.model,
      path,
      lambda: [value for name in names for value in self._evaluators[name]()],
      points=s.points,
      statistics=s.statistics,
      data=Reestimator(self._restart.model, examples),
    )
    return {
      name: [
        {"amount": amount, "loss": values[2 * i], "error_percent": 100 * (1 - values[2 * i + 1])}
        for amount, *values in points
      ]
      for i, name in enumerate(names)
    }


def _summary(rows):
  errors, losses = ([row[name] for row in rows] for name in ("error_percent", "loss"))
  instability = barrier(errors)
  return {
    "first_error_percent": errors[0],
    "second_error_percent": errors[-1],
    "highest_error_percent": max(errors),
    "instability": instability,
    "loss_instability": barrier(losses),
    "stable": is_stable(instability / 100),
  }


def _distances(first, second, masks):
  return {"l2_distance": l2_distance(first, second, masks), "angle": angle(first, second, masks)}
