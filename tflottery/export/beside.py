"""Directories that are never half written: beside first, then renamed."""

import contextlib
import os
import pathlib
import re
import shutil


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
  """Rename `new` to `target`; what stands there goes to `old`, and back if that fails."""
  if target.exists():
    target.rename(old)
  try:
    new.rename(target)
  except OSError:
    if old.exists():
      old.rename(target)
    raise


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
    if match and not pathlib.Path("/proc", match[1]).exists():
      shutil.rmtree(path, ignore_errors=True)
