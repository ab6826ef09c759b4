"""Seeds: the global random state of Python, NumPy, TensorFlow and both Kerases."""

import keras
import numpy as np
import tf_keras


def set_seed(seed):
  """Seed everything at once: each Keras has a generator that only its own function resets."""
  tf_keras.utils.set_random_seed(seed)
  keras.utils.set_random_seed(seed)


def keeps_state_in_trace(layer):
  """Whether a built layer draws by a generator whose state is in the traced function: tf_keras's dropout.

  Its Attention has such a generator too, which stays unbuilt as long as nothing is dropped.
  """
  return getattr(getattr(layer, "_random_generator", None), "_built", False)


def seeds_of(seed):
  """Separate seeds of initialisation, data order and masks, from one int of at least 0.

  >>> list(seeds_of(0))
  ['initialisation', 'order', 'masks']
  """
  words = np.random.SeedSequence(seed).generate_state(3)
  return dict(zip(("initialisation", "order", "masks"), map(int, words), strict=True))


def noise_of(seed, copy):
  """Separate seeds of the noise of one copy's training: data order, augmentation and dropout.

  Args:
    seed: int, the run's, at least 0.
    copy: int, the copy's number, at least 0.

  >>> list(noise_of(0, 1))
  ['order', 'augmentation', 'dropout']
  """
  words = np.random.SeedSequence([seed, copy], spawn_key=(1,)).generate_state(3)
  return dict(zip(("order", "augmentation", "dropout"), map(int, words), strict=True))
