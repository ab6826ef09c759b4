"""One run: a network trained from its start or its last checkpoint to the end, then measured."""

import json

from tflottery import files
from tflottery.experiments import checkpoint
from tflottery.experiments.place import Place, table
from tflottery.experiments.settings import as_json
from tflottery.experiments.watch import ROW, Watch
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

LAYER = ("step", "site", "size", "kept", "sparsity")
FREE = ("data_dir",)
_WRITTEN = (
  "best.ticket", "cells", "checkpoint.npz", "events", "final.ticket", "metrics.csv", "parent",
  "summary.json",
)  # fmt: skip


class Run(Place):
  """The files of one run.

  config.json       the configuration, checked at every start
  checkpoint.npz    weights, optimizer, masks and rows at the last evaluation, until the end
  best.ticket       masks and weights at the best evaluation so far, until the end
  metrics.csv       a row per evaluation; layers.csv: a row per evaluation and site
  final.ticket      masks and weights at the end
  summary.json      what came out; written last, so a run that has it is finished
  events/           TensorBoard
  """

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)
    self.checkpoint = self.path / "checkpoint.npz"
    self.best = self.path / "best.ticket"
    self._summary = self.path / "summary.json"

  @property
  def is_done(self):
    return self._summary.exists()

  def summary(self):
    """What came out."""
    return json.loads(self._summary.read_text(encoding="utf-8"))

  def write_tables(self, rows, sizes):
    """Write metrics.csv and layers.csv.

    Args:
      rows: dicts of `ROW`, each with the dict `kept` from site path to a count.
      sizes: dict from site path to the weights there.
    """
    layers = [
      (row["step"], site, sizes[site], kept, 1 - kept / sizes[site])
      for row in rows
      for site, kept in row["kept"].items()
    ]
    plain = [{name: row[name] for name in ROW} for row in rows]
    files.write(self.path / "metrics.csv", table(ROW, plain))
    lines = [dict(zip(LAYER, layer, strict=True)) for layer in layers]
    files.write(self.path / "layers.csv", table(LAYER, lines))

  def finish(self, ticket, results):
    """Record a finished run."""
    ticket.save(self.path / "final.ticket")
    files.write(self._summary, json.dumps(results, indent=2) + "\n")
    self.checkpoint.unlink(missing_ok=True)
    self.best.unlink(missing_ok=True)


def run(work, place, tell=lambda row: None):
  """Train the network of `work` in the directory of `place`, from its checkpoint if there is one.

  Killed at any step and started again, it ends with the same masks, weights and rows, bit for bit,
  but for the seconds. A model with tf_keras's dropout too: its train function is traced anew, from
  a seed of its own, after every evaluation.

  Args:
    work: a `task.Task` that has `seeds`, `start()` and `results(...)`, as `sparse.Task` does; one
      of its callbacks may stop the training at the end of an epoch of `fit`, which is `eval_every`
      steps.
    place: a `Run`.
    tell: function that is called with the row of every evaluation.

  Raises:
    FloatingPointError: the validation loss is not finite.
    ValueError: the algorithm refuses the model.
  """
  values, record = checkpoint.load(place.checkpoint)
  model, callbacks = work.start()
  with model.distribute_strategy.scope():
    model.optimizer.build(model.trainable_variables)  # tf_keras would wait for the first step
  watch = Watch(work, place, model, values, record or [], tell)
  if watch.stopped:  # killed between its last epoch and its results
    checkpoint.restore(model, values)
  else:
    _fit(work, model, [*callbacks, watch], watch.step)
  origin = {
    "dataset": work.settings.dataset,
    "steps": watch.step,
    "seeds": work.seeds,
    "config": {n: v for n, v in as_json(work.settings).items() if n not in FREE},
    "versions": versions(),
  }
  model = work.plain(model)
  measured = work.data.measured(model)
  ticket = Ticket.capture(model, watch.masks, metadata=origin)
  test_accuracy, best = _measured(work, model, watch, place)
  results = work.results(
    model,
    watch.masks,
    watch.rows,
    test_accuracy=test_accuracy,
    best=best,
    schedule=watch.schedule,
  )
  place.finish(ticket, results | measured)
  return results | measured


def _measured(work, model, watch, place):
  """(test accuracy of the trained model, what its best evaluation gave); may leave it at the best."""
  evaluate, best = work.evaluator(model, work.data.test), watch.best
  _, at_end = at_best = evaluate()
  if best is not watch.rows[-1]:
    Ticket.load(place.best).apply(model)
    at_best = evaluate()
  return at_end, {
    "best_step": best["step"],
    "best_validation_accuracy": best["validation_accuracy"],
    "best_test_accuracy": at_best[1],
  }


def _fit(work, model, callbacks, step):
  every = work.settings.eval_every
  model.fit(
    work.batches(work.seeds["order"])(start=step, stop=work.end),
    initial_epoch=step // every,
    epochs=work.end // every,
    steps_per_epoch=every,
    verbose=0,
    callbacks=callbacks,
  )
