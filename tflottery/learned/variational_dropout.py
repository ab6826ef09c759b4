"""Variational dropout: train the mean and the variance of each weight, and drop those that are noise."""

import dataclasses
import numbers
from typing import ClassVar

import keras
import tensorflow as tf
import tf_keras

from tflottery import arguments
from tflottery.learned import ramps, wrapping

_EPSILON = 1e-8
_K1, _K2, _K3 = 0.63576, 1.8732, 1.48695


@keras.saving.register_keras_serializable(package="tflottery")
@tf_keras.saving.register_keras_serializable(package="tflottery")
@dataclasses.dataclass(frozen=True)
class Gaussian:
  """Weights that are normal with mean theta, the layer's own weight, and variance alpha * theta^2.

  Attributes:
    strength, begin_step, end_step, ramp, threshold, clip, log_sigma2: see `variational_dropout`.
  """

  strength: float
  begin_step: int
  end_step: int
  ramp: str
  threshold: float
  clip: float
  log_sigma2: float

  parameters: ClassVar = ("log_sigma2",)
  noise: ClassVar = "output"
  penalised: ClassVar = True
  trains_weights: ClassVar = True

  def initial(self, shape, site):
    return {"log_sigma2": tf.fill(shape, self.log_sigma2)}

  def weight(self, weight, parameters, noise):
    return weight * tf.cast(self.kept(weight, parameters), weight.dtype)

  def variance(self, weight, parameters):
    """sigma^2, of log_alpha as it is clipped."""
    scale = _log_square(weight)
    return tf.exp(self._clipped(parameters["log_sigma2"] - scale) + scale)

  def kept(self, weight, parameters):
    """log_alpha < threshold, bool tensor: at the threshold itself a weight is dropped."""
    return _log_alpha(weight, parameters) < self.threshold

  def expected(self, weight, parameters):
    """The mask as 0 and 1, float tensor."""
    return tf.cast(self.kept(weight, parameters), tf.float32)

  def penalty(self, weight, parameters, step):
    divergence = tf.reduce_sum(kl_divergence(self._clipped(_log_alpha(weight, parameters))))
    return ramps.strength(self, step, weight.dtype) * divergence

  def why_none(self, weight, parameters):
    """Why no weight is kept, with the numbers."""
    smallest = float(tf.reduce_min(_log_alpha(weight, parameters)))
    return f"threshold={self.threshold:g}, its smallest log_alpha is {smallest:.4g}"

  def _clipped(self, log_alpha):
    return tf.clip_by_value(log_alpha, -self.clip, self.clip)

  def get_config(self):
    return dataclasses.asdict(self)


def kl_divergence(log_alpha):
  """The approximate KL divergence from the log-uniform prior, 0 where alpha is infinite.

  k1 (1 - sigmoid(k2 + k3 log_alpha)) + log(1 + 1 / alpha) / 2, Molchanov et al. 2017, eq. 14, whose
  constant is -k1.

  Args:
    log_alpha: float tensor.

  Returns:
    A tensor of its shape, of each weight.

  >>> [round(float(kl_divergence(tf.constant(a))), 3) for a in (-8.0, 0.0, 8.0)]
  [4.636, 0.431, 0.0]
  """
  return _K1 * tf.sigmoid(-_K2 - _K3 * log_alpha) + tf.nn.softplus(-log_alpha) / 2


def _log_square(weight):
  return tf.math.log(tf.square(weight) + _EPSILON)


def _log_alpha(weight, parameters):
  return parameters["log_sigma2"] - _log_square(weight)


def variational_dropout(
  model,
  *,
  strength,
  begin_step=0,
  end_step=0,
  ramp="linear",
  threshold=3.0,
  clip=8.0,
  log_sigma2=-10.0,
  only=None,
  exclude=None,
  sample_seed=0,
):
  """A new model that learns how much noise each weight bears; weights that are all noise are dropped.

  Each weight of a site is normal with mean theta, the kernel itself, and variance sigma^2; both are
  trained. alpha = sigma^2 / theta^2 (log_alpha = log_sigma2 - log(theta^2 + 1e-8)). In training each
  output is drawn from the normal distribution that it then has (local reparameterisation), before
  bias and activation do their part. The loss gets strength * sum of the KL divergences of all sites'
  weights, as a regulariser of Keras: it is in the loss that `fit` and `evaluate` report. In inference
  weights are theta where log_alpha < threshold, and 0 elsewhere, at the threshold too.

  The KL divergence of one weight is of the order of 1, and the loss usually a mean over a batch: with
  a strength of 1 / number of training examples their sum is the variational bound. The sparsity comes
  of itself; `callbacks.LearnedMasks` logs it. Compile the model with any optimizer and call `fit`;
  all that was trainable stays so. `learned.masks`, `.ticket` and `.plain` give what was learnt.

  An optimizer's weight decay is no part of this: it draws log_sigma2 to 0, so that weights become
  noise whatever the data. Call `optimizer.exclude_from_weight_decay(var_names=["log_sigma2"])` first.

  Source: Molchanov et al., Variational Dropout Sparsifies Deep Neural Networks, ICML 2017,
  arXiv:1701.05369, as in Gale et al., The State of Sparsity in Deep Neural Networks,
  arXiv:1902.09574, section 3.2, and their code, from which come clip, ramps and initial values.

  Departs: the authors' Dense layers on sequences draw one noise for all positions of an example, here
  each output has its own. Their cubic ramp is a moving average of the curve, here it is the
  curve itself.

  Args:
    model: a built Sequential or functional model of either Keras, nested ones too; it stays as it is.
    strength: number above 0, the factor of the KL divergence at the end of the ramp.
    begin_step, end_step: ints of at least 0, steps of training. Before `begin_step` the factor is 0,
      from `end_step` on it is whole. With end_step <= begin_step it is whole from `begin_step` on.
    ramp: "linear", or "cubic" for 1 - (1 - share of the way)^3.
    threshold: of log_alpha, above -clip and below clip. The authors use 3, and 0.5 for ResNet-50.
    clip: number above 0. In training log_alpha is clipped to +-clip, and has no slope beyond.
    log_sigma2: its value for all weights at the start.
    only, exclude: regular expressions of sites, as in `tfl.sites`; other weights are trained as usual.
    sample_seed: int of at least 0. The noise of a layer's n-th training call is a function of it, the
      site, n and the replica, with XLA or without up to rounding. The count is a variable of the
      model, so a restored one draws on. Steps are counted by it: calls by those that a step makes.

  Returns:
    A new uncompiled model of the same Keras, with copies of the weights.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: an argument is out of range, or the model has layers that can't be served (recurrent,
      attention, custom, subclassed, separable convolutions, an EinsumDense that adds inputs up before
      it multiplies, tfmot's wrappers); names them and the cure.

  >>> import numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [0.001]]), np.zeros(1)])
  >>> learner = variational_dropout(model, strength=1e-3)
  >>> sorted(w.name for w in learner.trainable_weights)
  ['bias', 'kernel', 'kernel_log_sigma2']
  >>> learner.predict(np.ones((1, 2)), verbose=0).tolist()  # log_alpha of 0.001 is 3.8
  [[2.0]]
  """
  found = wrapping.sites(
    model,
    only=only,
    exclude=exclude,
    method="variational_dropout",
    without=wrapping.SEPARABLE,
    once=True,
  )
  fields = ramps.checked(strength, begin_step, end_step, ramp)
  clip = arguments.positive("clip", clip)
  if not arguments.is_number(threshold) or not -clip < threshold < clip:
    raise ValueError(
      f"threshold={threshold!r} is out of range. Give a number above -clip and below clip={clip:g}: "
      "training does not push log_alpha further, so no weight would be dropped, or none kept."
    )
  if not isinstance(log_sigma2, numbers.Real) or not abs(log_sigma2) < float("inf"):
    raise ValueError(f"log_sigma2={log_sigma2!r} is out of range. Give a finite number.")
  sample_seed = arguments.whole("sample_seed", sample_seed, least=0)
  how = Gaussian(**fields, threshold=float(threshold), clip=clip, log_sigma2=float(log_sigma2))
  return wrapping.wrapped(model, found, {}, how, sample_seed)
