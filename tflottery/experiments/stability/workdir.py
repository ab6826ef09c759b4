"""The working directory of the stability experiment.

    config.json                                   the configuration, checked at every start
    pieces/seed_S/k_K/level_L_ARM_COPY.json       one finished training; ..._paths.json: its copies compared
    starts/seed_S/k_K/level_L.ticket              what a level begins with; level 0: the weights at step k
    starts/seed_S/k_K/optimizer.npz               the optimizer at step k
    networks/seed_S/k_K/level_L_ARM_COPY.ticket   a trained network
    trainings.csv  pairs.csv  paths.csv  distances.csv  *.png  report.html    made from the pieces

A piece is written last, so its training is done whole or not at all.
"""

import io
import json

import numpy as np

from tflottery import files
from tflottery.experiments.place import Place, table
from tflottery.tickets.ticket import Ticket

_NETWORK = ("seed", "k", "level", "arm")
_PAIR = (*_NETWORK, "first", "second", "path", "split")
TABLES = {
  "trainings": (
    *_NETWORK, "copy", "remaining_percent", "final_test_accuracy", "early_stop_step",
    "early_stop_test_accuracy", "steps", "order_seed", "augmentation_seed", "dropout_seed",
    "train_seconds",
  ),
  "pairs": (
    *_PAIR, "remaining_percent", "first_error_percent", "second_error_percent",
    "highest_error_percent", "instability", "loss_instability", "stable",
  ),
  "paths": (*_PAIR, "amount", "error_percent", "loss"),
  "distances": (
    *_NETWORK, "remaining_percent", "kind", "first", "second", "l2_distance", "angle",
  ),
}  # fmt: skip
FREE = ("data_dir", "workers")
_WRITTEN = ("pieces", "starts", "networks", "report.html", *(f"{name}.csv" for name in TABLES))


class Workdir(Place):
  """The files of one experiment under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)

  def start_path(self, seed, k, level):
    return self._folder("starts", seed, k) / f"level_{level}.ticket"

  def network_path(self, seed, network, copy):
    return self._folder("networks", seed, network.k) / f"{network.name}_{copy}.ticket"

  def network(self, seed, network, copy):
    """A trained network, as a ticket: its masks and its weights."""
    return Ticket.load(self.network_path(seed, network, copy))

  def save_optimizer(self, seed, k, state):
    """Write the optimizer's variables at step k."""
    buffer = io.BytesIO()
    np.savez(buffer, *state)
    files.write(self._folder("starts", seed, k) / "optimizer.npz", buffer.getvalue())

  def optimizer(self, seed, k):
    """The optimizer's variables at step k: a list of arrays."""
    with np.load(self._folder("starts", seed, k) / "optimizer.npz") as arrays:
      return [arrays[name] for name in arrays.files]

  def is_done(self, seed, network, copy):
    return self._piece(seed, network, copy).exists()

  def finish(self, seed, network, copy, **rows):
    """Record a finished piece.

    Args:
      copy: the number of the copy, or "paths".
      rows: lists of dicts by the table that they belong to.
    """
    full = {
      name: [{"seed": seed} | network.columns | row for row in own] for name, own in rows.items()
    }
    files.write(self._piece(seed, network, copy), json.dumps(full))

  def rows(self, name):
    """The rows of the table `name` of all finished pieces, by seed, k, level and arm."""
    pieces = self.path.glob("pieces/seed_*/k_*/level_*.json")
    read = (json.loads(piece.read_text(encoding="utf-8")) for piece in pieces)
    rows = [row for piece in read for row in piece.get(name, ())]
    return sorted(rows, key=lambda row: [row.get(column, 0) for column in _ORDER])

  def write_tables(self):
    """Write the CSV files from what is finished."""
    for name, columns in TABLES.items():
      files.write(self.path / f"{name}.csv", table(columns, self.rows(name)))

  def _folder(self, kind, seed, k):
    return self.path / kind / f"seed_{seed}" / f"k_{k}"

  def _piece(self, seed, network, copy):
    return self._folder("pieces", seed, network.k) / f"{network.name}_{copy}.json"


_ORDER = ("seed", "k", "level", "arm", "copy", "kind", "first", "second", "path", "split", "amount")
