"""Files that are never half written: beside first, then renamed."""

import os
import pathlib


def write(path, data):
  """Write bytes or text to `path`, making its folders; a kill leaves the old file or the new one.

  Processes that write the same path at once do not disturb each other: the last one wins.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  beside = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    beside.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    os.replace(beside, path)
  finally:
    beside.unlink(missing_ok=True)
