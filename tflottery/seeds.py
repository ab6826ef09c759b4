"""Seeds: the global random state of Python, NumPy, TensorFlow and both Kerases."""

import keras
import tf_keras


def set_seed(seed):
  """Seed everything at once: each Keras has a generator that only its own function resets."""
  tf_keras.utils.set_random_seed(seed)
  keras.utils.set_random_seed(seed)
