"""Strategies: two workers in two processes agree with one device; what can't work is refused."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from algorithms import ALGORITHMS, EPOCHS
from builders import Watch, batches, mlp

import tflottery as tfl

NAMES = ["rigl", "set", "snip", "magnitude"]


def _free_ports(count):
  sockets = [socket.socket() for _ in range(count)]
  for each in sockets:
    each.bind(("127.0.0.1", 0))
  ports = [each.getsockname()[1] for each in sockets]
  for each in sockets:
    each.close()
  return ports


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
  """The directory in which two processes have left what they trained together."""
  directory = tmp_path_factory.mktemp("workers")
  addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
  processes = []
  for index in range(2):
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    processes.append(
      subprocess.Popen(
        [sys.executable, "worker.py", str(directory), *NAMES],
        cwd=pathlib.Path(__file__).parent,
        env=os.environ | {"TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE,
        text=True,
      )
    )
  for process in processes:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-2000:]
  return directory


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_workers_end_with_the_masks_and_weights_of_one_device(name, two_workers):
  def build():
    return mlp(tf_keras, tf_keras.optimizers.Adam(0.005))

  model, watch = build(), Watch()
  callbacks = [ALGORITHMS[name].callback(build, 0), watch]
  model.fit(batches(), epochs=EPOCHS, verbose=0, callbacks=callbacks)
  for index in range(2):
    worker = np.load(two_workers / f"{name}-{index}.npz")
    for path, mask in watch.masks.items():
      assert (worker[f"mask/{path}"] == mask).all(), f"worker {index}: {path}"
    for i, weight in enumerate(model.get_weights()):
      np.testing.assert_allclose(worker[f"weight/{i}"], weight, atol=1e-5, rtol=0)


def test_a_parameter_server_strategy_is_refused_with_the_reason(monkeypatch):
  model = mlp(keras)
  strategy = tf.distribute.ParameterServerStrategy
  monkeypatch.setattr(type(model), "distribute_strategy", strategy.__new__(strategy))
  with pytest.raises(TypeError, match="ParameterServerStrategy can't hold masks: its workers"):
    tfl.hold(model, {})


def test_keras_3_under_several_workers_is_refused_with_the_reason(monkeypatch):
  model = mlp(keras)
  strategy = tf.distribute.MultiWorkerMirroredStrategy
  monkeypatch.setattr(type(model), "distribute_strategy", strategy.__new__(strategy))
  with pytest.raises(TypeError, match="MultiWorkerMirroredStrategy can't train a Keras 3 model"):
    tfl.hold(model, {})
