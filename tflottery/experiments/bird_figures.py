"""Figures of an Early-Bird experiment, from what lies in its workdir."""

from tflottery.analysis import early_bird_plots, results
from tflottery.analysis.distances import distances_figure
from tflottery.experiments import bird_table

_LABELS = {
  "dense": "dense network",
  "plain_dense": "plain dense network",
  "search": "search, as far as it went",
  "early_bird": "Early-Bird ticket",
  "reinit": "re-initialised",
  "drawn_at": "drawn as asked",
}


def label(arm, share=None):
  """Name of an arm for readers.

  >>> label("early_bird", 0.5)
  'Early-Bird ticket, share 0.5'
  """
  return _LABELS[arm] + ("" if share is None else f", share {share:g}")


def figures(settings, workdir, summaries):
  """Dict from file name to figure; those of one seed are the first one's.

  Args:
    settings: a `bird_settings.EarlyBird`.
    workdir: a `bird_pieces.Workdir`.
    summaries: those of the finished pieces.
  """
  first = [summary for summary in summaries if summary["seed"] == settings.seeds[0]]
  tickets = [row for row in bird_table.layers(first) if row["arm"] == "early_bird"]
  rows = bird_table.rows(summaries, search_is_dense=settings.search_is_dense)
  found = {
    "seconds.png": early_bird_plots.seconds_figure(_curves(settings, workdir, first)),
    "drawing.png": early_bird_plots.drawing_figure(rows),
    "channels.png": early_bird_plots.channels_figure(tickets),
  }
  for search in (summary for summary in first if summary["arm"] == "search"):
    is_epoch = settings.eval_every == search["epoch_steps"]
    unit, length = ("Epoch", 1) if is_epoch else ("Step", settings.eval_every)
    for share, matrix in zip(settings.shares, workdir.distances(search["seed"]), strict=True):
      labels = [draw * length for draw in range(len(matrix))]
      drawn = search["drawn"][str(share)]
      drawn = None if drawn is None else drawn // settings.eval_every * length
      found[f"distances_{share:g}.png"] = distances_figure(matrix, labels, unit=unit, drawn=drawn)
  return found


def _curves(settings, workdir, summaries):
  """What `seconds_figure` draws, from the metrics of one seed's pieces."""
  search, curves = [], []
  for summary in summaries:
    own, drawn, share = _metrics(workdir, summary), summary["drawn_step"], summary["share"]
    arm = summary["arm"]
    if arm == "search":
      search, arm = own, "dense" if settings.search_is_dense else arm
    if arm in _LINES:
      before = [point for point in search if point[0] <= (drawn or 0)]
      begun = before[-1][1] if before else 0.0
      points = [(begun + seconds, accuracy) for _, seconds, accuracy in own]
      inherits = arm == "early_bird"
      curves.append(
        {
          "label": label(arm, share),
          "share": share,
          "points": [point[1:] for point in before if inherits] + points,
          "drawn": begun if inherits else None,
          "style": _LINES[arm],
        }
      )
  return curves


def _metrics(workdir, summary):
  """(step, seconds of training, validation accuracy) at every evaluation of a piece."""
  rows = results.read(workdir.folder(summary["seed"], summary["name"]) / "metrics.csv")
  return [(row["step"], row["train_seconds"], row["validation_accuracy"]) for row in rows]


_LINES = {"dense": "-", "plain_dense": ":", "early_bird": "-", "reinit": ":"}
