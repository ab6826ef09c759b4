"""Callbacks for `model.fit` of either Keras."""

import tf_keras

from tflottery import training


class HoldMasks(tf_keras.callbacks.Callback):
  """Hold masks while `fit` runs; afterwards the model is plain Keras and its weights are sparse.

  Works in the `fit` of Keras 3 and of tf_keras. Every checkpoint and validation pass sees exact
  zeros. The masks travel in the checkpoints of the training as variables of the optimizer, so
  `BackupAndRestore` brings them back; when training ends they leave the optimizer.

  Args:
    masks: dict from site path to bool array, or a function of the model that returns one.

  Raises:
    ValueError, TypeError: when `fit` starts, if the masks do not fit the model; see
      `tflottery.hold`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> masks = {"fc/kernel": np.array([[True], [False]])}
  >>> history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[HoldMasks(masks)])
  >>> float(model.get_weights()[0][1, 0])
  0.0
  """

  def __init__(self, masks):
    super().__init__()
    self._masks = masks
    self._held = None
    self._began = False

  def set_model(self, model):
    # Here and not in on_train_begin: fit makes the train function in between, and
    # BackupAndRestore looks for the masks before.
    super().set_model(model)
    self._held = training.hold(model, self._masks(model) if callable(self._masks) else self._masks)

  def on_train_begin(self, logs=None):
    self._began = False

  def on_epoch_begin(self, epoch, logs=None):
    if not self._began:  # other callbacks may have loaded weights when the training began
      self._held.enforce()
    self._began = True

  def on_train_end(self, logs=None):
    self._held.release()
