"""ResNet-20 on CIFAR-10 at 90 %, ERK: growing by gradient, growing at random, and static masks.

Expected: RigL above SET above static masks; five hours on two cores. arXiv:1911.11134.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare --config=configs/compare_cifar10.py --workdir=DIR
"""

from configs import compare, rigl_cifar10


def get_config():
  """The training of configs/rigl_cifar10.py, which SET shares."""
  config = compare.of(rigl_cifar10.get_config())
  config.set.end_step = config.rigl.end_step
  config.sparsities = (0.9,)
  config.seeds = (0, 1, 2)
  return config
