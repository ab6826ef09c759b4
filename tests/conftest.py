"""Two logical CPUs, before TensorFlow starts, and the two Kerases as a fixture."""

# ruff: noqa: E402 - the environment is read when they are imported

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import tensorflow as tf

tf.config.set_logical_device_configuration(
  tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

import keras
import pytest
import tf_keras

# What goes the same way through our code on both Kerases runs on tf_keras only with `pytest -m ''`: the
# contract, the engine, the search and tickets always run on both.
_MOSTLY_KERAS = {
  f"test_{name}"
  for name in (
    "bezier", "channels", "csr", "dense_weights", "early_bird", "export_loaders", "export_models", "groups",
    "initial_weights", "layers", "learn", "magnitude", "rigl", "saved_model", "set", "slim", "slimming",
    "snip", "sparse_normal", "l0", "variational_dropout", "losses", "residual", "mixed_precision", "static", "statistics", "supermask", "tflite",
  )
}  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before marks select what runs
def pytest_collection_modifyitems(items):
  for item in items:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if item.path.stem in _MOSTLY_KERAS and params.get("k") is tf_keras:
      item.add_marker(pytest.mark.slow)


@pytest.fixture(params=[keras, tf_keras], ids=["keras", "tf_keras"])
def k(request):
  """Each of the two Kerases."""
  return request.param


@pytest.fixture(scope="session")
def tfmot():
  """tfmot, without what its import does to the environment of later subprocesses."""
  before = dict(os.environ)
  import tensorflow_model_optimization

  os.environ.clear()
  os.environ.update(before)
  return tensorflow_model_optimization
