"""The trainings of the supermask experiment: the dense network, and each trained mask.

Zhou et al. 2019, arXiv:1905.01067, section 5.
"""

import functools

from tflottery.experiments import batches, learn, task
from tflottery.experiments.progress import Progress
from tflottery.experiments.supermasks import untrained
from tflottery.experiments.supermasks.settings import TRAINED
from tflottery.experiments.supermasks.task import Task
from tflottery.learned import evaluate, ticket
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets.ticket import Ticket

DENSE = "dense"


def planned(settings):
  """(seed, name) of every piece, in the order in which they are done."""
  return [(seed, name) for seed in settings.seeds for name in (DENSE, *settings.trained)]


def run(work, place, after_piece=lambda: None):
  """Do all pieces that are not done yet; call `after_piece` after each.

  Args:
    work: a `task.Task` of `Supermask` settings.
    place: a `Workdir`.
  """
  missing = [piece for piece in planned(work.settings) if not place.is_done(*piece)]
  kinds = dict.fromkeys(TRAINED[name].algorithm for _, name in missing if name != DENSE)
  own = {algorithm: task.load(work.settings.of(algorithm), Task) for algorithm in kinds}
  tasks = {p: work if p[1] == DENSE else own[TRAINED[p[1]].algorithm] for p in missing}
  progress = Progress({piece: work.end for piece, work in tasks.items()})
  for (seed, name), work in tasks.items():
    (_dense if name == DENSE else _trained)(work, place, seed, name, progress)
    after_piece()


def _dense(work, place, seed, name, progress):
  """Train the dense network, and try the masks of all criteria on its untrained weights."""
  model = work.model(seeds_of(seed)["initialisation"])
  initial = Ticket.capture(model, untrained.dense_masks(work, model))
  curve = _fit(work, model, seed, name, progress)
  final = Ticket.capture(model, initial.masks)
  _, accuracy = work.evaluator(model, work.data.test)()
  row = {"network": name, "remaining_percent": 100.0, "test_accuracy": accuracy}
  rows = [row | _length(work, curve), *untrained.rows(work, model, initial, final, seed)]
  initial.save(place.ticket_path(seed, "initial"))
  final.save(place.ticket_path(seed, "final"))
  place.finish(seed, name, rows, curve.points)


def _trained(work, place, seed, name, progress):
  """Train a mask over weights that stay as they are drawn."""
  chosen, model = TRAINED[name], work.compiled(work.masked(name, seed))
  curve = _fit(work, model, seed, name, progress)
  _, accuracy = work.evaluator(model, work.data.test)()
  found = ticket(model)
  path = place.ticket_path(seed, name)
  found.save(path)
  row = {
    "network": chosen.algorithm,
    "weights": chosen.weights,
    "rescale": chosen.rescale,
    "remaining_percent": 100 * (1 - sparsity(found.masks)),
    "test_accuracy": accuracy,
    "ticket_bytes": path.stat().st_size,
  }
  if chosen.algorithm == "supermask":
    row |= _sampled(work, model)
  place.finish(seed, name, [row | _length(work, curve)], curve.points)


def _sampled(work, model):
  """What networks drawn from the probabilities reach, as the paper evaluates them."""
  with work.strategy.scope():
    model.compile(
      loss=work.k.losses.SparseCategoricalCrossentropy(from_logits=True),
      metrics=["accuracy"],
      jit_compile=work.jit_compile,
    )
  test = batches.whole(work.data.test, batch_size=1000, moments=work.moments)
  found = evaluate(model, test, samples=work.settings.samples)
  return {
    "samples_test_accuracy": found["mean"]["accuracy"],
    "samples_deviation": found["std"]["accuracy"],
    "expected_remaining_percent": 100 * (1 - found["sparsity"]),
  }


def _fit(work, model, seed, name, progress):
  curve, key = learn.Curve(step=0), (seed, name)
  report = functools.partial(progress.report, key, first=0)
  watch = learn.Watch(curve, work.evaluator(model, work.data.validation), report)
  order = work.batches(seeds_of(seed)["order"])
  learn.train(model, order, curve, watch, steps=work.end, every=work.settings.eval_every)
  progress.report(key, curve, first=0, finished=True)
  return curve


def _length(work, curve):
  return {"steps": work.end, "train_seconds": round(curve.train_seconds, 3)}
