"""Directories that are never half written: beside first, then renamed."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import sys

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextlib.contextmanager
def beside(target, *, overwrite):
  """A new directory beside `target`; its `new` takes the place of `target` when the block ends.

  After an error nothing is left of it, and what stood at `target` stands there still. What a killed
  export left is removed by the next one to the same place.

  Args:
    target: a directory that is missing or empty, or with `overwrite` a SavedModel.
    overwrite: whether a SavedModel may be replaced.

  Raises:
    FileExistsError: `target` is a file, or a directory that holds anything: without `overwrite`, or
      where what it holds is no SavedModel.
    OSError: it can't be written there.
  """
  target = pathlib.Path(target).absolute()
  _check(target, overwrite)
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    work = target.with_name(f".{target.name}.{os.getpid()}")
    work.mkdir()
  except OSError as error:
    raise type(error)(
      f"directory={str(target)!r} can't be written: {error.strerror or error}. Choose a directory "
      "that you may write."
    ) from error
  try:
    yield work
    _replace(target, work / "new", work / "old")
  finally:
    shutil.rmtree(work, ignore_errors=True)


def _replace(target, new, old):
  """Rename `new` to `target`. What stands there changes places with it, in one step on Linux."""
  if not target.exists():
    new.rename(target)
  elif not _exchange(new, target):
    _replace_in_two_steps(target, new, old)


def _replace_in_two_steps(target, new, old):
  target.rename(old)
  try:
    new.rename(target)
  except OSError:
    old.rename(target)
    raise


def _exchange(one, other):
  """Let two paths change places; False where the system can't do that in one step."""
  renameat2 = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
  if renameat2 is None:
    return False
  return renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _check(target, overwrite):
  if not target.exists():
    return
  if not target.is_dir():
    raise FileExistsError(f"directory={str(target)!r} is a file. Give a directory.")
  if any(target.iterdir()):
    if not overwrite:
      raise FileExistsError(
        f"directory={str(target)!r} is not empty. Choose another, or give overwrite=True."
      )
    if not (target / "saved_model.pb").is_file():
      raise FileExistsError(
        f"directory={str(target)!r} holds something that is no SavedModel, so overwrite=True does not "
        "delete it. Choose another directory."
      )


def _remove_leftovers(target):
  for path in target.parent.glob(f".{target.name}.*"):
    match = re.fullmatch(re.escape(f".{target.name}.") + r"(\d+)", path.name)
    if match and not _is_running(int(match[1])):
      shutil.rmtree(path, ignore_errors=True)


def _is_running(process):
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  return True
