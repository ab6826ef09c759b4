"""Strings of digits, and what they become: sequence tasks that need no network."""

import numpy as np

from tflottery.experiments import tokens

_TRAIN, _TEST = 20_000, 2_000
VALIDATION = 2_000  # of those for training, where no other number is asked for
_SHORTEST, _LONGEST = 5, 12
_SEED = 2019
CLASSES = tokens.FIRST + 10  # a digit d is the token d + 3
LENGTH = _LONGEST + 1  # of source and target, the end token included

# Task: what becomes of a string.
TASKS = {"sort_digits": sorted, "reverse_digits": lambda digits: digits[::-1]}


def pairs(name):
  """The pairs of a task, always the same: 20,000 for training and 2,000 for the test.

  A string has 5 to 12 digits, every length as likely as another and every digit too. No string occurs
  twice, so that none of the test is trained on.

  Args:
    name: "sort_digits" or "reverse_digits".

  Returns:
    ((source, target), (source, target)) of training and test: uint16 [n, 13], each string with its end
    token and padding.

  >>> (source, target), _ = pairs("sort_digits")
  >>> text(tokens.until_end(source[:1])[0]), text(tokens.until_end(target[:1])[0])
  ('1 3 4 5 3 3 9', '1 3 3 3 4 5 9')
  """
  strings = _strings(_TRAIN + _TEST)
  become = TASKS[name]
  source = tokens.ended(strings, LENGTH)
  target = tokens.ended(map(become, strings), LENGTH)
  return (source[:_TRAIN], target[:_TRAIN]), (source[_TRAIN:], target[_TRAIN:])


def text(digits):
  """A string's tokens as words, which BLEU compares; of other tokens their numbers in brackets.

  >>> text([5, 3, 1])
  '2 0 <1>'
  """
  return " ".join(str(t - tokens.FIRST) if t >= tokens.FIRST else f"<{t}>" for t in digits)


def _strings(count):
  """So many different lists of tokens, in random order."""
  rng = np.random.default_rng(_SEED)
  found = {}
  while len(found) < count:
    length = rng.integers(_SHORTEST, _LONGEST + 1)
    found[tuple((rng.integers(0, 10, length) + tokens.FIRST).tolist())] = None
  return [list(string) for string in found]
