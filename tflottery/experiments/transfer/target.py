"""What is trained on a target: the dense network, moved tickets and random tickets.

Morcos et al. 2019, arXiv:1906.02773. Each training is a pure function of the settings, a ticket and
integer seeds; all of one seed and target have the same noise, and fresh weights that are the same.
"""

import functools

import numpy as np

from tflottery import masks as _masks
from tflottery.experiments import learn
from tflottery.experiments.transfer.settings import CONTROLS, named
from tflottery.experiments.transfer.task import target_seeds
from tflottery.experiments.transfer.workdir import DENSE
from tflottery.tickets.restart import Restart

_TRIES = 100


class Target:
  """The trainings of one seed on one target, with one model.

  Args:
    tasks: the `task.Tasks`; `work` is the one of them that is trained.
    place: a `Workdir`.
    seed: int, the run's.
    progress: a `Progress` that knows the pieces by `key`.
  """

  def __init__(self, tasks, work, place, seed, progress):
    self._tasks, self._work, self._place, self._progress = tasks, work, place, progress
    self._seeds = target_seeds(seed)
    model = work.model(self._seeds["initialisation"])
    sites = work.sites(model)
    self._dense = {path: np.ones(site.shape, bool) for path, site in sites.items()}
    self._restart = Restart(model, sites, freezes=tasks.settings.freezes)
    self._fresh = self._restart.weights()
    self._batches = work.batches(self._seeds["order"], self._seeds["augmentation"])
    self._validate = work.evaluator(model, work.data.validation)
    self._test = work.evaluator(model, work.data.test)

  def run(self, pieces, after_piece):
    """Train the pieces, one after the other."""
    for piece in pieces:
      moved = None if piece["arm"] == DENSE else self._moved(piece)
      weights, masks, frozen = self._start(piece, moved)
      self._restart(weights, masks, frozen=frozen, seed=self._seeds["dropout"])
      curve = self._fit(piece)
      self._finish(piece, curve, masks, moved if piece["arm"] == "ticket" else None)
      after_piece()
    self._restart.release()

  def _moved(self, piece):
    """The ticket of a piece's source and level, moved to the model; what is new has fresh weights."""
    ticket = self._place.source(piece["source"]).ticket(piece["seed"], piece["level"])
    self._restart.assign_weights(self._fresh)
    way = piece["source"], piece["target"]
    return self._tasks.move(ticket, self._restart.model, *way, seed=self._seeds["masks"])

  def _start(self, piece, moved):
    """What a network begins with: (weights, masks of every site, frozen values of the pruned)."""
    if moved is None:
      return self._fresh, self._dense, {}
    masks = self._dense | moved.ticket.masks
    if piece["arm"] == "ticket":
      return moved.ticket.weights, masks, moved.ticket.frozen
    source = self._tasks.settings.sources.index(piece["source"])
    control = list(CONTROLS).index(piece["arm"])
    seed = [self._seeds["masks"], source, piece["level"], control]
    with named(piece["source"], piece["target"]):
      return self._fresh, random_masks(masks, scope=CONTROLS[piece["arm"]], seed=seed), {}

  def _fit(self, piece):
    curve = learn.Curve(step=0)
    report = functools.partial(self._progress.report, key(piece), first=0)
    watch = learn.Watch(curve, self._validate, report)
    steps, every = self._work.end, self._work.settings.eval_every
    learn.train(self._restart.model, self._batches, curve, watch, steps=steps, every=every)
    return curve

  def _finish(self, piece, curve, masks, moved):
    """Measure the test split at the end and at the early stop; record the piece."""
    _, final_accuracy = self._test()
    self._restart.assign_weights(curve.weights)
    _, early_accuracy = self._test()
    step, loss, accuracy = curve.early_stop
    measured = {
      "remaining_percent": 100 * (1 - _masks.sparsity(masks)),
      "early_stop_step": step,
      "early_stop_test_accuracy": early_accuracy,
      "final_test_accuracy": final_accuracy,
      "early_stop_validation_loss": loss,
      "early_stop_validation_accuracy": accuracy,
      "final_validation_accuracy": curve.points[-1][2],
      "steps": self._work.end,
      "train_seconds": round(curve.train_seconds, 3),
    }
    row = piece | measured | {f"{name}_seed": value for name, value in self._seeds.items()}
    if piece["arm"] == DENSE:
      row["source"] = ""
    self._place.finish(row, curve.points, moved and _words(moved))
    self._progress.report(key(piece), curve, first=0, finished=True)


def random_masks(masks, *, scope, seed):
  """Shuffled masks of which no layer is empty: over the network, the first draw of which none is.

  Args:
    masks: dict from site path to bool array.
    scope: "layer" or "global".
    seed: sequence of ints.

  Raises:
    ValueError: a layer is left empty in each of 100 draws.
  """
  for draw in range(_TRIES):
    try:
      return _masks.shuffled(masks, seed=[*seed, draw], scope=scope)
    except ValueError as error:
      if draw == _TRIES - 1:
        raise ValueError(
          f"each of {_TRIES} random tickets with a sparsity of {_masks.sparsity(masks):.4f} has a layer "
          "that is left empty. Move tickets of earlier levels alone (config.transfer_levels), or leave"
          " random_global out of config.controls."
        ) from error


def key(piece):
  """The name of a piece for `Progress`: a dense network serves all sources of one image shape."""
  if piece["arm"] == DENSE:
    return piece["seed"], f"{piece['target']} ({piece['image_shape']})  {DENSE}"
  way = f"{piece['source']} -> {piece['target']}"
  return piece["seed"], f"{way}  level {piece['level']}  {piece['arm']}"


def _words(moved):
  """What became of the weights, as JSON values."""
  names = ("copied", "placed", "reinitialised", "dropped")
  return {name: dict(getattr(moved, name)) for name in names}
