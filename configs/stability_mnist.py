"""Frankle et al. 2020, arXiv:1912.05671, LeNet-300-100 on MNIST.

Expected there: the dense network and the ticket with 3.5 % of the weights are stable from step 0 on; random
masks and random re-initialisation of the same size are not. Here the controls' instability is many times the
ticket's, but below two points.

    TFDS_DATA_DIR=... python -m tflottery.bin.stability --config=configs/stability_mnist.py --workdir=DIR
"""

from configs import stability


def get_config():
  """Three seeds, the paper's 24,000 steps of 60 from step 0. An hour and a half, two other trainings beside it."""
  config = stability.get_config()
  config.dataset = "mnist"
  config.steps = 24_000
  config.eval_every = 2000
  config.rewind_steps = ("init",)
  config.levels = 15
  config.rates = None
  config.scope = "global"
  config.arm_levels = (15,)
  config.path_examples = 10_000
  config.seeds = (0, 1, 2)
  return config
