"""Chains: the tickets of a search, each pruned from the one before it by a criterion.

Frankle & Carbin 2019, arXiv:1803.03635; other criteria and actions from Zhou et al. 2019,
arXiv:1905.01067.
"""

from tflottery.experiments.settings import as_json
from tflottery.experiments.workdir import FREE
from tflottery.seeds import seeds_of
from tflottery.tickets.freeze import lived
from tflottery.tickets.prune import one_shot_rates
from tflottery.tickets.search import STARTS
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions


class Chains:
  """The tickets of one seed, which all begin with one dense network.

  Args:
    task: the `task.Search`.
    workdir: the `Workdir` that they are written to.
    seed: int, the search's.
    rates: dict from site path to the share of its remaining weights that a level removes.
    initializers: dict from site path to initializer.
  """

  def __init__(self, task, workdir, seed, rates, initializers):
    self._task, self._settings, self._workdir = task, task.settings, workdir
    self._seed, self._seeds = seed, seeds_of(seed)
    self._rates, self._initializers = rates, initializers

  @property
  def names(self):
    """The arms that are tickets."""
    return list(self._settings.chains)

  def save_dense(self, weights, masks):
    """Write the ticket of level 0: the weights of step k, from which later levels start."""
    self._save(0, "ticket", weights, masks, {})

  def save_next(self, level, chain, final):
    """Write what the trained ticket of `level` leads to.

    Args:
      final: dict from path to array, its weights after training.
    """
    s = self._settings
    ticket = self._workdir.ticket(self._seed, level, chain)
    if s.one_shot and level == 0:
      trained = self._last_trained(level, chain, ticket, final)
      for later in range(1, s.levels + 1):
        rates = one_shot_rates(self._rates, later)
        self._save_pruned(later, chain, ticket, final, trained, rates)
    elif not s.one_shot and level < s.levels:
      trained = self._last_trained(level, chain, ticket, final)
      self._save_pruned(level + 1, chain, ticket, final, trained, self._rates)

  def trained_before(self, level):
    """The weights that decided on the masks of `level`, each with its value when last trained."""
    source = 0 if self._settings.one_shot else level - 1
    return Ticket.load(self._workdir.trained_path(self._seed, source)).weights

  def _save_pruned(self, level, chain, ticket, final, trained, rates):
    s, seed = self._settings, self._seeds["masks"]
    rewound, actions = self._workdir.ticket(self._seed, 0).weights, s.actions(chain)
    masks = actions.masks(level, ticket.weights, final, ticket.masks, rates, seed=seed)
    weights, _ = STARTS[s.start](rewound, final, 0, 0)
    frozen = {}
    if s.start == "rewind":
      drawn = {"initializers": self._initializers, "seed": seed}
      weights, frozen = actions.start(level, rewound, trained, masks, **drawn)
    self._save(level, chain, weights, masks, frozen)

  def _last_trained(self, level, chain, ticket, final):
    """Each weight's value when it was trained last: that of a pruned one stays as it was."""
    feeds_arms = self._settings.freezes and chain == "ticket"
    if self._settings.pruned == "zero" and not feeds_arms:
      return final
    trained = final
    if level:
      before = Ticket.load(self._workdir.trained_path(self._seed, level - 1, chain)).weights
      trained = lived(ticket.masks, final, before)
    Ticket(ticket.masks, trained, level).save(self._workdir.trained_path(self._seed, level, chain))
    return trained

  def _save(self, level, chain, weights, masks, frozen):
    task, s = self._task, self._settings
    origin = {
      "dataset": s.dataset,
      "rewind_to": task.rewind_step,
      "steps": task.end,
      "seed": self._seed,
      "seeds": self._seeds,
      "criterion": s.chains[chain],
      "config": {name: value for name, value in as_json(s).items() if name not in FREE},
      "versions": versions(),
    }
    path = self._workdir.ticket_path(self._seed, level, chain)
    Ticket(masks, weights, level, origin, frozen).save(path)
