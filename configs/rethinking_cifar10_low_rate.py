"""configs/rethinking_cifar10.py at the low learning rate, at which inherited weights help more.

Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270, section 5: 0.01 and not 0.1.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/rethinking_cifar10_low_rate.py \
      --workdir=DIR
"""

from configs import rethinking_cifar10


def get_config():
  """The same grid, SGD 0.01."""
  config = rethinking_cifar10.get_config()
  config.sgd.learning_rate = 0.01
  return config
