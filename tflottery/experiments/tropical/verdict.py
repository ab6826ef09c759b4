"""Verdict: what the rows of the tropical experiment say, in words."""

import statistics

from tflottery.analysis.results import percent
from tflottery.experiments.tropical import summary
from tflottery.experiments.tropical.starts import TICKET


def verdict(rows, pruned, *, planned):
  """What the rows say of the ticket's initial weights, and of pruning without training.

  The higher sparsities are those of the sparser half of the levels, the middle one included.

  Args:
    rows: those of results.csv.
    pruned: those of pruning.csv.
    planned: how many rows `results.csv` has at the end.

  >>> verdict([], [], planned=1)
  ['Nothing is trained yet.']
  """
  dense = [row for row in rows if row["level"] == 0]
  if not dense:
    return ["Nothing is trained yet."]
  sentences = [*_of_shapes(rows), *_of_accuracies(rows, dense), *_of_rules(pruned)]
  if len(rows) < planned:
    sentences.insert(0, f"Unfinished: {len(rows)} of {planned} trainings are done.")
  return sentences


def _of_shapes(rows):
  levels = summary.remaining(rows)
  found = {level: summary.complete(rows, level) for level in levels}
  found = {level: own for level, own in found.items() if own}
  if not found:
    return []
  sparse = list(found)[len(found) // 2 :]
  lost = {level: names for level in found if (names := _lower(found[level]))}
  return [_headline(lost, sparse), _of_sparse(found, levels, sparse), _of_all(found, levels, lost)]


def _lower(own):
  """The controls whose mean distance is not above the ticket's, the closest first."""
  means = {name: summary.mean(values) for name, values in own.items()}
  return sorted(
    (name for name in means if name != TICKET and means[name] <= means[TICKET]), key=means.get
  )


def _headline(lost, sparse):
  worse = [level for level in sparse if level in lost]
  if not worse:
    return (
      "At the higher sparsities, the ticket's initial weights keep the shape of the dense network's "
      "polygon better than every control."
    )
  names = dict.fromkeys(_words(name) for level in worse for name in lost[level])
  return (
    "At the higher sparsities, the ticket's initial weights do NOT keep the shape of the dense network's "
    f"polygon better than every control: at {len(worse)} of {len(sparse)} levels {' and '.join(names)} "
    f"{'comes' if len(names) == 1 else 'come'} as close or closer."
  )


def _of_sparse(found, levels, sparse):
  """The mean distances of the ticket and of the closest control, at each level."""
  parts = []
  for level in sparse:
    own = found[level]
    name = min((n for n in own if n != TICKET), key=lambda n: summary.mean(own[n]))
    wins, seeds = summary.closer(own[TICKET], own[name])
    parts.append(
      f"at {percent(levels[level])} % of the weights {summary.mean(own[TICKET]):.3f} against "
      f"{summary.mean(own[name]):.3f} ({_words(name)}; the ticket is closer in {wins} of {_seeds(seeds)})"
    )
  return (
    "Mean shape distance to the dense polygon, of the ticket against the closest control, in mean widths: "
    f"{', '.join(parts)}."
  )


def _of_all(found, levels, lost):
  won = len(found) - len(lost)
  text = f"Over all {len(found)} levels, the ticket's mean distance is the lowest at {won}"
  if not lost:
    return f"{text}."
  return f"{text}; a control is as low or lower at {_percents(levels, lost)} of the weights."


def _of_accuracies(rows, dense):
  text = f"The dense network reaches {_accuracy(dense)} test accuracy"
  levels = summary.remaining(rows)
  ticket = [row for row in rows if levels and row["level"] == max(levels)]
  ticket = [row for row in ticket if row["start"] == TICKET]
  if not ticket:
    return [f"{text}."]
  sparsest = percent(levels[max(levels)])
  return [f"{text}, the ticket with {sparsest} % of the weights {_accuracy(ticket)}."]


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


def _percents(levels, chosen):
  return ", ".join(f"{percent(levels[level])}" for level in chosen) + " %"


def _seeds(count):
  return f"{count} seed{'' if count == 1 else 's'}"


def _words(name):
  return name.replace("_", " ")
