"""Every setting of the transfer experiment, with its default; configs/default.py has the search's.

As in Morcos et al. 2019, One Ticket to Win Them All, arXiv:1906.02773: global pruning of 20 % a level,
rewound to the end of the first epoch.

python -m tflottery.bin.transfer --config=configs/transfer.py --workdir=DIR
"""

import ml_collections
from ml_collections import config_dict

from configs import default


def get_config():
  """LeNet-300-100 on digits, its halves and half of its classes."""
  config = default.get_config()
  config.sgd = ml_collections.ConfigDict({"learning_rate": 0.05, "momentum": 0.9})
  config.steps = 600
  config.batch_size = 30
  config.levels = 16
  config.scope = "global"
  config.rewind_to = "1ep"

  # Tasks by name: what differs in each from the settings of configs/common.py that stand above; under an
  # optimizer's name those of its arguments that differ.
  config.tasks = config_dict.placeholder(object)
  config.tasks = {
    "digits_a": {"half": "a"},
    "digits_b": {"half": "b"},
    "digits_b_sgd": {"half": "b", "optimizer": "sgd"},
    "digits_low": {"labels": (0, 1, 2, 3, 4)},
  }
  # Where tickets are found, and where they are trained. On a target that is a source too, its ticket is
  # the one that was found on the target itself. Images of a target are brought to its source's shape.
  config.sources = ("digits_a", "digits_b", "digits_low")
  config.targets = ("digits_b", "digits_b_sgd")
  # The levels whose tickets are moved.
  config.transfer_levels = (10, 13, 16)
  # Beside each ticket, fresh weights under random masks with the ticket's count in every layer
  # (random_layerwise) or only in the whole network (random_global).
  config.controls = ("random_layerwise", "random_global")
  # Patterns for the weights that every moved ticket gets afresh, as ("fc2", "output"); "" is the last
  # layer, where class counts differ.
  config.head = ""
  # Where source and target have other models: from a layer of the target's to one of the source's, or to
  # None for fresh weights. Layers that are not named match by their own name.
  config.mapping = config_dict.placeholder(object)
  # What a masked layer with fresh weights is: "dense", or "random" with its source's sparsity.
  config.fresh = "dense"
  return config
