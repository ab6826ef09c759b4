"""Directories and files that are never half written: beside first, then renamed."""

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
  with _workdir(target, "directory") as work:
    yield work
    _replace(target, work / "new", work / "old")


@contextlib.contextmanager
def file(target, *, overwrite):
  """A new directory beside the file `target`; what is in its `new` is moved beside it at the end.

  So a file named as `target` takes its place, and others come to stand beside it. After an error
  nothing is left of them. What a killed export left is removed by the next one to the same place.

  Args:
    target: a file, or where none is yet.
    overwrite: whether a file may be replaced.

  Raises:
    FileExistsError: `target` is a directory, or without `overwrite` a file.
    OSError: it can't be written there.
  """
  target = pathlib.Path(target).absolute()
  if target.is_dir():
    raise FileExistsError(f"path={str(target)!r} is a directory. Give a file.")
  if target.exists() and not overwrite:
    raise FileExistsError(f"path={str(target)!r} exists. Choose another, or give overwrite=True.")
  with _workdir(target, "path") as work:
    (work / "new").mkdir()
    yield work
    for path in sorted((work / "new").iterdir()):
      path.replace(target.with_name(path.name))


@contextlib.contextmanager
def naming(argument, target):
  """Has errors of the file system say which argument, of which value, they are about."""
  try:
    yield
  except OSError as error:
    raise type(error)(
      f"{argument}={str(target)!r} can't be written: {error.strerror or error}. Choose a place that "
      "you may write, on a disk with room."
    ) from error


def remove_leftovers(target):
  """Delete what killed exports to `target` left beside it."""
  for path in target.parent.glob(f".{target.name}.*"):
    match = re.fullmatch(re.escape(f".{target.name}.") + r"(\d+)", path.name)
    if match and not _is_anothers(int(match[1])):
      shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _workdir(target, argument):
  """A directory beside `target`, so on the same disk, for the length of a `with` block."""
  with naming(argument, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    work = target.with_name(f".{target.name}.{os.getpid()}")
    work.mkdir()
  try:
    yield work
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


def _is_anothers(process):
  """Whether another process of this number runs: in containers the killed one may have had ours."""
  if process == os.getpid():
    return False
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  return True
