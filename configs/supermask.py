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
  # _rescaled for weights multiplied by size over weights kept.
  config.trained = (
    "supermask_initial", "supermask_signed_constant", "supermask_initial_rescaled",
    "supermask_signed_constant_rescaled", "edge_popup_signed_constant_rescaled",
  )  # fmt: skip
  # How they are trained: any of the settings of configs/common.py; and the share of the weights that
  # edge_popup leaves out of every layer.
  config.supermask = ml_collections.ConfigDict(
    {"optimizer": "adam", "adam": {"learning_rate": 0.1}, "steps": 2400, "eval_every": 200}
  )
  config.edge_popup = ml_collections.ConfigDict(
    {
      "sparsity": 0.5, "optimizer": "adam", "adam": {"learning_rate": 0.001}, "steps": 2400,
      "eval_every": 200,
    }
  )  # fmt: skip
  # Networks that a supermask is measured by: each is drawn from its probabilities.
  config.samples = 10
  # One experiment per seed; initialisation, data order and masks draw from seeds of their own.
  config.seeds = (0,)
  return config
