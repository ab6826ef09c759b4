"""The figures and the one page that say what an Early-Bird experiment found."""

import json

from tflottery import files
from tflottery.analysis import results
from tflottery.experiments import bird_figures, bird_pieces, bird_table, page
from tflottery.experiments.bird_figures import label
from tflottery.experiments.bird_verdict import mean, verdict
from tflottery.experiments.place import table
from tflottery.experiments.report import flat, png

_COLUMNS = (
  "Network",
  "Drawn (epoch)",
  "Test (%)",
  "Best (%)",
  "Seconds",
  "Of dense",
  "Training FLOPs",
  "FLOPs",
  "Parameters",
  "Steps/s",
  "n",
)
_NOTE = (
  "Means over n seeds ± their sample standard deviation. Test accuracy is that at the end; best, that"
  " of the evaluation with the highest validation accuracy. FLOPs are shares of the dense network's and"
  " of its training's. FLOPs and seconds of training count the search up to the draw. Seconds leave out"
  " evaluations; they count tracing, of which steps per second (median) are free."
)
_FIGURES = {
  "seconds.png": (
    "Validation accuracy against the seconds of training",
    "Accuracy on the validation split against the seconds of training, of the first seed. A ticket's"
    " line is its search up to the draw (dotted, upright) and then its retraining.",
  ),
  "drawing.png": (
    "Test accuracy against the epoch of drawing",
    "Test accuracy at the end of training against the epoch at which the ticket was drawn; stars are"
    " the draws that had settled. Points are means over the seeds, bars reach from the lowest to the"
    " highest.",
  ),
  "channels.png": (
    "Channels left in each layer",
    "Channels that the Early-Bird tickets of the first seed keep, by the scales that ranked them.",
  ),
}
_DISTANCES = (
  "Normalised Hamming distance between the masks of all draws at share {share}, first seed. The ticket"
  " is drawn when the newest lies near those before it. The first mask is empty, for all scales begin"
  " equal."
)


def write(settings, workdir):
  """Write the tables, the figures and the page from the pieces that are finished.

  Args:
    settings: a `bird_settings.EarlyBird`.
    workdir: a `bird_pieces.Workdir`.

  Returns:
    The sentences of the verdict.
  """
  done = [p for p in bird_pieces.planned(settings, workdir) if workdir.run(p).is_done]
  summaries = [workdir.run(piece).summary() for piece in done]
  rows = bird_table.rows(summaries, search_is_dense=settings.search_is_dense)
  files.write(workdir.path / "pieces.csv", table(bird_table.ROW, rows))
  layers = bird_table.layers(summaries)
  files.write(workdir.path / "channels.csv", table(bird_table.LAYER, layers))
  images = {
    name: png(figure) for name, figure in bird_figures.figures(settings, workdir, summaries).items()
  }
  for name, image in images.items():
    files.write(workdir.path / name, image)
  sentences = verdict(
    rows,
    _searches(settings, workdir, summaries),
    window=settings.window,
    threshold=settings.threshold,
  )
  config = json.loads((workdir.path / "config.json").read_text(encoding="utf-8"))
  files.write(workdir.path / "report.html", _html(config, rows, images, sentences))
  return sentences


def _searches(settings, workdir, summaries):
  return [
    {
      "seed": summary["seed"],
      "summary": summary,
      "distances": workdir.distances(summary["seed"]),
      "every": settings.eval_every,
    }
    for summary in summaries
    if summary["arm"] == "search"
  ]


def _html(config, rows, images, sentences):
  names = [(f"{share:g}", f"distances_{share:g}.png") for share in config["shares"]]
  distances = {share: images[name] for share, name in names if name in images}
  body = [
    page.element("h1", f"{config['model']} on {config['dataset']}"),
    page.element("p", f"Early-Bird training: {len(rows)} networks trained", kind="subtitle"),
    page.verdict_card([*sentences, *_departures(config)]),
    page.element("h2", "Figures"),
    *(
      page.picture(images[name], alt=alt, caption=caption)
      for name, (alt, caption) in _FIGURES.items()
    ),
    *(
      page.picture(image, alt="Distances of the masks", caption=_DISTANCES.format(share=share))
      for share, image in distances.items()
    ),
    page.element("h2", "Networks"),
    _networks(rows),
    page.element("p", _NOTE, kind="note"),
    page.element("h2", "Configuration"),
    page.table(flat({name: value for name, value in config.items() if name != "versions"})),
    page.element("h2", "Versions"),
    page.table(flat(config["versions"])),
  ]
  return page.document(f"Early-Bird: {config['model']} on {config['dataset']}", body)


def _departures(config):
  if config["precision"] == "float32":
    return []
  return [
    f"The search ran in {config['precision']}; retraining and the dense network in float32. The"
    " seconds of a simulated precision say nothing of a machine that has it."
  ]


def _networks(rows):
  groups = bird_table.groups(rows)
  bold = [index for index, (arm, _, _) in enumerate(groups) if arm == "early_bird"]
  lines = [_line(arm, share, own) for (arm, share, _), own in groups.items()]
  return page.table(lines, header=_COLUMNS, emphasised=bold, kind="numbers")


def _line(arm, share, rows):
  """Texts of the table for the seeds of one arm."""
  percentages = [100 * row["test_accuracy"] for row in rows]
  spread = f" ± {results.deviation(percentages):.2f}" if len(rows) > 1 else ""
  drawn, of_dense = mean(rows, "drawn_epoch"), mean(rows, "seconds_share")
  return (
    label(arm, share),
    "" if drawn is None else f"{drawn:.3g}",
    f"{100 * mean(rows, 'test_accuracy'):.2f}{spread}",
    f"{100 * mean(rows, 'best_test_accuracy'):.2f}",
    f"{mean(rows, 'train_seconds'):,.1f}",
    "" if of_dense is None else f"{of_dense:.2f}",
    f"{mean(rows, 'training_flops_share'):.3f}",
    f"{mean(rows, 'inference_flops_share'):.3f}",
    f"{mean(rows, 'parameters'):,.0f}",
    f"{mean(rows, 'steps_per_second'):,.0f}",
    str(len(rows)),
  )
