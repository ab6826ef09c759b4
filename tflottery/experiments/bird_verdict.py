"""Verdict: what the pieces of an Early-Bird experiment say, in words."""

import statistics

from tflottery.experiments import bird_table


def verdict(rows, searches, *, window, threshold):
  """Sentences on each share's ticket, its control, and where none was drawn.

  Args:
    rows: as `bird_table.rows` gives them.
    searches: dicts `seed`, `summary` and `distances`, of the finished searches.
    window, threshold: of the draws.

  >>> verdict([], [], window=5, threshold=0.1)
  ['Nothing is trained yet.']
  """
  if not rows:
    return ["Nothing is trained yet."]
  groups = bird_table.groups(rows)
  sentences = []
  for share in dict.fromkeys(s for search in searches for s in search["summary"]["drawn"]):
    ticket = groups.get(("early_bird", float(share), None))
    if ticket:
      sentences.append(_ticket(ticket, groups, searches[0]["summary"]))
      control = groups.get(("reinit", float(share), None))
      sentences += [_control(control, ticket)] if control else []
    sentences += [
      _missing(share, index, search, window, threshold)
      for search in searches
      for index, (name, drawn) in enumerate(search["summary"]["drawn"].items())
      if name == share and drawn is None
    ]
  return sentences or ["No ticket is trained yet."]


def mean(rows, column):
  """Mean of a column over the seeds; None where it applies to none of them."""
  values = [row[column] for row in rows if row[column] is not None]
  return statistics.fmean(values) if values else None


def _ticket(rows, groups, search):
  seeds = {row["seed"] for row in rows}  # a search may have found no ticket with the others
  dense = [row for row in groups.get(("dense", None, None), []) if row["seed"] in seeds]
  epochs = search["end"] / search["epoch_steps"]
  text = (
    f"The ticket without {100 * rows[0]['share']:.4g} % of the channels, drawn at epoch "
    f"{mean(rows, 'drawn_epoch'):.3g} of {epochs:.3g}, reached "
    f"{100 * mean(rows, 'test_accuracy'):.2f} % test accuracy with "
    f"{100 * mean(rows, 'inference_flops_share'):.3g} % of the FLOPs{_over(rows)}"
  )
  flops = f"{mean(rows, 'training_flops_share'):.2f} of"
  if not dense:
    return (
      f"{text}. Search and retraining took {flops} dense training's FLOPs; no dense network was "
      "trained beside it."
    )
  return (
    f"{text}, dense {100 * mean(dense, 'test_accuracy'):.2f} %; search and retraining took "
    f"{mean(rows, 'seconds_share'):.2f} of dense training's seconds and {flops} its FLOPs."
  )


def _control(rows, ticket):
  # Over the same seeds, for a search may have found no ticket with the others.
  seeds = {row["seed"] for row in rows}
  ticket = [row for row in ticket if row["seed"] in seeds]
  gap = 100 * (mean(rows, "test_accuracy") - mean(ticket, "test_accuracy"))
  points = f"{abs(gap):.2f}"
  side = "equal to" if points == "0.00" else f"{points} points {'above' if gap > 0 else 'below'}"
  return (
    f"The same small network, re-initialised and trained from the beginning, reached "
    f"{100 * mean(rows, 'test_accuracy'):.2f} %, {side} the ticket{_over(rows)}."
  )


def _missing(share, index, search, window, threshold):
  """Sentence on a search that drew no ticket at this share, and how near it came."""
  summary, every = search["summary"], search["every"]
  last = summary["limit"] // every
  # Draw 0 is that of equal scales, which never counts.
  farthest = {
    draw: search["distances"][index][draw, max(1, draw - window + 1) : draw].max()
    for draw in range(window, min(last, len(search["distances"][index]) - 1) + 1)
  }
  where = f"No ticket was drawn at share {share} with seed {search['seed']}"
  cure = "Train longer, or give a stronger config.slimming or a higher config.threshold."
  if not farthest:
    return f"{where}: {last} draws are fewer than the {window} that must be alike. {cure}"
  best = min(farthest, key=farthest.get)
  return (
    f"{where}, so nothing was slimmed: up to step {summary['limit']:,} the newest mask never lay "
    f"within {threshold:g} of the {window - 1} before it. The nearest that the farthest of them came "
    f"was {farthest[best]:.3f}, at step {best * every:,}. {cure}"
  )


def _over(rows):
  return "" if len(rows) == 1 else f" (means over {len(rows)} seeds)"
