"""Small models, data and a watching callback that the tests share."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tflottery as tfl
from tflottery.experiments import task

BATCH = 8
# For tests that take long: one Keras among the fast ones, both among all.
KERASES = [
  pytest.param(keras, id="keras"),
  pytest.param(tf_keras, id="tf_keras", marks=pytest.mark.slow),
]


def arrays(count=15 * BATCH, width=8, classes=3, seed=0):
  """Inputs and labels that a small network can learn."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(count, width)).astype("float32")
  y = (x @ rng.normal(size=(width, classes))).argmax(1)
  return x, y


def batches(*args, **kwargs):
  """The same as a dataset in fixed order."""
  return tf.data.Dataset.from_tensor_slices(arrays(*args, **kwargs)).batch(BATCH)


def two_replicas():
  """The one strategy of the process."""
  return task.mirrored(2)


def compiled(k, model, optimizer="adam", **options):
  if isinstance(optimizer, str):
    optimizer = k.optimizers.get(optimizer)
  loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  model.compile(optimizer, loss, **options)
  return model


def mlp(k, optimizer="adam", *, seed=0, batch_norm=False, **options):
  """8-6-5-3, all kernels of different shape, so that a slot's weight is known by its shape."""
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, "relu", name="fc1"),
    k.layers.Dense(5, "relu", name="fc2"),
    k.layers.Dense(3, name="out"),
  ]
  if batch_norm:
    layers.insert(2, k.layers.BatchNormalization(momentum=0.9, name="norm"))
  model = k.Sequential(layers)
  rng = np.random.default_rng(seed)
  for layer in model.layers:
    if isinstance(layer, k.layers.Dense):
      kernel, bias = layer.get_weights()
      draw = rng.normal(size=kernel.shape) / np.sqrt(len(kernel))
      layer.set_weights([draw.astype("float32"), bias])
  return compiled(k, model, optimizer, **options)


def one_kernel(k, weights, optimizer, loss="mse", **options):
  """A linear layer without bias, its kernel given."""
  kernel = np.array(weights, "float32").reshape(len(weights), -1)
  model = k.Sequential(
    [k.layers.Input((len(kernel),)), k.layers.Dense(kernel.shape[1], use_bias=False, name="fc")]
  )
  model.set_weights([kernel])
  model.compile(optimizer, loss, **options)
  return model


def random_masks(model, sparsity=0.5, seed=0):
  rng = np.random.default_rng(seed)
  masks = {}
  for path, site in tfl.sites(model).items():
    size = int(np.prod(site.shape))
    mask = np.zeros(size, bool)
    mask[rng.permutation(size)[: max(1, round((1 - sparsity) * size))]] = True
    masks[path] = mask.reshape(site.shape)
  return masks


def values(model):
  """Every kernel by path, as arrays."""
  return {path: np.array(site.variable.numpy()) for path, site in tfl.sites(model).items()}


def slots(model):
  """The float variables of the optimizer, and of those inside it."""
  optimizer, found = model.optimizer, {}
  while optimizer is not None:
    variables = optimizer.variables
    for variable in variables() if callable(variables) else variables:
      if "float" in str(variable.dtype):
        found[id(variable)] = variable
    optimizer = getattr(optimizer, "inner_optimizer", None)
  return list(found.values())


def optimizer_size(model):
  variables = model.optimizer.variables
  return len(list(variables() if callable(variables) else variables))


def assert_held(model, masks):
  """Masked weights and slots (found by their shape, if one weight has it) are exactly 0."""
  for path, weight in values(model).items():
    if path in masks:
      assert np.isfinite(weight).all(), path
      assert not weight[~masks[path]].any(), f"{path} holds {weight[~masks[path]]}"
  shapes = [tuple(v.shape) for v in model.trainable_variables]
  by_shape = {m.shape: m for m in masks.values() if shapes.count(m.shape) == 1}
  for slot in slots(model):
    mask = by_shape.get(tuple(slot.shape))
    slot_name = getattr(slot, "path", slot.name)
    # memories of the dense gradient, and captured initial weights, are not 0 there
    if mask is not None and "memory_" not in slot_name and "initial_" not in slot_name:
      assert not np.array(slot.numpy())[~mask].any(), slot_name


class Watch(tf_keras.callbacks.Callback):
  """Checks the masks after every step that `fit` lets it see, and counts its looks."""

  def __init__(self, masks=None):
    super().__init__()
    self._given = masks
    self.looks = self.validations = 0
    self.history = []

  @property
  def masks(self):
    return self.history[-1]

  def _look(self):
    masks = tfl.capture(self.model).masks if self._given is None else self._given
    assert_held(self.model, masks)
    self.history.append(masks)

  def on_train_batch_end(self, batch, logs=None):
    self._look()
    self.looks += 1

  def on_test_batch_end(self, batch, logs=None):
    self._look()
    self.validations += 1


class Interrupt(tf_keras.callbacks.Callback):
  """Raises in the middle of an epoch."""

  def __init__(self, epoch, batch=0, error=RuntimeError):
    super().__init__()
    self._at, self._error = (epoch, batch), error

  def on_epoch_begin(self, epoch, logs=None):
    self._epoch = epoch

  def on_train_batch_end(self, batch, logs=None):
    if (self._epoch, batch) >= self._at:
      raise self._error("interrupted")
