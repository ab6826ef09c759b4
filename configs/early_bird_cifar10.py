"""Early-Bird tickets of a VGG-16 of half the width on CIFAR-10. You et al. 2020, arXiv:1909.11957.

    TFDS_DATA_DIR=... python -m tflottery.bin.early_bird --config=configs/early_bird_cifar10.py \
      --workdir=DIR

Departs: 12 epochs instead of 160, and the learning rate is halved every second one. The window of five
draws spans the same share of the training, three hundredths, so ten masks are drawn in an epoch. Each
layer loses half of its channels: ranked over the whole network the wide late layers would lose most,
and the early ones, which take the time, hardly any. Weight decay is Keras's, decoupled from the momentum.
"""

from configs import early_bird


def get_config():
  """SGD 0.1 with momentum, 12 epochs of 380 batches: an hour on two cores."""
  config = early_bird.get_config()
  config.dataset = "cifar10"
  # 48,640 images are left: 380 batches of 128 are an epoch, and 38 a tenth of it.
  config.validation_examples = 1360
  config.standardize = True
  config.augment = True
  config.model = "vgg_16"
  config.width = 0.5
  config.batch_size = 128
  config.eval_every = 38
  config.steps = "12ep"
  config.learning_rate_drops = ("2ep", "4ep", "6ep", "8ep", "10ep")
  config.learning_rate_decay = 0.5
  config.scope = "layer"
  return config
