r"""Frankle & Carbin 2019, Figures 3 and 4, at the paper's own length: 50,000 steps, 5 trials.

Expected (arXiv:1803.03635): the ticket of 21.1 % stops 38 % earlier than the dense network, 13.5 %
is more than 0.3 points better, 3.6 % is as good. About three hours on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket \
        --config=configs/papers/lth_lenet_mnist.py --workdir=DIR
"""

from configs import lth_mnist


def get_config():
  """As configs/lth_mnist.py, but 50,000 steps, with the re-initialised control at every level."""
  config = lth_mnist.get_config()
  config.steps = 50_000
  config.levels = 19
  config.seeds = (0, 1, 2, 3, 4)
  config.arm_levels = ()
  return config
