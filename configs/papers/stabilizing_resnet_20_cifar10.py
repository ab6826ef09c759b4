r"""Frankle et al. 2020, ResNet-20 on CIFAR-10: global pruning, rewound to step 2,000 of 63,000.

Expected (arXiv:1912.05671, Table 1 and Figure 3): 91.7 % dense, and a ticket of 16.8 % that matches
it; without rewinding there is none. Days on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket \
        --config=configs/papers/stabilizing_resnet_20_cifar10.py --workdir=DIR

Departs: weight decay is Keras's, decoupled from the momentum.
"""

import ml_collections

from configs import default


def get_config():
  """SGD 0.1 with momentum, batches of 128, drops after 32,000 and 48,000 steps, augmented."""
  config = default.get_config()
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
  config.levels = 10
  config.scope = "global"
  config.rewind_to = "2000it"
  config.arms = ("reinit", "random_mask")
  config.arm_levels = (4, 8)
  config.seeds = (0, 1, 2)
  return config
