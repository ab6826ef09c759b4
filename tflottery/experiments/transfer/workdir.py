"""The working directory of the transfer experiment.

    config.json                                      the configuration, checked at every start
    sources/SOURCE/                                  the search on a source, as find_ticket writes it
    pieces/seed_S/TARGET/dense_28x28x1.json          a dense network on a target, for each image shape
    pieces/seed_S/TARGET/SOURCE/level_L_ARM.json     a moved ticket, or a random one, trained there
    results.csv  *.png  report.html                  made from the pieces

A piece is written last, so its training is done whole or not at all.
"""

import json

from tflottery import files
from tflottery.experiments import workdir
from tflottery.experiments.place import Place, table

ROW = (
  "seed",
  "source",
  "target",
  "level",
  "arm",
  "image_shape",
  "remaining_percent",
  "early_stop_step",
  "early_stop_test_accuracy",
  "final_test_accuracy",
  "early_stop_validation_loss",
  "early_stop_validation_accuracy",
  "final_validation_accuracy",
  "steps",
  "train_seconds",
  "initialisation_seed",
  "order_seed",
  "augmentation_seed",
  "dropout_seed",
  "masks_seed",
)
DENSE = "dense"
FREE = workdir.FREE
_WRITTEN = ("pieces", "sources", "results.csv", "report.html")


class Workdir(Place):
  """The files of one experiment under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)

  def source(self, name):
    """The `workdir.Workdir` of the search on a source."""
    return workdir.Workdir(self.path / "sources" / name)

  def is_done(self, piece):
    """Whether a piece, a dict with the names that begin `ROW`, is finished."""
    return self._path(piece).exists()

  def finish(self, row, curve, moved=None):
    """Record a finished training, and bring the table up to date.

    Args:
      row: dict of `ROW`.
      curve: list of (step, validation loss, validation accuracy).
      moved: what was copied, re-initialised and dropped, for a ticket; None for other networks.
    """
    piece = {"row": row, "curve": curve, "moved": moved}
    files.write(self._path(row), json.dumps(piece))
    self.write_table()

  def write_table(self):
    """Write results.csv from what is finished."""
    files.write(self.path / "results.csv", table(ROW, self.rows()))

  def rows(self):
    """The rows of all finished trainings, by seed, target, source, level and arm."""
    return [piece["row"] for piece in self._finished()]

  def moved(self):
    """Dict from (source, target) to what became of the weights of a ticket that was moved there."""
    return {
      (piece["row"]["source"], piece["row"]["target"]): piece["moved"]
      for piece in self._finished()
      if piece["moved"]
    }

  def _finished(self):
    paths = [*self.path.glob("pieces/seed_*/*/*.json"), *self.path.glob("pieces/seed_*/*/*/*.json")]
    pieces = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(pieces, key=lambda piece: _order(piece["row"]))

  def _path(self, piece):
    folder = self.path / "pieces" / f"seed_{piece['seed']}" / piece["target"]
    if piece["arm"] == DENSE:
      return folder / f"{DENSE}_{piece['image_shape']}.json"
    return folder / piece["source"] / f"level_{piece['level']}_{piece['arm']}.json"


def _order(row):
  names = row["target"], row["source"], row["image_shape"]
  return row["seed"], *names, row["level"], row["arm"] != "ticket", row["arm"]
