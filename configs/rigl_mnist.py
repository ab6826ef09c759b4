"""RigL, LeNet-300-100 on MNIST at 98 %, ERK. Evci et al. 2020, arXiv:1911.11134.

Expected: 96 % test accuracy, where the dense network has 98 %; half a minute on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.train --config=configs/rigl_mnist.py --workdir=DIR
"""

from configs import train


def get_config():
  """Adam 1.2e-3, 6,000 batches of 60; every 100 steps 30 % of the weights and less are replaced."""
  config = train.get_config()
  config.dataset = "mnist"
  config.steps = 6000
  config.eval_every = 500
  config.sparsity = 0.98
  config.rigl.frequency = 100
  config.rigl.drop = 0.3
  config.rigl.end_step = 4500
  return config
