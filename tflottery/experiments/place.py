"""The place of an experiment: a directory that belongs to one configuration."""

import csv
import io
import json
import pathlib

from tflottery import files


class Place:
  """A directory with its `config.json`.

  Args:
    path: the directory; it need not be there yet.
    written: names of what an experiment of this kind writes into it.
    free: names of settings that may differ between two starts: they do not change results.
  """

  def __init__(self, path, *, written, free):
    self.path = pathlib.Path(path)
    self._config = self.path / "config.json"
    self._written, self._free = written, free

  def check(self, config):
    """Compare `config` with the one that is there, if any.

    Raises:
      ValueError: the directory holds work of another configuration, or something else.
    """
    if not self._config.exists():
      theirs = [name for name in self._written if (self.path / name).exists()]
      if theirs:
        raise ValueError(
          f"workdir={str(self.path)!r} holds {', '.join(theirs)} of another work, but no config.json. "
          "Give a new directory."
        )
      return
    try:
      there = json.loads(self._config.read_text(encoding="utf-8"))
    except ValueError as error:
      raise ValueError(
        f"{str(self._config)!r} is damaged ({error}). Give a new workdir."
      ) from error
    asked = json.loads(json.dumps(config))
    keys = sorted((there.keys() | asked.keys()) - {"versions", *self._free})
    differences = [
      f"{key} is {there.get(key)!r} there and {asked.get(key)!r} now"
      for key in keys
      if there.get(key) != asked.get(key)
    ]
    if differences:
      raise ValueError(
        f"workdir={str(self.path)!r} holds work of another configuration: "
        f"{'; '.join(differences)}. Give another directory, or the same configuration to go on."
      )

  def claim(self, config, versions):
    """Write the configuration where there is none, and clear away what a kill left behind."""
    files.remove_leftovers(self.path)
    if not self._config.exists():
      files.write(
        self._config, json.dumps(config | {"versions": versions}, indent=2, sort_keys=True)
      )


def table(columns, rows):
  """Text of a CSV file with these columns; `rows` are dicts of exactly them.

  >>> table(("a", "b"), [{"a": 1, "b": 0.5}])
  'a,b\\n1,0.5\\n'
  """
  text = io.StringIO()
  writer = csv.DictWriter(text, columns, lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return text.getvalue()
