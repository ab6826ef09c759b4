"""SynFlow: keep what carries the synaptic flow, so that no layer runs dry; without any data.

Tanaka et al., Pruning neural networks without any data by iteratively conserving synaptic flow,
NeurIPS 2020, arXiv:2006.05467, Algorithm 1.
"""

import math
import re

import tensorflow as tf

from tflottery import site as _sites
from tflottery.algorithms.network import logits

# With these and the inputs the outputs of a network of ReLUs double.
_ADDED = re.compile(r"(^|[/_])(bias|beta|moving_mean|embeddings)$")


def synflow(probe, *, scale=0):
  """|w dR/dw|, where R is the sum of the outputs for an input of ones, every weight positive.

  Equation 5 of the paper, R = 1^T (prod |W|) 1. Biases and normalisation, its statistics too, are
  made positive as in the authors' code, which runs in inference mode as well. Scores are divided by
  a power of two next to |R|, which changes no rank; those of each layer of a plain network of ReLUs
  without biases add up to the same number.

  R grows exponentially with the depth, so the authors advise float64: that is a model built with
  dtype="float64". In float32, where R or 1/R is above 2^96, the inputs and all that is added
  (biases, beta, moving means, embeddings) are multiplied by one power of two, and the gradient by
  another. In a network of linear layers, ReLUs, normalisation by fixed statistics, pooling, sums
  and concatenations that changes all scores alike. It is checked on R, and refused of any other.

  Departs: the sum is over logits where the model ends with a softmax, whose outputs have a constant
  sum, or a sigmoid. A masked weight can't come back, where the authors let it score 0. Inputs of
  integers are 1 too, so of an embedding only row 1 gets a score: exclude embeddings.

  Args:
    probe: of `tflottery.prune`.
    scale: whole number s: inputs and all that is added times 2^s. 0 is the paper's; for activations
      that saturate and let no signal through, as ReLU6, give
      `functools.partial(synflow, scale=-64)` as the criterion, with 100 iterations.

  Raises:
    ValueError: R leaves the range of the floats, and can't be scaled.
  """
  before = {
    path: (variable, tf.convert_to_tensor(variable))
    for path, variable in _sites.weights(probe.network.model).items()
    if tf.as_dtype(variable.dtype).is_floating
  }
  try:
    return _scores(probe.network, before, scale)
  finally:
    for variable, value in before.values():
      variable.assign(value)


def _scores(network, weights, scale):
  dtypes = {tf.as_dtype(site.layer.compute_dtype) for site in network.sites.values()}
  # 3/4 of the exponents: what is left is for single gradients above R.
  largest = 3 * int(math.log2(min(dtype.max for dtype in dtypes))) // 4
  size = _log2_of_flow(network, weights, scale, largest)
  if size == -math.inf:  # nothing can be ranked
    return {path: tf.zeros(site.shape) for path, site in network.sites.items()}
  in_range = abs(size + scale) <= largest
  if not in_range and size < math.inf:
    scale = -round(size / 2)
    in_range = abs(_log2(_measured(network, weights, scale)) - scale - size) < 0.01
  if not in_range:
    raise ValueError(
      f"criterion 'synflow': the sum of the outputs of model {network.model.name!r} is out of the "
      "range of its floats, and it can't be scaled because the outputs do not grow in proportion to "
      "the inputs. Build the model with dtype='float64', or choose another criterion."
    )
  inputs = _make_positive(network, weights, scale)
  factor = tf.constant(2.0 ** (-round(size) - scale), tf.float64)
  gradients = network.run(_gradients, inputs, factor)
  return {path: tf.abs(weights[path][0] * gradient) for path, gradient in gradients.items()}


def _log2_of_flow(network, weights, scale, largest):
  """log2 of |R|, measured at another scale if it is no float there; -inf if R is 0, else inf."""
  size = _log2(_measured(network, weights, scale))
  if math.isfinite(size):
    return size - scale
  other = -largest if size > 0 else largest
  again = _log2(_measured(network, weights, other))
  return again - other if math.isfinite(again) else size


def _measured(network, weights, scale):
  return float(network.run(_flow, _make_positive(network, weights, scale)))


def _make_positive(network, weights, scale):
  """Make every weight positive, and what is added 2^scale times itself; inputs of 2^scale."""
  for path, (variable, value) in weights.items():
    variable.assign(tf.abs(value) * (2.0**scale if _ADDED.search(path) else 1.0))
  return tf.nest.map_structure(lambda x: x * 2.0**scale if x.dtype.is_floating else x, network.ones)


def _flow(network, inputs):
  """R, float64: a sum of float32 numbers may be none."""
  outputs = tf.nest.flatten(network.model(inputs, training=False))
  return tf.add_n([tf.reduce_sum(tf.cast(logits(output)[0], tf.float64)) for output in outputs])


def _gradients(network, inputs, factor):
  with tf.GradientTape() as tape:
    scaled = _flow(network, inputs) * factor
  return network.gradient(tape, scaled)


def _log2(flow):
  """log2 of |flow|: -inf of 0, and inf of what is no number."""
  if not math.isfinite(flow):
    return math.inf
  return math.log2(abs(flow)) if flow else -math.inf
