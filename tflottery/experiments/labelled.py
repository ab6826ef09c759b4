"""Labelled: what data sets of one label for each example have in common."""

from typing import ClassVar

import numpy as np


class Labelled:
  """A data set with `image_shape` and `classes`, whose labels all count."""

  padding: ClassVar[None] = None

  def inputs(self, count):
    """So many inputs of chance, float32: to build a network with, and to try it on."""
    return np.random.default_rng(0).random((count, *self.image_shape), np.float32)

  def logits_shape(self, count):
    """The shape of what a network must return for so many inputs."""
    return count, self.classes

  def measured(self, model):
    """What is measured of a trained network on the test split besides loss and accuracy: nothing."""
    del model
    return {}


def held_out(name, count, validation, default=None):
  """How many of `count` training examples are held out for validation.

  Args:
    name: the data set's, for the error.
    validation: what is asked for; None for the default.
    default: None: 5,000, or a tenth of fewer than 50,000.

  Raises:
    ValueError: there are not so many to spare.

  >>> held_out("mnist", 60_000, None), held_out("digits", 1437, None), held_out("digits", 1437, 0)
  (5000, 143, 0)
  """
  if validation is None:
    validation = default or (5000 if count >= 50_000 else count // 10)
  if not 0 <= validation < count:
    raise ValueError(f"validation={validation}: must lie in 0..{count - 1} for {name!r}")
  return validation
