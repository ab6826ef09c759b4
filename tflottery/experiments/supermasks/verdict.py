"""Verdict: what the rows of the supermask experiment say, in words."""

import statistics

from tflottery.analysis import results


def groups(rows, network, column):
  """Dict from (`column`, words for the weights) to the rows of `network` that share them."""
  found = {}
  for row in rows:
    if row["network"] == network:
      words = row["weights"].replace("_", " ") + (", rescaled" if row["rescale"] else "")
      found.setdefault((row[column], words), []).append(row)
  return found


def best(rows):
  """The rows, one for each seed, of the level with the highest mean accuracy; of equals, the sparsest."""
  levels = {}
  for row in rows:
    levels.setdefault(row["level"], []).append(row)
  return max(levels.values(), key=lambda own: (mean(own, "test_accuracy"), own[0]["level"]))


def mean(rows, column):
  """The mean over the rows that have a value; None where none has."""
  values = [row[column] for row in rows if row[column] is not None]
  return statistics.fmean(values) if values else None


def verdict(rows):
  """What `rows` say of networks that were never trained, and of masks that were.

  >>> verdict([])
  ['Nothing is trained yet.']
  """
  dense = [row for row in rows if row["network"] == "dense"]
  if not dense:
    return ["Nothing is trained yet."]
  return [*_of_untrained(rows), *_of_trained(rows, dense)]


def _of_untrained(rows):
  found = groups(rows, "untrained", "criterion")
  if not found:
    return ["No masks were put on untrained weights."]
  (criterion, weights), own = max(
    found.items(), key=lambda one: mean(best(one[1]), "test_accuracy")
  )
  top = best(own)
  return [
    f"Without any training of its weights, the network reaches {_percent(top)} test accuracy: by the"
    f" mask of {criterion.replace('_', ' ')} over {weights} weights, which keeps"
    f" {results.percent(mean(top, 'remaining_percent'))} % of them {_over(top)}."
  ]


def _of_trained(rows, dense):
  sentences = []
  for name in ("supermask", "edge_popup"):
    for (network, weights), own in groups(rows, name, "network").items():
      sampled = mean(own, "samples_test_accuracy")
      drawn = "" if sampled is None else f", {100 * sampled:.2f} % as a mean of samples"
      sentences.append(
        f"A mask trained by {network.replace('_', '-')} over {weights} weights reaches"
        f" {_percent(own)}{drawn}, with {results.percent(mean(own, 'remaining_percent'))} % of the"
        f" weights {_over(own)}."
      )
  return [*sentences, f"The trained dense network reaches {_percent(dense)} {_over(dense)}."]


def _percent(rows):
  return f"{100 * mean(rows, 'test_accuracy'):.2f} %"


def _over(rows):
  return f"(over {len(rows)} seed{'' if len(rows) == 1 else 's'})"
