"""Slimming: batch-normalisation scales are drawn to 0 while the network trains.

Liu et al., Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017,
arXiv:1708.06519, equation 1.
"""

import tensorflow as tf
import tf_keras

from tflottery import arguments, step, strategies, training
from tflottery.fitting import refuse_another
from tflottery.structured import channels


class Slimming(tf_keras.callbacks.Callback):
  """Adds `strength * sign(scale)` to the gradient of every batch-normalisation scale, in the step.

  That is the subgradient of an L1 penalty, without its value in the reported loss. It is added to
  the aggregated gradients, before the optimizer clips, averages or scales them; the subgradient of a
  scale that is 0 is 0. Scales begin at 0.5 in the paper: `tflottery.structured.set_scales(model)`.

  Works in the `fit` of Keras 3 and of tf_keras, for every `steps_per_execution`, `jit_compile`, and
  under `tf.distribute`. When training ends, the optimizer's step is its own again; after a `fit` that
  was interrupted, when it is compiled anew or the next `fit` with this callback ends. One callback of
  a `fit` can change the step: this one, or one that holds masks.

  Args:
    strength: the s of the paper, above 0: 1e-4 there for VGG, 1e-5 for ResNet-164 and DenseNet-40.

  Raises:
    ValueError: when `fit` starts, if the model has no batch normalisation with a scale that trains,
      or another callback changes the step.

  >>> import keras, numpy as np
  >>> layer = keras.layers.BatchNormalization()
  >>> model = keras.Sequential([keras.Input((2,)), layer])
  >>> model.compile(keras.optimizers.SGD(1.0), lambda y, x: 0.0 * x)
  >>> _ = model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0, callbacks=[Slimming(0.25)])
  >>> layer.gamma.numpy().tolist()
  [0.75, 0.75]
  """

  def __init__(self, strength=1e-4):
    super().__init__()
    self.strength = arguments.positive("strength", strength)
    self._optimizer = None
    self._trains = False

  def set_model(self, model):
    # Here and not in on_train_begin: fit makes the train function in between.
    self.release()
    super().set_model(model)
    self._trains = False
    strategies.check(model)
    found = channels.scales(model)
    self._optimizer = step.innermost(model)
    self._take_over(step.owner(self._optimizer))
    with model.distribute_strategy.scope():
      self._optimizer.build(model.trainable_variables)
    trained = {id(variable) for variable in model.trainable_variables}
    scales = [scale for scale in found.values() if id(scale) in trained]
    keys = {self._optimizer._var_key(scale) for scale in scales}
    if not keys:
      raise ValueError(f"model {model.name!r}: every scale is frozen. Make one trainable.")

    def gradient(value, variable):
      if not self._trains or value is None or self._optimizer._var_key(variable) not in keys:
        return value
      sign = tf.sign(tf.cast(tf.convert_to_tensor(variable), value.dtype))
      return value + self.strength * sign

    step.hook(self._optimizer, gradient, owner=self)
    model.train_function = None  # a function already traced would not see the hook

  def on_train_begin(self, logs=None):
    refuse_another(self.model, self)
    self._trains = True

  def on_train_end(self, logs=None):
    self._trains = False
    self.release()

  def on_test_begin(self, logs=None):
    if not self._trains:  # an evaluate by itself
      self.release()

  def _take_over(self, owner):
    if isinstance(owner, training.HeldMasks) and owner.holder is None:
      raise ValueError(
        f"Masks are held on model {self.model.name!r}, and only one thing can change its optimizer's "
        "step. Release them before it is trained with Slimming."
      )
    if owner is not None:  # of an interrupted fit, or of another callback, which will say so
      owner.release()

  def release(self):
    """Give the optimizer its own step back."""
    if self._optimizer is not None and step.owner(self._optimizer) is self:
      step.unhook(self._optimizer)
      self.model.train_function = None
