"""Edge-popup: train one score per weight, keep the weights of the highest, and train no weight."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import arguments, draws
from tflottery import masks as _masks
from tflottery.learned import wrapping
from tflottery.learned.frozen_weights import frozen_weights


@keras.saving.register_keras_serializable(package="tflottery")
@tf_keras.saving.register_keras_serializable(package="tflottery")
@dataclasses.dataclass(frozen=True)
class TopScores:
  """weight * mask, the mask True at the highest |scores|.

  Attributes:
    sparsity: share of each site's weights that is masked.
    weights, seed, score_seed: how the frozen weights and the scores came about; see `edge_popup`.
    rescale: whether weights are multiplied by sqrt(size / kept).
  """

  sparsity: float
  weights: str
  seed: int | None
  score_seed: int
  rescale: bool

  parameters: ClassVar = ("scores",)
  noise: ClassVar = None
  penalised: ClassVar = False
  trains_weights: ClassVar = False

  def initial(self, shape, site):
    bound = 1 / np.sqrt(np.prod(shape[:-1]))
    return {"scores": (2 * draws.uniform(shape, (self.score_seed, site), 0) - 1) * bound}

  def weight(self, weight, parameters, noise):
    magnitudes = tf.abs(parameters["scores"])
    mask = tf.cast(self.kept(weight, parameters), magnitudes.dtype)
    mask += magnitudes - tf.stop_gradient(magnitudes)
    return weight * (mask * self.multiple(mask))

  def multiple(self, mask):
    """What the kept weights are multiplied by: float scalar, a constant."""
    size = mask.shape.num_elements()
    kept = _masks.kept_count(size, self.sparsity) if self.rescale else size
    return tf.constant(np.sqrt(size / kept), mask.dtype)

  def kept(self, weight, parameters):
    """The mask, bool tensor."""
    scores = tf.stop_gradient(tf.abs(parameters["scores"]))
    return _masks.keep_top(scores, _masks.kept_count(scores.shape.num_elements(), self.sparsity))

  def expected(self, weight, parameters):
    """The mask as 0 and 1, float tensor."""
    return tf.cast(self.kept(weight, parameters), tf.float32)

  def get_config(self):
    return dataclasses.asdict(self)


def edge_popup(
  model,
  *,
  sparsity=0.5,
  weights="initial",
  seed=None,
  rescale=False,
  only=None,
  exclude=None,
  score_seed=0,
):
  """A new model that learns by its masks alone: weights stay, and one score for each is trained.

  In training and in inference each site keeps exactly the `max(1, round((1 - sparsity) * size))`
  weights with the highest |score|; ties go to the lower index. Backwards the mask counts as |score|
  (straight-through): dL/dscore = dL/dkernel * weight * sign(score), for kept and masked weights alike,
  so that a masked one can come back. Scores start uniform in +-1/sqrt(fan_in). Compile the model with
  any optimizer and call `fit`. All but the scores is frozen, as in `tfl.supermask`.

  Source: Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?, CVPR 2020,
  arXiv:1911.13299, section 3, and the authors' code, from which come the magnitudes, which the paper's
  equations do not have, and the scores' start (kaiming_uniform with a=sqrt(5)).

  Departs: counts are rounded, where the authors cut them off; ties, theirs are any. fan_in is the
  product of all but the last axis, so a depthwise or transposed convolution starts with other scores.
  The signed constant is the standard deviation of the site's own weights, theirs the one of a Kaiming
  normal initializer. `rescale` divides by the share kept; theirs (scale_fan) by one minus what their
  code keeps, which is the same at a half. Their networks have no biases, nor learnt scales in their
  normalisations; here these stay what they are.

  Args:
    model: a built Sequential or functional model of either Keras, nested ones too; it stays as it is.
    sparsity: share of each site's weights that is masked, in [0, 1).
    weights: "initial" keeps the weights as they are; "signed_constant" takes their signs times the
      standard deviation of the site's weights (of the population).
    seed: None takes the model's own weights; an int of at least 0 draws those of the sites anew from
      their layers' initializers, so that a ticket needs only the seed and the bits.
    rescale: True multiplies the weights by sqrt(size / kept), which keeps the variance of what a
      layer gives.
    only, exclude: regular expressions of sites, as in `tfl.sites`; other weights are dense and frozen.
    score_seed: int of at least 0; site i's scores are drawn from (score_seed, i).

  Returns:
    A new uncompiled model of the same Keras, with copies of the weights.

  Raises:
    TypeError, ValueError: as in `tfl.supermask`.

  >>> import numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.set_weights([np.array([[2.0], [3.0]]), np.zeros(1)])
  >>> masked = edge_popup(model, sparsity=0.5)
  >>> masked.layers[0].kernel_scores.assign([[0.1], [-0.4]]) is not None
  True
  >>> masked.predict(np.ones((1, 2)), verbose=0).tolist()
  [[3.0]]
  """
  found = wrapping.sites(model, only=only, exclude=exclude, method="edge_popup")
  sparsity = arguments.share("sparsity", sparsity, zero=True)
  seed = seed if seed is None else arguments.whole("seed", seed, least=0)
  score_seed = arguments.whole("score_seed", score_seed, least=0)
  values = frozen_weights(found, weights, seed)
  top = TopScores(sparsity, weights, seed, score_seed, bool(rescale))
  return wrapping.wrapped(model, found, values, top, seed=0)
