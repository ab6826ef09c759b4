"""A config of tests: a comparison with a grid."""

from configs import compare


def get_config():
  """Two points of magnitude pruning and of variational dropout."""
  config = compare.get_config()
  config.rigl.frequency = 10
  config.grid.magnitude = {"end_step": (20, 30)}
  config.grid.variational_dropout = {"threshold": (3.0, -4.0)}
  return config
