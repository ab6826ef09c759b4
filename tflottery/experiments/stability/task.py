"""The task of the stability experiment: its steps k, and what it refuses before any training."""

import dataclasses
import functools
import math

import numpy as np

from tflottery import durations
from tflottery.experiments import batches, data, task
from tflottery.seeds import noise_of
from tflottery.tickets import prune, reset


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """A network, its subnetworks, and the steps at which copies of them part."""

  @functools.cached_property
  def rewind_steps(self):
    """The steps k, rising."""
    length = self.settings.epoch_steps(len(self.data.train))
    asked = self.settings.rewind_steps
    return sorted(durations.steps(k, length, argument="rewind_steps") for k in asked)

  @property
  def pauses(self):
    return tuple(self.rewind_steps)

  def rates(self, sites):
    """The rate of each site."""
    return prune.site_rates(list(sites), self.settings.rate, self.settings.rates)

  def noise(self, seed, copy):
    """The seeds of one copy's noise: what is not to differ is as in copy 0."""
    own, first = noise_of(seed, copy), noise_of(seed, 0)
    return {name: (own if name in self.settings.noise else first)[name] for name in own}

  def examples(self, split):
    """Those of the `Split` on which networks on a path are measured: the first ones."""
    count = self.settings.path_examples or len(split)
    return data.Split(split.images[:count], split.labels[:count])

  def whole(self, split, batch_size):
    """All of a `Split`, in batches."""
    return batches.whole(split, batch_size=batch_size, moments=self.moments)

  def refuse(self, model):
    s, sites, steps = self.settings, self.sites(model), self.rewind_steps
    data.require_in_memory(self.data)
    late = [k for k in steps if k >= self.end]
    if late:
      raise ValueError(
        f"config.rewind_steps={s.rewind_steps!r} has step {late[0]}, beyond the training's {self.end}: "
        "give earlier ones."
      )
    if len(set(steps)) < len(steps):
      raise ValueError(
        f"config.rewind_steps={s.rewind_steps!r} are steps {steps}: name each step once."
      )
    self._refuse_silence(model)
    prune.check(
      {path: math.prod(site.shape) for path, site in sites.items()},
      self.rates(sites),
      levels=s.levels,
      scope=s.scope,
    )
    if any("reinit" in arm for arm in s.arms):
      reset.require_initializers({path: site.initializer for path, site in sites.items()})

  def _refuse_silence(self, model):
    """Refuse sources of noise of which this training has none: its copies would be equal."""
    s = self.settings
    heard = {
      "order": True,
      "augmentation": s.augment,
      "dropout": any(map(_draws, model._flatten_layers())),
    }
    if not any(heard[name] for name in s.noise):
      raise ValueError(
        f"config.noise={s.noise!r}: this training has none of it, so all copies would be equal. Add 'order'"
        " (or use config.augment=True, or a model with dropout)."
      )


def _draws(layer):
  """Whether a layer draws in training: dropout with a rate of 0 does not."""
  has_generator = hasattr(layer, "seed_generator") or hasattr(layer, "_random_generator")
  return has_generator and getattr(layer, "rate", 1) != 0


def masks_of_all(sites):
  """Masks under which every weight of the sites lives."""
  return {path: np.ones(site.shape, bool) for path, site in sites.items()}
