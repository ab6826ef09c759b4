"""The trainings of the tropical experiment, cut into pieces that can be killed and gone on with.

Alfarra et al. 2022, arXiv:2002.08838, section 4: the dense network, and what is left of it after each
level of magnitude pruning, trained again from several starts. A piece is one training, a pure function
of the settings, the pieces before it and integer seeds.
"""

import functools

import numpy as np

from tflottery.analysis.tropical.blocks import paths_of
from tflottery.analysis.tropical.magnitude import magnitude_prune
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.pruning import tropical_prune
from tflottery.experiments import learn
from tflottery.experiments.progress import Progress
from tflottery.experiments.tropical.starts import TICKET, place_of, start
from tflottery.experiments.tropical.views import View, network_from
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets.prune import prune
from tflottery.tickets.restart import Restart
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

DENSE = "dense"


def planned(settings, seeds):
  """(seed, level, start) of every training of these seeds, in the order in which they are done."""
  return [
    (seed, level, name)
    for seed in seeds
    for level in range(settings.levels + 1)
    for name in ((TICKET, *settings.controls) if level else (DENSE,))
  ]


def run(work, place, seeds, *, after_piece=lambda: None):
  """Do all pieces of these seeds that are not done yet; call `after_piece` after each.

  Args:
    work: the `Task`.
    place: the `Workdir`.
  """
  missing = [piece for piece in planned(work.settings, seeds) if not place.is_done(*piece)]
  progress = Progress(dict.fromkeys(missing, work.end))
  for seed in seeds:
    mine = [(level, name) for s, level, name in missing if s == seed]
    if mine:
      _Seed(work, place, seed, progress).run(mine, after_piece)


class _Seed:
  """The trainings of one seed, with one model."""

  def __init__(self, work, place, seed, progress):
    self._work, self._place, self._seed, self._progress = work, place, seed, progress
    self._seeds = seeds_of(seed)
    model = work.model(self._seeds["initialisation"])
    self._paths, self._sites = paths_of(model), work.sites(model)
    self._restart = Restart(model, self._sites)
    self._initial = self._restart.weights()
    self._batches = work.batches(self._seeds["order"])
    self._validate = work.evaluator(model, work.data.validation)
    self._test = work.inputs(work.data.test), work.data.test.labels

  def run(self, todo, after_piece):
    for level, name in todo:
      if level:
        self._subnetwork(level, name)
      else:
        self._dense()
      after_piece()
    self._restart.release()

  @functools.cached_property
  def _view(self):
    s, train = self._work.settings, self._work.data.train
    dense = network_from(self._place.network(self._seed, 0, DENSE).weights, self._paths)
    return View(dense, s.pair, self._work.inputs(train), train.labels, s.plane)

  def _dense(self):
    """Level 0: train the dense network, and prune it by all rules without further training."""
    masks = {path: np.ones(site.shape, bool) for path, site in self._sites.items()}
    self._ticket(0, masks, self._initial).save(self._place.network_path(self._seed, "initial"))
    frames = [(0, self._initial)]
    row = self._train(0, DENSE, self._initial, masks, frames)
    if self._seed == self._work.settings.seeds[0]:
      self._place.save_frames(self._seed, frames)
    self._place.finish(self._seed, 0, DENSE, results=[row], pruning=self._pruned())

  def _subnetwork(self, level, name):
    masks = self._masks(level)
    weights = start(name, self._initial, masks, seed=self._seeds["masks"], level=level)
    row = self._train(level, name, weights, masks)
    self._place.finish(self._seed, level, name, results=[row])

  def _masks(self, level):
    """Those of a level: what magnitude keeps of the ticket that the level before trained."""
    before = self._place.network(self._seed, level - 1, TICKET if level > 1 else DENSE)
    return prune(before.weights, before.masks, rates=self._work.rates(self._sites))

  def _train(self, level, name, weights, masks, frames=None):
    """Train one network, write it down, and return its row."""
    noise = [self._seeds["order"], level, place_of(name)]
    self._restart(weights, masks, seed=noise)
    curve, key = learn.Curve(step=0), (self._seed, level, name)
    report = functools.partial(self._progress.report, key, first=0)

    def watched(curve):
      if frames is not None:
        frames.append((curve.step, self._restart.weights()))
      report(curve)

    watch = learn.Watch(curve, self._validate, watched)
    steps, every = self._work.end, self._work.settings.eval_every
    learn.train(self._restart.model, self._batches, curve, watch, steps=steps, every=every)
    report(curve, finished=True)
    trained = self._restart.weights()
    self._place.save_network(self._seed, level, name, self._ticket(level, masks, trained))
    return {
      "level": level,
      "start": name,
      "remaining_percent": 100 * (1 - sparsity(masks)),
      **self._view.measure(network_from(trained, self._paths), *self._test),
      "steps": steps,
      "train_seconds": round(curve.train_seconds, 3),
    }

  def _ticket(self, level, masks, weights):
    origin = {"network": self._paths, "seed": self._seed, "versions": versions()}
    return Ticket(masks, weights, level, origin)

  def _pruned(self):
    """A row for every rule and share: the dense network, pruned and not trained again."""
    dense = network_from(self._place.network(self._seed, 0, DENSE).weights, self._paths)
    rows = []
    for rule in self._work.settings.rules:
      for share in sorted(self._work.settings.shares):
        found = _pruned(dense, rule, share)
        network = Network(found.A, found.B, dense.c1, dense.c2)
        row = {"rule": rule, "share": share, "pruned_percent": 100 * found.share}
        rows.append(row | self._view.measure(network, *self._test))
    return rows


def _pruned(network, rule, share):
  """What "tropical" or a rule of `magnitude_prune` leaves of a `Network`: a `Pruned`."""
  if rule == "tropical":
    return tropical_prune(network.A, network.B, share, c1=network.c1)
  return magnitude_prune(network.A, network.B, share, rule=rule)
