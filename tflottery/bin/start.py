"""How every binary with a config file starts: its flags, quiet logs, and errors of one sentence."""

import os
import pathlib
import sys
import warnings

from absl import flags
from ml_collections import config_flags

from tflottery.bin import errors

CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment's config file.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where everything that comes out is written.")
flags.mark_flags_as_required(["config", "workdir"])

reporting = errors.reporting

warnings.filterwarnings("ignore", message="`shuffle=True` was passed")  # Keras, of every dataset


def parse(argv):
  """Parse the flags; a misspelt config key is an error of one sentence, as is a bad config file."""
  for file in _config_files(argv):
    if not file.is_file():
      sys.exit(f"error: --config={file}: no such file. Give one, as configs/lth_digits.py.")
    _let_configs_import_each_other(file)
  try:
    rest = flags.FLAGS(argv)
  except Exception as error:  # a config file is a program: it may raise anything
    if os.environ.get("TFLOTTERY_TRACEBACK"):
      raise
    sys.exit(f"error: {_reason(argv, error)}")
  return errors.parsed(rest, example="--config.levels=5")


def _reason(argv, error):
  keys = [arg for arg in argv if arg.lstrip("-").startswith("config.")]
  text = " ".join(str(error).split())
  if keys and isinstance(error, (AttributeError, KeyError)):
    hint = text.split("\\n")[-1].strip("\"'\\")
    return f"unknown config key among {' '.join(keys)}: {hint}. Known are those of {_names(argv)}."
  if isinstance(error, flags.Error):
    return text
  return f"--config={_names(argv)} can't be loaded or changed: {type(error).__name__}: {text}"


def _names(argv):
  return ", ".join(map(str, _config_files(argv)))


def _config_files(argv):
  """The paths that --config=PATH or --config PATH gives."""
  pairs = zip(argv, [*argv[1:], ""], strict=True)
  found = [(arg.lstrip("-").partition("="), after) for arg, after in pairs if arg.startswith("-")]
  values = [
    value if equals else after for (name, equals, value), after in found if name == "config"
  ]
  return [pathlib.Path(value.split(":")[0]) for value in values]


def _let_configs_import_each_other(file):
  """Make `from configs import default` work from any directory."""
  roots = [parent.parent for parent in file.absolute().parents if parent.name == "configs"]
  sys.path[:0] = [str(root) for root in roots if str(root) not in sys.path]
