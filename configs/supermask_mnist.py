"""Zhou et al. 2019, arXiv:1905.01067, section 5, LeNet-300-100 on MNIST.

Expected there: a mask without training 86 % on signed constants and 79 % on initial weights; trained
masks 95.3 % on initial weights, 97.8 and 98.0 % rescaled; the trained network 97.7 %.

    TFDS_DATA_DIR=... python -m tflottery.bin.supermask --config=configs/supermask_mnist.py --workdir=DIR
"""

from configs import supermask


def get_config():
  """Three seeds; masks trained for 12,000 steps of 100, the authors' for 2,000 epochs with SGD."""
  config = supermask.get_config()
  config.dataset = "mnist"
  config.steps = 6000
  for own in (config.supermask, config.edge_popup):
    own.steps = 12_000
    own.batch_size = 100
    own.eval_every = 1000
    own.learning_rate_drops = ("8000it",)
  config.seeds = (0, 1, 2)
  return config
