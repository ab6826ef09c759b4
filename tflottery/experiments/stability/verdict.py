"""Verdict: what the rows of the stability experiment say, in words."""

import itertools
import statistics

from tflottery.analysis.connectivity import is_stable
from tflottery.analysis.results import deviation, label, percent
from tflottery.experiments.stability import steps

_TOLERANCE = 0.2  # points of accuracy, as in the report of a search
_ROUNDING = 1e-9  # what lies on a limit must not miss it for the rounding of a float


def verdict(trainings, pairs, distances):
  """What the rows say: from which step k on networks are stable, and what a later k brings.

  A network is stable at a step if its instability along the line, in test error, is 2 points or less as
  a mean over pairs and seeds. It matches if its final test accuracy, as a mean over copies and seeds, is no
  further below the dense network's than 0.2 points or that one's standard deviation over the seeds,
  whichever is more. Steps are compared with each other over the seeds that have all of them.

  Args:
    trainings, pairs, distances: rows of the CSV files; of an unfinished run, too.

  >>> verdict([], [], [])
  ['Nothing is trained yet.']
  """
  if not trainings:
    return ["Nothing is trained yet."]
  lines = [row for row in pairs if (row["path"], row["split"]) == ("line", "test")]
  sentences = [sentence for arm in _arms(lines) for sentence in _stability(lines, arm)]
  return [
    *(sentences or ["No copies are compared yet."]),
    *_later(trainings),
    *_matching(trainings, lines),
    *_distances(distances),
  ]


def _arms(rows):
  """The arms in `rows`: the ticket, the dense network, the controls."""
  first = ("ticket", "dense")
  names = {row["arm"] for row in rows}
  return sorted(names, key=lambda arm: (first.index(arm) if arm in first else len(first), arm))


def _stability(lines, arm):
  """A sentence on the sparsest level of an arm, and one on its other levels."""
  sparsest, *others = steps.levels(lines, arm)
  table = steps.by_step(sparsest, "instability")
  stable, table = (
    _stable(sparsest),
    steps.shared(table) or table,
  )  # a word on k compares equal seeds
  where = f"stable {_where(stable, table)}" if stable else "unstable at every step measured"
  text = f"{_name(sparsest)} is {where}: instability {_values(steps.means(table))} points at {_named(table)}"
  text += f"{_change(steps.means(table), arm)} ({_over(table)})"
  among = [row for row in sparsest if row["k"] in stable]
  unstable = sum(not is_stable(row["instability"] / 100) for row in among)
  text += f"; of the {len(among)} pairs there {unstable} by themselves are not" if unstable else ""
  if stable and arm not in ("dense", "ticket"):
    text += "; in the paper such controls of the smallest tickets are unstable"
  sentences = [_sentence(text)]
  if others:
    words = (
      f"with {_remaining(own)} {_where(_stable(own), steps.by_step(own, 'instability'))}"
      for own in sorted(others, key=lambda own: own[0]["level"])
    )
    sentences.append(f"At its other levels it is stable {'; '.join(words)}.")
  return sentences


def _stable(rows):
  """The steps at which the network whose rows these are is stable."""
  table = steps.by_step(rows, "instability")
  means = steps.means(steps.shared(table) or table)
  return [k for k, mean in means.items() if is_stable(mean / 100)]


def _change(means, arm):
  """Words for how instability goes with k, where there is any to speak of."""
  if len(means) < 2 or is_stable(max(means.values()) / 100):
    return ""
  values = list(means.values())
  if values[-1] >= values[0]:
    return ", not falling" + (", against the paper" if arm in ("dense", "ticket") else "")
  straight = all(later <= earlier for earlier, later in itertools.pairwise(values))
  return ", falling" + ("" if straight else ", though not at every step")


def _later(trainings):
  """A sentence on the best later step against the first one, for the sparsest ticket."""
  rows = next(iter(steps.levels(trainings, "ticket")), [])
  table = steps.shared(steps.by_step(rows, "final_test_accuracy"))
  if len(table) < 2:
    return []
  means = steps.means(table)
  first, *later = means
  best = max(later, key=means.get)
  gap = 100 * (means[best] - means[first])
  wins = sum(table[best][seed] > table[first][seed] for seed in table[best])
  among = f", the best of {len(later)} later ones," if len(later) > 1 else ""
  return [
    f"Rewound to step {best}{among} {_name(rows)} is {_beside(gap)} the one rewound to step {first}:"
    f" {100 * means[best]:.2f} % against {100 * means[first]:.2f} % final test accuracy ({_over(table)},"
    f" better in {wins} of them)."
  ]


def _matching(trainings, lines):
  """On the ticket's match with the dense network a sentence, and one on each control's."""
  own = [row | {"k": 0} for row in trainings if row["arm"] == "dense"]
  if not own:
    return []
  dense = list(steps.by_step(own, "final_test_accuracy")[0].values())
  mean, tolerance = statistics.fmean(dense), max(_TOLERANCE / 100, deviation(dense))
  against = f"({100 * mean:.2f} %, tolerance {100 * tolerance:.2f} points)"
  sentences = []
  for arm in [arm for arm in _arms(trainings) if arm != "dense"]:
    rows = steps.levels(trainings, arm)[0]
    means = steps.means(steps.by_step(rows, "final_test_accuracy"))
    matching = [k for k in means if means[k] >= mean - tolerance - _ROUNDING]
    network = "the dense network" + ("" if sentences else f" {against}")
    sentences.append(
      _sentence(
        f"{_name(rows)} matches {network} {_where(matching, means)}{_unlike(rows, matching, lines)}"
      )
    )
  return sentences


def _unlike(rows, matching, lines):
  """Where matching and being stable part; in the paper tickets match only where they are stable."""
  if rows[0]["arm"] != "ticket":
    return "; in the paper such controls of the smallest tickets do not" if matching else ""
  compared = [row for row in lines if all(row[n] == rows[0][n] for n in ("arm", "level"))]
  measured, stable = steps.by_step(compared, "instability"), _stable(compared)
  alone = [k for k in stable if k not in matching]
  unlike = [k for k in matching if k in measured and k not in stable]
  return (f"; it is stable without matching at {_named(alone)}" if alone else "") + (
    f"; it matches without being stable at {_named(unlike)}, against the paper" if unlike else ""
  )


def _distances(distances):
  """A sentence for each of the ticket's two distances, at its sparsest level."""
  names = {
    "pruning": "From {} to the same weights of the dense network, both trained,",
    "data_order": "Between trained copies of {}",
  }
  sentences = []
  for kind, words in names.items():
    rows = next(iter(steps.levels([r for r in distances if r["kind"] == kind], "ticket")), [])
    table = steps.shared(steps.by_step(rows, "l2_distance"))
    if table:
      far, turn = steps.means(table), steps.means(steps.shared(steps.by_step(rows, "angle")))
      text = f"{words.format(_name(rows))} the L2 distance is {_values(far)} and the angle"
      text += f" {_values(turn, '.1f')} degrees at {_named(far)} ({_over(table)})"
      text += "" if len(far) == 1 else f"; the distance {_falls(far)}"
      sentences.append(f"{text}.")
  return sentences


def _falls(means):
  first, *_, last = means.values()
  return "falls, as in the paper" if last < first else "does not fall, against the paper"


def _where(chosen, measured):
  """Words for the `chosen` ones of the rising steps that are `measured`."""
  measured = list(measured)
  if not chosen:
    return "at no step"
  if len(measured) == 1:
    return "at the only step measured"
  if chosen == measured[-len(chosen) :]:
    return f"from step {chosen[0]} on"
  return f"at {_named(chosen)}, but not at {_named([k for k in measured if k not in chosen])}"


def _named(chosen):
  return f"step{'s' * (len(chosen) > 1)} {', '.join(map(str, chosen))}"


def _values(means, form=".2f"):
  return ", ".join(f"{mean:{form}}" for mean in means.values())


def _beside(points):
  text = f"{abs(points):.2f}"
  return "equal to" if text == "0.00" else f"{text} points {'above' if points > 0 else 'below'}"


def _name(rows):
  """Words for the network whose rows these are."""
  if rows[0]["arm"] == "dense":
    return "the dense network"
  name = "the ticket" if rows[0]["arm"] == "ticket" else label(rows[0]["arm"])
  return f"{name} with {_remaining(rows)} of the weights"


def _remaining(rows):
  return f"{percent(statistics.fmean(row['remaining_percent'] for row in rows))} %"


def _over(table):
  """Words for how many seeds the steps of `table` have."""
  counts = sorted({len(seeds) for seeds in table.values()})
  few = f"{counts[0]} to " if len(counts) > 1 else ""
  return f"over {few}{counts[-1]} seed{'s' * (counts[-1] > 1)}"


def _sentence(text):
  return f"{text[:1].upper()}{text[1:]}."
