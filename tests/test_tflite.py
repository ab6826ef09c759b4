"""TFLite files: small, true to the model, loaded by the interpreter, refused with a reason."""

import collections
import importlib
import json
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from disks import files_up_to

from tflottery import training
from tflottery.export import endpoints, interpreter, packing
from tflottery.export.tflite import tflite

# The name in the package is the function's.
tflite_module = importlib.import_module("tflottery.export.tflite")

# Keras is told apart in tracing alone, so one of the two stands for both where that is not the point.
one_keras = pytest.mark.parametrize(
  "k", [keras, pytest.param(tf_keras, marks=pytest.mark.slow)], ids=["keras", "tf_keras"]
)


def pruned(model, sparsity=0.9):
  """`model` with the smallest `sparsity` of each kernel at 0."""
  model.set_weights(
    [
      np.where(np.abs(w) < np.quantile(np.abs(w), sparsity), 0, w) if w.ndim > 1 else w
      for w in model.get_weights()
    ]
  )
  return model


def mlp(k, sparsity=0.9):
  pixels = k.Input((64,), name="pixels")
  hidden = k.layers.Dense(128, activation="relu", name="a")(pixels)
  hidden = k.layers.Dense(128, activation="relu", name="b")(hidden)
  return pruned(k.Model(pixels, k.layers.Dense(10, name="c")(hidden)), sparsity)


def cnn(k):
  """A convolution, a normalisation that is folded into it, and a Dense layer."""
  image = k.Input((8, 8, 3), name="image")
  hidden = k.layers.Conv2D(32, 3, name="conv")(image)
  normalised = k.layers.BatchNormalization(name="bn")
  hidden = k.layers.ReLU()(normalised(hidden))
  hidden = k.layers.GlobalAveragePooling2D()(hidden)
  model = k.Model(image, k.layers.Dense(10, name="out")(hidden))
  rng = np.random.default_rng(0)
  normalised.set_weights([rng.uniform(0.5, 2, 32) for _ in range(4)])
  return pruned(model)


def run(path, **feed):
  """What the interpreter computes, by output."""
  opened = tf.lite.Interpreter(model_path=str(path))
  return opened.get_signature_runner("serving_default")(**feed)


def rows(*shape, count=8, seed=1):
  return np.random.default_rng(seed).random((count, *shape)).astype("float32")


def export(model, path, **options):
  return tflite(model, path, verbose=False, **options)


def formats(found):
  """How many tensors are stored in each format."""
  return dict(collections.Counter(row.format for row in found.rows))


def test_the_file_is_small_and_computes_what_the_model_does(k, tmp_path):
  model, x = mlp(k), rows(64)
  before = model.get_weights()
  found = export(model, tmp_path / "new" / "m.tflite")
  assert found.bytes == os.path.getsize(tmp_path / "new" / "m.tflite")
  assert found.dense_bytes > 4 * (64 * 128 + 128 * 128 + 1280)
  assert found.bytes < 0.16 * found.dense_bytes
  assert formats(found) == {"sparse float32": 3}
  assert run(tmp_path / "new" / "m.tflite", pixels=x)["output_0"] == pytest.approx(
    model(x).numpy(), abs=1e-6
  )
  assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
  """A model, and the report of its file."""
  model = mlp(keras)
  return model, export(model, tmp_path_factory.mktemp("exported") / "m.tflite")


@one_keras
def test_float16_computes_what_rounded_weights_give(k, tmp_path):
  model, x = mlp(k), rows(64)
  found = export(model, tmp_path / "m.tflite", values="float16")
  assert found.bytes < 0.12 * found.dense_bytes
  ideal = sum(packing.ideal_nbytes(w, dtype="float16") for w in model.get_weights())
  assert found.ideal_bytes == round(ideal) < found.bytes
  assert 0 < found.largest_difference < 1e-3
  exact = model(x).numpy()
  model.set_weights([w.astype("float16").astype("float32") for w in model.get_weights()])
  outputs = run(tmp_path / "m.tflite", pixels=x)["output_0"]
  assert outputs == pytest.approx(model(x).numpy(), abs=1e-6)
  assert np.abs(outputs - exact).max() > 1e-6


@one_keras
@pytest.mark.parametrize(
  "values, tolerance",
  [pytest.param("float32", 1e-5, marks=pytest.mark.slow), ("float16", 2e-3)],
)
def test_folded_normalisation_is_within_the_bounds(k, values, tolerance, tmp_path):
  model, x = cnn(k), rows(8, 8, 3)
  found = export(model, tmp_path / "m.tflite", values=values)
  assert formats(found)[f"sparse {values}"] == 2
  outputs = run(tmp_path / "m.tflite", image=x)["output_0"]
  assert np.abs(outputs - model(x).numpy()).max() < tolerance * np.abs(model(x)).max()


@one_keras
def test_int8_is_a_quarter_and_keeps_float_inputs_and_outputs_and_is_quiet(k, tmp_path, capfd):
  model, x = mlp(k), rows(64, count=40)
  data = tf.data.Dataset.from_tensor_slices(x).batch(16)
  found = export(model, tmp_path / "m.tflite", values="int8", representative=data)
  assert "fully_quantize" not in capfd.readouterr().err
  assert formats(found) == {"int8": 3}
  assert 0.25 < found.bytes / found.dense_bytes < 0.32
  outputs = run(tmp_path / "m.tflite", pixels=x)["output_0"]
  assert outputs.dtype == np.float32
  expected = model(x).numpy()
  assert found.largest_difference == np.abs(outputs - expected)[:32].max()
  assert 0 < found.largest_difference < 0.1 * np.abs(expected).max()


@one_keras
def test_names_of_inputs_and_outputs_are_kept_with_several_of_them(k, tmp_path):
  zeta, alpha = k.Input((6,), name="zeta"), k.Input((5,), name="alpha")
  both = k.layers.Concatenate()([zeta, alpha])
  outputs = {"z": k.layers.Dense(3)(both), "a": k.layers.Dense(2)(both)}
  model = k.Model([zeta, alpha], outputs)
  first, second = rows(6), rows(5)
  path = tmp_path / "m.tflite"
  export(model, path, values="int8", representative=[first, second])
  assert tf.lite.Interpreter(model_path=str(path)).get_signature_list() == {
    "serving_default": {"inputs": ["alpha", "zeta"], "outputs": ["a", "z"]}
  }
  found, expected = run(path, alpha=second, zeta=first), model([first, second])
  for name in ("z", "a"):
    assert found[name] == pytest.approx(expected[name].numpy(), abs=0.05)


@one_keras
def test_recurrent_models_take_one_row_at_a_time(k, tmp_path):
  words = k.Input((3, 4), name="words")
  model = k.Model(words, k.layers.Dense(2)(k.layers.LSTM(5)(words)))
  path, x = tmp_path / "m.tflite", rows(3, 4, count=2)
  found = export(model, path, examples=x)
  assert any("one row" in note for note in found.notes)
  outputs = [run(path, words=row[None])["output_0"][0] for row in x]
  assert np.array(outputs) == pytest.approx(model(x).numpy(), abs=1e-6)
  with pytest.raises(ValueError, match=r"int8.*recurrent"):
    export(model, path, values="int8", representative=x, overwrite=True)


@pytest.mark.slow
def test_held_masks_are_laid_on_the_weights(k, tmp_path):
  model, x = mlp(k, sparsity=0), rows(64)
  model.compile("sgd", "mse")
  before = model.get_weights()
  mask = np.arange(128 * 128).reshape(128, 128) % 10 == 0
  training.hold(model, {"b/kernel": mask})
  model.set_weights(before)
  found = export(model, tmp_path / "m.tflite")
  assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
  assert formats(found) == {"sparse float32": 1, "float32": 2}
  layer = model.get_layer("b")
  layer.set_weights([layer.get_weights()[0] * mask, layer.get_weights()[1]])
  assert run(tmp_path / "m.tflite", pixels=x)["output_0"] == pytest.approx(
    model(x).numpy(), abs=1e-6
  )


@pytest.mark.slow
def test_tfmots_wrappers_are_stripped_and_their_masks_laid_on(tfmot, tmp_path):
  plain, x = mlp(tf_keras, sparsity=0), rows(64)
  model = tfmot.sparsity.keras.prune_low_magnitude(plain)
  mask = np.arange(128 * 128).reshape(128, 128) % 10 == 0
  for layer in model.layers:
    if layer.name.endswith("_b"):
      layer.pruning_vars[0][1].assign(mask)
  found = export(model, tmp_path / "m.tflite")
  assert formats(found) == {"sparse float32": 1, "float32": 2}
  layer = plain.get_layer("b")
  layer.set_weights([layer.get_weights()[0] * mask, layer.get_weights()[1]])
  assert run(tmp_path / "m.tflite", pixels=x)["output_0"] == pytest.approx(
    plain(x).numpy(), abs=1e-6
  )


@one_keras
def test_a_model_without_zeros_stays_dense_and_says_so(k, tmp_path):
  found = export(mlp(k, sparsity=0), tmp_path / "m.tflite")
  assert formats(found) == {"float32": 3}
  assert abs(found.bytes - found.dense_bytes) < 100
  assert any("zeros" in note for note in found.notes)


def test_the_report_is_printed_and_lies_beside_the_file(tmp_path, capsys):
  found = tflite(mlp(keras), tmp_path / "m.tflite", sparse=False)
  printed = capsys.readouterr()
  assert str(found) in printed.out
  assert f"1.000 of dense ({found.bytes:,})" in printed.out
  assert printed.err == ""
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    "m.tflite",
    "m.tflite.export_report.json",
  ]
  saved = json.loads((tmp_path / "m.tflite.export_report.json").read_text())
  assert (saved["format"], saved["path"]) == ("tflite", str(tmp_path / "m.tflite"))
  assert saved["bytes"] == found.bytes == found.dense_bytes
  assert formats(found) == {"float32": 3}
  assert saved["latency_ratio"] > 0 and saved["load_milliseconds"] > 0 and saved["rounds"] >= 3


def test_the_rows_are_the_tensors_of_weights_and_make_up_the_file(exported):
  model, found = exported
  rows = {row.shape: row for row in found.rows}
  assert sorted(rows) == [(10, 128), (128, 64), (128, 128)]  # TFLite's order of outputs and inputs
  kernel = rows[128, 64]
  kept = np.count_nonzero(model.get_layer("a").get_weights()[0])
  assert kernel.sparsity == pytest.approx(1 - kept / 8192)
  # A byte says which of 64 inputs, two which of the 820 values is the first of each of 129 outputs.
  assert (kernel.bytes, kernel.dense_bytes) == (5 * kept + 2 * 129, 4 * 8192)
  assert 0 < found.bytes - sum(row.bytes for row in found.rows) < 4000


def test_int8_models_store_vectors_as_int32():
  kernel, bias, counts = (np.zeros(n, t) for n, t in (((2, 2), "f4"), (2, "f4"), (2, "int64")))
  stored = [tflite_module._stored(array, "int8") for array in (kernel, bias, counts)]
  assert stored == ["int8", "int32", "int64"]
  assert tflite_module._stored(bias, "float16") == "float16"


def test_nan_is_kept_with_a_warning_of_the_line_that_exports(tmp_path):
  model = mlp(keras)
  kernel, bias = model.get_layer("c").get_weights()
  kernel[3, 4] = np.nan
  model.get_layer("c").set_weights([kernel, bias])
  with pytest.warns(UserWarning, match="c/kernel holds 1 NaN") as said:
    tflite(model, tmp_path / "m.tflite", verbose=False)
  assert [warning.filename for warning in said if "NaN" in str(warning.message)] == [__file__]
  outputs = run(tmp_path / "m.tflite", pixels=rows(64))["output_0"]
  np.testing.assert_array_equal(np.isnan(outputs), np.arange(10)[None].repeat(8, 0) == 4)


@pytest.mark.parametrize(
  ("options", "said"),
  [
    ({"values": "int4"}, "values must be one of float32, float16, int8. Received: 'int4'"),
    ({"sparse": "yes"}, "sparse must be"),
    ({"values": "int8", "sparse": True, "representative": rows(64)}, "interpreter fails"),
    ({"values": "int8"}, "needs representative="),
    ({"values": "float16", "representative": rows(64)}, "would be unused"),
    ({"values": "int8", "representative": rows(63)}, r"batches.*\(8, 63\)"),
    ({"values": "int8", "representative": (rows(64), rows(10))}, "without labels"),
    ({"values": "int8", "representative": rows(64, count=0)}, "no rows"),
    (
      {
        "values": "int8",
        "representative": tf.data.Dataset.from_tensors(rows(64)).repeat(),
      },
      "endless",
    ),
    ({"examples": rows(63)}, "examples"),
  ],
)
def test_refused_arguments(options, said, tmp_path):
  with pytest.raises(ValueError, match=said):
    export(mlp(keras), tmp_path / "m.tflite", **options)
  assert list(tmp_path.iterdir()) == []


def test_float16_refuses_weights_that_it_cannot_hold(tmp_path):
  model = mlp(keras)
  kernel, bias = model.get_layer("b").get_weights()
  kernel[3, 4] = 7e4
  model.get_layer("b").set_weights([kernel, bias])
  with pytest.raises(ValueError, match=r"can't hold b/kernel, which goes up to 7e\+04"):
    export(model, tmp_path / "m.tflite", values="float16")


def test_an_operation_that_tflite_lacks_is_named_and_the_old_file_stays(tmp_path):
  words = keras.Input((1,), dtype="string")
  hashed = keras.layers.Hashing(8)(words)
  model = keras.Model(words, keras.layers.Embedding(8, 4)(hashed))
  path = tmp_path / "m.tflite"
  path.write_bytes(b"old")
  with pytest.raises(ValueError, match=r"it has no StringToHashBucketFast.*saved_model"):
    export(model, path, overwrite=True)
  assert path.read_bytes() == b"old"
  assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_other_weights_is_refused(exported):
  model, found = exported
  content = pathlib.Path(found.path).read_bytes()
  other = keras.models.clone_model(model)
  other.set_weights(model.get_weights())
  (traced,) = endpoints.trace(other).values()
  interpreter.compare(content, traced, [rows(64)], [], "float32")
  other.get_layer("c").kernel.assign_add(np.full((128, 10), 0.01))
  with pytest.raises(RuntimeError, match=r"differ from the model's by up to .* not kept"):
    interpreter.compare(content, traced, [rows(64)], [], "float32")


@pytest.mark.parametrize(
  ("values", "rounded", "accepted", "refused"),
  [
    ("float32", 4.0, 4.00003, 4.0001),  # 1e-5 of 4
    ("float16", 4.0, 4.0019, 4.002),  # 4 / 2048 = 0.00195
    ("float16", 4.01, 4.03, 4.05),  # four times what rounding does
    ("int8", 4.0, 0.1, -0.1),  # the largest output itself
  ],
)
def test_how_far_outputs_may_be_off(values, rounded, accepted, refused):
  def check(found):
    arrays = [np.array([value, 1.0], "float32") for value in (found, 4.0, rounded)]
    interpreter._check_output(*arrays, values)

  check(4.0)
  check(accepted)
  with pytest.raises(RuntimeError, match=f"values='{values}' explains"):
    check(refused)


def test_an_existing_file_is_replaced_only_when_told(tmp_path):
  path = tmp_path / "m.tflite"
  path.write_bytes(b"old")
  with pytest.raises(FileExistsError, match=r"path=.*overwrite=True"):
    export(mlp(keras), path)
  assert path.read_bytes() == b"old"
  found = export(mlp(keras), path, overwrite=True)
  assert path.stat().st_size == found.bytes


def test_a_place_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(OSError, match=r"path=.*can't be written"):
    export(mlp(keras), tmp_path / "file" / "m.tflite")
  with pytest.raises(FileExistsError, match=r"path=.*is a directory"):
    export(mlp(keras), tmp_path)


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path):
  path = tmp_path / "m.tflite"
  path.write_bytes(b"old")
  with files_up_to(50_000), pytest.raises(OSError, match=r"can't be written to .*Make room"):
    export(mlp(keras), path, overwrite=True)
  assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_kernels_of_zeros_alone_are_not_in_the_file(tmp_path):
  model = mlp(keras)
  model.set_weights([np.zeros_like(w) for w in model.get_weights()])
  found = export(model, tmp_path / "m.tflite")
  assert (found.rows, found.notes) == ((), ())
  assert found.bytes < 0.1 * found.dense_bytes


def test_an_unbuilt_model_is_refused(k, tmp_path):
  with pytest.raises(ValueError, match="not built"):
    export(k.Sequential([k.layers.Dense(3)]), tmp_path / "m.tflite")
