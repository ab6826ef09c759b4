"""Every setting of the stability experiment, with its default; configs/common.py has what is trained.

python -m tflottery.bin.stability --config=configs/stability.py --workdir=DIR
"""

from ml_collections import config_dict

from configs import common


def get_config():
  """LeNet-300-100 on digits: two minutes on two cores."""
  config = common.get_config()

  # The steps k whose weights copies begin with and tickets are rewound to: "init", "500it" or "2ep".
  config.rewind_steps = ("init", "100it", "400it")
  # Copies of each network, two or more, and what they differ in: order, augmentation, dropout.
  config.copies = 2
  config.noise = ("order", "augmentation", "dropout")

  # Rounds of pruning after the dense training; share of the remaining weights that each removes, other
  # rates by pattern, and what is ranked together ("layer" or "global"), as in configs/default.py.
  config.levels = 12
  config.rate = 0.2
  config.rates = config_dict.placeholder(object)
  config.rates = {"output": 0.1}
  config.scope = "layer"
  # Controls beside the ticket: reinit, resample, reshuffle, constant, each also with _keep_sign,
  # random_mask, random_mask_global; and the levels whose tickets and controls are trained in all their
  # copies and compared, () for all. Level 0, the dense network, always is.
  config.arms = ("random_mask", "reinit")
  config.arm_levels = (6, 12)

  # Networks on the path between two copies, its ends counted; and the statistics of normalisation
  # there: "interpolate", or "reestimate" on the training examples that the path is measured on.
  config.points = 30
  config.statistics = "interpolate"
  # Examples of the training and of the test split that a path is measured on; None: all.
  config.path_examples = config_dict.placeholder(int)
  # Steps of training that bend the path into a quadratic Bezier curve beside the line; 0: none.
  config.bezier_steps = 0
  config.bezier_learning_rate = 0.01

  # One experiment per seed; initialisation, masks and the noise of each copy draw from seeds of their own.
  config.seeds = (0,)
  # Processes that share the seeds and the cores.
  config.workers = 1
  return config
