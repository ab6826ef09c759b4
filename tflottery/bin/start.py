"""How every binary starts: quiet logs, and errors of one sentence."""

import os
import pathlib
import sys
import warnings

from absl import flags, logging

warnings.filterwarnings("ignore", message="`shuffle=True` was passed")  # Keras, of every dataset


def parse(argv):
  """Parse the flags; a misspelt config key is an error of one sentence."""
  _let_configs_import_each_other(argv)
  try:
    rest = flags.FLAGS(argv)
  except (AttributeError, KeyError) as error:  # a key that the config does not have
    hint = str(error).split("\\n")[-1].strip("\"'")
    wrong = [arg for arg in argv if arg.lstrip("-").startswith("config.")]
    sys.exit(f"error: unknown config key among {' '.join(wrong)}: {hint}")
  except (flags.Error, OSError, TypeError, ValueError) as error:
    sys.exit(f"error: {error}")
  if not flags.FLAGS["verbosity"].present:
    logging.set_verbosity(logging.ERROR)
  if rest[1:]:
    sys.exit(f"error: unexpected arguments {rest[1:]}. Flags are written as --config.levels=5.")
  return rest


def reporting(main):
  """`main`, its errors of bad input printed as one line on stderr, with exit code 1."""

  def wrapped(argv):
    try:
      main(argv)
    except (FileNotFoundError, FloatingPointError, OSError, ValueError) as error:
      if os.environ.get("TFLOTTERY_TRACEBACK"):
        raise
      sys.exit(f"error: {error}")

  return wrapped


def _let_configs_import_each_other(argv):
  """Make `from configs import default` work from any directory."""
  values = [arg.partition("=")[2] for arg in argv if arg.lstrip("-").startswith("config=")]
  for path in (pathlib.Path(value).absolute() for value in values):
    roots = [parent.parent for parent in path.parents if parent.name == "configs"]
    sys.path[:0] = [str(root) for root in roots if str(root) not in sys.path]
