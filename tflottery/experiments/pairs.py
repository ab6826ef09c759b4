"""Pairs: data sets of a source and a target sequence, in memory, for networks that translate."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tflottery.experiments import batches, bleu, decoding, labelled, tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Sequences in memory: source [n, S] and target [n, T], unsigned ints, each with its end token."""

  source: np.ndarray
  target: np.ndarray

  def __len__(self):
    return len(self.source)

  def examples(self):
    """The function from indices to ((source, target shifted behind the start token), target), int32."""
    with tf.device("CPU"):
      sources, targets = tf.constant(self.source), tf.constant(self.target)

    def examples(indices):
      source, labels = (tf.cast(tf.gather(x, indices), tf.int32) for x in (sources, targets))
      start = tf.fill([tf.shape(labels)[0], 1], tokens.START)
      shifted = tf.concat([start, labels[:, :-1]], 1)
      return (source, tf.ensure_shape(shifted, labels.shape)), labels

    return examples

  def cut(self, name, validation):
    """Two splits: all but the last `validation` examples, and these; `name` is the data set's."""
    at = len(self) - labelled.held_out(name, len(self), validation)
    return Split(self.source[:at], self.target[:at]), Split(self.source[at:], self.target[at:])


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
  """A data set of pairs, with the methods of `data.Dataset`.

  The inputs are (source int32 [n, S], target shifted right int32 [n, T]), the labels int32 [n, T].

  Attributes:
    classes: size of the vocabulary, which source and target share.
    image_shape: (S, T).
    references: the texts that the test split's sources should become.
    text: function from a list of tokens to the text that is compared with a reference.
    tokenize: how sacrebleu cuts texts into words, "none" at spaces alone.
    padding: the label that counts for nothing.
  """

  padding: ClassVar[int] = tokens.PADDING

  name: str
  train: Split
  validation: Split
  test: Split
  classes: int
  image_shape: tuple[int, int]
  references: tuple[str, ...]
  text: Callable
  tokenize: str

  def part(self, *, half="", labels=(), shape=(), fit="pad"):
    """The data set itself; there are no parts of it.

    Raises:
      ValueError: a half, labels or a shape that is not its own is asked for.
    """
    del fit
    shape = () if tuple(shape) == self.image_shape else shape
    for setting, value in (("half", half), ("labels", labels), ("shape", shape)):
      if value:
        self._refuse(setting, value, '""' if setting == "half" else "()")
    return self

  def check(self, *, augment, standardize):
    """Refuse what is done with images.

    Raises:
      ValueError: one of the two is asked for.
    """
    for setting, value in (("augment", augment), ("standardize", standardize)):
      if value:
        self._refuse(setting, value, "False")

  def training(
    self, *, batch_size, seed, start, stop, augment=False, augment_seed=None, moments=None
  ):
    """Shuffled batches for the steps [start, stop), in the order of `batches.training`.

    Raises:
      ValueError: `batch_size` or the steps out of range, or what is done with images is asked for.
    """
    del augment_seed
    self.check(augment=augment, standardize=moments is not None)
    steps = batches.shuffled(
      len(self.train), batch_size=batch_size, seed=seed, start=start, stop=stop
    )
    examples = self.train.examples()
    return batches.lean(steps.map(lambda step, indices: examples(indices)))

  def whole(self, split, *, batch_size, moments=None):
    """List of the batches of a split: all of its examples once and in order."""
    self.check(augment=False, standardize=moments is not None)
    indices = tf.data.Dataset.range(len(split)).batch(batch_size)
    return list(batches.lean(indices.map(split.examples())))

  def inputs(self, count):
    """So many inputs of chance, two arrays: to build a network with, and to try it on."""
    rng = np.random.default_rng(0)
    own = [rng.integers(tokens.END, self.classes, (count, n), np.int32) for n in self.image_shape]
    return tuple(own)

  def logits_shape(self, count):
    """The shape of what a network must return for so many inputs."""
    return count, self.image_shape[1], self.classes

  def measured(self, model):
    """What a trained network writes by itself for the test split's sources, all of them, greedily.

    Returns:
      A dict: `exact_match`, the share of texts that equal their reference, in [0, 1], and `bleu`, the
      corpus's BLEU by sacrebleu, in [0, 100].
    """
    written = decoding.greedy(model, self.test.source, length=self.image_shape[1])
    texts = [self.text(row) for row in tokens.until_end(written)]
    return bleu.scores(texts, self.references, tokenize=self.tokenize)

  def _refuse(self, setting, value, cure):
    raise ValueError(
      f"{setting}={value!r} is for images, and {self.name!r} has pairs of sequences. Give {cure}."
    )
