"""Snapshots: a network's weights and the channel masks drawn from them, as one file."""

import contextlib
import io
import zipfile

import numpy as np

from tflottery import files

_WEIGHT, _MASK, _SETTLED = "weight/", "mask/", "settled"


def save(path, weights, masks, settled):
  """Write a snapshot, whole or not at all.

  Args:
    path: `pathlib.Path`.
    weights: dict from path to array, every weight of the network.
    masks: dict from share to the masks drawn at it, dicts from site path to bool array.
    settled: the shares whose masks had settled there for the first time.
  """
  values = {f"{_WEIGHT}{name}": value for name, value in weights.items()}
  for share, own in masks.items():
    values |= {f"{_mask(share)}{site}": mask for site, mask in own.items()}
  buffer = io.BytesIO()
  np.savez(buffer, **values, **{_SETTLED: np.array(settled, np.float64)})
  files.write(path, buffer.getvalue())


def weights(path):
  """Dict from path to array."""
  with _opened(path) as file:
    return _named(file, _WEIGHT)


def masks(path, share):
  """Dict from site path to bool array, those drawn at a share; empty where none were."""
  with _opened(path) as file:
    return _named(file, _mask(share))


def settled(path):
  """The shares whose masks had settled there for the first time."""
  with _opened(path) as file:
    return file[_SETTLED].tolist()


@contextlib.contextmanager
def _opened(path):
  try:
    with np.load(path, allow_pickle=False) as file:
      yield file
  except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"{str(path)!r} is missing or damaged ({error}). Delete the folder of its search, "
      f"{str(path.parent.parent)!r}, to search again."
    ) from error


def _named(file, prefix):
  return {name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)}


def _mask(share):
  return f"{_MASK}{share}/"
