"""The State of Sparsity on MNIST: LeNet-300-100 by every method, and under learned masks from scratch.

Gale et al. 2019, arXiv:1902.09574.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/state_of_sparsity_mnist.py \
      --workdir=DIR

Departs: another network and data set; Scratch-B ends at twice the length. magnitude_extended is left
out: the first layer holds 88 % of the weights, and it would stay dense.
"""

import ml_collections

from configs import compare, state_of_sparsity_digits

RETRAINED = (
  *(f"magnitude_{way}" for way in state_of_sparsity_digits.WAYS),
  "variational_dropout_ticket",
  "variational_dropout_scratch_e",
)


def get_config():
  """Adam 1.2e-3 with two drops, 8,000 batches of 100, 90 to 98 %, three seeds."""
  config = compare.get_config()
  config.dataset = "mnist"
  config.steps = 8000
  config.batch_size = 100
  config.learning_rate_drops = ("6000it", "7200it")
  config.learning_rate_decay = 0.3
  config.eval_every = 1000
  for name in ("magnitude", "random"):
    config[name].allocation = "equal"
  config.variational_dropout.end_step = 4000
  config.l0.end_step = 2000
  config.grid = ml_collections.ConfigDict(
    {
      "variational_dropout": {"strength": (1e-5, 2e-5, 4e-5)},
      "l0": {"strength": (2e-4, 3e-4, 5e-4)},
    }
  )
  config.scratch_b.most = 2.0
  config.algorithms = (
    "dense", "magnitude", "variational_dropout", "l0", "random", "rigl", *RETRAINED,
  )  # fmt: skip
  config.sparsities = (0.9, 0.95, 0.98)
  config.seeds = (0, 1, 2)
  return config
