"""Evci et al. 2020, LeNet-300-100 on MNIST at 98 %, ERK: growing by gradient against growing at random.

Expected: RigL at least 0.4 points above SET, and 1.5 above static masks. arXiv:1911.11134.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/compare_mnist.py --workdir=DIR
"""

from configs import compare


def get_config():
  """Adam 1.2e-3, 6,000 batches of 60, masks change every 100 steps up to step 4,500."""
  config = compare.get_config()
  config.dataset = "mnist"
  config.steps = 6000
  config.eval_every = 500
  config.algorithms = ("dense", "small_dense", "static", "set", "rigl", "magnitude", "snip")
  config.sparsities = (0.98,)
  config.seeds = (0, 1, 2)
  for name in ("set", "rigl", "snfs", "magnitude"):
    config[name].end_step = 4500
  return config
