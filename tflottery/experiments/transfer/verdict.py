"""Verdict: what the rows of the transfer experiment say, in words."""

import statistics

from tflottery.experiments.transfer.summary import (
  RANDOM,
  accuracies,
  common_seeds,
  differences,
  image_shapes,
  mean,
  shown_levels,
  sizes,
)


def verdict(rows, config):
  """What `rows` say of tickets that were moved from one task to another.

  A ticket beats another network where its final test accuracy is higher in every seed, and falls
  behind where it is lower in every seed.

  Args:
    rows: those of results.csv, of an unfinished experiment too.
    config: the experiment's config.json.

  Returns:
    A list of sentences, of which the first counts the moved tickets that beat random ones.

  >>> verdict([], {})
  ['No ticket is moved and trained yet.']
  """
  levels, found = shown_levels(rows), accuracies(rows)
  pairs = list(dict.fromkeys(cell[:2] for cell in found if cell[3] == "ticket"))
  if not pairs:
    return ["No ticket is moved and trained yet."]
  left = sizes(rows)
  moved = [(source, target) for source, target in pairs if source != target]
  return [
    *_counted(found, moved, levels, left),
    *(_of_pair(found, pair, levels, sizes(rows, pair), config) for pair in pairs),
    *(_of_own(rows, found, target, pairs, levels[-1]) for target in _own_targets(pairs)),
    *_of_layers(found, levels, left),
  ]


def _counted(found, moved, levels, left):
  """How many of the moved tickets beat the random ticket of equal per-layer sparsities."""
  clauses = []
  for level in levels:
    gains = [_gains(found, pair, level) for pair in moved]
    known = [gain for gain in gains if gain]
    if known:
      better = sum(min(gain) > 0 for gain in known)
      clauses.append(f"{better} of {len(known)} beat it at {left[level]}")
  if not clauses:
    return ["No ticket was compared with a random one on another task."]
  return [
    "Tickets on another task than their own, against the random ticket of equal per-layer sparsities: "
    f"{', '.join(clauses)}."
  ]


def _gains(found, pair, level):
  ticket = found.get((*pair, level, "ticket"), {})
  return differences(ticket, found.get((*pair, level, RANDOM), {}))


def _of_pair(found, pair, levels, left, config):
  """A ticket on a target against the random one, level by level, of the seeds that both have."""
  clauses = []
  for level in levels:
    ticket = found.get((*pair, level, "ticket"), {})
    gains, other = _gains(found, pair, level), found.get((*pair, level, RANDOM), {})
    seeds = common_seeds(ticket, other)
    if gains:
      words = f"at {left[level]} it {_relation(gains)} the random ticket"
      against = f"{mean(ticket, seeds):.2f} % against {mean(other, seeds):.2f} %"
      clauses.append(f"{words}, {against} ({_spread(gains)})")
    elif ticket:
      clauses.append(f"at {left[level]} it reaches {mean(ticket, ticket):.2f} %")
  said = "; ".join(clauses) or "nothing at these levels yet"
  return f"The ticket of {pair[0]} on {_whose(pair)}{_optimizers(pair, config)}: {said}."


def _whose(pair):
  return "its own task" if pair[0] == pair[1] else pair[1]


def _optimizers(pair, config):
  """Words for another optimizer than the one that the ticket was found with."""
  tasks = config.get("tasks", {})
  first, second = (tasks.get(name, {}).get("optimizer", config.get("optimizer")) for name in pair)
  return "" if first == second else f" (found with {first}, trained with {second})"


def _relation(gains):
  if min(gains) > 0:
    return "beats"
  return "falls behind" if max(gains) < 0 else "does not clearly beat"


def _spread(gains):
  over = f"{statistics.fmean(gains):+.2f} points"
  if len(gains) == 1:
    return f"{over}, one seed"
  return f"{over}, from {min(gains):+.2f} to {max(gains):+.2f} over {len(gains)} seeds"


def _own_targets(pairs):
  return [target for source, target in pairs if source == target]


def _of_own(rows, found, target, pairs, level):
  """How far moved tickets are from the one that was found on the target, of the seeds that all have."""
  own, shapes = found.get((target, target, level, "ticket"), {}), image_shapes(rows)
  others = {
    source: found[source, target, level, "ticket"]
    for source, to in pairs
    if to == target != source
    and shapes[source] == shapes[target]
    and (source, target, level, "ticket") in found
  }
  seeds = common_seeds(own, *others.values())
  left = sizes(rows, (target, target)).get(level)
  if not seeds:
    return f"On {target}, its own ticket is not trained beside the others of level {level} yet."
  clauses = []
  for source, other in others.items():
    size = sizes(rows, (source, target))[level]
    at = f" at {size}" if size != left else ""
    clauses.append(f"that of {source} {mean(other, seeds) - mean(own, seeds):+.2f} points{at}")
  return (
    f"On {target} at {left}, the ticket found there reaches {mean(own, seeds):.2f} %"
    f"{': ' if clauses else ''}{', '.join(clauses)}."
  )


def _of_layers(found, levels, left):
  """What the per-layer sparsities of tickets are worth without their masks and weights."""
  clauses = []
  for level in levels:
    gains = [
      gain
      for source, target, at, arm in found
      if (at, arm) == (level, RANDOM)
      for gain in differences(
        found[source, target, at, arm], found.get((source, target, at, "random_global"), {})
      )
    ]
    if gains:
      clauses.append(f"{statistics.fmean(gains):+.2f} points at {left[level]}")
  if not clauses:
    return []
  return [
    "The per-layer sparsities alone, as a mean over all: the random ticket that has them against the fully"
    f" random one, {', '.join(clauses)}."
  ]
