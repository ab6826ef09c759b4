"""Files that are never half written: beside first, then renamed."""

import os
import pathlib
import re


def write(path, data):
  """Write bytes or text to `path`, making its folders; a kill leaves the old file or the new one.

  Processes that write the same path at once do not disturb each other: the last one wins.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  beside = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    with open(beside, "wb") as file:
      file.write(data.encode("utf-8") if isinstance(data, str) else data)
      file.flush()
      os.fsync(file.fileno())
    os.replace(beside, path)
  finally:
    beside.unlink(missing_ok=True)


def remove_leftovers(directory):
  """Delete what killed calls of `write` left beside their files anywhere under `directory`."""
  for path in pathlib.Path(directory).rglob(".*"):
    if re.fullmatch(r"\..+\.\d+", path.name):
      path.unlink(missing_ok=True)
