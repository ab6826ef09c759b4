"""Sparse training on digits: which algorithm loses least, offline in two minutes on two cores.

Expected: at 98 %, RigL and magnitude pruning at about 95 %, SET 10 points below, static masks 30.

    python -m tflottery.bin.compare --config=configs/compare_digits.py --workdir=DIR
"""

from configs import compare


def get_config():
  """LeNet-300-100 at 90 and 98 %, ERK, 1,200 steps, three seeds."""
  config = compare.get_config()
  config.algorithms = ("dense", "static", "set", "rigl", "magnitude")
  config.sparsities = (0.9, 0.98)
  config.seeds = (0, 1, 2)
  return config
