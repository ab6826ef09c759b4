"""Is a pruned network's worth its weights or its shape? Digits, offline in two minutes on two cores.

Expected: from scratch half of the filters learn digits as well as the dense network does (97.5 %), two
points better than fine-tuned from its weights; with slimming and single weights all lie within a point.

    python -m tflottery.bin.compare --config=configs/rethinking_digits.py --workdir=DIR

Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270.
"""

from configs import compare, rethinking_cifar10


def get_config():
  """A small VGG with batch normalisation, half of its channels or weights gone, three seeds."""
  config = compare.get_config()
  config.standardize = True
  config.model = "configs.rethinking_digits:small_vgg"
  config.optimizer = "sgd"
  config.sgd.learning_rate = 0.05
  config.learning_rate_drops = ("200it", "300it")
  config.steps = 400
  config.eval_every = 50
  # So short a training needs a strong one: where no scale nears 0, their order is that of the layers.
  config.slimming.strength = 0.02
  config.algorithms = rethinking_cifar10.ALGORITHMS
  config.sparsities = (0.5,)
  config.seeds = (0, 1, 2)
  return config


def small_vgg(input_shape, classes):
  """Three convolutions of 16, 32 and 64 filters, each batch-normalised, and a Dense layer."""
  import keras
  from keras import layers

  image = x = keras.Input(input_shape, name="image")
  for i, filters in enumerate((16, 32, 64), start=1):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{i}")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"bn{i}")(x)
    x = layers.ReLU(name=f"relu{i}")(x)
    x = layers.MaxPooling2D(name=f"pool{i}")(x)
  x = layers.Flatten(name="flatten")(x)
  return keras.Model(image, layers.Dense(classes, name="output")(x), name="small_vgg")
