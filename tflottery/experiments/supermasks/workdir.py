"""The working directory of the supermask experiment.

    config.json                        the configuration, checked at every start
    pieces/seed_S/NAME.json            one finished training and the rows that came out of it
    tickets/seed_S/initial.ticket      the dense network before its training; final.ticket: after it
    tickets/seed_S/NAME.ticket         a trained mask: its bits, and how to draw its weights
    results.csv  *.png  report.html    made from the pieces and tickets

A piece is written last, so its training is done whole or not at all.
"""

import json

from tflottery import files
from tflottery.experiments.place import Place, table
from tflottery.tickets.ticket import Ticket

ROW = (
  "seed",
  "network",
  "criterion",
  "weights",
  "rescale",
  "level",
  "remaining_percent",
  "test_accuracy",
  "samples_test_accuracy",
  "samples_deviation",
  "expected_remaining_percent",
  "steps",
  "train_seconds",
  "ticket_bytes",
)
FREE = ("data_dir",)
_WRITTEN = ("pieces", "tickets", "results.csv", "report.html")


class Workdir(Place):
  """The files of one experiment under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)

  def ticket_path(self, seed, name):
    return self.path / "tickets" / f"seed_{seed}" / f"{name}.ticket"

  def ticket(self, seed, name):
    return Ticket.load(self.ticket_path(seed, name))

  def is_done(self, seed, name):
    return self._piece(seed, name).exists()

  def finish(self, seed, name, rows, curve):
    """Record a finished piece, and bring the table up to date.

    Args:
      rows: dicts of `ROW`; what is absent does not apply.
      curve: list of (step, validation loss, validation accuracy).
    """
    full = [dict.fromkeys(ROW) | {"seed": seed} | row for row in rows]
    files.write(self._piece(seed, name), json.dumps({"rows": full, "curve": curve}))
    files.write(self.path / "results.csv", table(ROW, self.rows()))

  def rows(self):
    """The rows of all finished pieces, by seed; within one, in the order of their names."""
    pieces = sorted(self.path.glob("pieces/seed_*/*.json"), key=_order)
    return [
      row for piece in pieces for row in json.loads(piece.read_text(encoding="utf-8"))["rows"]
    ]

  def _piece(self, seed, name):
    return self.path / "pieces" / f"seed_{seed}" / f"{name}.json"


def _order(path):
  return int(path.parent.name.removeprefix("seed_")), path.name
