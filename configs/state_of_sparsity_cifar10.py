"""The State of Sparsity on CIFAR-10: ResNet-8 by every method, and under learned masks from scratch.

Gale et al. 2019, arXiv:1902.09574; hours on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/state_of_sparsity_cifar10.py \
      --workdir=DIR

Departs: another network and data set, and a short training; Scratch-B ends at twice the length; weight
decay is Keras's, decoupled from the momentum.
"""

import ml_collections

from configs import compare, rigl_cifar10, state_of_sparsity_digits

RETRAINED = tuple(
  f"{source}_{way}"
  for source in ("magnitude", "variational_dropout")
  for way in ("ticket", "scratch_e", "scratch_b", "scratch_b_sparse")
)


def get_config():
  """The training of configs/rigl_cifar10.py; 80 to 95 %, one seed."""
  config = compare.of(rigl_cifar10.get_config())
  config.model = "resnet_8"
  for name in ("magnitude", "magnitude_extended", "random"):
    config[name].end_step = 4500
  config.grid = ml_collections.ConfigDict(
    {
      "variational_dropout": {"strength": (3e-6, 1e-5, 3e-5)},
      "l0": {"strength": (1e-6, 3e-6, 1e-5)},
    }
  )
  config.scratch_b.most = 2.0
  config.algorithms = (*state_of_sparsity_digits.SPARSIFIED, *RETRAINED)
  config.sparsities = (0.8, 0.9, 0.95)
  return config
