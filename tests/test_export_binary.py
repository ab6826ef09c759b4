"""The export binary, run as a newcomer runs it."""

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from searches import run

import tflottery as tfl


def half_zero(k):
  """200-100, half of its kernel 0."""
  model = k.Sequential([k.layers.Input((200,)), k.layers.Dense(100, name="fc")])
  weights = np.random.default_rng(0).normal(size=(200, 100)).astype("float32")
  model.set_weights([np.where(weights > 0, weights, 0), np.zeros(100)])
  return model


def keras_network():
  """The network of the ticket."""
  return half_zero(keras)


def export(model, output, *flags):
  binary = [sys.executable, "-m", "tflottery.bin.export"]
  return run(*binary, f"--model={model}", f"--output={output}", *flags)


def check(done, directory, model):
  """A compact SavedModel of `model` was written and reported."""
  assert (done.returncode, done.said) == (0, []), done.stderr
  assert "fc/kernel" in done.stdout and "bit for bit the model's" in done.stdout
  kept = json.loads((directory / "export_report.json").read_text())
  assert (kept["format"], kept["bit_identical"]) == ("compact", True)
  x = np.random.default_rng(1).normal(size=(3, 200)).astype("float32")
  loaded = tf.saved_model.load(str(directory))
  np.testing.assert_allclose(
    loaded.serve(tf.constant(x)), x @ model.get_weights()[0], rtol=1e-5, atol=1e-5
  )


@pytest.mark.slow
def test_weights_of_a_keras_file_come_out_as_a_file_of_their_own(tmp_path):
  model = half_zero(keras)
  model.compile("adam", "mse")
  model.save(tmp_path / "model.keras")
  done = export(tmp_path / "model.keras", tmp_path / "new.weights.h5", "--format=weights")
  assert (done.returncode, done.said) == (0, []), done.stderr
  size = (tmp_path / "new.weights.h5").stat().st_size
  assert "fc/kernel  200x100" in done.stdout
  assert f"{size:,}  1.000 of dense" in done.stdout
  other = keras.Sequential([keras.Input((200,)), keras.layers.Dense(100)])
  other.load_weights(tmp_path / "new.weights.h5")
  np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


@pytest.mark.slow
def test_a_keras_file_with_examples_becomes_a_small_saved_model(k, tmp_path):
  model = half_zero(k)
  model.save(str(tmp_path / "model.keras"))
  np.savez(tmp_path / "x.npz", np.ones((5, 200)))
  flags = ("--format=compact", f"--examples={tmp_path / 'x.npz'}")
  check(export(tmp_path / "model.keras", tmp_path / "out", *flags), tmp_path / "out", model)


@pytest.mark.slow
def test_a_saved_model_of_tf_keras_becomes_a_small_one(tmp_path):
  model = half_zero(tf_keras)
  model.save(str(tmp_path / "saved"), save_format="tf")
  check(export(tmp_path / "saved", tmp_path / "out"), tmp_path / "out", model)


@pytest.mark.slow
def test_a_ticket_with_its_builder_becomes_a_small_saved_model(tmp_path):
  model = half_zero(keras)
  tfl.Ticket.capture(model).save(tmp_path / "final.ticket")
  flag = "--builder=test_export_binary:keras_network"
  check(export(tmp_path / "final.ticket", tmp_path / "out", flag), tmp_path / "out", model)


@pytest.mark.slow
def test_a_keras_file_becomes_a_tflite_file_and_int8_takes_its_ranges_from_the_examples(tmp_path):
  half_zero(keras).save(tmp_path / "model.keras")
  rows = np.random.default_rng(1).normal(size=(64, 200)).astype("float32")
  np.save(tmp_path / "x.npy", rows)
  flags = ("--format=tflite", "--values=int8", f"--examples={tmp_path / 'x.npy'}")
  done = export(tmp_path / "model.keras", tmp_path / "model.tflite", *flags)
  assert done.returncode == 0, done.stderr
  assert (tmp_path / "model.tflite").stat().st_size < 200 * 100 * 4 / 2
  assert "tflite, int8 values" in done.stdout


@pytest.mark.slow
def test_an_imported_module_makes_the_models_own_classes_known(tmp_path, monkeypatch):
  (tmp_path / "own_layers.py").write_text(
    "import keras\n@keras.saving.register_keras_serializable('own')\n"
    "class Own(keras.layers.Dense):\n  pass\n"
  )
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setenv("PYTHONPATH", str(tmp_path))
  own = pytest.importorskip("own_layers").Own
  keras.Sequential([keras.Input((2,)), own(3)]).save(tmp_path / "model.keras")
  flags = ("--format=weights",)
  without = export(tmp_path / "model.keras", tmp_path / "new.keras", *flags)
  refused(without, ["own_layers.Own", "--import=MODULE"])
  done = export(tmp_path / "model.keras", tmp_path / "new.keras", *flags, "--import=own_layers")
  assert done.returncode == 0, done.stderr
  assert isinstance(keras.models.load_model(tmp_path / "new.keras").layers[-1], own)


def refused(done, words):
  assert done.returncode == 1, done.stderr
  assert len(done.said) == 1, done.stderr
  assert done.said[0].startswith("error: ")
  assert [word for word in words if word not in done.said[0]] == [], done.said[0]


# What is given on the command line beside --output, and what the one line on stderr must say.
BAD = {
  "nothing at --model": (["--model=none.keras"], ["'none.keras'", "no such file"]),
  "no --model": ([], ["--model"]),
  "an unknown format": (["--model=x", "--format=zip"], ["--format=zip", "compact"]),
  "an unknown flag": (["--model=x", "--formt=csr"], ["formt"]),
  "an argument": (["--model=x", "csr"], ["'csr'", "--name=value"]),
  "an unknown module": (["--model=x", "--import=no_such_module"], ["no_such_module"]),
  "int8 in a SavedModel": (["--model=MODEL", "--values=int8"], ["values", "int8", "float16"]),
  "int8 without examples": (["--model=MODEL", "--format=tflite", "--values=int8"], ["int8"]),
  "float16 weights": (["--model=MODEL", "--format=weights", "--values=float16"], ["--values"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(name, tmp_path):
  flags, words = BAD[name]
  half_zero(keras).save(tmp_path / "model.keras")
  flags = [flag.replace("MODEL", str(tmp_path / "model.keras")) for flag in flags]
  binary = [sys.executable, "-m", "tflottery.bin.export", f"--output={tmp_path / 'out'}"]
  refused(run(*binary, *flags), words)
  assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
