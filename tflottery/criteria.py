"""Criteria: probe -> scores, a dict from site path to float tensor. Higher means keep."""

import tensorflow as tf

from tflottery import arguments, draws


def magnitude(probe):
  """|w|. Han et al. 2015, arXiv:1506.02626."""
  return {path: tf.abs(weight) for path, weight in probe.weights.items()}


def gradient(probe):
  """|dL/dw|. Evci et al. 2020, arXiv:1911.11134."""
  return {path: tf.abs(probe.gradients[path]) for path in probe.masks}


def snip(probe):
  """|w dL/dw|, the connection sensitivity. Lee et al. 2019, arXiv:1810.02340, equation 5.

  The paper divides by the sum over the network, which changes no rank.
  """

  def score(path, weight):  # summed gradients are float32 whatever the weight is
    return tf.abs(tf.cast(weight, tf.float32) * tf.cast(probe.gradients[path], tf.float32))

  return {path: score(path, weight) for path, weight in probe.weights.items()}


def random(seed):
  """A criterion of uniform draws in [0, 1), new ones at every step.

  Site i draws from (seed, i, step): the same numbers on every device, replica and worker.

  Raises:
    ValueError: the seed is no whole number, or below 0.
  """
  seed = arguments.whole("seed", seed, least=0)

  def draw(probe):
    sites = enumerate(probe.masks.items())
    return {path: draws.uniform(mask.shape, (seed, i), probe.step) for i, (path, mask) in sites}

  return draw
