"""Directories and files that are never half written: beside first, then renamed."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import sys
import tempfile

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
  target = local("directory", target)
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
  target = local("path", target)
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
  """Delete what killed exports to `target` left beside it: the directories that nobody locks."""
  for path in target.parent.iterdir():
    if path.name.startswith(f".{target.name}.export."):
      with contextlib.suppress(OSError), _locked(path):  # fails while its export runs
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _workdir(target, argument):
  """A directory beside `target`, so on the same disk, for the length of a `with` block."""
  with naming(argument, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.export.", dir=target.parent))
  try:
    with _locked(work):
      yield work
  finally:
    shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory):
  """Holds the lock of `directory`, which the system gives up whenever this process ends."""
  descriptor = os.open(directory, os.O_RDONLY)
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  finally:
    os.close(descriptor)


def local(argument, target):
  """`target` as an absolute path; a link becomes what it points to, which then is replaced.

  Raises:
    ValueError: it is a URL, or empty.
  """
  if "://" in str(target) or not str(target):
    raise ValueError(
      f"{argument}={str(target)!r} must be a path on this machine. Export to one, and copy from there."
    )
  return pathlib.Path(target).resolve()


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
  if target == pathlib.Path.cwd() or os.path.ismount(target):
    raise FileExistsError(
      f"directory={str(target)!r} can't be replaced: it is where this process stands, or a mount "
      "point. Choose a directory in it."
    )
  if any(target.iterdir()):
    if not overwrite:
      raise FileExistsError(
        f"directory={str(target)!r} is not empty. Choose another, or give overwrite=True."
      )
    if not (target / "saved_model.pb").is_file() or (target / "keras_metadata.pb").is_file():
      raise FileExistsError(
        f"directory={str(target)!r} holds something that is no SavedModel, or one that tf_keras can "
        "train, so overwrite=True does not delete it. Choose another directory."
      )
