"""The task of the supermask experiment: what it refuses before any training."""

import dataclasses
import math

from tflottery.experiments import data, task
from tflottery.experiments.supermasks.settings import TRAINED
from tflottery.learned.edge_popup import edge_popup
from tflottery.learned.supermask import supermask
from tflottery.seeds import seeds_of
from tflottery.tickets import prune


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """A dense network, or masks over its weights; their lengths differ, so each has a task."""

  def masked(self, name, seed):
    """The model of a trained mask, not compiled; its weights are drawn from `seed`.

    Args:
      name: a key of `TRAINED`.
    """
    chosen, seeds, s = TRAINED[name], seeds_of(seed), self.settings
    plain = self.uncompiled(seeds["initialisation"])
    options = {
      "weights": chosen.weights,
      "seed": seeds["initialisation"],
      "rescale": chosen.rescale,
      "only": s.only or None,
      "exclude": s.exclude or None,
    }
    if chosen.algorithm == "supermask":
      return supermask(plain, sample_seed=seeds["masks"], **options)
    return edge_popup(plain, sparsity=s.edge_popup["sparsity"], **options)

  def refuse(self, model):
    sites, s = self.sites(model), self.settings
    data.require_in_memory(self.data)
    prune.check(
      {path: math.prod(site.shape) for path, site in sites.items()},
      prune.site_rates(list(sites), s.rate, s.rates),
      levels=s.levels,
      scope="layer",
      one_shot=True,
    )
    with task.named(s, "model", "trained"):
      for name in s.trained:
        self.masked(name, 0)
