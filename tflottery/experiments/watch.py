"""Watch: what is done at every evaluation of a run: it is measured, recorded, shown and saved."""

import shutil
import time

import numpy as np
import tensorflow as tf
import tf_keras

from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery import training
from tflottery.experiments import checkpoint
from tflottery.seeds import keeps_state_in_trace, set_seed

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


class Watch(tf_keras.callbacks.Callback):
  """Evaluates, records and saves at the end of every epoch of `fit`, which is `eval_every` steps.

  Attributes:
    rows: dicts of `ROW`, the counts `kept`, whether the training was `stopped` there, and whether
      it was the `best` evaluation so far: that of the highest validation accuracy, the first of
      equals. Sparser is better: gradual pruning's best is sought at its final sparsity.
    masks: dict from site path to bool array, those in force at the last evaluation.
    schedule: the one by which the masks change, None where they do not.
  """

  def __init__(self, work, place, model, values, rows, tell):
    super().__init__()
    self.rows, self.schedule = rows, None
    self._work, self._place, self._tell = work, place, tell
    self._values = values
    self._validate = work.evaluator(model, work.data.validation)
    self.masks = work.masks(model)
    self._begun = self._trained = 0.0
    self._events = None

  @property
  def step(self):
    """The step that the network stands at."""
    return self.rows[-1]["step"] if self.rows else self._work.begin

  @property
  def best(self):
    """The row of the best evaluation, None before the first."""
    return next((row for row in reversed(self.rows) if row["best"]), None)

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

  def on_train_batch_end(self, batch, logs=None):
    self._trained = time.perf_counter()  # before what other callbacks do at the end of the epoch

  def on_epoch_end(self, epoch, logs=None):
    seconds = self._trained - self._begun
    self.masks = self._work.masks(self.model)
    self.rows.append(self._row(logs or {}, seconds))
    self._write_events(self.rows[-1])
    if self.rows[-1]["best"]:  # before the checkpoint that tells of it
      self._work.ticket(self.model, self.masks).save(self._place.best)
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
    sparsity, best = _masks.sparsity(self.masks), self.best
    rank = (sparsity, accuracy)
    return {
      "step": step,
      "loss": float(logs["loss"]),
      "validation_loss": loss,
      "validation_accuracy": accuracy,
      "sparsity": sparsity,
      "replaced": float(logs.get("replaced", 0.0)),
      "train_seconds": round(before + seconds, 3),
      "steps_per_second": round(self.params["steps"] / seconds, 1),
      "kept": {path: int(mask.sum()) for path, mask in self.masks.items()},
      "stopped": bool(self.model.stop_training),
      "best": best is None or rank > (best["sparsity"], best["validation_accuracy"]),
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
    map(keeps_state_in_trace, model._flatten_layers())
  )
