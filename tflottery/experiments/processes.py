"""Processes: seeds side by side, each process with its share of the cores."""

import multiprocessing
import os
import sys
import threading
from multiprocessing import connection

from absl import logging


def run(work, arguments, shares, *, noun="seeds"):
  """Call `work(*arguments, share)` in a process of its own for every share.

  Args:
    work: a function that can be imported by name.
    arguments: tuple of what it takes first, picklable.
    shares: list of what it takes last, one per process.
    noun: what a share is made of, for the error.

  Raises:
    ChildProcessError: a process failed; the others were brought to their end first.
  """
  context = multiprocessing.get_context("spawn")
  threads = max(1, _cores() // len(shares))
  started = {}
  for share in shares:
    process = context.Process(
      target=_child, args=(work, (*arguments, share), threads, logging.get_verbosity())
    )
    process.start()
    started[process] = share
  for process in started:
    process.join()
  failed = {process: share for process, share in started.items() if process.exitcode}
  if failed:
    raise ChildProcessError(
      "; ".join(f"the process of {noun} {s} ended with {p.exitcode}" for p, s in failed.items())
      + ". Start the same command again: it goes on from what is finished."
    )


def over_seeds(here, work, arguments, *, seeds, workers):
  """Do all seeds in this process, or in several that share them.

  Args:
    here: function of seeds, for this process.
    work, arguments: as in `run`, for several; `work` takes seeds last.
    seeds: tuple of ints.
    workers: the most processes there may be; a seed is not divided.
  """
  workers = min(workers, len(seeds))
  if workers > 1:
    run(work, arguments, [seeds[i::workers] for i in range(workers)])
  else:
    here(seeds)


def _cores():
  """Cores that this process may use, which can be fewer than the machine has."""
  has_affinity = hasattr(os, "sched_getaffinity")
  return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _child(work, arguments, threads, verbosity):
  # A killed parent can't stop its children: they watch it, so that none is left writing.
  threading.Thread(target=_die_with_parent, daemon=True).start()
  logging.use_absl_handler()  # or TensorFlow's own handler prints what the verbosity forbids
  logging.set_verbosity(verbosity)
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(threads)
  try:
    work(*arguments)
  except (FloatingPointError, OSError, ValueError) as error:
    if os.environ.get("TFLOTTERY_TRACEBACK"):
      raise
    sys.exit(f"error: {error}")


def _die_with_parent():
  connection.wait([multiprocessing.parent_process().sentinel])
  os._exit(1)
