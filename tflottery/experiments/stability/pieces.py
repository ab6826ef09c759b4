"""The trainings of the stability experiment and the comparisons of their copies, as pieces.

Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020,
arXiv:1912.05671; Frankle et al., Stabilizing the Lottery Ticket Hypothesis, arXiv:1903.01611. The
dense training from step 0 serves all k: as the first copy of the dense network, as what the first
masks are taken from, and as what tickets are compared with. So does the first training of a ticket: as
a level of the search, and as a copy.

Departs: copies of the dense network part with the optimizer's state at step k, where the paper does not
say; subnetworks begin with a fresh one, as the paper's.
"""

import functools

from tflottery.experiments import arms, learn
from tflottery.experiments.progress import Progress
from tflottery.experiments.stability.compare import Comparison
from tflottery.experiments.stability.networks import DENSE, PATHS, TICKET, WHOLE, Network, planned
from tflottery.experiments.stability.task import masks_of_all
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets import prune, reset
from tflottery.tickets.restart import Restart
from tflottery.tickets.ticket import Ticket


def missing(work, place, seeds):
  """(seed, network, copy) of every piece that is not done yet."""
  every = ((seed, *piece) for seed in seeds for piece in planned(work.settings, work.rewind_steps))
  return [piece for piece in every if not place.is_done(*piece)]


def run(work, place, seeds, *, after_piece=lambda: None):
  """Do all pieces of these seeds that are not done yet; call `after_piece` after each."""
  todo = missing(work, place, seeds)
  progress = Progress(
    {(s, _words(n, c)): work.end - n.k for s, n, c in todo if c != PATHS}  # comparisons are short
  )
  for seed in seeds:
    mine = [(network, copy) for s, network, copy in todo if s == seed]
    if mine:
      _Seed(work, place, seed, progress).run(mine, after_piece)


class _Seed:
  """The pieces of one seed, with one model."""

  def __init__(self, work, place, seed, progress):
    self._work, self._place, self._seed, self._progress = work, place, seed, progress
    model = work.model(seeds_of(seed)["initialisation"])
    sites = work.sites(model)
    self._rates, self._dense = work.rates(sites), masks_of_all(sites)
    self._initializers = reset.initializers_of(model)
    self._restart = Restart(model, sites)
    self._initial = self._restart.weights()
    self._validate = work.evaluator(model, work.data.validation)
    self._test = work.evaluator(model, work.data.test)
    self._comparison = Comparison(work, place, seed, self._restart)

  def run(self, todo, after_piece):
    for network, copy in todo:
      if copy == PATHS:
        rows = self._comparison(network)
        self._place.finish(self._seed, network, PATHS, **rows)
      else:
        self._finish(network, copy, self._trained(network, copy))
      after_piece()
    self._restart.release()

  def _trained(self, network, copy):
    is_first, curve = network == WHOLE and copy == 0, learn.Curve(step=network.k)
    if is_first:
      self._restart(self._initial, self._dense, seed=self._dropout(WHOLE, 0))
    else:
      self._begin(network, copy)
    if network.arm == DENSE:
      self._train_past_steps(network, copy, curve, self._save_start if is_first else None)
    self._fit(network, copy, curve, self._work.end)
    masks = self._restart.held.masks
    ticket = Ticket(masks, self._restart.weights(), network.level, self._origin(network, copy))
    ticket.save(self._place.network_path(self._seed, network, copy))
    if is_first or (copy == 0 and network.arm == TICKET):
      self._save_next(network, ticket)
    return curve

  def _train_past_steps(self, network, copy, curve, save):
    """Train a dense network up to the last k. At each, its layers draw as in a copy that parts there."""
    for k in self._work.rewind_steps:
      if k >= network.k:
        self._fit(network, copy, curve, k)
        if save:
          save(k)
        self._restart.reseed(self._dropout(Network(k, 0, DENSE), copy))

  def _save_start(self, k):
    """Write down where the others start at the step k."""
    weights, state = self._restart.weights(), self._restart.state()
    start = Ticket(self._dense, weights, 0, self._origin(Network(k, 0, DENSE), 0))
    start.save(self._place.start_path(self._seed, k, 0))
    self._place.save_optimizer(self._seed, k, state)

  def _begin(self, network, copy):
    """Put the model into the state that a copy is trained from."""
    k, noise = network.k, self._dropout(network, copy)
    start = Ticket.load(self._place.start_path(self._seed, k, network.level))
    if network.arm == DENSE:
      state = self._place.optimizer(self._seed, k)
      self._restart(start.weights, start.masks, seed=noise, state=state)
      return
    weights, masks, _ = arms.draw(
      start,
      network.arm,
      seed=seeds_of(self._seed)["masks"],
      initializers=self._initializers,
    )
    self._restart(weights, masks, step=k, seed=noise)

  def _dropout(self, network, copy):
    """The seed of what a copy's layers draw."""
    return [self._work.noise(self._seed, copy)["dropout"], network.k, network.level]

  def _fit(self, network, copy, curve, stop):
    """Train up to the step `stop`, from where the curve is."""
    noise = self._work.noise(self._seed, copy)
    report = functools.partial(
      self._progress.report, (self._seed, _words(network, copy)), first=network.k
    )
    watch = learn.Watch(curve, self._validate, report)
    order = self._work.batches(noise["order"], noise["augmentation"])
    every = self._work.settings.eval_every
    learn.train(self._restart.model, order, curve, watch, steps=stop - curve.step, every=every)
    return curve

  def _save_next(self, network, ticket):
    """Write what the next level begins with: of the dense network, for every k."""
    s = self._work.settings
    if network.level == s.levels:
      return
    level = network.level + 1
    masks = prune.prune(
      ticket.weights,
      ticket.masks,
      rates=self._rates,
      scope=s.scope,
      seed=[seeds_of(self._seed)["masks"], level],
    )
    for k in self._work.rewind_steps if network == WHOLE else [network.k]:
      start = Ticket.load(self._place.start_path(self._seed, k, 0))
      origin = self._origin(Network(k, level, TICKET), 0)
      Ticket(masks, start.weights, level, origin).save(self._place.start_path(self._seed, k, level))

  def _origin(self, network, copy):
    noise = self._work.noise(self._seed, copy)
    own = network.columns | {"rewind_to": network.k, "copy": copy, "noise": noise}
    return own | {
      "dataset": self._work.settings.dataset,
      "seed": self._seed,
      "steps": self._work.end,
    }

  def _finish(self, network, copy, curve):
    """Measure the test split at the end and at the early stop; record the piece."""
    _, final_accuracy = self._test()
    self._restart.assign_weights(curve.weights)
    _, early_accuracy = self._test()
    noise = self._work.noise(self._seed, copy)
    row = {
      "copy": copy,
      "remaining_percent": 100 * (1 - sparsity(self._restart.held.masks)),
      "final_test_accuracy": final_accuracy,
      "early_stop_step": curve.early_stop[0],
      "early_stop_test_accuracy": early_accuracy,
      "steps": self._work.end - network.k,
      **{f"{name}_seed": value for name, value in noise.items()},
      "train_seconds": round(curve.train_seconds, 3),
    }
    self._place.finish(
      self._seed, network, copy, trainings=[row], curves=[{"points": curve.points}]
    )
    self._progress.report(
      (self._seed, _words(network, copy)), curve, first=network.k, finished=True
    )


def _words(network, copy):
  level = f", level {network.level}" if network.level else ""
  return f"step {network.k}{level}, {network.arm.replace('_', ' ')}, copy {copy}"
