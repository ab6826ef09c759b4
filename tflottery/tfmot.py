"""tfmot, imported without changing what `tf.keras` means in the program around it."""

import os

import tensorflow

_SWITCH = "TF_USE_LEGACY_KERAS"


def load():
  """The module `tensorflow_model_optimization`.

  Importing it sets TF_USE_LEGACY_KERAS, and `tf.keras` is resolved once, at its first use: so it is
  resolved before, and the variable restored after. Where tfmot is imported already, nothing changes.
  """
  before = os.environ.get(_SWITCH)
  dir(tensorflow.keras)  # resolves it
  import tensorflow_model_optimization

  if before is None:
    os.environ.pop(_SWITCH, None)
  else:
    os.environ[_SWITCH] = before
  return tensorflow_model_optimization
