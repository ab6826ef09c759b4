r"""Morcos et al. 2019, arXiv:1906.02773: VGG-19, tickets of five data sets on CIFAR-10, two optimizers.

Expected (figures 3 to 6 and 8): tickets of the other half of CIFAR-10 and of the other optimizer are as
good as its own; those of CIFAR-100 come next, those of Fashion-MNIST and SVHN last; all beat random
tickets down to 1 % of the weights. Months on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.transfer \
        --config=configs/papers/transfer_vgg_19_cifar10.py --workdir=DIR

Departs: weight decay is Keras's, decoupled from the momentum; Fashion-MNIST is padded and its one channel
repeated; both halves are tested on the whole test split.
"""

import ml_collections

from configs import transfer


def get_config():
  """SGD 0.1 with momentum, drops after 80 and 120 of 160 epochs of 512, 20 % a level for 30 levels."""
  config = transfer.get_config()
  config.dataset = "cifar10"
  config.image_shape = (32, 32, 3)
  config.standardize = True
  config.augment = True
  config.model = "vgg_19"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
  )
  config.adam = ml_collections.ConfigDict({"learning_rate": 3e-4, "weight_decay": 1e-4})
  config.learning_rate_drops = ("80ep", "120ep")
  config.batch_size = 512
  config.steps = "160ep"
  config.levels = 30
  config.tasks = {
    "cifar10_a": {"half": "a"},
    "cifar10_b": {"half": "b"},
    "cifar10_b_adam": {"half": "b", "optimizer": "adam"},
    "cifar100": {"dataset": "cifar100"},
    "fashion_mnist": {"dataset": "fashion_mnist"},
    "svhn": {"dataset": "svhn_cropped"},
  }
  config.sources = ("cifar10_a", "cifar10_b", "cifar10_b_adam", "cifar100", "fashion_mnist", "svhn")
  config.targets = ("cifar10_b", "cifar10_b_adam")
  config.transfer_levels = (5, 10, 15, 20, 25, 30)
  config.seeds = (0, 1, 2, 3, 4, 5)
  return config
