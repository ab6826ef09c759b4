"""How binaries fail: bad input is an error of one sentence, with exit code 1."""

import os
import sys

from absl import flags, logging


def reporting(main, *, also=()):
  """`main`, its errors of bad input printed as one line on stderr, with exit code 1.

  Args:
    main: a function of argv.
    also: further classes of errors to report so.
  """

  def wrapped(argv):
    try:
      main(argv)
    except (FileNotFoundError, FloatingPointError, OSError, ValueError, *also) as error:
      if os.environ.get("TFLOTTERY_TRACEBACK"):
        raise
      sys.exit(f"error: {error}")

  return wrapped


def parse(argv):
  """Parse the flags; a bad one is an error of one sentence."""
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    sys.exit(f"error: {' '.join(str(error).split())}")
  return parsed(rest, example="--name=value")


def parsed(rest, *, example):
  """What is left of argv, which may be nothing more; TensorFlow's and Keras's logs become quiet."""
  if not flags.FLAGS["verbosity"].present:
    logging.set_verbosity(logging.ERROR)
  if rest[1:]:
    sys.exit(f"error: unexpected arguments {rest[1:]}. Flags are written as {example}.")
  return rest
