"""Early-Bird tickets of ResNet-20 on digits: offline, in two minutes on two cores.

Expected: drawn in the first third of training, and within a point of the dense network, with about a
third of its FLOPs. It saves no seconds here: most of those of so short a training are tracing.

python -m tflottery.bin.early_bird --config=configs/early_bird_digits.py --workdir=DIR
"""

from configs import early_bird


def get_config():
  """Half of the channels of a ResNet-20 of half width, 30 epochs, drawn early and late to compare."""
  config = early_bird.get_config()
  config.width = 0.5
  config.standardize = True
  config.learning_rate_drops = ("315it", "473it")
  config.draw_at = ("2ep", "20ep")
  return config
