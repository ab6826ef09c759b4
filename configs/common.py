"""What every experiment trains, with its default; no experiment by itself."""

import ml_collections
from ml_collections import config_dict


def get_config():
  """LeNet-300-100 on digits."""
  config = ml_collections.ConfigDict(convert_dict=False)

  # Data: a TensorFlow Datasets name with images and labels, or scikit-learn's digits (offline), or points
  # of the plane: moons, circles, blobs; or sequences: sort_digits, reverse_digits, ted_hrlr_translate/PAIR,
  # wmt14_translate/PAIR as wmt14_translate/en-de.
  config.dataset = "digits"
  # Where it is prepared; "" is the environment variable TFDS_DATA_DIR, else ~/tensorflow_datasets.
  config.data_dir = ""
  # Examples held out from the end of the training split; None: 5,000, or 10 % of a small one.
  config.validation_examples = config_dict.placeholder(int)
  # One of two disjoint halves of the training split, "a" or "b" (validation included); "" for all.
  config.half = ""
  # Classes that are kept, as (0, 1, 2), renumbered from 0 in this order; () for all.
  config.labels = ()
  # (height, width, channels) that images are brought to; () leaves them as they are.
  config.image_shape = ()
  # "pad" puts zeros around them, "resize" interpolates.
  config.image_fit = "pad"
  # Subtract each channel's mean and divide by its standard deviation; otherwise pixels are in [0, 1].
  config.standardize = False
  # Random flips, and crops of images padded by 4 pixels.
  config.augment = False

  # The Keras that trains: "keras" (Keras 3) or "tf_keras".
  config.keras = "keras"
  # lenet_300_100, affine_relu_affine, conv_2, conv_4, conv_6, resnet_8, resnet_20, resnet_50, vgg_16,
  # vgg_19, wide_resnet_10_2, wide_resnet_22_2, wide_resnet_28_10; transformer or transformer_base for
  # sequences; or "module:function".
  config.model = "lenet_300_100"
  # Patterns (regular expressions on paths) that choose the weights to prune; "" is the default.
  config.only = ""
  config.exclude = ""

  # The optimizer; its arguments stand under its name.
  config.optimizer = "adam"
  config.adam = ml_collections.ConfigDict({"learning_rate": 1.2e-3})
  config.sgd = ml_collections.ConfigDict({"learning_rate": 0.1, "momentum": 0.9})
  config.adamw = ml_collections.ConfigDict({"learning_rate": 1.2e-3, "weight_decay": 0.004})
  # Linear warm-up, and durations after which the learning rate is multiplied by the decay.
  config.warmup = config_dict.placeholder(object)
  config.warmup = "0it"
  config.learning_rate_drops = ()
  config.learning_rate_decay = 0.1

  # None: the optimizer's learning rate is that of every batch; or the batch size that it is meant for, by
  # which it grows in proportion, as 256 in "0.1 at 256".
  config.learning_rate_batch = config_dict.placeholder(int)
  # Share of the probability that the loss spreads evenly over all classes, in [0, 1).
  config.label_smoothing = 0.0
  # float32; on accelerators mixed_bfloat16 (TPU and GPU) or mixed_float16 (GPU, with a scaled loss).
  config.dtype_policy = "float32"

  # Length of the training: steps (an int or "6000it") or epochs ("20ep").
  config.steps = config_dict.placeholder(object)
  config.steps = 1200
  config.batch_size = 60
  # Steps between two evaluations on the validation split.
  config.eval_every = 100

  # "" for one device, "mirrored" for `replicas` of them (logical CPUs where there is no GPU).
  config.strategy = ""
  config.replicas = 2
  # None: picked by rule; they change speed, and the last bits of results.
  config.jit_compile = config_dict.placeholder(bool)
  config.steps_per_execution = config_dict.placeholder(int)
  return config
