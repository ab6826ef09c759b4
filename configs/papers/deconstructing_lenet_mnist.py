r"""Zhou et al. 2019, arXiv:1905.01067, sections 3 and 4, LeNet-300-100, with the paper's rounds: 24.

Expected there: large_final and magnitude_increase lead, small_* and large_init fail. Not run to its end
here: 367 trainings a seed.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket \
        --config=configs/papers/deconstructing_lenet_mnist.py --workdir=DIR
"""

from configs import deconstructing_mnist


def get_config():
  """As configs/deconstructing_mnist.py, but 20 % of the weights per level and 50,000 steps."""
  config = deconstructing_mnist.get_config()
  config.steps = 50_000
  config.levels = 24
  config.rate = 0.2
  config.rates = {"output": 0.1}
  config.arm_levels = (4, 8, 12, 16, 20, 24)
  config.seeds = (0, 1, 2, 3, 4)
  return config
