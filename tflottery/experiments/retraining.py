"""Retraining: the task of a network that is trained anew under the masks that another one learned.

Gale et al. 2019, The State of Sparsity, arXiv:1902.09574, section 5. The masks are those of a network
that became sparse while it was trained, and they are held; `parents` names the ways. A ticket begins
with that network's own initial weights (Frankle & Carbin 2019, arXiv:1803.03635), the others with
fresh ones from the layers' initializers, which `sparse_aware` widens. Of one seed all ways see the
data in one order, which is not the order of the masks' own training.
"""

import dataclasses
from typing import Any

from tflottery import callbacks
from tflottery import site as _sites
from tflottery.algorithms.sparse_aware import sparse_aware
from tflottery.analysis import counting
from tflottery.experiments import parents, sparse, task
from tflottery.seeds import seeds_of
from tflottery.tickets import reset


@dataclasses.dataclass(frozen=True)
class Retrained(sparse.Task):
  """The task of a network under learned masks.

  Attributes:
    dense: the settings of the training that found the masks, but for their algorithm; `settings` are
      those of this one.
    parent: the `Ticket` of the network that learned the masks. None where there is none yet, which is
      enough to refuse what can't work.
  """

  dense: Any = None
  parent: Any = None

  @property
  def seeds(self):
    return seeds_of([self.settings.seed, 1])  # its source's would draw its initial weights again

  @property
  def dense_steps(self):
    return self.dense.end(len(self.data.train))

  def refuse(self, model):
    super().refuse(model)
    fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(task.Task)}
    source = parents.parent(self.settings)
    sparse.Task(**fields | {"settings": source}).refuse(model)

  def try_on(self, model):
    if self._way.endswith("_sparse"):
      sites = self.sites(model)
      reset.require_initializers({path: site.initializer for path, site in sites.items()})

  def start(self):
    seeds = seeds_of(self.settings.seed) if self._way == "ticket" else self.seeds
    model = self.model(seeds["initialisation"])
    if self._way.endswith("_sparse"):
      weights = _sites.weights(model)
      drawn = sparse_aware(model, self.parent.masks, seed=self.seeds["masks"])
      for path, value in drawn.items():
        weights[path].assign(value)
    return model, [callbacks.HoldMasks(self.parent.masks)]

  def flops_factor(self):
    """How many times the FLOPs of the network under its masks the dense one takes."""
    model = self.network()
    dense, here = counting.flops(model).dense, counting.flops(model, self.parent.masks).sparse
    return dense / here

  @property
  def _way(self):
    return parents.RETRAINED[self.settings.algorithm][1]
