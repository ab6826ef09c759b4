"""One run: a network trained from its start or its last checkpoint to the end, then measured."""

import json
import shutil
import time

import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import files, training
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.experiments import checkpoint
from tflottery.experiments.place import Place, table
from tflottery.experiments.settings import as_json
from tflottery.seeds import set_seed
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

ROW = (
  "step",
  "loss",
  "validation_loss",
  "validation_accuracy",
  "sparsity",
  "replaced",
  "train_seconds",
  "steps_per_second",
)
LAYER = ("step", "site", "size", "kept", "sparsity")
FREE = ("data_dir",)
_WRITTEN = ("checkpoint.npz", "metrics.csv", "final.ticket", "summary.json", "events", "cells")


class Run(Place):
  """The files of one run.

  config.json       the configuration, checked at every start
  checkpoint.npz    weights, optimizer, masks and rows at the last evaluation, until the end
  metrics.csv       a row per evaluation; layers.csv: a row per evaluation and site
  final.ticket      masks and weights at the end
  summary.json      what came out; written last, so a run that has it is finished
  events/           TensorBoard
  """

  def __init__(self, path):
    super().__init__(path, written=_WRITTEN, free=FREE)
    self.checkpoint = self.path / "checkpoint.npz"
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


def run(work, place, tell=lambda row: None):
  """Train the network of `work` in the directory of `place`, from its checkpoint if there is one.

  Killed at any step and started again, it ends with the same masks, weights and rows, bit for bit,
  but for the seconds. A model with tf_keras's dropout too: its train function is traced anew, from
  a seed of its own, after every evaluation.

  Args:
    work: a `task.Task` that has `seeds`, `start()` and `results(...)`, as `sparse.Task` does; its
      callback may stop the training at the end of an epoch of `fit`, which is `eval_every` steps.
    place: a `Run`.
    tell: function that is called with the row of every evaluation.

  Raises:
    FloatingPointError: the validation loss is not finite.
    ValueError: the algorithm refuses the model.
  """
  values, record = checkpoint.load(place.checkpoint)
  model, callback = work.start()
  with model.distribute_strategy.scope():
    model.optimizer.build(model.trainable_variables)  # tf_keras would wait for the first step
  watch = Watch(work, place, model, values, record or [], tell)
  if watch.stopped:  # killed between its last epoch and its results
    checkpoint.restore(model, values)
  else:
    _fit(work, model, [callback, watch] if callback else [watch], watch.step)
  _, accuracy = work.evaluator(model, work.data.test)()
  origin = {
    "dataset": work.settings.dataset,
    "steps": watch.step,
    "seeds": work.seeds,
    "config": {n: v for n, v in as_json(work.settings).items() if n not in FREE},
    "versions": versions(),
  }
  ticket = Ticket.capture(model, watch.masks, metadata=origin)
  results = work.results(
    model, watch.masks, watch.rows, test_accuracy=accuracy, schedule=watch.schedule
  )
  place.finish(ticket, results)
  return results


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


class Watch(tf_keras.callbacks.Callback):
  """Evaluates, records and saves at the end of every epoch of `fit`, which is `eval_every` steps.

  Attributes:
    rows: dicts of `ROW`, the counts `kept`, and whether the training was `stopped` there.
    masks: dict from site path to bool array, those in force at the last evaluation.
    schedule: the one by which the masks change, None where they do not.
  """

  def __init__(self, work, place, model, values, rows, tell):
    super().__init__()
    self.rows, self.schedule = rows, None
    self._work, self._place, self._tell = work, place, tell
    self._values = values
    self._validate = work.evaluator(model, work.data.validation)
    self._dense = {path: np.ones(site.shape, bool) for path, site in work.sites(model).items()}
    self.masks = self._dense
    self._begun = 0.0
    self._events = None

  @property
  def step(self):
    """The step that the network stands at."""
    return self.rows[-1]["step"] if self.rows else self._work.begin

  @property
  def stopped(self):
    """Whether another callback has stopped the training."""
    return bool(self.rows and self.rows[-1]["stopped"])

  def on_train_begin(self, logs=None):
    held = training.held_on(self.model)
    if held is not None and held.changes is not None:
      self.schedule = held.changes.schedule
    if self._values is not None:
      checkpoint.restore(self.model, self._values)
    events = self._place.path / "events"
    shutil.rmtree(events, ignore_errors=True)  # those of a killed run reach beyond its checkpoint
    self._events = tf.summary.create_file_writer(str(events))
    for row in self.rows:
      self._write_events(row)

  def on_epoch_begin(self, epoch, logs=None):
    if draws_in_trace(self.model):
      seed = np.random.SeedSequence([self._work.seeds["order"], self.step])
      set_seed(int(seed.generate_state(1)[0]))
      self.model.make_train_function(force=True)
    self._begun = time.perf_counter()

  def on_epoch_end(self, epoch, logs=None):
    seconds = time.perf_counter() - self._begun
    held = training.held_on(self.model)
    self.masks = held.masks if held else self._dense
    self.rows.append(self._row(logs or {}, seconds))
    self._write_events(self.rows[-1])
    if self.step < self._work.end:
      checkpoint.save(self._place.checkpoint, self.model, self.rows)
    sizes = {path: mask.size for path, mask in self.masks.items()}
    self._place.write_tables(self.rows, sizes)
    self._tell(self.rows[-1])

  def on_train_end(self, logs=None):
    self._events.close()

  def _row(self, logs, seconds):
    step = self.step + self.params["steps"]
    loss, accuracy = self._validate()
    if not np.isfinite(loss):
      raise FloatingPointError(
        f"The validation loss is {loss} at step {step}: the training diverged. Lower the learning "
        "rate."
      )
    before = self.rows[-1]["train_seconds"] if self.rows else 0.0
    return {
      "step": step,
      "loss": float(logs["loss"]),
      "validation_loss": loss,
      "validation_accuracy": accuracy,
      "sparsity": _masks.sparsity(self.masks),
      "replaced": float(logs.get("replaced", 0.0)),
      "train_seconds": round(before + seconds, 3),
      "steps_per_second": round(self.params["steps"] / seconds, 1),
      "kept": {path: int(mask.sum()) for path, mask in self.masks.items()},
      "stopped": bool(self.model.stop_training),
    }

  def _write_events(self, row):
    with self._events.as_default(step=row["step"]):
      for name in ROW[1:]:
        tf.summary.scalar(name, row[name])
      for path, kept in row["kept"].items():
        tf.summary.scalar(f"kept/{path}", kept)
    self._events.flush()


def draws_in_trace(model):
  """Whether random operations keep their state in the traced function: tf_keras's dropout does."""
  return _sites.keras_of(model) is tf_keras and any(
    hasattr(layer, "_random_generator") for layer in model._flatten_layers()
  )
