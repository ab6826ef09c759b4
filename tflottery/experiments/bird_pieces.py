"""The trainings of an Early-Bird experiment, and where each one lies.

config.json                          the configuration, checked at every start
seed_S/PIECE/                        one training, as `run.Run` describes it
seed_S/search/draws/                 the callback's: mask_distances.npy and its heat map
seed_S/search/snapshots/step_N.npz   what tickets are made of
pieces.csv  channels.csv  *.png  report.html    made from the finished pieces
"""

import dataclasses

import numpy as np

from tflottery.experiments import bird_snapshot, run
from tflottery.experiments.place import Place

_WRITTEN = ("pieces.csv", "channels.csv", "report.html", "checkpoint.npz", "summary.json", "cells")


@dataclasses.dataclass(frozen=True)
class Piece:
  """One training.

  Attributes:
    arm: search, dense, plain_dense, early_bird, reinit, or drawn_at, which starts from a draw at a
      step that was asked for.
    seed: the run's.
    share: of the channels that the ticket lacks; None where there is no ticket.
    drawn: the step of the search that the ticket was drawn at, else None.
  """

  arm: str
  seed: int
  share: float | None = None
  drawn: int | None = None

  @property
  def name(self):
    """The name of its folder, and in what is printed."""
    at = f"_{self.drawn}" if self.arm == "drawn_at" else ""
    return self.arm + at + ("" if self.share is None else f"-{self.share:g}")

  @property
  def begin(self):
    """The step that it starts from."""
    return self.drawn if self.arm in ("early_bird", "drawn_at") else 0


class Workdir(Place):
  """The files of one experiment under `path`."""

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=run.FREE)

  def run(self, piece):
    """The directory of a piece."""
    return run.Run(self.folder(piece.seed, piece.name))

  def folder(self, seed, name):
    """The path of the directory of a piece."""
    return self.path / f"seed_{seed}" / name

  def draws(self, seed):
    """The directory of the callback's draws."""
    return self.folder(seed, "search") / "draws"

  def distances(self, seed):
    """The pairwise distances of the masks, float32 [shares, draws, draws]; None before any."""
    path = self.draws(seed) / "mask_distances.npy"
    return np.load(path) if path.exists() else None

  def snapshot(self, seed, step):
    """The path of the snapshot at a step."""
    return self.folder(seed, "search") / "snapshots" / f"step_{step}.npz"

  def drawn(self, seed):
    """Dict from share to the step at which its masks had settled; an absent share's have not."""
    paths = self.folder(seed, "search").glob("snapshots/step_*.npz")
    steps = {int(path.stem.removeprefix("step_")): path for path in paths}
    return {share: step for step in sorted(steps) for share in bird_snapshot.settled(steps[step])}


def planned(settings, workdir):
  """The pieces in the order in which they are trained; those after a search once it is done.

  Args:
    settings: a `bird_settings.EarlyBird`.
    workdir: a `Workdir`.
  """
  for seed in settings.seeds:
    search = Piece("search", seed)
    yield search
    if "dense" in settings.controls and not settings.search_is_dense:
      yield Piece("dense", seed)
    if "plain_dense" in settings.controls:
      yield Piece("plain_dense", seed)
    if workdir.run(search).is_done:
      yield from _tickets(settings, seed, workdir.run(search).summary())


def _tickets(settings, seed, found):
  """The pieces that come of a search with the summary `found`."""
  for share in settings.shares:
    drawn = found["drawn"][str(share)]
    if drawn is not None:
      yield Piece("early_bird", seed, share, drawn)
      if "reinit" in settings.controls:
        yield Piece("reinit", seed, share, drawn)
    for step in found["draw_steps"]:
      if step != drawn:
        yield Piece("drawn_at", seed, share, step)
