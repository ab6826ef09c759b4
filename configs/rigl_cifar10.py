"""RigL, ResNet-20 on CIFAR-10 at 90 %, ERK. Evci et al. 2020, arXiv:1911.11134.

25 minutes on two cores, too few for the paper's accuracy; --config.steps takes more.

    TFDS_DATA_DIR=... python -m tflottery.bin.train --config=configs/rigl_cifar10.py --workdir=DIR

Departs: a short training; weight decay is Keras's, decoupled from the momentum.
"""

import ml_collections

from configs import train


def get_config():
  """SGD 0.1 with momentum, 6,000 batches of 128, drops after half and three quarters, augmented."""
  config = train.get_config()
  config.dataset = "cifar10"
  config.standardize = True
  config.augment = True
  config.model = "resnet_20"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
  )
  config.steps = 6000
  config.batch_size = 128
  config.learning_rate_drops = ("3000it", "4500it")
  config.eval_every = 500
  config.sparsity = 0.9
  config.rigl.end_step = 4500
  return config
