r"""Gale et al. 2019, arXiv:1902.09574: ResNet-50 on ImageNet, sparse while it trains, and trained anew.

Expected (the authors' published tables, in %, at sparsities of 50, 80, 90, 95 and 98 %; dense 76.7):
magnitude 76.5, 75.6, 73.9, 70.6, 57.9; variational dropout 76.6, 75.3, 73.8, 71.9, 67.4; random 74.6, 70.2,
65.0, 58.0, 44.0; magnitude's masks trained anew from its own initial weights 74.6, 71.2, 67.4, 62.9, 51.3,
and from others, as long, 74.7, 71.0, 67.3, 62.6 (up to 95 %). Years on two cores: for accelerators, there
with --config.dtype_policy=mixed_bfloat16.

ImageNet must be downloaded by hand; the error of a first start says how.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare \
        --config=configs/papers/state_of_sparsity_resnet_50_imagenet.py --workdir=DIR

Departs: 5,000 training images are held out, by which points of the grid are chosen; the network is that of
keras.applications, see `residual.resnet_50`; weight decay is Keras's, decoupled from the momentum, in which
the paper's grows tenfold, and acts on biases and batch normalisation too; one grid for all sparsities, of
values that the authors' best had; they publish no L0 for this network, whose strengths here are those of
variational dropout.
"""

import ml_collections

from configs import compare, train

# From a hundredth to the whole of the penalty that the authors divide by the 1,281,167 training images.
_STRENGTHS = (7.8e-9, 3.9e-8, 7.8e-8, 3.9e-7, 7.8e-7)


def get_config():
  """SGD 0.4 with Nesterov's momentum, 128,000 batches of 1,024, drops after 30, 60 and 80 epochs."""
  config = train.get_config()
  config.dataset = "imagenet2012"
  config.standardize = True
  config.augment = True
  config.model = "resnet_50"
  config.optimizer = "sgd"
  config.sgd = ml_collections.ConfigDict(
    {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
  )
  config.learning_rate_batch = 256
  config.batch_size = 1024
  config.warmup = "5ep"
  config.learning_rate_drops = ("30ep", "60ep", "80ep")
  config.label_smoothing = 0.1
  config.steps = 128_000
  config.eval_every = 4000

  for name in ("magnitude", "magnitude_extended", "random"):
    config[name].begin_step = 40_000
    config[name].end_step = 100_000
    config[name].frequency = 2000
  for name in ("magnitude", "random"):
    config[name].allocation = "uniform"
  for name in ("variational_dropout", "l0"):
    config[name].begin_step = 40_000
    config[name].end_step = 68_000
  config.variational_dropout.threshold = 0.5
  config.variational_dropout.log_sigma2 = -15.0
  config.scratch_b.most = 2.0

  config = compare.of(config)
  config.algorithms = (
    "dense", "magnitude", "magnitude_extended", "variational_dropout", "l0", "random", "rigl",
    "magnitude_ticket", "magnitude_scratch_e", "magnitude_scratch_b",
  )  # fmt: skip
  config.sparsities = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
  config.grid = ml_collections.ConfigDict(
    {
      "magnitude": {"end_step": (68_000, 76_000, 100_000)},
      "random": {"begin_step": (0, 20_000), "end_step": (40_000, 100_000)},
      "variational_dropout": {"strength": _STRENGTHS},
      "l0": {"strength": _STRENGTHS},
    }
  )
  config.workers = 1
  return config
