"""LeNet-300-100 on MNIST at 98 %, ERK: growing by gradient against growing at random, and others.

Expected: RigL at least 0.4 points above SET and 1.5 above static masks; Evci et al. 2020,
arXiv:1911.11134. Four minutes on two cores.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/compare_mnist.py --workdir=DIR
"""

from configs import compare, rigl_mnist


def get_config():
  """The training of configs/rigl_mnist.py, whose steps of the masks all algorithms share."""
  config = compare.of(rigl_mnist.get_config())
  for name in ("set", "snfs", "magnitude", "random"):
    config[name].end_step = config.rigl.end_step
  config.algorithms = ("dense", "small_dense", "static", "set", "rigl", "magnitude", "snip")
  config.sparsities = (0.98,)
  config.seeds = (0, 1, 2)
  return config
