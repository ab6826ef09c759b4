"""The search over levels, arms and seeds, cut into pieces that can be killed and gone on with.

Frankle & Carbin 2019, arXiv:1803.03635; see `tflottery.find_ticket` for the algorithm. A piece is
one training, a pure function of the settings, a ticket and integer seeds.
"""

import functools

import numpy as np
import tensorflow as tf

from tflottery.experiments import arms, learn
from tflottery.experiments.chains import Chains
from tflottery.experiments.progress import Progress
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets import reset
from tflottery.tickets.restart import Restart
from tflottery.tickets.search import STARTS


def pieces(settings, seeds):
  """(seed, level, arm) of every training of these seeds, in the order in which they are done.

  A level's controls come after its tickets.
  """
  return [
    (seed, level, arm)
    for seed in seeds
    for level in range(settings.levels + 1)
    for arm in (settings.arms_at(level) if level else ["ticket"])
  ]


def run(task, workdir, seeds, *, after_piece=lambda: None):
  """Do all pieces of these seeds that are not done yet; call `after_piece` after each."""
  missing = [p for p in pieces(task.settings, seeds) if not workdir.is_done(*p)]
  rest = task.end - task.rewind_step
  progress = Progress({p: task.end if p[1] == 0 else rest for p in missing})
  for seed in seeds:
    mine = [(level, arm) for s, level, arm in missing if s == seed]
    if mine:
      _Seed(task, workdir, seed, progress).run(mine, after_piece)


class _Seed:
  """The trainings of one seed, with one model."""

  def __init__(self, task, workdir, seed, progress):
    self._task, self._workdir, self._seed, self._progress = task, workdir, seed, progress
    self._seeds = seeds_of(seed)
    model = task.model(self._seeds["initialisation"])
    sites = task.sites(model)
    self._initializers = reset.initializers_of(model)
    self._chains = Chains(task, workdir, seed, task.rates(sites), self._initializers)
    self._restart = Restart(model, sites, freezes=task.settings.freezes)
    self._initial = self._restart.weights()
    self._dense = {path: np.ones(site.shape, bool) for path, site in sites.items()}
    self._batches = task.batches(self._seeds["order"])
    self._validate = task.evaluator(model, task.data.validation)
    self._test = task.evaluator(model, task.data.test)

  def run(self, todo, after_piece):
    for level, arm in todo:
      curve = self._train_dense() if level == 0 else self._train(level, arm)
      for chain in self._chains.names:
        if chain == arm or level == 0:
          self._chains.save_next(level, chain, self._restart.weights())
      self._finish(level, arm, curve)
      after_piece()
    self._restart.release()

  def _train_dense(self):
    """Level 0, which stops at step k to write down where the later levels start."""
    k = self._task.rewind_step
    self._begin(0, "ticket", self._initial, self._dense, {}, 0)
    curve = learn.Curve(step=0)
    if k:
      self._fit(0, "ticket", curve, k, first=0)
    self._chains.save_dense(self._restart.weights(), self._dense)
    return self._fit(0, "ticket", curve, self._task.end - k, first=0)

  def _train(self, level, arm):
    k, end = self._task.rewind_step, self._task.end
    weights, masks, frozen = self._drawn(level, arm)
    _, position = STARTS[self._task.settings.start](None, None, k, end)
    self._begin(level, arm, weights, masks, frozen, position)
    return self._fit(level, arm, learn.Curve(step=k), end - k, first=k)

  def _drawn(self, level, arm):
    """What a ticket or a control begins with: (weights, masks, frozen values of the pruned)."""
    ticket = self._workdir.ticket(self._seed, level, arm if arm in self._chains.names else "ticket")
    if arm in self._chains.names:
      return ticket.weights, ticket.masks, ticket.frozen
    return arms.draw(
      ticket,
      arm,
      self._chains.trained_before(level) if arm in arms.ACTIONS else None,
      seed=self._seeds["masks"],
      initializers=self._initializers,
    )

  def _begin(self, level, arm, weights, masks, frozen, position):
    noise = [self._seeds["order"], *arms.arm_seed(self._seed, level, arm)]
    self._restart(weights, masks, frozen=frozen, step=position, seed=noise)

  def _fit(self, level, arm, curve, steps, *, first):
    key = (self._seed, level, arm)
    report = functools.partial(self._progress.report, key, first=first)
    watch = learn.Watch(curve, self._validate, report)
    every = self._task.settings.eval_every
    learn.train(self._restart.model, self._batches, curve, watch, steps=steps, every=every)
    return curve

  def _finish(self, level, arm, curve):
    """Measure the test split at the end and at the early stop; record the piece."""
    _, final_accuracy = self._test()
    self._restart.assign_weights(curve.weights)
    _, early_accuracy = self._test()
    step, loss, accuracy = curve.early_stop
    masks = self._restart.held.masks
    row = {
      "seed": self._seed,
      "level": level,
      "arm": arm,
      "remaining_percent": 100 * (1 - sparsity(masks)),
      "early_stop_step": step,
      "early_stop_test_accuracy": early_accuracy,
      "final_test_accuracy": final_accuracy,
      "train_seconds": round(curve.train_seconds, 3),
      "steps_per_second": round(curve.steps_per_second(), 1),
      "early_stop_validation_loss": loss,
      "early_stop_validation_accuracy": accuracy,
      "final_validation_accuracy": curve.points[-1][2],
      "steps_per_second_with_evaluation": round(curve.steps_per_second(with_evaluation=True), 1),
    }
    self._write_events(row, curve)
    self._workdir.finish(row, curve.points, masks)
    first = 0 if level == 0 else self._task.rewind_step
    self._progress.report((self._seed, level, arm), curve, first=first, finished=True)

  def _write_events(self, row, curve):
    writer = tf.summary.create_file_writer(
      self._workdir.events(row["seed"], row["level"], row["arm"])
    )
    with writer.as_default():
      for step, loss, accuracy in curve.points:
        tf.summary.scalar("validation_loss", loss, step)
        tf.summary.scalar("validation_accuracy", accuracy, step)
      for name in ("remaining_percent", "early_stop_test_accuracy", "final_test_accuracy"):
        tf.summary.scalar(name, row[name], row["level"])
    writer.close()
