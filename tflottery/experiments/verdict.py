"""Verdict: what the rows of a search say, in words."""

import statistics

from tflottery.analysis.results import (
  arms,
  by_level,
  deviation,
  label,
  mean_by_level,
  of_arm,
  percent,
)
from tflottery.criteria import DECONSTRUCTED
from tflottery.experiments.arms import ACTIONS

_ACCURACY = "early_stop_test_accuracy"
_TOLERANCE = 0.002
_USUAL_CONTROLS = ("reinit", "random_mask")


def verdict(rows):
  """What `rows` say of the ticket: whether it matches, learns faster and beats the controls.

  A level matches when its early-stop test accuracy, as a mean over the seeds, is no further below
  that of the dense network than 0.2 points or the dense network's standard deviation over the
  seeds, whichever is more.

  Args:
    rows: rows of `results.csv` as `results.read` gives them; of an unfinished search, too.

  Returns:
    A list of sentences, of which the first says where the ticket matches.

  >>> verdict([])
  ['The dense network is not trained yet, so there is nothing to compare with.']
  """
  tickets = of_arm(rows, "ticket")
  accuracy = by_level(tickets, _ACCURACY)
  if 0 not in accuracy:
    return ["The dense network is not trained yet, so there is nothing to compare with."]
  if len(accuracy) == 1:
    dense = _percentage(statistics.fmean(accuracy[0]))
    return [
      f"Only the dense network is trained so far: {dense} early-stop test accuracy"
      f" {_over(accuracy[0])}. No ticket has been found yet."
    ]
  remaining = mean_by_level(tickets, "remaining_percent")
  tolerance = max(_TOLERANCE, deviation(accuracy[0]))
  means = mean_by_level(tickets, _ACCURACY)
  matching = _matching(means, tolerance)
  return [
    _match(accuracy, remaining, matching, tolerance),
    _best(means, remaining),
    _speed(mean_by_level(tickets, "early_stop_step"), remaining, matching),
    *_ranking(rows, remaining),
    *_controls(rows, remaining),
  ]


def _matching(accuracy, tolerance):
  # 1e-9: a level exactly at the tolerance must not miss it for the rounding of a float.
  floor = accuracy[0] - tolerance - 1e-9
  return [level for level in accuracy if level > 0 and accuracy[level] >= floor]


def _match(accuracy, remaining, matching, tolerance):
  """Sentence on the smallest ticket that matches the dense network."""
  dense = statistics.fmean(accuracy[0])
  source = ", the dense network's standard deviation" if tolerance > _TOLERANCE else ""
  within = f"(tolerance: {100 * tolerance:.2f} points{source})"
  if not matching:
    return (
      "At no level trained so far does the ticket match the dense network, which reaches"
      f" {_percentage(dense)} early-stop test accuracy {_over(accuracy[0])} {within}."
    )
  smallest = min(matching, key=remaining.get)
  missed = [
    f"{percent(remaining[level])} %"
    for level in accuracy
    if level not in (0, *matching) and remaining[level] > remaining[smallest]
  ]
  return (
    f"With {percent(remaining[smallest])} % of the weights the ticket still matches the dense"
    f" network: {_percentage(statistics.fmean(accuracy[smallest]))} early-stop test accuracy"
    f" against {_percentage(dense)}, {_over(accuracy[smallest], accuracy[0])} {within}."
    + (f" It falls short on the way, at {', '.join(missed)}." if missed else "")
  )


def _best(accuracy, remaining):
  """Sentence on the most accurate ticket; of equals, the smallest."""
  pruned = [level for level in accuracy if level > 0]
  best = min(pruned, key=lambda level: (-accuracy[level], remaining[level]))
  return (
    f"The most accurate ticket keeps {percent(remaining[best])} % of the weights: at"
    f" {_percentage(accuracy[best])} it is"
    f" {_comparison(accuracy[best] - accuracy[0])} the dense network."
  )


def _speed(steps, remaining, matching):
  """Sentence on the earliest early stop among the matching levels; of equals, the smallest."""
  if not matching:
    return "No level matches, so none can be said to learn faster."
  fastest = min(matching, key=lambda level: (steps[level], remaining[level]))
  if steps[fastest] >= steps[0]:
    return (
      "No matching ticket learns faster: none reaches its early stop before the dense network"
      f" does, at step {steps[0]:,.0f}."
    )
  earlier = 100 * (1 - steps[fastest] / steps[0])
  return (
    f"Of the matching tickets, the one with {percent(remaining[fastest])} % of the weights learns"
    f" fastest: it reaches its early stop at step {steps[fastest]:,.0f}, {earlier:.1f} % earlier"
    f" than the dense network (step {steps[0]:,.0f})."
  )


def _ranking(rows, remaining):
  """A sentence that ranks the criteria at the sparsest level that all of them have reached."""
  own = [row for row in rows if row["arm"] == "ticket" or row["arm"] in DECONSTRUCTED]
  accuracy = {arm: mean_by_level(of_arm(own, arm), _ACCURACY) for arm in arms(own)}
  shared = set.intersection(*(set(levels) for levels in accuracy.values()))
  if len(accuracy) == 1 or not shared:
    return []
  sparsest = min(shared, key=remaining.get)
  ranked = sorted(accuracy, key=lambda arm: -accuracy[arm][sparsest])
  named = [
    f"{'the ticket' if arm == 'ticket' else label(arm)} {_percentage(accuracy[arm][sparsest])}"
    for arm in ranked
  ]
  return [
    f"With {percent(remaining[sparsest])} % of the weights the criteria rank: {', '.join(named)}."
  ]


def _controls(rows, remaining):
  """A sentence for each control outside the matrix, and one for the usual ones that are missing."""
  others = {"ticket", *ACTIONS, *DECONSTRUCTED}
  trained = [arm for arm in arms(rows) if arm not in others]
  sentences = [_control(rows, arm, remaining) for arm in trained]
  missing = [label(arm) for arm in _USUAL_CONTROLS if arm not in trained]
  if missing:
    sentences.append(f"Not trained, so not compared: {' and '.join(missing)}.")
  return sentences


def _control(rows, arm, remaining):
  """Sentence on how far the control `arm` lies from the ticket."""
  control = by_level(of_arm(rows, arm), _ACCURACY)
  ticket = by_level(of_arm(rows, "ticket"), _ACCURACY)
  gaps = {
    level: statistics.fmean(control[level]) - statistics.fmean(ticket[level])
    for level in control
    if level in ticket
  }
  name = label(arm)[:1].upper() + label(arm)[1:]
  if not gaps:
    return f"{name} shares no level with the ticket yet."
  sparsest = min(gaps, key=remaining.get)
  widest = max(gaps, key=lambda level: abs(gaps[level]))
  if len(gaps) == 1:
    extent = "no other level is trained"
  elif widest == sparsest:
    extent = f"that is the widest gap of its {len(gaps)} levels"
  else:
    extent = (
      f"the widest gap is at {percent(remaining[widest])} %, where it is"
      f" {_comparison(gaps[widest])} it"
    )
  return (
    f"{name} with {percent(remaining[sparsest])} % of the weights is"
    f" {_comparison(gaps[sparsest])} the ticket ({_percentage(statistics.fmean(control[sparsest]))}"
    f" against {_percentage(statistics.fmean(ticket[sparsest]))},"
    f" {_over(control[sparsest], ticket[sparsest])}); {extent}."
  )


def _percentage(accuracy):
  return f"{100 * accuracy:.2f} %"


def _comparison(difference):
  points = f"{abs(100 * difference):.2f}"
  if points == "0.00":
    return "equal to"
  return f"{points} points {'above' if difference > 0 else 'below'}"


def _over(values, others=None):
  """Words for how many seeds `values` come from and, if not as many, the `others` beside them."""
  seeds = "over 1 seed" if len(values) == 1 else f"over {len(values)} seeds"
  if others is None or len(others) == len(values):
    return seeds
  return f"{seeds} against {len(others)}"
