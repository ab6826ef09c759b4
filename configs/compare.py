"""Every setting of a comparison, with its default: those of configs/train.py, and the grid."""

from configs import train


def get_config():
  """Three algorithms on digits, a seed each."""
  config = train.get_config()
  # These come from the grid.
  del config.algorithm, config.sparsity, config.seed

  # Every algorithm at every sparsity with every seed; the dense network once per seed.
  config.algorithms = ("dense", "static", "set", "rigl")
  config.sparsities = (0.9, 0.98)
  config.seeds = (0,)

  # Processes that share the cells and the cores.
  config.workers = 2
  return config
