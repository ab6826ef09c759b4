"""Arms: the controls that are trained beside the winning ticket, each at the ticket's size."""

import functools

from tflottery import masks as _masks
from tflottery.tickets.reset import RESETS, reset


def with_reset(ticket, *, how, keep_sign, seed, initializers):
  """The ticket's masks, and its start weights reset in another way than by rewinding."""
  weights = reset(
    how,
    ticket.weights,
    None,
    ticket.masks,
    seed=seed,
    keep_sign=keep_sign,
    initializers=initializers,
  )
  return weights, ticket.masks


def with_random_masks(ticket, *, scope, seed, initializers):
  """The ticket's start weights under masks shuffled within layers, or over the whole network."""
  del initializers
  return ticket.weights, _masks.shuffled(ticket.masks, seed=seed, scope=scope)


# Functions (ticket, *, seed, initializers) -> (weights, masks). An arm's place is part of its seed: new
# ones go to the end.
ARMS = {
  f"{how}{'_keep_sign' * keep_sign}": functools.partial(with_reset, how=how, keep_sign=keep_sign)
  for how in RESETS
  if how != "rewind"
  for keep_sign in (False, True)
} | {
  "random_mask": functools.partial(with_random_masks, scope="layer"),
  "random_mask_global": functools.partial(with_random_masks, scope="global"),
}


def arm_seed(seed, level, arm):
  """The seed of an arm's draws: a function of integers alone."""
  return [seed, level, 0 if arm == "ticket" else 1 + list(ARMS).index(arm)]


def draw(ticket, arm, *, seed, initializers):
  """(start weights, masks) of `arm` for a level's ticket.

  Args:
    seed: int, the run's seed of masks and resets.
    initializers: dict from site path to initializer, for `reinit`.
  """
  if arm == "ticket":
    return ticket.weights, ticket.masks
  return ARMS[arm](ticket, seed=arm_seed(seed, ticket.level, arm), initializers=initializers)
