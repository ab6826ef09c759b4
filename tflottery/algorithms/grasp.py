"""GraSP: keep the gradient flow, whose change by a removal the Hessian tells.

Wang et al., Picking Winning Tickets Before Training by Preserving Gradient Flow, ICLR 2020,
arXiv:2002.07376, Algorithm 1 and 2.
"""

import tensorflow as tf

from tflottery.algorithms.network import logits, total


def grasp(probe, *, temperature=200.0):
  """w Hg, where g is the gradient of the loss and H its Hessian.

  The paper's score of equation 8, S(-w) = -w Hg, is how much removing w adds to the gradient's
  norm, to first order, and the weights of the *highest* are removed. So this is its negative, and
  higher means keep.

  Every batch is cut in halves, as in the authors' code: g is the sum of the gradients of all
  halves; then, half by half, z = <g, gradient of the half> is differentiated with g fixed, and the
  sum of these derivatives is Hg. Normalisation and dropout run as in training.

  Departs: batches are what `data` gives, where the authors gather as many examples of each class;
  linear layers are not initialised anew. Their division by the sum over the network changes no
  rank.

  Args:
    probe: of `tflottery.prune`, with data.
    temperature: T, above 0: logits are divided by it, before the softmax or sigmoid that the model
      may end with. An output of any other kind counts as logits. For a loss that is no
      cross-entropy give `functools.partial(grasp, temperature=1.0)` as the criterion.

  Raises:
    ValueError: a batch has a single example.
  """
  network = probe.network
  halves = [half for batch in network.batches for half in _halves(batch)]
  temperature = tf.constant(temperature, tf.float32)
  gradient = total(network.run(_gradient, half, temperature) for half in halves)
  product = total(network.run(_product, half, temperature, gradient) for half in halves)
  return {path: weight * product[path] for path, weight in probe.weights.items()}


def _halves(batch):
  size = int(tf.nest.flatten(batch[0])[0].shape[0])
  if size < 2:
    raise ValueError("data: a batch of 1 example can't be cut in halves. Give larger batches.")
  for part in (slice(size // 2), slice(size // 2, size)):
    yield tf.nest.map_structure(lambda x: None if x is None else x[part], batch)  # noqa: B023


def _gradient(network, batch, temperature):
  """Gradient of the tempered loss."""

  def tempered(output):
    found, activation = logits(output)
    return activation(found / tf.cast(temperature, found.dtype))

  with tf.GradientTape() as tape:
    loss = network.loss(batch, training=True, outputs=tempered)
  return network.gradient(tape, loss)


def _product(network, batch, temperature, direction):
  """The Hessian of the tempered loss times `direction`."""
  with tf.GradientTape() as tape:
    gradient = _gradient(network, batch, temperature)
    z = tf.add_n([tf.reduce_sum(direction[path] * g) for path, g in gradient.items()])
  return network.gradient(tape, z)
