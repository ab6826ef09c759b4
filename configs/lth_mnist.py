"""Frankle & Carbin 2019, Figures 3 and 4, LeNet-300-100 on MNIST, in 6,000 steps.

Expected: at 21.1 % of the weights the ticket learns at least 30 % faster than the dense network; at
13.5 % it is at least 0.2 points better; at 3.6 % it matches, and random re-initialisation falls
0.8 points behind. arXiv:1803.03635, section 2.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket --config=configs/lth_mnist.py --workdir=DIR
"""

from configs import default


def get_config():
  """Adam 1.2e-3, batches of 60, 55,000 / 5,000 examples, 20 % per level and half in the output."""
  config = default.get_config()
  config.dataset = "mnist"
  config.steps = 6000
  config.levels = 15
  config.rates = {"output": 0.1}
  config.seeds = (0, 1, 2)
  config.arms = ("reinit",)
  config.arm_levels = (3, 7, 10, 13, 15)
  return config
