"""Supermask: train one logit per weight, and no weight."""

import dataclasses
from typing import ClassVar

import keras
import tensorflow as tf
import tf_keras

from tflottery import arguments
from tflottery.learned import wrapping
from tflottery.learned.frozen_weights import frozen_weights


@keras.saving.register_keras_serializable(package="tflottery")
@tf_keras.saving.register_keras_serializable(package="tflottery")
@dataclasses.dataclass(frozen=True)
class Bernoulli:
  """weight * mask, the mask drawn with probabilities sigmoid(logits), or rounded without noise.

  Attributes:
    weights, seed: how the frozen weights came about; see `supermask`.
    rescale: whether the kept weights are multiplied by size / kept.
  """

  weights: str
  seed: int | None
  rescale: bool

  parameters: ClassVar = ("logits",)
  noise: ClassVar = "weight"
  penalised: ClassVar = False
  trains_weights: ClassVar = False

  def initial(self, shape, site):
    return {"logits": tf.zeros(shape)}

  def weight(self, weight, parameters, noise):
    mask = self._mask(parameters["logits"], noise)
    return weight * (mask * self.multiple(mask))

  def multiple(self, mask):
    """What the kept weights are multiplied by: float scalar; gradients flow to the float mask."""
    if not self.rescale:
      return tf.ones([], mask.dtype)
    return tf.cast(tf.size(mask), mask.dtype) / tf.maximum(tf.reduce_sum(mask), 1)

  def kept(self, weight, parameters):
    """The rounded mask, bool tensor: a logit of exactly 0 is dropped."""
    return parameters["logits"] > 0

  def expected(self, weight, parameters):
    """The probabilities that weights are kept, float tensor."""
    return tf.sigmoid(parameters["logits"])

  def _mask(self, logits, noise):
    if noise is None:
      return tf.cast(logits > 0, logits.dtype)
    chance = tf.sigmoid(logits)
    sample = tf.cast(noise < chance, chance.dtype)
    return sample + (chance - tf.stop_gradient(chance))

  def get_config(self):
    return dataclasses.asdict(self)


def supermask(
  model, *, weights="initial", seed=None, rescale=False, only=None, exclude=None, sample_seed=0
):
  """A new model that learns by its masks alone: weights stay, and one logit for each is trained.

  In a training call each mask is drawn anew, 1 with probability sigmoid(logit), and the kernel is
  weight * mask. Backwards the draw counts as its probability (straight-through):
  dL/dlogit = dL/dmask * s * (1 - s), s = sigmoid(logit). All logits start at 0. In inference the mask
  is rounded: a weight is kept where its logit is above 0, and dropped at exactly 0, so that at the
  start all are. `learned.evaluate` looks at drawn masks.

  Compile the model with any optimizer and call `fit`. Learning rates must be large, since gradients
  shrink by w * s * (1 - s): the authors train LeNet-300-100 by SGD with a learning rate of 100. Biases,
  scales and offsets are frozen, moving statistics of BatchNormalization move as usual (those of one
  inside another layer, a `TimeDistributed` for instance, or of a derived class, stay). `learned.masks`, `.ticket` and
  `.plain` give the masks, the ticket and the plain model of what was learnt.

  Source: Zhou et al., Deconstructing Lottery Tickets, NeurIPS 2019, arXiv:1905.01067, section 5.
  Departs: the authors do not train biases and start them at 0; here they stay what they are.

  Args:
    model: a built Sequential or functional model of either Keras, nested ones too; it stays as it is.
    weights: "initial" keeps the weights as they are; "signed_constant" takes their signs times the
      standard deviation of the site's weights (of the population).
    seed: None takes the model's own weights; an int of at least 0 draws those of the sites anew from
      their layers' initializers, so that a ticket needs only the seed and the bits.
    rescale: True multiplies the kept weights by size / kept of the same mask, at least by size where
      none is kept ("dynamic weight rescaling"); gradients flow through the count too.
    only, exclude: regular expressions of sites, as in `tfl.sites`; other weights are dense and frozen.
    sample_seed: int of at least 0. The masks of a layer's n-th training call are a function of it, the
      site and n, the same bits on every replica, with XLA or without. A layer that is called twice in
      a step draws twice. The count is a variable of the model, so a restored one draws on.

  Returns:
    A new uncompiled model of the same Keras, with copies of the weights.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: an argument is out of range, or the model has layers that can't be served (recurrent,
      attention, custom, subclassed, tfmot's wrappers); names them and the cure.

  >>> import numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [3.0]]), np.zeros(1)])
  >>> masked = supermask(model)
  >>> [w.name for w in masked.trainable_weights]
  ['kernel_logits']
  >>> masked.layers[0].kernel_logits.assign([[1.0], [-1.0]]) is not None
  True
  >>> masked.predict(np.ones((1, 2)), verbose=0).tolist()
  [[2.0]]
  """
  found = wrapping.sites(model, only=only, exclude=exclude, method="supermask")
  seed = seed if seed is None else arguments.whole("seed", seed, least=0)
  sample_seed = arguments.whole("sample_seed", sample_seed, least=0)
  values = frozen_weights(found, weights, seed)
  return wrapping.wrapped(
    model, found, values, Bernoulli(weights, seed, bool(rescale)), sample_seed
  )
