"""The working directory of a search: where everything lies, and what is finished already.

    config.json                          the configuration, checked at every start
    pieces/seed_S/level_L_ARM.json       one finished training: its row and its curve
    tickets/seed_S/level_L.ticket        and in tickets/seed_S/CRITERION/ those of other criteria
    tickets/.../CHAIN_trained_L.ticket     beside level L's: what its weights were when last trained,
                                           where something is held at values that depend on it
    results.csv  layers.csv  *.png  report.html    made from the pieces and tickets
    events/seed_S/ARM/level_L            TensorBoard

A piece is written last, so its training is done whole or not at all.
"""

import json
import shutil

from tflottery import files
from tflottery.experiments.place import Place, table
from tflottery.tickets.ticket import Ticket

ROW = (
  "seed",
  "level",
  "arm",
  "remaining_percent",
  "early_stop_step",
  "early_stop_test_accuracy",
  "final_test_accuracy",
  "train_seconds",
  "steps_per_second",
  "early_stop_validation_loss",
  "early_stop_validation_accuracy",
  "final_validation_accuracy",
  "steps_per_second_with_evaluation",
)
LAYER = ("seed", "level", "site", "size", "kept", "remaining_percent")
_WRITTEN = ("events", "pieces", "tickets", "results.csv", "layers.csv", "report.html")
# These may differ between the starts of one search: they do not change its results.
FREE = ("data_dir", "workers")


class Workdir(Place):
  """The files of one search under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)

  def ticket_path(self, seed, level, chain="ticket"):
    """The ticket of a level; the dense network is that of all chains."""
    folder = self.path / "tickets" / f"seed_{seed}"
    return (folder if chain == "ticket" or not level else folder / chain) / f"level_{level}.ticket"

  def ticket(self, seed, level, chain="ticket"):
    """The ticket of a level."""
    return Ticket.load(self.ticket_path(seed, level, chain))

  def trained_path(self, seed, level, chain="ticket"):
    """The ticket file of the values that the weights had when they were trained last."""
    return self.ticket_path(seed, level, chain).with_name(f"{chain}_trained_{level}.ticket")

  def events(self, seed, level, arm):
    """An empty directory for the events of one training: those of a killed one are dropped."""
    path = self.path / "events" / f"seed_{seed}" / arm / f"level_{level}"
    shutil.rmtree(path, ignore_errors=True)
    return str(path)

  def is_done(self, seed, level, arm):
    return self._piece(seed, level, arm).exists()

  def finish(self, row, curve, masks):
    """Record a finished training, and bring the tables up to date."""
    kept = {site: [mask.size, int(mask.sum())] for site, mask in masks.items()}
    piece = {"row": row, "curve": curve, "kept": kept}
    files.write(self._piece(row["seed"], row["level"], row["arm"]), json.dumps(piece))
    self.write_tables()

  def rows(self):
    """The rows of all finished trainings, by seed, level and arm, the ticket first."""
    return [piece["row"] for piece in self._finished()]

  def write_tables(self):
    """Write results.csv and layers.csv from what is finished."""
    finished = self._finished()
    layers = [line for piece in finished for line in _layers(piece)]
    files.write(self.path / "results.csv", table(ROW, [piece["row"] for piece in finished]))
    files.write(self.path / "layers.csv", table(LAYER, layers))

  def _finished(self):
    paths = self.path.glob("pieces/seed_*/level_*.json")
    pieces = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(pieces, key=lambda piece: _order(piece["row"]))

  def _piece(self, seed, level, arm):
    return self.path / "pieces" / f"seed_{seed}" / f"level_{level}_{arm}.json"


def _order(row):
  return row["seed"], row["level"], row["arm"] != "ticket", row["arm"]


def _layers(piece):
  """The lines of layers.csv, of tickets alone: a control has the ticket's size."""
  row = piece["row"]
  for site, (size, kept) in piece["kept"].items() if row["arm"] == "ticket" else ():
    values = (row["seed"], row["level"], site, size, kept, 100 * kept / size)
    yield dict(zip(LAYER, values, strict=True))
