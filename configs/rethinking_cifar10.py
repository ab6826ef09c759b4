"""Prune and fine-tune, or train what is left from scratch: a VGG-16 of a quarter's width on CIFAR-10.

Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270, at its high learning rate;
--config.sgd.learning_rate=0.01 for the low one, at which inherited weights should help more. Some
hours on two cores; half of the channels of each way are removed, or half of the weights.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/rethinking_cifar10.py --workdir=DIR

Departs: Scratch-B ends at twice the dense length, as on ImageNet, though half the filters would allow
four times; 30 epochs and not 160, batches of 128 and not 64; weight decay is Keras's, decoupled from the
momentum; a narrower network.
"""

import ml_collections

from configs import compare

ALGORITHMS = (
  "dense", "slimming",
  "l1_norm_fine_tuned", "l1_norm_scratch_e", "l1_norm_scratch_b",
  "slimming_fine_tuned", "slimming_scratch_e", "slimming_scratch_b",
  "unstructured_fine_tuned", "unstructured_scratch_e", "unstructured_scratch_b",
)  # fmt: skip


def get_config():
  """SGD 0.1 with momentum, 30 epochs, drops after half and three quarters, augmented, one seed."""
  config = compare.get_config()
  config.dataset = "cifar10"
  config.standardize = True
  config.augment = True
  config.model = "configs.rethinking_cifar10:narrow_vgg_16"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
  )
  config.steps = "30ep"
  config.batch_size = 128
  config.learning_rate_drops = ("15ep", "22ep")
  config.eval_every = 351
  config.scratch_b.most = 2.0
  config.algorithms = ALGORITHMS
  config.sparsities = (0.5,)
  return config


def narrow_vgg_16(input_shape, classes):
  """VGG-16 of a quarter of its filters."""
  import keras

  from tflottery.experiments import models

  return models.vgg_16(keras, input_shape, classes, width=0.25)
