"""Steps: what the rows of the stability experiment measure, by the step k that copies begin with."""

import statistics


def by_step(rows, column):
  """Dict from step k to a dict from seed to the mean of `column` over the seed's rows.

  >>> by_step([dict(k=5, seed=0, angle=1.0), dict(k=5, seed=0, angle=2.0)], "angle")
  {5: {0: 1.5}}
  """
  found = {}
  for row in sorted(rows, key=lambda row: row["k"]):
    found.setdefault(row["k"], {}).setdefault(row["seed"], []).append(row[column])
  return {
    k: {seed: statistics.fmean(values) for seed, values in seeds.items()}
    for k, seeds in found.items()
  }


def shared(table):
  """`table` of those seeds alone that have all of its steps; empty where none has.

  >>> shared({0: {0: 1.0, 1: 2.0}, 100: {0: 3.0}})
  {0: {0: 1.0}, 100: {0: 3.0}}
  """
  seeds = set.intersection(*(set(own) for own in table.values())) if table else set()
  return {k: {seed: own[seed] for seed in sorted(seeds)} for k, own in table.items() if seeds}


def means(table):
  """Dict from step to the mean over the seeds of `table`."""
  return {k: statistics.fmean(seeds.values()) for k, seeds in table.items()}


def levels(rows, arm):
  """Lists of an arm's rows, one for each level: most steps that one seed has all of, then sparsest."""
  found = {}
  for row in rows:
    if row["arm"] == arm:
      found.setdefault(row["level"], []).append(row)

  def rank(level):
    return len(shared(by_step(found[level], "level"))), level

  return [found[level] for level in sorted(found, key=rank, reverse=True)]
