"""Early-Bird experiments of a few seconds that the tests share."""

import dataclasses

import keras
import tf_keras
from searches import config

from tflottery.experiments import bird_pieces, bird_settings, bird_task, early_bird, task

FILE = "configs/early_bird.py"
SMALL = {
  "model": "birds:small_keras", "steps": 40, "eval_every": 8, "batch_size": 30, "window": 2,
  "threshold": 0.3, "jit_compile": False, "steps_per_execution": 1, "learning_rate_drops": ("32it",),
}  # fmt: skip


def _small(k, input_shape, classes, width):
  units = round(16 * width)
  layers = [k.layers.Input(input_shape), k.layers.Flatten(name="flatten")]
  for i in (1, 2):
    layers.append(k.layers.Dense(units, use_bias=False, name=f"fc{i}"))
    layers += [k.layers.BatchNormalization(momentum=0.8, name=f"bn{i}"), k.layers.ReLU()]
  return k.Sequential([*layers, k.layers.Dense(classes, name="output")])


def small_keras(input_shape, classes, width=1.0):
  """Two layers of 16 units with batch normalisation."""
  return _small(keras, input_shape, classes, width)


def small_tf_keras(input_shape, classes, width=1.0):
  """The same in tf_keras."""
  return _small(tf_keras, input_shape, classes, width)


def subclassed(input_shape, classes):
  """A network whose graph can't be read."""
  return _Subclassed(small_keras(input_shape, classes))


class _Subclassed(keras.Model):
  def __init__(self, inner):
    super().__init__()
    self.inner = inner

  def call(self, inputs, training=None):
    return self.inner(inputs, training=training)


def values(**changes):
  """A config of a small experiment."""
  return config(FILE, **SMALL | changes)


def task_of(workdir, **changes):
  """The task of a small experiment, before its first piece."""
  work = task.load(bird_settings.read(values(**changes)), bird_task.Task)
  return dataclasses.replace(work, workdir=bird_pieces.Workdir(workdir))


def trained(work, *, stop=None):
  """Train all pieces; `stop` is (name of a piece, step) where all ends, as by a kill: 0 is before it.

  Returns:
    False where it was stopped.
  """

  def telling(piece, end):
    del end
    if (piece.name, 0) == stop:
      raise _Stop

    def tell(row):
      if (piece.name, row["step"]) == stop:
        raise _Stop

    return tell

  try:
    early_bird.train(work, telling)
  except _Stop:
    return False
  return True


class _Stop(Exception):  # noqa: N818 - it stands for a kill
  """Ends an experiment between two steps."""
