"""The verdict of a comparison: does training from scratch match sparsifying while training?"""

import math

from tflottery.analysis import comparison

_ERRORS = 2.0  # standard errors that a difference must exceed to be called one


def verdict(rows):
  """Sentences on networks that were trained from scratch under learned masks, beside their sources.

  At each sparsity the way of training from scratch with the highest mean validation accuracy counts;
  the ticket, which begins with its source's own initial weights, is none of them. A difference of mean
  test accuracies counts as one beyond two of its standard errors, sqrt(s1^2 / n1 + s2^2 / n2). With
  one seed the numbers are told without a claim. A source whose sparsity comes of itself is compared once,
  if the same point counts at several asked sparsities.

  Args:
    rows: as `comparison.rows` gives them.

  Returns:
    A list of sentences, empty where there is nothing to compare.
  """
  pairs = _pairs(rows)
  if not pairs:
    return []
  return [_summary(pairs), *_by_source(pairs)]


def difference(scratch, source):
  """(difference of two rows' mean test accuracies, its standard error; None for single seeds)."""
  gap = scratch["test_accuracy_mean"] - source["test_accuracy_mean"]
  if min(scratch["n"], source["n"]) < 2:
    return gap, None
  squares = (row["test_accuracy_standard_deviation"] ** 2 / row["n"] for row in (scratch, source))
  return gap, math.sqrt(sum(squares))


def _pairs(rows):
  """List of (row of a source, row of the best of what was trained from scratch under its masks)."""
  scratch = {}
  for row in rows:
    source, way = comparison.RETRAINED.get(row["algorithm"], (None, "ticket"))
    if way != "ticket":
      scratch.setdefault((source, row["sparsity"]), []).append(row)
  best = {
    key: max(found, key=lambda row: row["validation_accuracy_mean"])
    for key, found in scratch.items()
  }
  found = {}
  for row in rows:
    key = (row["algorithm"], row["sparsity"])
    # At two asked sparsities one point is the same networks, which count once.
    same = (row["algorithm"], row["point"]) if row["algorithm"] in comparison.LEARNED else key
    if key in best:
      found.setdefault(same, (row, best[key]))
  return list(found.values())


def _summary(pairs):
  found = [difference(scratch, source) for source, scratch in pairs]
  judged = [(gap, error) for gap, error in found if error is not None]
  if not judged:
    return (
      "One seed each: the numbers below don't tell whether networks trained from scratch under learned "
      "masks match those that were sparsified while they were trained."
    )
  below = [gap for gap, error in judged if gap < -_ERRORS * error]
  above = [gap for gap, error in judged if gap > _ERRORS * error]
  rest = len(judged) - len(below) - len(above)
  return (
    f"Trained from scratch under learned masks, networks stay below those sparsified while training in "
    f"{len(below)} of {len(judged)} comparisons{_range(below)}, and exceed them in {len(above)}"
    f"{_range(above)}; in {rest} the difference is within two standard errors."
  )


def _range(gaps):
  if not gaps:
    return ""
  low, high = sorted((100 * abs(min(gaps, key=abs)), 100 * abs(max(gaps, key=abs))))
  return f" (by {low:.2f} to {high:.2f} points)" if len(gaps) > 1 else f" (by {low:.2f} points)"


def _by_source(pairs):
  """A sentence for each source."""
  found = {}
  for source, scratch in pairs:
    gap, error = difference(scratch, source)
    _, way = comparison.RETRAINED[scratch["algorithm"]]
    found.setdefault(source["algorithm"], []).append(
      f"at {100 * _sparsity(source):.4g} % {_percent(source)} while training and {_percent(scratch)} from "
      f"scratch ({comparison.RETRAININGS[way]}), {100 * gap:+.2f} points"
      + ("" if error is None else f" with a standard error of {100 * error:.2f}")
    )
  return [
    f"{comparison.label(name)[0].upper()}{comparison.label(name)[1:]}: {'; '.join(parts)}."
    for name, parts in found.items()
  ]


def _sparsity(row):
  """The sparsity that a row is told at: asked for, or reached where it comes of itself."""
  return row["reached_sparsity" if row["algorithm"] in comparison.LEARNED else "sparsity"]


def _percent(row):
  mean, spread = (100 * row[f"test_accuracy_{part}"] for part in ("mean", "standard_deviation"))
  return f"{mean:.2f} %" + (f" ± {spread:.2f}" if row["n"] > 1 else "") + f" (n = {row['n']})"
