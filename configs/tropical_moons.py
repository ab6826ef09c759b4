"""Every setting of the tropical experiment, with its default; configs/common.py has what is trained.

python -m tflottery.bin.tropical --config=configs/tropical_moons.py --workdir=DIR
"""

from ml_collections import config_dict

from configs import common


def get_config():
  """100 ReLUs on two moons, ten seeds."""
  config = common.get_config()
  config.dataset = "moons"
  # A network of the form affine, ReLU, affine: affine_relu_affine with so many hidden units, or
  # "module:function", which has its own.
  config.model = "affine_relu_affine"
  config.hidden = 100
  config.optimizer = "sgd"
  config.steps = 1000
  config.batch_size = 60
  config.eval_every = 25

  # The two classes between which the decision boundary is looked at, after `labels`.
  config.pair = (0, 1)
  # The plane that inputs of more than two numbers are looked at in: "generators", the principal plane of
  # the trained dense network's polytopes, or "data", that of the two classes.
  config.plane = "generators"

  # Rounds of magnitude pruning after the dense training, in each layer; share of the remaining weights
  # that each removes, and other rates by pattern.
  config.levels = 8
  config.rate = 0.3
  config.rates = config_dict.placeholder(object)
  config.rates = {}
  # What the subnetworks are trained again from, beside the ticket's initial weights: glorot, gaussian,
  # reshuffle, sign_kept, zero_mean.
  config.controls = ("glorot", "gaussian", "reshuffle", "sign_kept", "zero_mean")

  # Rules by which the dense network is pruned without training it again, and the shares removed.
  config.rules = ("tropical", "class_blind", "class_uniform", "class_distribution")
  config.shares = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

  # One experiment per seed; initialisation, data order and controls draw from seeds of their own.
  config.seeds = tuple(range(10))
  # Processes that share the seeds and the cores.
  config.workers = 2
  return config
