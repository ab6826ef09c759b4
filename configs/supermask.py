"""Every setting of the supermask experiment, with its default; configs/common.py has what is trained.

python -m tflottery.bin.supermask --config=configs/supermask.py --workdir=DIR
"""

import ml_collections
from ml_collections import config_dict

from configs import common


def get_config():
  """LeNet-300-100 on digits: two minutes on two cores."""
  config = common.get_config()

  # Masks without training: of these criteria (configs/default.py names all), from the dense network
  # at once, after so many rounds of pruning at these rates, as in a one-shot search.
  config.criteria = (
    "large_final_same_sign", "large_final", "large_final_diff_sign", "magnitude_increase", "movement",
    "large_init_large_final", "large_init", "small_final", "small_init", "random",
  )  # fmt: skip
  config.levels = 16
  config.rate = 0.2
  config.rates = config_dict.placeholder(object)
  config.rates = {"output": 0.1}
  # The weights under them: initial, signed_constant (the layer's standard deviation with the initial
  # signs); and whether they are multiplied by the layer's size over the weights kept.
  config.weights = ("initial", "signed_constant")
  config.rescale = (False,)

  # Masks that are trained: supermask or edge_popup, with _initial or _signed_constant weights, and
  # _rescaled for weights multiplied by size over weights kept (edge_popup: by its square root).
  config.trained = (
    "supermask_initial", "supermask_signed_constant", "supermask_initial_rescaled",
    "supermask_signed_constant_rescaled", "edge_popup_signed_constant_rescaled",
  )  # fmt: skip
  # How they are trained: settings of configs/common.py (a config file can add others of them); and the
  # share of the weights that edge_popup leaves out of every layer.
  config.supermask = _training({"learning_rate": 0.1})
  config.edge_popup = _training({"learning_rate": 0.001})
  config.edge_popup.sparsity = 0.5
  # Networks that a supermask is measured by: each is drawn from its probabilities.
  config.samples = 10
  # One experiment per seed; initialisation, data order and masks draw from seeds of their own.
  config.seeds = (0,)
  return config


def _training(adam):
  """How masks are trained; the other optimizer is the authors'."""
  sgd = {"learning_rate": 100.0, "momentum": 0.9}
  config = ml_collections.ConfigDict({"optimizer": "adam", "adam": adam, "sgd": sgd})
  config.steps = config_dict.placeholder(object)
  config.steps = 2400
  config.batch_size = 60
  config.eval_every = 200
  config.learning_rate_drops = ()
  return config
