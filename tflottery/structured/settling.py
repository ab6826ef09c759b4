"""Settling: masks drawn one after another, and whether the newest ones are alike."""

import io
import zipfile

import numpy as np

from tflottery import files
from tflottery.analysis.distances import distances, distances_figure

_DRAWS = "mask_draws.npz"


class Record:
  """The draws of several shares, and at which of them each share's masks had settled.

  Args:
    shares: the shares, in (0, 1).
    window: how many masks must be alike.
    threshold: the normalised Hamming distance up to which two masks are alike.

  Attributes:
    labels: the epoch or step of every draw.
    drawn: dict from share to the label at which its masks had settled for the first time, or None.

  >>> record = Record((0.5,), window=2, threshold=0.3)
  >>> for label, bits in enumerate(("1100", "0011", "1011")):
  ...   settled = record.add(label, {0.5: np.array([bit == "1" for bit in bits])})
  >>> settled, record.drawn, record.farthest(0.5)
  ([0.5], {0.5: 2}, 0.25)
  """

  def __init__(self, shares, window, threshold):
    self.shares, self._window, self._threshold = tuple(shares), window, threshold
    self._clear()

  def _clear(self):
    self.labels, self._counted = [], []
    self._masks = {share: [] for share in self.shares}
    self.drawn = dict.fromkeys(self.shares)

  @property
  def is_complete(self):
    """Whether the masks of every share have settled."""
    return None not in self.drawn.values()

  @property
  def distances(self):
    """Between all draws, float32 [shares, draws, draws]."""
    return np.stack([distances(np.array(own)) for own in self._masks.values()])

  def add(self, label, masks, *, counted=True):
    """Record a draw.

    Args:
      label: its epoch or step.
      masks: dict from share to a flat bool array.
      counted: whether it is one of those that can be alike; if not, it is recorded as all False.

    Returns:
      The shares whose masks have settled with this draw.
    """
    self.labels.append(label)
    self._counted.append(bool(counted))
    for share, mask in masks.items():
      self._masks[share].append(mask if counted else np.zeros_like(mask))
    settled = [s for s in self.shares if self.drawn[s] is None and self._has_settled(s)]
    self.drawn |= dict.fromkeys(settled, label)
    return settled

  def newest(self, share):
    """The newest mask, flat."""
    return self._masks[share][-1]

  def farthest(self, share):
    """The distance of the newest mask to that in the window that differs most; NaN for none."""
    own = self._in_window(share)
    return float(distances(own)[-1, :-1].max()) if len(own) > 1 else float("nan")

  def write(self, directory):
    """Write mask_distances.npy, and what `read` reads."""
    directory.mkdir(parents=True, exist_ok=True)
    files.write(directory / "mask_distances.npy", _bytes(np.save, self.distances))
    arrays = {f"masks/{share}": np.array(own) for share, own in self._masks.items()}
    arrays |= {"labels": self.labels, "counted": self._counted}
    files.write(directory / _DRAWS, _bytes(np.savez_compressed, **arrays))

  def write_figures(self, directory, *, unit):
    """Write a heat map for each share: a tenth of a second each, too long for every draw."""
    for share, matrix in zip(self.shares, self.distances, strict=True):
      figure = distances_figure(matrix, self.labels, unit=unit, drawn=self.drawn[share])
      name = "mask_distances.png" if len(self.shares) == 1 else f"mask_distances_{share:g}.png"
      files.write(directory / name, _bytes(figure.savefig, format="png"))

  def read(self, directory, *, size):
    """Go on from the draws that were written there, if there are any.

    Args:
      size: channels of the model.

    Raises:
      ValueError: what is there is damaged, or of other shares or another model.
    """
    path = directory / _DRAWS
    if path.exists():
      masks, self.labels, self._counted = self._read(path)
      wrong = {every.shape[1] for every in masks.values()} - {size}
      if wrong:
        raise ValueError(
          f"{str(path)!r} holds the draws of another model, of {wrong.pop()} channels and not {size}. "
          "Give another directory."
        )
      self._masks = {share: list(every) for share, every in masks.items()}

  def keep(self, until):
    """Forget the draws after the label `until`.

    Returns:
      Dict from each share that had settled by then to its mask.
    """
    before = zip(self.labels, self._counted, zip(*self._masks.values(), strict=True), strict=True)
    before = [draw for draw in before if draw[0] <= until]
    self._clear()
    settled = {}
    for label, counted, masks in before:
      own = dict(zip(self.shares, masks, strict=True))
      settled |= {share: own[share] for share in self.add(label, own, counted=counted)}
    return settled

  def _read(self, path):
    try:
      with np.load(path) as file:
        masks = {share: file[f"masks/{share}"] for share in self.shares}
        return masks, file["labels"].tolist(), file["counted"].tolist()
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
      raise ValueError(
        f"{str(path)!r} is damaged, or holds the draws of other shares ({error}). Give another "
        "directory."
      ) from error

  def _has_settled(self, share):
    # Distances are float32: one of ten channels is not above a threshold of 0.1.
    is_full = len(self._in_window(share)) == self._window
    return is_full and self.farthest(share) <= self._threshold + 1e-6

  def _in_window(self, share):
    every = zip(self._masks[share], self._counted, strict=True)
    return np.array([mask for mask, counted in every if counted][-self._window :])


def _bytes(write, *args, **kwargs):
  buffer = io.BytesIO()
  write(buffer, *args, **kwargs)
  return buffer.getvalue()
