"""Every setting of a search, with its default. Other configs start from these and set what differs."""

from ml_collections import config_dict

from configs import common


def get_config():
  """LeNet-300-100 on digits: a minute on two cores. What is trained stands in configs/common.py."""
  config = common.get_config()

  # Rounds of pruning after the dense training; share of the remaining weights that each removes.
  config.levels = 10
  config.rate = 0.2
  # Other rates by pattern, as {"output": 0.1}; the last match counts.
  config.rates = config_dict.placeholder(object)
  # "layer" ranks each layer by itself, "global" all sites of one rate together.
  config.scope = "layer"
  # True: the masks of all levels from the dense network, without iterating.
  config.one_shot = False
  # The step whose weights the survivors return to: "init", "500it" or "2ep".
  config.rewind_to = config_dict.placeholder(object)
  config.rewind_to = "init"
  # "rewind", "continue" (no reset), or "rewind_learning_rate".
  config.start = "rewind"

  # Which of a level's weights are kept, by their initial and final values: large_final, small_final,
  # large_init, small_init, large_init_large_final, small_init_small_final, magnitude_increase,
  # movement, random; each also with _same_sign or _diff_sign (Zhou et al. 2019, arXiv:1905.01067).
  config.criterion = "large_final"
  # What becomes of the kept: rewind, reinit, resample, reshuffle, constant; whether with the signs of
  # the initial weights. What becomes of the pruned: zero, freeze_init, freeze_init_zero_mask,
  # freeze_init_zero_all, freeze_init_zero_rev, freeze_init_zero_reshuffle, freeze_reinit.
  config.kept = "rewind"
  config.keep_sign = False
  config.pruned = "zero"

  # Further criteria, each with tickets of its own, found level by level beside the first's.
  config.criteria = ()
  # Controls beside the winning ticket: reinit, resample, reshuffle, constant, each also with
  # _keep_sign, random_mask, random_mask_global; any of the kept (rewind too) with any of the pruned,
  # as rewind_freeze_init or constant_keep_sign_freeze_init_zero_mask; and the levels they are trained
  # at, () for all.
  config.arms = ()
  config.arm_levels = ()
  # One search per seed; initialisation, data order and masks draw from seeds of their own.
  config.seeds = (0,)

  # Processes that share the seeds and the cores.
  config.workers = 1
  return config
