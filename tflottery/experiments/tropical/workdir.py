"""The working directory of the tropical experiment.

    config.json                              the configuration, checked at every start
    pieces/seed_S/level_L_START.json         one finished training and the rows that came out of it
    networks/seed_S/level_L_START.ticket     the network that it trained; level_0_dense: the dense one
    networks/seed_S/initial.ticket           the weights that the ticket begins with
    networks/seed_S/frames.npz               the dense network while it trained, of the first seed
    results.csv  pruning.csv  *.png  *.gif  report.html    made from the pieces and networks

A piece is written last, so its training is done whole or not at all.
"""

import io
import json

import numpy as np

from tflottery import files
from tflottery.experiments.place import Place, table
from tflottery.experiments.tropical.views import MEASURES
from tflottery.tickets.ticket import Ticket

TABLES = {
  "results": ("seed", "level", "start", "remaining_percent", *MEASURES, "steps", "train_seconds"),
  "pruning": ("seed", "rule", "share", "pruned_percent", *MEASURES),
}
FREE = ("data_dir", "workers")
_WRITTEN = ("pieces", "networks", "report.html", *(f"{name}.csv" for name in TABLES))


class Workdir(Place):
  """The files of one experiment under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)

  def is_done(self, seed, level, start):
    return self._piece(seed, level, start).exists()

  def network_path(self, seed, name):
    return self.path / "networks" / f"seed_{seed}" / f"{name}.ticket"

  def network(self, seed, level, start):
    """A trained network, as a ticket: its masks and its weights."""
    return Ticket.load(self.network_path(seed, _name(level, start)))

  def save_network(self, seed, level, start, ticket):
    ticket.save(self.network_path(seed, _name(level, start)))

  def save_frames(self, seed, frames):
    """Write a network at several steps: list of (step, dict from path to array)."""
    arrays = {f"{step}:{path}": value for step, own in frames for path, value in own.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files.write(self._frames(seed), buffer.getvalue())

  def frames(self, seed):
    """What `save_frames` wrote; [] where there is nothing."""
    if not self._frames(seed).exists():
      return []
    found = {}
    with np.load(self._frames(seed)) as arrays:
      for name in arrays.files:
        step, _, path = name.partition(":")
        found.setdefault(int(step), {})[path] = arrays[name]
    return sorted(found.items())

  def finish(self, seed, level, start, **rows):
    """Record a finished piece.

    Args:
      rows: lists of dicts by the table that they belong to; `seed` is added.
    """
    full = {name: [{"seed": seed} | row for row in own] for name, own in rows.items()}
    files.write(self._piece(seed, level, start), json.dumps(full))

  def rows(self, name):
    """The rows of the table `name` of all finished pieces, by seed and level."""
    pieces = sorted(self.path.glob("pieces/seed_*/level_*.json"), key=_order)
    read = (json.loads(piece.read_text(encoding="utf-8")) for piece in pieces)
    return [row for piece in read for row in piece.get(name, ())]

  def write_tables(self):
    """Write the CSV files from what is finished."""
    for name, columns in TABLES.items():
      files.write(self.path / f"{name}.csv", table(columns, self.rows(name)))

  def _piece(self, seed, level, start):
    return self.path / "pieces" / f"seed_{seed}" / f"{_name(level, start)}.json"

  def _frames(self, seed):
    return self.path / "networks" / f"seed_{seed}" / "frames.npz"


def _name(level, start):
  return f"level_{level}_{start}"


def _order(piece):
  _, level, start = piece.stem.split("_", 2)
  return int(piece.parent.name.removeprefix("seed_")), int(level), start
