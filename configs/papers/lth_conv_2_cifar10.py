r"""Frankle & Carbin 2019, Figure 5, Conv-2 on CIFAR-10: 20,000 steps.

Expected (arXiv:1803.03635): the ticket of 8.8 % learns 3.5 times as fast as the dense network, that
of 4.6 % is 3.4 points better. A day on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket \
        --config=configs/papers/lth_conv_2_cifar10.py --workdir=DIR
"""

from configs import default


def get_config():
  """Adam 2e-4, batches of 60; 10 % of convolutions, 20 % of dense layers, 10 % of the output."""
  config = default.get_config()
  config.dataset = "cifar10"
  config.model = "conv_2"
  config.adam.learning_rate = 2e-4
  config.steps = 20_000
  config.levels = 15
  config.rates = {"conv": 0.1, "output": 0.1}
  config.seeds = (0, 1, 2, 3, 4)
  config.arms = ("reinit",)
  return config
