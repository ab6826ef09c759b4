"""Summary: what came out of a piece of an Early-Bird experiment, in one dict."""

import dataclasses
import math
import statistics

from tflottery import site as _sites
from tflottery.analysis import counting
from tflottery.experiments import bird_snapshot


def summary(work, model, rows, *, test_accuracy, best):
  """What came out of a piece, as JSON values; units stand in the names, accuracies lie in [0, 1].

  Args:
    work: a `bird_task.Task`.
    model: the trained model.
    rows: the rows of metrics.csv.
    test_accuracy: of the trained model.
    best: dict of what the best evaluation gave.
  """
  piece, last = work.piece, rows[-1]
  dense = counting.flops(dataclasses.replace(work, piece=None).network()).dense
  small = piece.share is not None
  found = {
    "name": piece.name,
    "arm": piece.arm,
    "seed": piece.seed,
    "share": piece.share,
    "drawn_step": piece.drawn,
    "begin": work.begin,
    "steps": last["step"] - work.begin,
    "test_accuracy": test_accuracy,
    "validation_accuracy": last["validation_accuracy"],
    "validation_loss": last["validation_loss"],
    "parameters": sum(math.prod(v.shape) for v in _sites.weights(model).values()),
    "inference_flops": counting.flops(model).dense if small else dense,
    "dense_inference_flops": dense,
    "train_seconds": last["train_seconds"],
    "steps_per_second": statistics.median(row["steps_per_second"] for row in rows),
  }
  found |= best
  if small:
    found["channels"] = _channels(work, model)
  return found | (_search(work, rows) if piece.arm == "search" else {})


def _channels(work, model):
  """Dict from site path to [channels left, channels]."""
  path = work.workdir.snapshot(work.piece.seed, work.piece.drawn)
  masks = bird_snapshot.masks(path, work.piece.share)
  left = {name: variable.shape[0] for name, variable in _sites.weights(model).items()}
  return {site: [left[site], mask.size] for site, mask in masks.items()}


def _search(work, rows):
  """What else a search gives: the steps of its draws, and how long it took to get there."""
  drawn, reached = work.workdir.drawn(work.piece.seed), rows[-1]["step"]
  asked = work.settings.draw_steps(len(work.data.train))
  return {
    "drawn": {str(share): drawn.get(share) for share in work.settings.shares},
    "draw_steps": [step for step in asked if step <= reached],
    "seconds_at": {str(row["step"]): row["train_seconds"] for row in rows},
    "limit": work.settings.limit(len(work.data.train)),
    "end": work.end,
    "epoch_steps": work.settings.epoch_steps(len(work.data.train)),
  }
