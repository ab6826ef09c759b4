"""L0: train a gate per weight beside it, drawn from a distribution with a point mass at 0."""

import dataclasses
import math
from typing import ClassVar

import keras
import tensorflow as tf
import tf_keras

from tflottery import arguments, draws
from tflottery.learned import ramps, wrapping

_BETA, _GAMMA, _ZETA = 2 / 3, -0.1, 1.1
_SPREAD = 0.01
_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="tflottery")
@tf_keras.saving.register_keras_serializable(package="tflottery")
@dataclasses.dataclass(frozen=True)
class HardConcrete:
  """weight * gate, the gate in [0, 1] drawn anew for each training call, or its own without noise.

  Attributes:
    strength, begin_step, end_step, ramp, log_alpha: see `l0`.
    seed: what the initial log_alpha are drawn from, with the site's number.
  """

  strength: float
  begin_step: int
  end_step: int
  ramp: str
  log_alpha: float
  seed: int

  parameters: ClassVar = ("log_alpha",)
  noise: ClassVar = "weight"
  penalised: ClassVar = True
  trains_weights: ClassVar = True

  def initial(self, shape, site):
    return {"log_alpha": self.log_alpha + _SPREAD * draws.normal(shape, (self.seed, site, 2), 0)}

  def weight(self, weight, parameters, noise):
    return weight * gates(parameters["log_alpha"], noise)

  def kept(self, weight, parameters):
    """Where the gate of inference is above 0, bool tensor."""
    return gates(parameters["log_alpha"]) > 0

  def expected(self, weight, parameters):
    """The chances that a drawn gate is above 0, float tensor."""
    return chances(parameters["log_alpha"])

  def penalty(self, weight, parameters, step):
    return ramps.strength(self, step, weight.dtype) * tf.reduce_sum(
      chances(parameters["log_alpha"])
    )

  def why_none(self, weight, parameters):
    """Why no weight is kept, with the numbers."""
    highest, least = float(tf.reduce_max(parameters["log_alpha"])), math.log(-_GAMMA / _ZETA)
    return f"gates open above log_alpha={least:.4g}, its highest is {highest:.4g}"

  def get_config(self):
    return dataclasses.asdict(self)


def gates(log_alpha, noise=None):
  """Gates of the hard concrete distribution.

  clip(sigmoid((log(u / (1 - u)) + log_alpha) / beta) (zeta - gamma) + gamma, 0, 1), Louizos et al.
  2018, eq. 10 and 11; without noise clip(sigmoid(log_alpha) (zeta - gamma) + gamma, 0, 1), eq. 13.

  Args:
    log_alpha: float tensor.
    noise: u, tensor of its shape and dtype in [0, 1), or None.

  >>> gates(tf.constant([-3.0, 0.0, 3.0])).numpy().tolist()
  [0.0, 0.5, 1.0]
  """
  if noise is not None:
    logit = tf.math.log(noise + _EPSILON) - tf.math.log(1 - noise)
    log_alpha = (logit + log_alpha) / _BETA
  return tf.clip_by_value(tf.sigmoid(log_alpha) * (_ZETA - _GAMMA) + _GAMMA, 0, 1)


def chances(log_alpha):
  """The chances that drawn gates are above 0: sigmoid(log_alpha - beta log(-gamma / zeta)), eq. 12."""
  return tf.sigmoid(log_alpha - _BETA * math.log(-_GAMMA / _ZETA))


def l0(
  model,
  *,
  strength,
  begin_step=0,
  end_step=0,
  ramp="linear",
  log_alpha=2.197,
  only=None,
  exclude=None,
  sample_seed=0,
):
  """A new model that learns a gate for each weight, and is charged for each that is open.

  A site's kernel is theta * gate; theta, the kernel itself, and the gate's log_alpha are trained. In
  training gates are drawn anew in each call, and many are exactly 0 or 1. The loss gets strength *
  the expected number of the sites' weights whose drawn gate is above 0, as a regulariser of Keras: it
  is in the loss that `fit` and `evaluate` report. In inference gates are clip(1.2 sigmoid(log_alpha) -
  0.1, 0, 1), and weights are kept where they are above 0: above log_alpha = -2.398.

  The sparsity comes of itself; `callbacks.LearnedMasks` logs it. Compile the model with any optimizer
  and call `fit`; all that was trainable stays so. `learned.masks`, `.ticket` and `.plain` give what
  was learnt, the plain kernel being theta * gate, and `learned.evaluate` looks at drawn gates.

  An optimizer's weight decay is no part of this: it draws log_alpha to 0, so that closed gates open
  again. Call `optimizer.exclude_from_weight_decay(var_names=["log_alpha"])` first.

  Source: Louizos et al., Learning Sparse Neural Networks through L_0 Regularization, ICLR 2018,
  arXiv:1712.01312, as in Gale et al., The State of Sparsity in Deep Neural Networks,
  arXiv:1902.09574, section 3.3, and their code, from which come the constants, ramps and initial
  values.

  Departs: the authors draw the gates of an embedding anew at each position, here they are of the
  weights, as elsewhere. Their cubic ramp is a moving average of the curve, here it is the curve itself.

  Args:
    model: a built Sequential or functional model of either Keras, nested ones too; it stays as it is.
    strength: number above 0, the factor of the expected count at the end of the ramp.
    begin_step, end_step: ints of at least 0, steps of training. Before `begin_step` the factor is 0,
      from `end_step` on it is whole. With end_step <= begin_step it is whole from `begin_step` on.
    ramp: "linear", or "cubic" for 1 - (1 - share of the way)^3.
    log_alpha: the mean of its initial values, whose standard deviation is 0.01. 2.197 opens gates at
      0.98.
    only, exclude: regular expressions of sites, as in `tfl.sites`; other weights are trained as usual.
    sample_seed: int of at least 0. Initial values are drawn from it and the site, gates from both and
      the number of the layer's training call, the same bits on every replica, with XLA or without.
      The count is a variable of the model, so a restored one draws on. Steps are counted by it: calls
      by those that a step makes.

  Returns:
    A new uncompiled model of the same Keras, with copies of the weights.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: an argument is out of range, or the model has layers that can't be served (recurrent,
      attention, custom, subclassed, tfmot's wrappers); names them and the cure.

  >>> import numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [4.0]]), np.zeros(1)])
  >>> learner = l0(model, strength=1e-3)
  >>> learner.layers[0].kernel_log_alpha.assign([[0.0], [-3.0]]) is not None
  True
  >>> learner.predict(np.ones((1, 2)), verbose=0).tolist()
  [[1.0]]
  """
  found = wrapping.sites(model, only=only, exclude=exclude, method="l0")
  fields = ramps.checked(strength, begin_step, end_step, ramp)
  if not arguments.is_number(log_alpha) or not math.isfinite(log_alpha):
    raise ValueError(f"log_alpha={log_alpha!r} is out of range. Give a finite number.")
  sample_seed = arguments.whole("sample_seed", sample_seed, least=0)
  how = HardConcrete(**fields, log_alpha=float(log_alpha), seed=sample_seed)
  return wrapping.wrapped(model, found, {}, how, sample_seed)
