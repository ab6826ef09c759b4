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
