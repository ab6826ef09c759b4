"""Rethinking's baselines: the task of a network that is pruned from a trained one.

Liu et al. 2019, Rethinking the Value of Network Pruning, arXiv:1810.05270. Channels go by the L1 norms
of their filters (Li et al. 2017, arXiv:1608.08710) or by their scales (Liu et al. 2017, Network
Slimming, arXiv:1708.06519), and the network becomes smaller; weights go by magnitude, and masks are
held. `ways` says how what is left is trained.

Departs: of L1 norms every layer loses the same share, where the authors choose layers by hand; a fresh
network draws from its layers' own initializers, which for convolutions under masks is `sparse_normal`;
the slimming regulariser ends with the parent.
"""

import dataclasses
import functools
import re
from typing import Any

import numpy as np
import tensorflow as tf

from tflottery import arguments, callbacks
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.algorithms import checks
from tflottery.algorithms.sparse_normal import sparse_normal
from tflottery.analysis import counting
from tflottery.experiments import parents, retraining, sparse, task
from tflottery.seeds import seeds_of, set_seed
from tflottery.structured import channels
from tflottery.structured.slim import slim


@dataclasses.dataclass(frozen=True)
class Pruned(sparse.Task):
  """The task of a network that is pruned from a trained one.

  Attributes:
    dense: the settings of the dense training; `settings` are those of what is left.
    parent: the `Ticket` of the trained network. None where there is none yet, which is enough to
      refuse what can't work.
  """

  dense: Any = None
  parent: Any = None

  @property
  def seeds(self):
    return seeds_of([self.settings.seed, 1])  # the parent's would draw its initial weights again

  @property
  def dense_steps(self):
    return self.dense.end(len(self.data.train))

  @property
  def inherited_steps(self):
    return self.dense_steps if self._way.inherits else 0

  def refuse(self, model):
    super().refuse(model)
    task_of(self, parents.parent(self.settings)).refuse(model)

  def try_on(self, model):
    self._prune(model)

  def start(self):
    model, masks = self.pruned()
    if not self._way.inherits:
      model = self._fresh(model, masks)
    return self.compiled(model), [callbacks.HoldMasks(masks)] if masks else []

  def results(self, model, *given, **more):
    own = {} if self._scores is None else {"channels_removed_share": self._removed_share(model)}
    return super().results(model, *given, **more) | own

  def flops_factor(self):
    """How many times the FLOPs of the pruned network the dense one takes."""
    model, masks = self.pruned()
    return counting.flops(self.network()).dense / counting.flops(model, masks).sparse

  @property
  def _way(self):
    return parents.way_of(self.settings)

  @property
  def _scores(self):
    """What ranks channels; None where weights are pruned."""
    return _SCORES.get(parents.pruning(self.settings))

  def pruned(self):
    """(the parent's network pruned, masks that it needs)."""
    model = self.uncompiled()
    self.parent.apply(model)
    return self._prune(model)

  def _prune(self, model):
    """(`model` pruned, masks that it needs): smaller, or as it is."""
    sparsity = arguments.share("sparsity", self.settings.sparsity)
    if self._scores is None:
      return model, _lowest_masked(self._weights(model), sparsity)
    only = [f"^{re.escape(path)}$" for path in self._ranked(model)]
    scope = "layer" if self._scores == "norm" else "global"
    masks = channels.draw(model, sparsity, scores=self._scores, scope=scope, only=only)
    return slim(model, masks), {}

  def _ranked(self, model):
    """The sites whose channels are ranked: those of convolutions, or all scales."""
    s = self.settings
    if self._scores == "scale":
      if s.only or s.exclude:
        raise ValueError(
          f"config.only={s.only!r}, config.exclude={s.exclude!r}: slimming ranks the scales of the "
          "whole network. Leave both empty, or choose l1_norm."
        )
      return channels.scales(model)
    found, chosen = channels.filters(model, only=s.only or None), self.sites(model)
    left = {path: site for path, site in found.items() if path in chosen}
    if not left:
      raise ValueError(f"config.exclude={s.exclude!r} leaves no convolution to prune.")
    return left

  def _weights(self, model):
    """The weights that are ranked: of convolutions, as in the paper, unless there are none."""
    every = self.sites(model)
    convolutions = {path: site for path, site in every.items() if _is_convolution(site.layer)}
    return (not self.settings.only and convolutions) or every

  def _fresh(self, model, masks):
    """A network of the form of `model` with weights of its own."""
    if masks:
      fresh = self.model(self.seeds["initialisation"])
      weights = _sites.weights(fresh)
      for path, value in sparse_normal(fresh, masks, seed=self.seeds["masks"]).items():
        weights[path].assign(value)
      return fresh
    set_seed(self.seeds["initialisation"])
    with self.strategy.scope():
      return self.k.models.clone_model(model)

  def _removed_share(self, model):
    left = self._ranked(model)
    every = sum(np.shape(self.parent.weights[path])[-1] for path in left)
    return 1 - sum(int(kept.shape[-1]) for kept in left.values()) / every


_SCORES = {"l1_norm": "norm", "slimming": "scale"}


def kind_of(settings):
  """The class of the task of `settings`."""
  if settings.algorithm in parents.RETRAINED:
    return retraining.Retrained
  return Pruned if settings.algorithm in parents.ALGORITHMS else sparse.Task


def task_of(work, settings, parent=None):
  """The task of `settings` on the data of `work`.

  Args:
    work: a task of any of the classes.
    settings: a `sparse.Training`.
    parent: function without arguments that returns the `Ticket` of its trained network, called if
      it has one. None makes a task that only refuses what can't work.
  """
  fields = {field.name: getattr(work, field.name) for field in dataclasses.fields(task.Task)}
  fields["settings"] = settings
  kind = kind_of(settings)
  if kind is sparse.Task:
    return sparse.Task(**fields)
  if parent is None:
    return kind(**fields, dense=settings)
  pruned = kind(**fields, dense=settings, parent=parent())
  epoch_steps = settings.epoch_steps(len(work.data.train))
  factor = functools.cache(pruned.flops_factor)
  changed = parents.way_of(settings).settings(settings, epoch_steps, factor)
  return dataclasses.replace(pruned, settings=changed)


def _lowest_masked(sites, sparsity):
  """Masks that keep the weights of the largest magnitude over all sites."""
  scores = {path: tf.abs(tf.constant(_sites.value(s.variable))) for path, s in sites.items()}
  size = sum(int(np.prod(site.shape)) for site in sites.values())
  kept = _masks.keep_top_jointly(scores, _masks.kept_count(size, sparsity))
  masks = {path: mask.numpy() for path, mask in kept.items()}
  checks.warn_of_empty(masks)
  return masks


def _is_convolution(layer):
  return any("Conv" in kind.__name__ for kind in type(layer).__mro__)
