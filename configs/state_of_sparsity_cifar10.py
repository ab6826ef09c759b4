"""The State of Sparsity on CIFAR-10: ResNet-8 by every method, and under learned masks from scratch.

Gale et al. 2019, arXiv:1902.09574; hours on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/state_of_sparsity_cifar10.py \
      --workdir=DIR

Departs: another network and data set, images of 16x16, and five epochs by Adam; Scratch-B ends at twice
the length. The threshold of variational dropout is that of the authors' ResNet-50; its variances begin
nearer to it, since a short training can't take them all the way.
"""

import ml_collections

from configs import compare, state_of_sparsity_digits

RETRAINED = (
  "magnitude_ticket", "magnitude_scratch_e", "magnitude_scratch_b", "magnitude_scratch_e_sparse",
  "variational_dropout_ticket", "variational_dropout_scratch_e",
)  # fmt: skip


def get_config():
  """Adam 3e-3 with two drops, 4,000 batches of 64, 90 and 95 %, one seed."""
  config = compare.get_config()
  config.dataset = "cifar10"
  config.image_shape = (16, 16, 3)
  config.image_fit = "resize"
  config.standardize = True
  config.augment = True
  config.model = "resnet_8"
  config.adam.learning_rate = 3e-3
  config.learning_rate_drops = (2800, 3500)
  config.learning_rate_decay = 0.3
  config.steps = 4000
  config.batch_size = 64
  config.eval_every = 1000
  for name in ("magnitude", "random"):
    config[name].allocation = "equal"
  config.variational_dropout.threshold = 0.5
  config.variational_dropout.log_sigma2 = -8.0
  config.variational_dropout.end_step = 2000
  config.l0.end_step = 1000
  config.grid = ml_collections.ConfigDict(
    {
      "magnitude": {"end_step": (1500, 2500)},
      "variational_dropout": {"strength": (1.5e-5, 3e-5, 6e-5)},
      "l0": {"strength": (6e-4, 2e-3)},
    }
  )
  config.scratch_b.most = 2.0
  config.algorithms = (*state_of_sparsity_digits.SPARSIFIED, *RETRAINED)
  config.sparsities = (0.9, 0.95)
  config.seeds = (0,)
  config.workers = 1
  return config
