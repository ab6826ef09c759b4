"""Every setting of an Early-Bird training, with its default; configs/common.py has what is trained.

python -m tflottery.bin.early_bird --config=configs/early_bird.py --workdir=DIR
"""

import ml_collections
from ml_collections import config_dict

from configs import common


def get_config():
  """ResNet-20 on digits, half of its channels: configs/early_bird_digits.py is tuned a little."""
  config = common.get_config()
  config.model = "resnet_20"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
  )
  # Masks are drawn, and accuracy is measured, every eval_every steps: an epoch of 1,294 images here.
  config.batch_size = 60
  config.eval_every = 21
  config.steps = 630

  # What the units and filters of the hidden layers are multiplied by.
  config.width = 1.0
  # Where batch-normalisation scales begin, and s, the strength that draws them to 0 in the search
  # (and in the dense training) and in retraining; 0 leaves the regulariser out.
  config.initial_scale = 0.5
  config.slimming = 1e-4
  config.retraining_slimming = 1e-4

  # The shares of the channels to remove; each has its ticket.
  config.shares = (0.5,)
  # "global" ranks the channels of the whole network together, "layer" those of each layer.
  config.scope = "global"
  # Whether channels that go together are ranked by the mean of their scores, or each by itself.
  config.grouped = True
  # A ticket is drawn when the newest of so many masks differs from the others by at most this share.
  config.window = 5
  config.threshold = 0.1
  # The last step at which it can be drawn, as "10ep"; None: the last draw before the end.
  config.search_limit = config_dict.placeholder(object)
  # Durations at which tickets are drawn in any case, to compare with, as ("2ep", "8ep").
  config.draw_at = ()

  # Of the search: float32, mixed_bfloat16, or int8 (simulated in the forward pass). Retraining is in
  # float32; so is the dense network, which then is a training of its own.
  config.precision = "float32"
  # Trained beside the ticket: dense (the search, gone on with), plain_dense (no regulariser, scales
  # from 1), reinit (the ticket's network with new weights, trained in full).
  config.controls = ("dense", "reinit")
  # One experiment per seed; initialisation and data order draw from seeds of their own.
  config.seeds = (0,)
  return config
