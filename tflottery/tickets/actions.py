"""Actions: what a level does to the weights, as words that combine.

Zhou et al., Deconstructing Lottery Tickets, NeurIPS 2019, arXiv:1905.01067: the criterion says which
weights are kept, one action what the kept start from, another what the pruned are held at.
"""

import dataclasses

from tflottery import criteria
from tflottery.tickets import freeze, prune, reset


@dataclasses.dataclass(frozen=True)
class Actions:
  """The words of a search.

  Attributes:
    criterion: a name of `criteria.named`.
    kept: a name in `reset.RESETS`.
    keep_sign: whether the kept have the signs of the weights rewound to.
    pruned: a name in `freeze.FREEZES`.
    scope: what is ranked together, "layer" or "global".
  """

  criterion: str = "large_final"
  kept: str = "rewind"
  keep_sign: bool = False
  pruned: str = "zero"
  scope: str = "layer"

  @property
  def words(self):
    """The attributes as a dict."""
    return dataclasses.asdict(self)

  def check(self, start):
    """Refuse, before any training, words that are unknown or do not go together.

    Args:
      start: what the search does with the weights of the kept; anything but "rewind" trains on from
        their final values.

    Raises:
      ValueError: names the argument.
    """
    for name, known in (("kept", reset.RESETS), ("pruned", freeze.FREEZES)):
      value = getattr(self, name)
      if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}={value!r} is unknown. Choose one of {', '.join(known)}.")
    criteria.named(self.criterion)
    if not isinstance(self.keep_sign, bool):
      raise ValueError(f"keep_sign={self.keep_sign!r} must be True or False.")
    kept, keep_sign, pruned = self.kept, self.keep_sign, self.pruned
    if start != "rewind" and (kept, keep_sign, pruned) != ("rewind", False, "zero"):
      raise ValueError(
        f"start={start!r} trains on from the final weights and leaves nothing to {kept=}, "
        f"{keep_sign=} and {pruned=}. Leave those out, or use start='rewind'."
      )

  def initializers(self, model, sites):
    """Dict from site path to the initializer that its layer declares, or None.

    Raises:
      ValueError: one is missing that is drawn from.
    """
    declared = reset.initializers_of(model)
    found = {path: declared.get(path) for path in sites}
    if self.kept == "reinit":
      reset.require_initializers(found)
    if self.pruned == "freeze_reinit":
      freeze.require_initializers(found)
    return found

  def masks(self, level, begin, final, masks, rates, *, seed):
    """The masks of a level, by the training from `begin` to `final` under `masks`."""
    return prune.prune(
      final,
      masks,
      rates=rates,
      scope=self.scope,
      criterion=self.criterion,
      initial=begin,
      seed=[seed, level],
    )

  def start(self, level, rewound, lived, masks, *, initializers, seed):
    """(weights, frozen): what a level starts from and what it holds the pruned at.

    Args:
      rewound: dict from path to array, the weights rewound to.
      lived: dict from path to array, what each was after its last training; see `freeze.lived`.
    """
    own = {"seed": [seed, level], "initializers": initializers}
    weights = reset.reset(self.kept, rewound, lived, masks, keep_sign=self.keep_sign, **own)
    return freeze.freeze(self.pruned, weights, rewound, lived, masks, **own)
