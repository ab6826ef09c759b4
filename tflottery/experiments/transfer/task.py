"""The tasks of the transfer experiment: where tickets come from, where they go, and the move itself."""

import dataclasses
import functools

import numpy as np

from tflottery.experiments import task
from tflottery.experiments.transfer.settings import named
from tflottery.tickets.ticket import Ticket


class Tasks:
  """The tasks of one experiment, each loaded when it is first asked for.

  Args:
    settings: `Transfer`.

  Raises:
    ValueError, FileNotFoundError: from the methods; names the task, the setting and the cure.
  """

  def __init__(self, settings):
    self.settings = settings
    self._target = functools.cache(self._load)

  @functools.cached_property
  def _sources(self):
    return {name: self._search(name) for name in self.settings.sources}

  def _search(self, name):
    with named(name):
      return task.load(self.settings.of(name))

  def source(self, name):
    """The `task.Search` of a source."""
    return self._sources[name]

  def target(self, name, source):
    """The `task.Task` of a target, its images brought to the shape of those of `source`."""
    with named(source, name):
      return self._target(name, self.source(source).data.image_shape)

  def _load(self, name, shape):
    settings = dataclasses.replace(self.settings.of(name), image_shape=tuple(shape))
    return task.load(settings, task.Task)

  def refuse(self):
    """Refuse sources and targets that can't be trained, or that can't share a ticket.

    Raises:
      ValueError, FileNotFoundError: before any training; names the tasks and the cure.
    """
    for source in self.settings.sources:
      work = self.source(source)
      model = work.uncompiled()
      masks = {path: np.ones(site.shape, bool) for path, site in work.sites(model).items()}
      ticket = Ticket.capture(model, masks)
      for target in self.settings.targets:
        own = self.target(target, source)
        model = own.uncompiled()
        with named(source, target):
          moved = self.move(ticket, model, source, target)
          _require_sites(moved.ticket.masks, own.sites(model))

  def move(self, ticket, model, source, target, *, seed=0):
    """The `Transfer` of a ticket of `source` to a model of `target`."""
    s = self.settings
    return ticket.transfer(
      model,
      mapping=s.maps(source, target) or None,
      head=s.head or None,
      fresh=s.fresh,
      seed=seed,
      verbose=False,
    )


def _require_sites(masks, sites):
  """Refuse masks of what the target leaves dense: they could not be held."""
  strange = masks.keys() - sites.keys()
  if strange:
    raise ValueError(
      f"the moved ticket masks {', '.join(sorted(strange))}, and the target's sites are "
      f"{', '.join(sites)}. Give both tasks the config.only and config.exclude that choose the same "
      "layers, by their names in each model."
    )


def target_seeds(seed):
  """Separate seeds of what is trained on targets, from the run's: others than those of its searches.

  >>> list(target_seeds(0))
  ['initialisation', 'order', 'augmentation', 'dropout', 'masks']
  """
  words = np.random.SeedSequence(seed, spawn_key=(2,)).generate_state(5)
  names = ("initialisation", "order", "augmentation", "dropout", "masks")
  return dict(zip(names, map(int, words), strict=True))
