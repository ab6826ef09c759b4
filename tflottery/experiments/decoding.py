"""Decoding: the sequences that a network of source and target writes by itself."""

import numpy as np
import tensorflow as tf

from tflottery.experiments import tokens


def greedy(model, source, *, length, batch_size=500, jit_compile=True):
  """The sequences that come of the most likely token at every step.

  The whole network runs at every step, on all of the target that there is: nothing is kept between
  steps, so that any model will do. Padding and the start token are never written.

  Args:
    model: of either Keras, (source [n, S], target [n, T]) -> logits [n, T, classes], where no place sees
      the target behind it; called as in inference.
    source: ints [n, S].
    length: T, the tokens that are written at most, the end token included.
    batch_size: how many sequences are written at once.
    jit_compile: whether XLA compiles the loop.

  Returns:
    int32 [n, length]: tokens, the end token, and padding after it. Of equally likely tokens the lowest.

  >>> import keras
  >>> from tflottery.experiments import transformer
  >>> network = transformer.transformer(keras, (4, 5), 13)
  >>> greedy(network, np.array([[3, 4, 2, 0]]), length=5).shape
  (1, 5)
  """
  write = tf.function(_writer(model, length), jit_compile=jit_compile)
  source = np.asarray(source, np.int32)
  batch_size = min(batch_size, len(source))
  written = []
  for start in range(0, len(source), batch_size):
    batch = source[start : start + batch_size]
    # All of one size, for every size is compiled.
    full = np.pad(batch, ((0, batch_size - len(batch)), (0, 0)), mode="edge")
    written.append(write(tf.constant(full)).numpy()[: len(batch)])
  return np.concatenate(written)


def _writer(model, length):
  def going_on(step, target, ended):
    return (step < length) & ~tf.reduce_all(ended)

  def write(source):
    def extended(step, target, ended):
      logits = tf.cast(model((source, target[:, :length]), training=False), tf.float32)[:, step]
      # A network never learns of padding and start as labels, so its logits there mean nothing.
      token = tokens.END + tf.argmax(logits[:, tokens.END :], -1, output_type=tf.int32)
      token = tf.where(ended, tokens.PADDING, token)
      here = tf.range(length + 1) == step + 1
      return step + 1, tf.where(here, token[:, None], target), ended | (token == tokens.END)

    count = tf.shape(source)[0]
    target = tf.where(tf.range(length + 1) == 0, tokens.START, tokens.PADDING)
    start = tf.zeros([], tf.int32), tf.tile(target[None], [count, 1]), tf.zeros([count], bool)
    return tf.while_loop(going_on, extended, start)[1][:, 1:]

  return write
