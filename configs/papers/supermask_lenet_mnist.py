r"""Zhou et al. 2019, arXiv:1905.01067, section 5, LeNet-300-100, at the paper's own length: 2,000 epochs.

Expected there: 95.3 % on initial weights, 98.0 % on signed constants with rescaling. Masks are trained by
SGD at a learning rate of 100, in batches of 250. Not run to its end here.

    TFDS_DATA_DIR=... python -m tflottery.bin.supermask \
        --config=configs/papers/supermask_lenet_mnist.py --workdir=DIR
"""

from configs import supermask_mnist


def get_config():
  """As configs/supermask_mnist.py, but the masks of Zhou et al. by the authors' recipe."""
  config = supermask_mnist.get_config()
  config.trained = (
    "supermask_initial", "supermask_signed_constant", "supermask_initial_rescaled",
    "supermask_signed_constant_rescaled",
  )  # fmt: skip
  own = config.supermask
  own.optimizer, own.batch_size, own.learning_rate_drops = "sgd", 250, ()
  own.steps, own.eval_every = "2000ep", 2200  # 220 steps an epoch
  return config
