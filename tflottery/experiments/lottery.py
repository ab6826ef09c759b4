"""The search over levels, arms and seeds, cut into pieces that can be killed and gone on with.

Frankle & Carbin 2019, arXiv:1803.03635; see `tflottery.find_ticket` for the algorithm. A piece is
one training, a pure function of the settings, a ticket and integer seeds.
"""

import functools

import numpy as np
import tensorflow as tf

from tflottery.experiments import arms, learn
from tflottery.experiments.progress import Progress
from tflottery.experiments.settings import as_json
from tflottery.experiments.workdir import FREE
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets import prune, reset
from tflottery.tickets.restart import Restart
from tflottery.tickets.search import STARTS
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions


def pieces(settings, seeds):
  """(seed, level, arm) of every training of these seeds, in the order in which they are done.

  A level's controls come after its ticket.
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
    self._rates = task.rates(sites)
    self._initializers = reset.initializers_of(model)
    self._restart = Restart(model, sites)
    self._initial = self._restart.weights()
    self._dense = {path: np.ones(site.shape, bool) for path, site in sites.items()}
    self._batches = task.batches(self._seeds["order"])
    self._validate = task.evaluator(model, task.data.validation)
    self._test = task.evaluator(model, task.data.test)

  def run(self, todo, after_piece):
    for level, arm in todo:
      curve = self._train_dense() if level == 0 else self._train(level, arm)
      if arm == "ticket":
        self._save_next(level, self._restart.weights())
      self._finish(level, arm, curve)
      after_piece()
    self._restart.release()

  def _train_dense(self):
    """Level 0, which stops at step k to write down where the later levels start."""
    k = self._task.rewind_step
    self._begin(0, "ticket", self._initial, self._dense, 0)
    curve = learn.Curve(step=0)
    if k:
      self._fit(0, "ticket", curve, k, first=0)
    self._save(0, self._restart.weights(), self._dense)
    return self._fit(0, "ticket", curve, self._task.end - k, first=0)

  def _train(self, level, arm):
    k, end = self._task.rewind_step, self._task.end
    ticket = self._workdir.ticket(self._seed, level)
    seed = self._seeds["masks"]
    weights, masks = arms.draw(ticket, arm, seed=seed, initializers=self._initializers)
    _, position = STARTS[self._task.settings.start](None, None, k, end)
    self._begin(level, arm, weights, masks, position)
    return self._fit(level, arm, learn.Curve(step=k), end - k, first=k)

  def _begin(self, level, arm, weights, masks, position):
    noise = [self._seeds["order"], *arms.arm_seed(self._seed, level, arm)]
    self._restart(weights, masks, step=position, seed=noise)

  def _fit(self, level, arm, curve, steps, *, first):
    key = (self._seed, level, arm)
    report = functools.partial(self._progress.report, key, first=first)
    watch = learn.Watch(curve, self._validate, report)
    every = self._task.settings.eval_every
    learn.train(self._restart.model, self._batches, curve, watch, steps=steps, every=every)
    return curve

  def _save_next(self, level, final):
    """Write what the trained ticket of `level` leads to."""
    settings = self._task.settings
    start, _ = STARTS[settings.start](self._workdir.ticket(self._seed, 0).weights, final, 0, 0)
    if settings.one_shot:
      for later in range(1, settings.levels + 1) if level == 0 else ():
        rates = prune.one_shot_rates(self._rates, later)
        masks = prune.prune(final, self._dense, rates=rates, scope=settings.scope)
        self._save(later, start, masks)
    elif level < settings.levels:
      masks = self._workdir.ticket(self._seed, level).masks
      masks = prune.prune(final, masks, rates=self._rates, scope=settings.scope)
      self._save(level + 1, start, masks)

  def _save(self, level, weights, masks):
    task = self._task
    config = {name: v for name, v in as_json(task.settings).items() if name not in FREE}
    origin = {
      "dataset": task.settings.dataset,
      "rewind_to": task.rewind_step,
      "steps": task.end,
      "seed": self._seed,
      "seeds": self._seeds,
      "config": config,
      "versions": versions(),
    }
    Ticket(masks, weights, level, origin).save(self._workdir.ticket_path(self._seed, level))

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
