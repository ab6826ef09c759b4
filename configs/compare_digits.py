"""Sparse training on digits: which algorithm loses least, offline in two minutes on two cores.

python -m tflottery.bin.compare --config=configs/compare_digits.py --workdir=DIR
"""

from configs import compare


def get_config():
  """LeNet-300-100 at 80 to 98 %, ERK."""
  config = compare.get_config()
  config.algorithms = ("dense", "small_dense", "static", "set", "rigl", "magnitude", "snip")
  config.sparsities = (0.8, 0.9, 0.95, 0.98)
  config.seeds = (0, 1, 2)
  return config
