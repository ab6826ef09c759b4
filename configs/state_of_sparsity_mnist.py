"""The State of Sparsity on MNIST: LeNet-300-100 by every method, and under learned masks from scratch.

Gale et al. 2019, arXiv:1902.09574; two hours on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/state_of_sparsity_mnist.py \
      --workdir=DIR

Departs: another network and data set; Scratch-B ends at twice the length.
"""

import ml_collections

from configs import compare, state_of_sparsity_digits

# Without "extended": the first layer, which it leaves dense, has nine of ten weights.
SPARSIFIED = tuple(
  name for name in state_of_sparsity_digits.SPARSIFIED if name != "magnitude_extended"
)
RETRAINED = tuple(
  f"{source}_{way}"
  for source in ("magnitude", "variational_dropout")
  for way in state_of_sparsity_digits.WAYS
)


def get_config():
  """Adam 1.2e-3 with two drops, 9,000 batches of 100, 90 to 98 %, three seeds."""
  config = compare.get_config()
  config.dataset = "mnist"
  config.steps = 9000
  config.batch_size = 100
  config.learning_rate_drops = ("6000it", "8000it")
  config.eval_every = 1000
  for name in ("magnitude", "random", "rigl"):
    config[name].end_step = 6000
  config.grid = ml_collections.ConfigDict(
    {
      "magnitude": {"end_step": (4500, 6000)},
      "variational_dropout": {"strength": (3e-6, 1e-5, 2e-5)},
      "l0": {"strength": (1e-6, 3e-6, 1e-5)},
    }
  )
  config.scratch_b.most = 2.0
  config.algorithms = (
    *state_of_sparsity_digits.SPARSIFIED,
    *RETRAINED,
    "l0_ticket",
    "l0_scratch_b",
  )
  config.sparsities = (0.9, 0.95, 0.98)
  config.seeds = (0, 1, 2)
  return config
