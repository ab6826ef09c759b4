"""Tables of an Early-Bird experiment: one row per piece, and one per layer of every ticket."""

ROW = (
  "seed",
  "arm",
  "share",
  "drawn_step",
  "drawn_epoch",
  "test_accuracy",
  "best_test_accuracy",
  "validation_accuracy",
  "parameters",
  "channels",
  "inference_flops_share",
  "training_flops_share",
  "steps",
  "search_seconds",
  "train_seconds",
  "seconds_share",
  "steps_per_second",
)
LAYER = ("seed", "arm", "share", "drawn_step", "site", "channels", "kept")


def rows(summaries, *, search_is_dense):
  """Dicts of `ROW`, in the order of the summaries; None is what does not apply.

  FLOPs and seconds of training count the search up to the draw, the re-initialised control's too, for
  without a search it had no architecture. Shares are of the dense training. `channels` is the share
  that is kept.

  Args:
    summaries: those of the finished pieces, a seed's search before its others.
    search_is_dense: whether the search went on to the end and is the arm "dense".
  """
  found = []
  for seed in dict.fromkeys(summary["seed"] for summary in summaries):
    own = {summary["arm"]: summary for summary in summaries if summary["seed"] == seed}
    dense = own.get("search" if search_is_dense else "dense")
    found += [
      _row(summary, own["search"], dense) for summary in summaries if summary["seed"] == seed
    ]
  if search_is_dense:
    found = [row | {"arm": "dense"} if row["arm"] == "search" else row for row in found]
  return found


def _row(summary, search, dense):
  drawn, full = summary["drawn_step"], summary["dense_inference_flops"]
  share = summary["inference_flops"] / full
  seconds = 0.0 if drawn is None else search["seconds_at"][str(drawn)]
  total = seconds + summary["train_seconds"]
  kept, every = map(sum, zip(*summary.get("channels", {"": (1, 1)}).values(), strict=True))
  return {
    "seed": summary["seed"],
    "arm": summary["arm"],
    "share": summary["share"],
    "drawn_step": drawn,
    "drawn_epoch": None if drawn is None else round(drawn / search["epoch_steps"], 3),
    "test_accuracy": summary["test_accuracy"],
    "best_test_accuracy": summary["best_test_accuracy"],
    "validation_accuracy": summary["validation_accuracy"],
    "parameters": summary["parameters"],
    "channels": kept / every,
    "inference_flops_share": share,
    "training_flops_share": ((drawn or 0) + summary["steps"] * share) / search["end"],
    "steps": summary["steps"],
    "search_seconds": seconds,
    "train_seconds": round(total, 3),
    "seconds_share": None if dense is None else total / dense["train_seconds"],
    "steps_per_second": summary["steps_per_second"],
  }


def layers(summaries):
  """Dicts of `LAYER`: how many channels each site of each ticket has kept."""
  return [
    dict(
      zip(LAYER, (s["seed"], s["arm"], s["share"], s["drawn_step"], site, size, kept), strict=True)
    )
    for s in summaries
    for site, (kept, size) in s.get("channels", {}).items()
    if s["arm"] != "reinit"  # the ticket's own channels
  ]


def groups(rows):
  """Dict from (arm, share, step asked for) to its rows, one for each seed, in order."""
  found = {}
  for row in rows:
    step = row["drawn_step"] if row["arm"] == "drawn_at" else None
    found.setdefault((row["arm"], row["share"], step), []).append(row)
  return found
