"""Networks: what is trained from each step k, and in which order.

Frankle et al. 2020, arXiv:1912.05671; Frankle et al. 2019, arXiv:1903.01611.
"""

import dataclasses

DENSE = "dense"
TICKET = "ticket"
PATHS = "paths"  # in the place of a copy's number: the comparison of all copies


@dataclasses.dataclass(frozen=True)
class Network:
  """A network that is trained in one copy or several, which differ in their noise alone.

  Attributes:
    k: the step whose weights the copies begin with.
    level: rounds of pruning; 0 is the dense network.
    arm: "dense", "ticket", or a control of the ticket's size.
  """

  k: int
  level: int
  arm: str

  @property
  def name(self):
    return f"level_{self.level}_{self.arm}"

  @property
  def columns(self):
    return dataclasses.asdict(self)


# Trained from the start: the first copy of the dense network at every k.
WHOLE = Network(0, 0, DENSE)


def first_of(network):
  """The network of whose trainings the first copy is one: the dense one's is the same at every k."""
  return WHOLE if network.arm == DENSE else network


def planned(settings, steps):
  """(network, copy) of every piece of a seed, in the order in which they are done.

  The copy is a number, or `PATHS` for the comparison of a network's copies.

  Args:
    settings: the `Stability` settings.
    steps: the steps k.
  """
  pieces = [(WHOLE, 0)]
  for k in steps:
    dense = Network(k, 0, DENSE)
    pieces += [(dense, copy) for copy in [*range(1, settings.copies), PATHS]]
    for level in range(1, settings.levels + 1):
      pieces.append((Network(k, level, TICKET), 0))
      if settings.compared(level):
        pieces += _copies(settings, k, level)
  return pieces


def _copies(settings, k, level):
  """What is trained and compared at a level besides the ticket's first copy."""
  every = [*range(settings.copies), PATHS]
  ticket = [(Network(k, level, TICKET), copy) for copy in every[1:]]
  return ticket + [(Network(k, level, arm), copy) for arm in settings.arms for copy in every]
