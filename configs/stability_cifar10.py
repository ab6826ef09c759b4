"""Frankle et al. 2020, arXiv:1912.05671, at a size for two cores: ResNet-8 with batch normalisation on CIFAR-10.

Expected: instability falls with k, and at high sparsity a ticket rewound to a later k beats one that is rewound
to initialisation. configs/papers/stability_resnet_20_cifar10.py has the paper's network and length.

    TFDS_DATA_DIR=... python -m tflottery.bin.stability --config=configs/stability_cifar10.py --workdir=DIR

Departs: 2,000 steps of 64 (three epochs), 60 % of the remaining weights per level, statistics of
normalisation re-estimated on the path.
"""

import ml_collections

from configs import stability


def get_config():
  """SGD 0.1 with momentum, drops after 1,400 and 1,800 steps, augmented; tickets of 6.4 and 1.0 %."""
  config = stability.get_config()
  config.dataset = "cifar10"
  config.standardize = True
  config.augment = True
  config.model = "resnet_8"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict({"learning_rate": 0.1, "momentum": 0.9})
  config.learning_rate_drops = ("1400it", "1800it")
  config.batch_size = 64
  config.steps = 2000
  config.eval_every = 500
  config.rewind_steps = ("init", "200it", "1000it")
  config.levels = 5
  config.rate = 0.6
  config.rates = None
  config.scope = "global"
  config.arms = ()
  config.arm_levels = (3, 5)
  config.path_examples = 2000
  config.statistics = "reestimate"
  config.points = 15
  config.seeds = (0,)
  return config
