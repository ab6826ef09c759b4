"""Tokens: what the numbers in a sequence mean, and arrays of sequences of unequal length."""

import numpy as np

PADDING, START, END = 0, 1, 2
FIRST = 3  # the first token of a vocabulary's own


def ended(sequences, length, dtype=np.uint16):
  """Array [n, length] of the sequences, each with the end token after it and padding after that.

  Args:
    sequences: iterable of sequences of ints; of one that is too long the first `length - 1` remain.
    length: the number of tokens, the end included.

  >>> ended([[7, 8], [3, 4, 5, 6]], 4).tolist()
  [[7, 8, 2, 0], [3, 4, 5, 2]]
  """
  sequences = list(sequences)
  array = np.zeros((len(sequences), length), dtype)
  for row, tokens in zip(array, sequences, strict=True):
    kept = [*tokens[: length - 1], END]
    row[: len(kept)] = kept
  return array


def until_end(rows):
  """Lists of the tokens before each row's first end token; all of a row without one.

  >>> until_end([[7, 8, 2, 9], [5, 6, 7, 8]])
  [[7, 8], [5, 6, 7, 8]]
  """
  lists = [np.asarray(row).tolist() for row in rows]
  return [row[: row.index(END)] if END in row else row for row in lists]
