"""Every setting of one training, with its default; what is trained stands in configs/common.py.

python -m tflottery.bin.train --config=configs/train.py --workdir=DIR --config.algorithm=set
"""

import ml_collections
from ml_collections import config_dict

from configs import common


def get_config():
  """RigL on digits at 90 %: seconds on two cores."""
  config = common.get_config()

  # dense, small_dense (a narrower dense network with as many parameters as the sparse one), static,
  # set, rigl, snfs, magnitude, magnitude_extended (first layer dense, last at 80 %), gradual (by another
  # criterion), random, snip, grasp, synflow; slimming (dense, its scales drawn to 0);
  # variational_dropout and l0, whose strength decides how sparse they become.
  # Those of "Rethinking the Value of Network Pruning" prune a trained network: l1_norm_, slimming_ or
  # unstructured_, and fine_tuned, scratch_e or scratch_b, as slimming_scratch_e.
  # Those of "The State of Sparsity" train a network anew under the masks that another one learned:
  # magnitude_, magnitude_extended_, variational_dropout_ or l0_, and ticket (its own initial weights),
  # scratch_e, scratch_b, scratch_e_sparse, scratch_b_sparse (weights drawn wider), or Scratch-B's other
  # learning rates: scratch_b_constant_final, scratch_b_continual_decay, scratch_b_constant_decay.
  config.algorithm = "rigl"
  # The share of the weights that are masked; at the end, where it changes. With l1_norm_ and
  # slimming_ the share of the channels that are removed.
  config.sparsity = 0.9
  # How the layers share it, for static, set, rigl and snfs: "uniform", "equal", "erdos_renyi",
  # "erk", or a dict from pattern to sparsity. The others' stands under their names.
  config.allocation = config_dict.placeholder(object)
  config.allocation = "erk"

  # The arguments of an algorithm stand under its name. begin_step and end_step are durations, as 900,
  # "900it" or "5ep"; without end_step, masks change up to three quarters of the training.
  config.set = _rewiring()
  config.rigl = _rewiring()
  config.snfs = _rewiring()
  config.snfs.momentum = 0.9
  config.magnitude = _pruning()
  config.magnitude_extended = _scheduled()
  config.random = _pruning()
  # Its criterion: any of those that configs/default.py names.
  config.gradual = _pruning()
  config.gradual.criterion = "movement"
  # Of the penalty in the loss: its strength, which rises from 0 at begin_step, "linear" or "cubic", to
  # end_step. Weights whose log alpha reaches the threshold are dropped.
  config.variational_dropout = _regularised(strength=2e-5)
  config.variational_dropout.threshold = 3.0
  config.variational_dropout.clip = 8.0
  config.variational_dropout.log_sigma2 = -10.0
  config.l0 = _regularised(strength=2e-6)
  config.l0.log_alpha = 2.197
  # A global scope ranks all layers together; with scope "layer" an allocation can be given.
  config.snip = ml_collections.ConfigDict({"batches": 1, "scope": "global"})
  config.grasp = ml_collections.ConfigDict({"batches": 1, "scope": "global"})
  config.synflow = ml_collections.ConfigDict({"iterations": 100, "scope": "global"})

  # s of the regulariser, and what the scales of batch normalisation begin at.
  config.slimming = ml_collections.ConfigDict({"strength": 1e-4, "scale": 0.5})
  # Share of the dense training's length, and the learning rate of all its steps.
  config.fine_tuned = ml_collections.ConfigDict({"share": 0.25, "learning_rate": 0.001})
  # As long as dense FLOPs allow, at most so many times the dense training's length.
  config.scratch_b = ml_collections.ConfigDict()
  config.scratch_b.most = config_dict.placeholder(float)

  # Initialisation, data order and masks draw from seeds of their own, made from this one.
  config.seed = 0
  return config


def _rewiring():
  """Arguments of what drops and grows: the share replaced falls from `drop` to 0 at end_step."""
  config = _scheduled()
  config.drop = 0.3
  config.drop_schedule = "cosine"
  return config


def _pruning():
  """Arguments of what prunes step by step, from dense to the sparsity at end_step."""
  config = _scheduled()
  config.scope = "layer"
  config.allocation = config_dict.placeholder(object)
  config.allocation = "erk"
  return config


def _regularised(strength):
  config = ml_collections.ConfigDict({"strength": strength, "ramp": "linear"})
  config.begin_step = config_dict.placeholder(object)
  config.begin_step = 0
  config.end_step = config_dict.placeholder(object)
  return config


def _scheduled():
  config = ml_collections.ConfigDict()
  config.begin_step = config_dict.placeholder(object)
  config.begin_step = 0
  config.end_step = config_dict.placeholder(object)
  config.frequency = 100
  return config
