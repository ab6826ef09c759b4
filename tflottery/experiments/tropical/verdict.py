"""Verdict: what the rows of the tropical experiment say, in words."""

import statistics

from tflottery.analysis.results import percent
from tflottery.experiments.tropical import summary
from tflottery.experiments.tropical.starts import TICKET


def verdict(rows, pruned, *, levels, controls, seeds):
  """What the rows say of the ticket's initial weights, and of pruning without training.

  The higher sparsities are those of the sparser half of the levels, the middle one included. A level
  counts with the seeds in which the ticket and all controls are trained.

  Args:
    rows: those of results.csv.
    pruned: those of pruning.csv.
    levels, controls, seeds: what is planned: the number of levels, the names of the controls, the seeds.

  >>> verdict([], [], levels=8, controls=("glorot",), seeds=(0,))
  ['Nothing is trained yet.']
  """
  if not any(row["level"] == 0 for row in rows):
    return ["Nothing is trained yet."]
  planned = len(seeds) * (1 + levels * (1 + len(controls)))
  sentences = [*_of_shapes(rows, levels, controls), *_of_accuracies(rows), *_of_rules(pruned)]
  if len(rows) < planned:
    sentences.insert(0, f"Unfinished: {len(rows)} of {planned} trainings are done.")
  return sentences


def _of_shapes(rows, levels, controls):
  found = {level: summary.compared(rows, level, controls) for level in range(1, levels + 1)}
  found = {level: own for level, own in found.items() if own}
  sparse = [level for level in found if level > levels // 2]
  if not found:
    return []
  remaining = summary.remaining(rows)
  lost = {level: names for level in found if (names := _lower(found[level]))}
  if not sparse:
    return ["None of the higher sparsities is trained yet.", _of_all(found, remaining, lost)]
  return [
    _headline(found, lost, sparse),
    _of_sparse(found, remaining, sparse),
    _of_all(found, remaining, lost),
  ]


def _lower(own):
  """The controls whose mean distance is not above the ticket's, the closest first."""
  means = {name: summary.mean(values) for name, values in own.items()}
  return sorted(
    (name for name in means if name != TICKET and means[name] <= means[TICKET]), key=means.get
  )


def _headline(found, lost, sparse):
  counts = {len(found[level][TICKET]) for level in sparse}
  over = "In the one seed" if counts == {1} else f"On average over {_seeds(min(counts))}"
  over += " or more" * (len(counts) > 1)
  claim = "keep the shape of the dense network's polygon better than every control"
  worse = [level for level in sparse if level in lost]
  if not worse:
    return f"{over}, at the higher sparsities the ticket's initial weights {claim}."
  names = dict.fromkeys(_words(name) for level in worse for name in lost[level])
  return (
    f"{over}, at the higher sparsities the ticket's initial weights do NOT {claim}: at {len(worse)} of "
    f"{len(sparse)} levels {' and '.join(names)} {'comes' if len(names) == 1 else 'come'} as close or "
    "closer."
  )


def _of_sparse(found, remaining, sparse):
  """The mean distances of the ticket and of the closest control, at each level."""
  parts = []
  for level in sparse:
    own = found[level]
    name = min((n for n in own if n != TICKET), key=lambda n: summary.mean(own[n]))
    wins, seeds = summary.closer(own[TICKET], own[name])
    parts.append(
      f"at {percent(remaining[level])} % of the weights {summary.mean(own[TICKET]):.3f} against "
      f"{summary.mean(own[name]):.3f} ({_words(name)}; the ticket is closer in {wins} of {_seeds(seeds)})"
    )
  return (
    "Mean shape distance to the dense polygon, of the ticket against the closest control, in mean widths: "
    f"{', '.join(parts)}."
  )


def _of_all(found, remaining, lost):
  if len(found) == 1:
    return f"One level is compared; the ticket's mean distance is {'not ' * bool(lost)}the lowest."
  text = f"Over all {len(found)} levels, the ticket's mean distance is the lowest at {len(found) - len(lost)}"
  if not lost:
    return f"{text}."
  return f"{text}; a control is as low or lower at {_percents(remaining, lost)} of the weights."


def _of_accuracies(rows):
  """The dense networks and the sparsest tickets of the same seeds."""
  remaining = summary.remaining(rows)
  tickets = {
    row["seed"]: row
    for row in rows
    if remaining and row["level"] == max(remaining) and row["start"] == TICKET
  }
  dense = [row for row in rows if row["level"] == 0 and (row["seed"] in tickets or not tickets)]
  text = f"The dense network reaches {_accuracy(dense)} test accuracy"
  if not tickets:
    return [f"{text}."]
  sparsest = percent(remaining[max(remaining)])
  own = _accuracy(list(tickets.values()))
  return [f"{text}, the ticket with {sparsest} % of the weights {own} ({_seeds(len(tickets))})."]


def _of_rules(pruned):
  """The means over all shares, which stand for the areas under the curves."""
  rules = {}
  for row in pruned:
    rules.setdefault(row["rule"], []).append(row)
  if not rules:
    return []
  parts = [
    f"{_words(rule)} {statistics.fmean(row['shape_distance'] for row in own):.3f} mean widths and "
    f"{_accuracy(own)}"
    for rule, own in rules.items()
  ]
  return [
    "Pruned without training again, as means over the shares: shape distance and test accuracy "
    f"by {'; '.join(parts)}."
  ]


def _accuracy(rows):
  return f"{100 * statistics.fmean(row['test_accuracy'] for row in rows):.2f} %"


def _percents(remaining, levels):
  return ", ".join(percent(remaining[level]) for level in levels) + " %"


def _seeds(count):
  return f"{count} seed{'' if count == 1 else 's'}"


def _words(name):
  return name.replace("_", " ")
