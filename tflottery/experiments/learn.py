"""One training, watched: validation every so many steps, the early stop found afterwards."""

import dataclasses
import statistics
import time

import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import site as _sites


class Evaluator:
  """Mean loss and accuracy of a model on a split that stays in memory.

  Args:
    model: a model of either Keras that returns logits.
    batches: iterable of (inputs, labels) batches that can be gone through again and again; labels are
      of any shape, and logits have one axis more.
    jit_compile: as in `compile`.
    padding: the label that counts for nothing; None where all count.
  """

  def __init__(self, model, batches, *, jit_compile, padding=None):
    self._batches = batches

    def totals(inputs, labels):
      logits = tf.cast(model(inputs, training=False), tf.float32)
      loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
      hits = tf.argmax(logits, -1, output_type=labels.dtype) == labels
      counts = tf.ones_like(hits) if padding is None else labels != padding
      own = [tf.where(counts, loss, 0.0), tf.cast(hits & counts, tf.float32)]
      return tf.stack([*map(tf.reduce_sum, own), tf.math.count_nonzero(counts, dtype=tf.float32)])

    self._totals = tf.function(totals, jit_compile=jit_compile)

  def __call__(self):
    """(mean loss, accuracy in [0, 1]) of the labels that count."""
    sums = [self._totals(inputs, labels).numpy() for inputs, labels in self._batches]
    loss, hits, count = np.sum(sums, axis=0, dtype=np.float64).tolist()
    return loss / count, hits / count


@dataclasses.dataclass
class Curve:
  """What was measured while a network trained.

  Attributes:
    step: the step that the network stands at, counted from the beginning of the dense training.
    points: (step, validation loss, validation accuracy), every `eval_every` steps.
    early_stop: the point of the lowest validation loss, the first of equals.
    weights: the weights at the early stop, dict from path to array.
    intervals: (steps, seconds of training, seconds of evaluation) between two points.
  """

  step: int
  points: list = dataclasses.field(default_factory=list)
  early_stop: tuple = ()
  weights: dict = dataclasses.field(default_factory=dict)
  intervals: list = dataclasses.field(default_factory=list)

  @property
  def train_seconds(self):
    """Seconds of training, the tracing of a first step included."""
    return sum(seconds for _, seconds, _ in self.intervals)

  def steps_per_second(self, *, with_evaluation=False):
    """The median over the intervals, so that neither tracing nor a pause counts."""
    return statistics.median(
      steps / (train + evaluate * with_evaluation) for steps, train, evaluate in self.intervals
    )


class Watch(tf_keras.callbacks.Callback):
  """Extends a curve at the end of every epoch of `fit`, which here is `eval_every` steps.

  Args:
    curve: the `Curve`.
    evaluate: function without arguments that returns (loss, accuracy).
    report: function that is called with the curve after every point.

  Raises:
    FloatingPointError: in `fit`, when the validation loss is not finite.
  """

  def __init__(self, curve, evaluate, report):
    super().__init__()
    self._curve, self._evaluate, self._report = curve, evaluate, report
    self._begun = 0.0

  def on_epoch_begin(self, epoch, logs=None):
    self._begun = time.perf_counter()

  def on_epoch_end(self, epoch, logs=None):
    curve, trained = self._curve, time.perf_counter()
    curve.step += self.params["steps"]
    loss, accuracy = self._evaluate()
    if not np.isfinite(loss):
      raise FloatingPointError(
        f"The validation loss is {loss} at step {curve.step}: the training diverged. Lower the "
        "learning rate."
      )
    curve.points.append((curve.step, loss, accuracy))
    if not curve.early_stop or loss < curve.early_stop[1]:
      curve.early_stop = curve.points[-1]
      curve.weights = {p: _sites.value(v) for p, v in _sites.weights(self.model).items()}
    now = time.perf_counter()
    curve.intervals.append((self.params["steps"], trained - self._begun, now - trained))
    self._report(curve)


def train(model, batches, curve, watch, *, steps, every):
  """Train `steps` steps, watched every `every` of them and at the end.

  Args:
    batches: function of the keywords start and stop that returns the batches of these steps.
  """
  whole, rest = divmod(steps, every)
  for epochs, length in ((whole, every), (1, rest)):
    if epochs and length:
      model.fit(
        batches(start=curve.step, stop=curve.step + epochs * length),
        epochs=epochs,
        steps_per_epoch=length,
        verbose=0,
        callbacks=[watch],
      )
