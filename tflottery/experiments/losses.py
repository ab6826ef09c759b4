"""Losses: cross-entropy of integer labels, smoothed, and without what is padding."""

import keras
import tensorflow as tf
import tf_keras

from tflottery.arguments import is_number


def crossentropy(k, *, label_smoothing=0.0, padding=None):
  """The loss of logits against integer labels: the mean over the labels that count.

  With both defaults it is Keras's own `SparseCategoricalCrossentropy`, bit for bit. Smoothed, the target of a
  label is `(1 - label_smoothing) * one_hot + label_smoothing / classes` (Szegedy et al. 2016,
  arXiv:1512.00567, section 7). Labels have any shape, logits one axis more; logits of half precision
  are cast to float32.

  The mean is that of a batch: with sample weights the weighted sum is divided by the number of labels that
  count, as Keras does; over replicas it is the mean of their means, another number than on one device
  where they have padding unlike. Where all labels are padding the loss is 0. What counts is told by the
  labels: a Keras mask of the logits changes nothing but, in tf_keras, takes further labels out of the sum.

  Args:
    k: the module `keras` or `tf_keras`.
    label_smoothing: share of the probability that is spread evenly over all classes, in [0, 1).
    padding: int, the label that counts for nothing, which need not be a class; None where all count.

  Returns:
    A loss of `k` that is saved and loaded with a compiled model.

  Raises:
    ValueError: `label_smoothing` out of range, or `padding` is no whole number.

  >>> loss = crossentropy(keras, label_smoothing=0.5, padding=0)
  >>> logits = tf.math.log([[0.25, 0.75], [0.9, 0.1]])  # -0.75 log 0.75 - 0.25 log 0.25
  >>> round(float(loss(tf.constant([1, 0]), logits)), 4)
  0.5623
  """
  if not is_number(label_smoothing) or not 0 <= label_smoothing < 1:
    raise ValueError(f"label_smoothing={label_smoothing!r} is out of range: at least 0, below 1.")
  if padding is not None and (isinstance(padding, bool) or not isinstance(padding, int)):
    raise ValueError(f"padding={padding!r}: give a label, a whole number, or None where all count.")
  if label_smoothing == 0 and padding is None:
    plain = k.losses.SparseCategoricalCrossentropy if k is keras else _PlainOfTfKeras
    return plain(from_logits=True)
  own = Crossentropy if k is keras else _CrossentropyOfTfKeras
  return own(label_smoothing, padding)


class _Values:
  """The loss of every label: what the classes of the two Kerases share."""

  def __init__(self, label_smoothing=0.0, padding=None, name="crossentropy", **kwargs):
    super().__init__(name=name, **kwargs)
    self.label_smoothing, self.padding = label_smoothing, padding

  def __call__(self, y_true, y_pred, sample_weight=None):
    # A copy, for it has no Keras mask: a mask would make it a mean over what counts once more.
    return super().__call__(y_true, tf.identity(y_pred), sample_weight)

  def call(self, y_true, y_pred):
    """Loss of each label, 0 of padding; scaled so that the mean over all is that over what counts."""
    logs = tf.nn.log_softmax(tf.cast(y_pred, tf.float32))
    labels = tf.reshape(tf.cast(y_true, tf.int32), tf.shape(logs)[:-1])  # Keras adds an axis
    counts = tf.ones_like(labels, bool) if self.padding is None else labels != self.padding
    labels = tf.where(counts, labels, 0)
    share = 1 - self.label_smoothing
    losses = -share * tf.gather(logs, labels, axis=-1, batch_dims=labels.shape.rank)
    losses -= self.label_smoothing * tf.reduce_mean(logs, -1)
    if self.padding is None:
      return losses
    counted = tf.math.count_nonzero(counts, dtype=tf.float32)
    scale = tf.math.divide_no_nan(tf.cast(tf.size(labels), tf.float32), counted)
    return tf.where(counts, losses, 0.0) * scale

  def get_config(self):
    own = {"label_smoothing": self.label_smoothing, "padding": self.padding}
    return super().get_config() | own


@tf_keras.saving.register_keras_serializable(
  package="tflottery", name="SparseCategoricalCrossentropy"
)
class _PlainOfTfKeras(tf_keras.losses.SparseCategoricalCrossentropy):
  """Keras's own, which in tf_keras would compute in the half precision of its logits."""

  def call(self, y_true, y_pred):
    return super().call(y_true, tf.cast(y_pred, tf.float32))


@keras.saving.register_keras_serializable(package="tflottery")
class Crossentropy(_Values, keras.losses.Loss):
  """See `crossentropy`."""


@tf_keras.saving.register_keras_serializable(package="tflottery", name="Crossentropy")
class _CrossentropyOfTfKeras(_Values, tf_keras.losses.Loss):
  """The same in tf_keras."""
