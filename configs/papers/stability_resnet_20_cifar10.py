r"""Frankle et al. 2020, arXiv:1912.05671, ResNet-20 on CIFAR-10: instability against k. Weeks on two cores.

Expected: the dense network and the ticket of 16.8 % are stable from step 2,000 of 63,000 on.

    TFDS_DATA_DIR=... python -m tflottery.bin.stability \
        --config=configs/papers/stability_resnet_20_cifar10.py --workdir=DIR

Departs: weight decay is Keras's, decoupled from the momentum.
"""

import ml_collections

from configs import stability


def get_config():
  """SGD 0.1 with momentum, batches of 128, drops after 32,000 and 48,000 steps, augmented."""
  config = stability.get_config()
  config.dataset = "cifar10"
  config.standardize = True
  config.augment = True
  config.model = "resnet_20"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
  )
  config.learning_rate_drops = ("32000it", "48000it")
  config.batch_size = 128
  config.steps = 63_000
  config.eval_every = 500
  config.rewind_steps = ("init", "500it", "1000it", "2000it", "8000it")
  config.levels = 8
  config.rates = None
  config.scope = "global"
  config.arm_levels = (8,)
  config.seeds = (0, 1, 2)
  return config
