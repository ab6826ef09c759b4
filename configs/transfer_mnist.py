"""Morcos et al. 2019 in small: LeNet-300-100 on disjoint halves of MNIST, with two optimizers.

Expected (arXiv:1906.02773, figures 3, 6 and 8, larger networks): tickets of another half, and of the other
optimizer, are as good as the target's own; all beat random tickets, the more the sparser.

    TFDS_DATA_DIR=... python -m tflottery.bin.transfer --config=configs/transfer_mnist.py --workdir=DIR
"""

import ml_collections

from configs import transfer


def get_config():
  """Three seeds; 3,000 steps of 60; tickets of 10.7, 5.5 and 2.8 % of the weights."""
  config = transfer.get_config()
  config.dataset = "mnist"
  # So that an epoch of a half is 450 steps, which run in traces of 50.
  config.validation_examples = 6000
  config.steps = 3000
  config.batch_size = 60
  config.eval_every = 250
  config.sgd = ml_collections.ConfigDict({"learning_rate": 0.02, "momentum": 0.9})
  config.levels = 16
  config.tasks = {
    "mnist_a": {"half": "a"},
    "mnist_b": {"half": "b"},
    "mnist_b_sgd": {"half": "b", "optimizer": "sgd"},
    "digits": {
      "dataset": "digits", "validation_examples": 200, "image_shape": (28, 28, 1), "image_fit": "resize",
      "steps": 1000,
    },
  }  # fmt: skip
  config.sources = ("mnist_a", "mnist_b", "mnist_b_sgd", "digits")
  config.targets = ("mnist_b", "mnist_b_sgd")
  config.transfer_levels = (10, 13, 16)
  config.seeds = (0, 1, 2)
  return config
