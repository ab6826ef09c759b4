"""A lottery ticket on digits: the picture of Frankle & Carbin 2019 in a minute, offline.

python -m tflottery.bin.find_ticket --config=configs/lth_digits.py --workdir=/tmp/lth_digits
"""

from configs import default


def get_config():
  """LeNet-300-100 on scikit-learn's 8x8 digits."""
  config = default.get_config()
  config.rates = {"output": 0.1}
  config.levels = 12
  config.seeds = (0, 1, 2)
  config.arms = ("reinit", "random_mask")
  config.arm_levels = (3, 6, 9, 12)
  config.eval_every = 20
  return config
