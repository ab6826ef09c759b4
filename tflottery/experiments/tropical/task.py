"""The task of the tropical experiment: its network, and what it refuses before any training."""

import dataclasses
import math

import numpy as np

from tflottery.analysis.tropical.blocks import network_of, paths_of
from tflottery.analysis.tropical.generators import check_pair
from tflottery.experiments import batches, data, models, task
from tflottery.tickets import prune


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """A network of the form affine, ReLU, affine, and its subnetworks."""

  def network(self, width=1.0):
    if self.settings.model == "affine_relu_affine":
      width = width * self.settings.hidden / models.HIDDEN
    return super().network(width)

  def rates(self, sites):
    """The rate of each site."""
    return prune.site_rates(list(sites), self.settings.rate, self.settings.rates)

  def inputs(self, split):
    """The examples of a `Split` as the network sees them, float64 [n, inputs]."""
    whole = batches.whole(split, batch_size=1000, moments=self.moments)
    return np.concatenate([np.asarray(x, float).reshape(len(x), -1) for x, _ in whole])

  def refuse(self, model):
    s, sites = self.settings, self.sites(model)
    data.require_in_memory(self.data)
    with task.named(s, "model"):
      network = network_of(model)
      paths_of(model)
    if network.A.shape[1] < 2:
      raise ValueError(
        f"config.dataset={s.dataset!r} has examples of one number: a plane needs two or more."
      )
    with task.named(s, "pair"):
      check_pair(s.pair, self.data.classes)
    prune.check(
      {path: math.prod(site.shape) for path, site in sites.items()},
      self.rates(sites),
      levels=s.levels,
      scope="layer",
    )
