"""tfl.export.saved_model as a user calls it: small, checked, reported, and never half done."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from disks import files_up_to
from exports import mlp, sparse, write

from tflottery import export
from tflottery.export import packing, report
from tflottery.export import stripped as _stripped


def lenet(k, sparsity=0.9):
  layers = [k.layers.Dense(n, "relu", name=f"fc{n}") for n in (300, 100)]
  return sparse(k.Sequential([k.Input((784,)), *layers, k.layers.Dense(10, name="out")]), sparsity)


def size(directory):
  return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


@pytest.fixture(scope="module", params=[keras, pytest.param(tf_keras, marks=pytest.mark.slow)])
def exported(request, tmp_path_factory):
  """(report, directory, what was printed)"""
  directory = tmp_path_factory.mktemp("serving") / "1"
  found = export.saved_model(lenet(request.param), directory, verbose=False)
  return found, directory


def test_a_lenet_of_90_percent_zeros_takes_a_fifth_of_the_dense_bytes(exported):
  found, directory = exported
  report_size = (directory / "export_report.json").stat().st_size
  assert found.bytes == size(directory) - report_size
  assert found.bytes <= 0.19 * found.dense_bytes
  assert 4 * 266_610 < found.dense_bytes < 4 * 266_610 + 40_000  # each weight once
  assert found.gzip_bytes < found.bytes and found.gzip_bytes < found.dense_gzip_bytes


def test_its_outputs_are_the_models_to_the_last_bit(exported):
  found, _ = exported
  assert (found.bit_identical, found.largest_difference) == (True, 0.0)


def test_the_report_is_beside_the_model_and_names_every_weight(exported):
  found, directory = exported
  told = json.loads((directory / "export_report.json").read_text())
  assert told["bytes"] == found.bytes and told["format"] == "compact"
  rows = {row["path"]: row for row in told["rows"]}
  assert list(rows) == [f"{n}/{w}" for n in ("fc300", "fc100", "out") for w in ("kernel", "bias")]
  kernel = rows["fc300/kernel"]
  assert (kernel["format"], kernel["shape"], kernel["dense_bytes"]) == ("gaps", [784, 300], 940_800)
  kept = round((1 - kernel["sparsity"]) * 235_200)
  assert 5 * kept <= kernel["bytes"] < 5 * kept + 300
  assert rows["out/kernel"]["format"] == "dense"


def test_the_table_says_what_became_smaller_and_what_did_not_become_faster(exported):
  found, directory = exported
  text = str(found)
  assert f"{found.bytes:,}" in text and f"of dense ({found.dense_bytes:,})" in text
  assert "bit for bit the model's" in text
  assert f"dense against itself: {found.control_ratio:.2f} ({found.rounds} rounds)" in text
  assert str(directory) in text
  assert found.rounds >= 3 and found.latency_ratio > 0 and found.load_milliseconds > 0


def test_what_was_not_measured_is_left_out_of_the_table():
  sizes = {"bytes": 1000, "gzip_bytes": 250, "dense_bytes": 1000}
  found = report.Report(path="a.keras", format="keras", ideal_bytes=200, rows=(), **sizes)
  assert str(found).splitlines()[2:] == [
    "a.keras: keras: as large as a dense file; gzip makes it 25% of that.",
    "  bytes                   1,000  1.000 of dense (1,000), 5.00 of ideal (200)",
    "  bytes, gzipped            250  1.25 of ideal (200)",
  ]


def test_a_model_of_zeros_alone_has_an_ideal_of_no_bytes_and_a_table_without_it():
  sizes = {"bytes": 1000, "gzip_bytes": 250, "dense_bytes": 2000, "dense_gzip_bytes": 500}
  found = report.Report(path="m", format="keras", ideal_bytes=0, rows=(), **sizes)
  assert str(found).splitlines()[3:] == [
    "  bytes                   1,000  0.500 of dense (2,000)",
    "  bytes, gzipped            250  0.500 of dense, gzipped (500)",
  ]


@pytest.mark.parametrize(
  "format, ratio, control, said",
  [
    (
      "compact",
      1.05,
      1.0,
      "as fast as dense and no faster; in memory the packed weights come on top",
    ),
    ("dense", 1.2, 1.0, "slower than dense"),
    ("dense", 1.2, 1.1, "as fast as dense and no faster"),  # twice what the control is off by
    ("tflite", 0.99, 1.0, "as fast as dense and no faster"),
    ("tflite", 0.4, 1.0, "faster than dense"),
  ],
)
def test_faster_is_said_only_where_it_was_measured_beyond_noise(format, ratio, control, said):
  times = {"latency_ratio": ratio, "control_ratio": control, "rounds": 9}
  sizes = {"bytes": 13, "gzip_bytes": 9, "dense_bytes": 100, "dense_gzip_bytes": 90}
  found = report.Report(path="m", format=format, ideal_bytes=10, rows=(), **sizes, **times)
  assert found.verdict == f"13% of the dense size on disk, {said}."


def test_a_second_export_needs_overwrite_and_the_first_stays(exported):
  _, directory = exported
  before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
  with pytest.raises(FileExistsError, match="overwrite=True"):
    export.saved_model(mlp(keras), directory)
  assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
  "sparsity, share", [(0.5, 0.54), (0.8, 0.24), (0.9, 0.13), (0.95, 0.068), (0.98, 0.030)]
)
def test_a_network_of_six_million_weights_is_nearly_as_small_as_its_ideal(
  sparsity, share, tmp_path
):
  layers = [keras.layers.Dense(n) for n in (2048, 2048, 10)]
  model = sparse(keras.Sequential([keras.Input((784,)), *layers]), sparsity)
  _, weights = write(model, tmp_path)
  dense = sum(weight.array.nbytes for weight in weights)
  ideal = sum(packing.ideal_nbytes(weight.array) for weight in weights)
  assert size(tmp_path) <= share * dense
  assert ideal < size(tmp_path) < 1.2 * ideal + 60_000


@pytest.mark.slow
def test_a_model_without_zeros_is_written_dense_and_that_is_said(tmp_path, capsys):
  found = export.saved_model(mlp(keras, sparsity=0), tmp_path / "1")
  assert found.format == "dense"
  # The biases are 0 at first.
  assert found.notes == ("192 of 16,576 weights are 0: too few to pack, so it is written dense.",)
  assert found.notes[0] in capsys.readouterr().out
  assert abs(found.bytes - found.dense_bytes) < 100


@pytest.mark.slow
def test_float16_values_halve_the_kernels_and_the_difference_is_told(tmp_path):
  model = lenet(keras)
  half = export.saved_model(model, tmp_path / "half", values="float16", verbose=False)
  assert half.bytes < 0.14 * half.dense_bytes
  assert not half.bit_identical and 0 < half.largest_difference < 1e-3
  assert "not bit for bit" in str(half)


@pytest.mark.slow
def test_nan_is_kept_exactly_with_a_warning(tmp_path):
  model = lenet(keras)
  kernel, bias = model.layers[0].get_weights()
  kernel[3, 7] = np.nan
  model.layers[0].set_weights([kernel, bias])
  with pytest.warns(UserWarning, match="fc300/kernel holds 1 NaN"):
    found = export.saved_model(model, tmp_path / "1", verbose=False)
  assert found.bit_identical
  loaded = tf.saved_model.load(str(tmp_path / "1"))
  assert [int(np.isnan(w.numpy()).sum()) for w in loaded.weights] == [1, 0, 0, 0, 0, 0]


def test_the_warning_of_nan_is_of_the_line_that_exports(tmp_path):
  model = lenet(keras)
  model.layers[0].kernel.assign(np.full((784, 300), np.nan, "float32"))
  with (
    pytest.warns(UserWarning, match="fc300/kernel holds 235200 NaN") as said,
    files_up_to(60_000),  # it ends here, and no fresh process is waited for
    pytest.raises(OSError, match="File too large"),
  ):
    export.saved_model(model, tmp_path / "1")
  assert [warning.filename for warning in said if "NaN" in str(warning.message)] == [__file__]


def test_a_disk_that_fills_up_leaves_the_good_export_and_the_models_weights(exported, tmp_path):
  _, directory = exported
  before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
  model = lenet(keras)
  weights = [weight.tobytes() for weight in model.get_weights()]
  with files_up_to(60_000), pytest.raises(OSError, match=r"can't be written: .*File too large"):
    export.saved_model(model, directory, overwrite=True)
  assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
  assert [path.name for path in directory.parent.iterdir()] == ["1"]
  assert [weight.tobytes() for weight in model.get_weights()] == weights


@pytest.mark.parametrize("name", ["format", "values"])
def test_an_unknown_name_lists_the_known_ones(name, tmp_path):
  with pytest.raises(ValueError, match=rf"{name} must be one of .*\. Received: 'zip'\."):
    export.saved_model(mlp(keras), tmp_path / "1", **{name: "zip"})


def test_what_is_no_model_is_refused(tmp_path):
  with pytest.raises(TypeError, match=r"model must be a model of Keras 3 or of tf_keras"):
    export.saved_model(keras.layers.Dense(3), tmp_path / "1")
  assert not list(tmp_path.iterdir())


def test_a_model_that_is_not_built_is_refused(k, tmp_path):
  with pytest.raises(ValueError, match="has no weights yet: it is not built"):
    export.saved_model(k.Sequential([k.layers.Dense(3)]), tmp_path / "1")
  assert not list(tmp_path.iterdir())


def test_a_subclassed_model_that_was_never_called_is_refused(k, tmp_path):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.layer = k.layers.Dense(3)
      self.layer.build((None, 4))

    def call(self, x):
      return self.layer(x)

  with pytest.raises(ValueError, match="has never been called, so its inputs are not known"):
    export.saved_model(Net(), tmp_path / "1")
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  "examples, words",
  [
    (np.ones((4, 63)), r"examples must be arrays for the inputs .*Received shapes: \[\(4, 63\)\]"),
    ([np.ones((4, 64)), np.ones(4)], r"Received shapes: \[\(4, 64\), \(4,\)\]"),
  ],
)
def test_examples_that_do_not_fit_are_refused(examples, words, tmp_path):
  with pytest.raises(ValueError, match=words):
    export.saved_model(mlp(keras), tmp_path / "1", examples=examples)
  assert not list(tmp_path.iterdir())


def test_examples_on_which_the_model_fails_are_refused(tmp_path):
  model = keras.Sequential([keras.Input((5,), dtype="int32"), keras.layers.Embedding(10, 400)])
  with pytest.raises(ValueError, match=r"fails on the examples .* Give others by examples="):
    export.saved_model(sparse(model), tmp_path / "1", examples=np.full((2, 5), 11))
  assert not list(tmp_path.iterdir())


def test_an_endpoint_that_is_neither_function_nor_specs_is_refused(tmp_path):
  with pytest.raises(TypeError, match=r"signatures\['serve'\] must be a tf.function"):
    export.saved_model(mlp(keras), tmp_path / "1", signatures={"serve": "x"})


def test_the_weights_return_where_work_on_the_stripped_model_fails(k):
  model = mlp(k)
  before = model.get_weights()
  variable = model.layers[0].kernel
  with pytest.raises(KeyError), _stripped.holding([(variable, np.zeros((64, 128), "float32"))]):
    assert not np.array(variable.numpy()).any()
    raise KeyError
  np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.slow
def test_auto_is_dense_where_packed_would_be_larger(tmp_path):
  layers = [keras.layers.Dense(40, name="fc")]
  model = sparse(keras.Sequential([keras.Input((40,)), *layers]))
  found = export.saved_model(model, tmp_path / "1", verbose=False)
  assert found.format == "dense" and abs(found.bytes - found.dense_bytes) < 100
  assert found.notes == ("Packed it would be larger, so it is written dense.",)
  asked = export.saved_model(model, tmp_path / "2", format="compact", verbose=False)
  assert asked.format == "compact" and asked.bytes > asked.dense_bytes


def test_a_number_that_is_not_finite_is_null_in_the_file(exported, tmp_path):
  found, _ = exported
  dataclasses.replace(found, largest_difference=float("inf")).save(tmp_path / "report.json")
  assert json.loads((tmp_path / "report.json").read_text())["largest_difference"] is None
