"""The State of Sparsity on digits: sparsify while training, or train from scratch under learned masks?

Offline, some minutes on two cores. What becomes sparse while it is trained has few steps for it, so the
strengths are large and gates begin half open. Gale et al. 2019, arXiv:1902.09574.

    python -m tflottery.bin.compare --config=configs/state_of_sparsity_digits.py --workdir=DIR
"""

import ml_collections

from configs import compare

# While it is trained, and then what is trained anew under the masks of a source.
SPARSIFIED = (
  "dense", "magnitude", "magnitude_extended", "variational_dropout", "l0", "random", "rigl",
)  # fmt: skip
WAYS = (
  "ticket", "scratch_e", "scratch_b", "scratch_e_sparse", "scratch_b_sparse",
  "scratch_b_constant_final", "scratch_b_continual_decay", "scratch_b_constant_decay",
)  # fmt: skip


def get_config():
  """A small VGG at 80 and 90 %, 600 steps with two drops of the learning rate, one seed."""
  config = compare.get_config()
  config.standardize = True
  # "extended" leaves the first layer dense: it must be a small one.
  config.model = "configs.rethinking_digits:small_vgg"
  config.adam.learning_rate = 1e-2
  config.learning_rate_drops = ("450it", "550it")
  config.steps = 600
  for name in ("magnitude", "random"):
    config[name].allocation = "equal"
  config.variational_dropout.log_sigma2 = -8.0
  config.l0.log_alpha = 0.5
  config.l0.end_step = 200
  config.grid = ml_collections.ConfigDict(
    {
      "magnitude": {"end_step": ("300it", "450it")},
      "variational_dropout": {"strength": (2e-4, 5e-4)},
      "l0": {"strength": (2e-3, 3e-3)},
    }
  )
  config.scratch_b.most = 2.0
  config.algorithms = (*SPARSIFIED, *(f"magnitude_{way}" for way in WAYS))
  config.algorithms += ("variational_dropout_ticket", "variational_dropout_scratch_b")
  config.sparsities = (0.8, 0.9)
  return config
