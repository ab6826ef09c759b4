"""What `model.fit` of either Keras is given to watch masks that are learned."""

import tf_keras

from tflottery import masks as _masks
from tflottery.learned import convert, wrapping


class LearnedMasks(tf_keras.callbacks.Callback):
  """Log the sparsity of a model's learned masks, and refuse a ramp that is longer than the `fit`.

  Works in the `fit` of Keras 3 and of tf_keras. Every epoch's logs get `sparsity`, the share of the
  sites' weights that inference drops: History, the progress bar, and CSVLogger and TensorBoard if
  they stand later in the list of callbacks.

  Args:
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: before the first step of a `fit`, if the model has no learned masks, or the ramp of
      its strength ends after the last step of the `fit`, or begins there. It is not checked where
      Keras does not know how many steps an epoch has.

  >>> import keras, numpy as np, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> model = tfl.l0(keras.Sequential(layers), strength=1e-3)
  >>> model.compile("sgd", "mse")
  >>> history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[LearnedMasks()])
  >>> history.history["sparsity"]
  [0.0]
  """

  def __init__(self, log_sites=False):
    super().__init__()
    self._log_sites = log_sites
    self._began = False

  def on_train_begin(self, logs=None):
    wrapping.computed(self.model)
    self._began = False

  def on_epoch_begin(self, epoch, logs=None):
    if not self._began:  # now weights are restored, and the first epoch is known
      _check_ramp(self.model, self.params, epoch)
    self._began = True

  def on_epoch_end(self, epoch, logs=None):
    if logs is not None:
      masks = convert.kept(self.model)
      logs["sparsity"] = _masks.sparsity(masks)
      if self._log_sites:
        logs.update({f"sparsity/{p}": _masks.sparsity({p: mask}) for p, mask in masks.items()})


def _check_ramp(model, params, epoch):
  ramp = convert.ramp_of(model)
  if ramp is None or params.get("steps") is None:
    return
  argument, needed, done = ramp
  epochs = params["epochs"] - epoch
  if needed > done + epochs * params["steps"]:
    raise ValueError(
      f"{argument}: the ramp of the strength is longer than the training, which ends at step "
      f"{done + epochs * params['steps']} ({done} done, {epochs} epochs of {params['steps']} steps). "
      "Train longer, or make the model with a smaller one."
    )
