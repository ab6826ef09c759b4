"""Arms: the controls that are trained beside the winning ticket, each at the ticket's size.

Zhou et al. 2019, arXiv:1905.01067, section 4: what becomes of the kept, and what of the pruned.
"""

import functools

from tflottery import criteria
from tflottery import masks as _masks
from tflottery.tickets.freeze import FREEZES, freeze
from tflottery.tickets.reset import RESETS, reset

_FIRST_CRITERION = 1000  # the place of tickets that another criterion has found: beyond any arm's


def with_actions(ticket, trained, *, kept, keep_sign, pruned, seed, initializers):
  """The ticket's masks; its kept weights reset, and its pruned ones held, in another way."""
  weights = reset(
    kept,
    ticket.weights,
    None,
    ticket.masks,
    seed=seed,
    keep_sign=keep_sign,
    initializers=initializers,
  )
  weights, frozen = freeze(
    pruned,
    weights,
    ticket.weights,
    trained,
    ticket.masks,
    seed=seed,
    initializers=initializers,
  )
  return weights, ticket.masks, frozen


def with_random_masks(ticket, trained, *, scope, seed, initializers):
  """The ticket's start weights under masks shuffled within layers, or over the whole network."""
  del trained, initializers
  return ticket.weights, _masks.shuffled(ticket.masks, seed=seed, scope=scope), {}


def _kept_names():
  """Dict from the name of what becomes of the kept to its keyword arguments."""
  return {
    f"{how}{'_keep_sign' * keep_sign}": {"kept": how, "keep_sign": keep_sign}
    for how in RESETS
    for keep_sign in ((False,) if how == "rewind" else (False, True))
  }


KEPT = _kept_names()
# Arms of the matrix: dict from name to (what becomes of the kept, what of the pruned).
ACTIONS = {
  f"{kept}_{pruned}": (kept, pruned) for pruned in FREEZES if pruned != "zero" for kept in KEPT
}
_ZERO = {kept: (kept, "zero") for kept in KEPT if kept != "rewind"}

# Functions (ticket, trained, *, seed, initializers) -> (weights, masks, frozen). An arm's place is part
# of its seed: new ones go to the end.
ARMS = (
  {
    name: functools.partial(with_actions, pruned="zero", **KEPT[kept])
    for name, (kept, _) in _ZERO.items()
  }
  | {
    "random_mask": functools.partial(with_random_masks, scope="layer"),
    "random_mask_global": functools.partial(with_random_masks, scope="global"),
  }
  | {
    name: functools.partial(with_actions, pruned=pruned, **KEPT[kept])
    for name, (kept, pruned) in ACTIONS.items()
  }
)


def actions(arm):
  """(what becomes of the kept, what of the pruned) by name; None where masks are random.

  >>> actions("ticket"), actions("reshuffle_keep_sign"), actions("rewind_freeze_init")
  (('rewind', 'zero'), ('reshuffle_keep_sign', 'zero'), ('rewind', 'freeze_init'))
  """
  return ({"ticket": ("rewind", "zero")} | _ZERO | ACTIONS).get(arm)


def arm_seed(seed, level, arm):
  """The seed of an arm's draws: a function of integers alone."""
  if arm == "ticket":
    return [seed, level, 0]
  if arm in ARMS:
    return [seed, level, 1 + list(ARMS).index(arm)]
  return [seed, level, _FIRST_CRITERION + list(criteria.DECONSTRUCTED).index(arm)]


def draw(ticket, arm, trained=None, *, seed, initializers):
  """(start weights, masks, frozen values of the pruned) of `arm` for a level's ticket.

  Args:
    trained: dict from path to array, each weight's value when it was trained last; needed where the
      pruned are held at a value that depends on where they were going.
    seed: int, the run's seed of masks and resets.
    initializers: dict from site path to initializer, for `reinit`.
  """
  if arm == "ticket":
    return ticket.weights, ticket.masks, ticket.frozen
  seed = arm_seed(seed, ticket.level, arm)
  return ARMS[arm](ticket, trained, seed=seed, initializers=initializers)
