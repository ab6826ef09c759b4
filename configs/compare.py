"""Every setting of a comparison, with its default: those of configs/train.py, and the grid."""

import ml_collections

from configs import train


def get_config():
  """Three algorithms and the dense network on digits, one seed."""
  return of(train.get_config())


def of(config):
  """The comparison whose cells train as `config`, a config of one training, says."""
  # These come from the grid.
  del config.algorithm, config.sparsity, config.seed

  # Every algorithm at every sparsity with every seed; the dense network once per seed.
  config.algorithms = ("dense", "static", "set", "rigl")
  config.sparsities = (0.9, 0.98)
  config.seeds = (0,)

  # Values to try for arguments of an algorithm, as config.grid.magnitude = {"end_step": (600, 900)}: all
  # combinations are trained, and at every sparsity that of the best validation accuracy counts.
  # On a command line: --config.grid='{"magnitude": {"end_step": (600, 900)}}'.
  config.grid = ml_collections.ConfigDict()

  # Processes that share the cells and the cores.
  config.workers = 2
  return config
