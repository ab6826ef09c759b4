"""Zhou et al. 2019, arXiv:1905.01067, sections 3 and 4, LeNet-300-100 on MNIST.

Expected: at 5 % of the weights large_final and magnitude_increase lead, small_* and large_init fail;
what keeps the signs is near the rewound ticket, what does not near random re-initialisation.

    TFDS_DATA_DIR=... python -m tflottery.bin.find_ticket --config=configs/deconstructing_mnist.py --workdir=DIR
"""

from configs import default

_KEPT = ("rewind", "reshuffle", "reshuffle_keep_sign", "constant", "constant_keep_sign")
_PRUNED = ("freeze_init", "freeze_init_zero_mask", "freeze_init_zero_all")


def get_config():
  """Nine criteria, 40 % of the remaining weights per level; the matrix of actions at the sixth, 4.7 %."""
  config = default.get_config()
  config.dataset = "mnist"
  config.steps = 6000
  config.levels = 6
  config.rate = 0.4
  config.rates = {"output": 0.2}
  config.seeds = (0, 1, 2)
  config.criteria = (
    "magnitude_increase", "movement", "large_init_large_final", "large_init", "small_final",
    "small_init", "small_init_small_final", "random",
  )  # fmt: skip
  config.arms = (
    "reinit", "reinit_keep_sign", "resample", "resample_keep_sign", *_KEPT[1:],
    *(f"{kept}_{pruned}" for kept in _KEPT for pruned in _PRUNED),
    "rewind_freeze_init_zero_rev", "rewind_freeze_init_zero_reshuffle",
  )  # fmt: skip
  config.arm_levels = (6,)
  return config
