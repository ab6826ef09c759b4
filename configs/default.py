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

  # Controls beside the winning ticket: reinit, resample, reshuffle, constant, each also with
  # _keep_sign, random_mask, random_mask_global; and the levels they are trained at, () for all.
  config.arms = ()
  config.arm_levels = ()
  # One search per seed; initialisation, data order and masks draw from seeds of their own.
  config.seeds = (0,)

  # Processes that share the seeds and the cores.
  config.workers = 1
  return config
