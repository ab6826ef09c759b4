"""Plain Keras files: what is in them, that the model is left alone, and what is refused."""

import importlib
import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import arrays as data
from builders import compiled, mlp, optimizer_size, random_masks
from disks import files_up_to

import tflottery as tfl
from tflottery.export import fresh_keras
from tflottery.export.dense_weights import dense_weights

# The name in the package is the function's.
under_test = importlib.import_module("tflottery.export.dense_weights")

KERNEL = [[2.0, -1.0, 3.0], [0.5, 4.0, -2.0]]
MASK = [[True, False, True], [False, False, True]]
MASKED = [[2.0, 0.0, 3.0], [0.0, 0.0, -2.0]]


def small(k, layer=None):
  """2-3, its kernel known."""
  model = k.Sequential([k.layers.Input((2,)), (layer or k.layers.Dense)(3, name="fc")])
  model.set_weights([np.array(KERNEL, "float32"), np.zeros(3, "float32")])
  return model


def arrays(file):
  """The arrays of a Keras file by their names in it."""
  if file.suffix == ".keras":
    with zipfile.ZipFile(file) as opened:
      file = io.BytesIO(opened.read("model.weights.h5"))
  found = {}

  def keep(name, item):
    if isinstance(item, h5py.Dataset):
      found[name] = item[()]

  with h5py.File(file) as opened:
    opened.visititems(keep)
  return found


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def trained_with_masks(k):
  """A model that holds masks, after a step of Adam, with a metric; and the masks."""
  model = compiled(k, mlp(k, batch_norm=True), "adam", metrics=["accuracy"])
  masks = random_masks(model)
  held = tfl.hold(model, masks)
  model.fit(*data(16), verbose=0)
  return model, masks, held


@pytest.mark.parametrize(
  ("k", "suffix"),
  [
    (keras, ".keras"),
    pytest.param(tf_keras, ".keras", marks=pytest.mark.slow),
    (keras, ".weights.h5"),
    (tf_keras, ".weights.h5"),
  ],
)
def test_a_file_is_the_masked_model_and_the_model_is_left_as_it_was(k, suffix, tmp_path):
  model, masks, held = trained_with_masks(k)
  kernel = tfl.sites(model)["fc1/kernel"].variable
  kernel.assign(np.ones(kernel.shape))  # as if a caller had written at masked places
  before, optimizer, size = model.get_weights(), model.optimizer, optimizer_size(model)
  step, file = model.train_function, tmp_path / "new" / f"model{suffix}"
  dense_weights(model, file, verbose=False)

  loaded = opened(k, file).get_weights()
  np.testing.assert_array_equal(loaded[0], masks["fc1/kernel"].astype("float32"))
  for mine, other in zip(before[1:], loaded[1:], strict=True):
    np.testing.assert_array_equal(mine, other)
  shapes = sorted(array.shape for array in before)
  assert sorted(array.shape for array in arrays(file).values()) == shapes
  assert names(file.parent) == [file.name, f"{file.name}.export_report.json"]

  for mine, other in zip(before, model.get_weights(), strict=True):
    np.testing.assert_array_equal(mine, other)
  assert (model.optimizer, optimizer_size(model)) == (optimizer, size)
  assert model.train_function is step
  np.testing.assert_array_equal(held.masks["fc1/kernel"], masks["fc1/kernel"])
  model.fit(*data(16), verbose=0)
  still = np.array(kernel.numpy()) == 1
  assert still[~masks["fc1/kernel"]].all() and not still.all(), "the masks are still held"


def opened(k, file):
  """The uncompiled model in a file, or the network with its weights."""
  if file.suffix != ".keras":
    model = mlp(k, seed=1, batch_norm=True)
    model.load_weights(str(file))
    return model
  model = k.models.load_model(file)
  assert getattr(model, "optimizer", None) is None
  return model


def test_a_weights_file_loads_into_the_same_network(k, tmp_path):
  model = small(k)
  model.compile("adam", "mse", metrics=["mae"])
  tfl.hold(model, {"fc/kernel": np.array(MASK)})
  model.set_weights([np.array(KERNEL), np.ones(3)])
  dense_weights(model, tmp_path / "model.weights.h5")
  other = small(k)
  other.load_weights(str(tmp_path / "model.weights.h5"))
  np.testing.assert_array_equal(other.get_weights()[0], np.array(MASKED, "float32"))
  np.testing.assert_array_equal(model.get_weights()[0], np.array(KERNEL, "float32"))
  assert sorted(a.shape for a in arrays(tmp_path / "model.weights.h5").values()) == [(2, 3), (3,)]


def test_the_optimizer_of_a_model_inside_is_left_out_too(k, tmp_path):
  inner = small(k)
  compiled(k, inner).fit(np.ones((2, 2)), np.zeros(2), verbose=0)
  image = k.layers.Input((2,))
  dense_weights(k.Model(image, inner(image)), tmp_path / "model.weights.h5")
  assert sorted(a.shape for a in arrays(tmp_path / "model.weights.h5").values()) == [(2, 3), (3,)]
  assert optimizer_size(inner) > 2


def test_a_model_in_tfmots_wrappers_is_written_without_them(tfmot, tmp_path):
  wrapped = tfmot.sparsity.keras.prune_low_magnitude(small(tf_keras))
  wrapper = wrapped.layers[0]
  wrapper.pruning_vars[0][1].assign(np.array(MASK, "float32"))
  dense_weights(wrapped, tmp_path / "model.weights.h5")
  other = small(tf_keras)
  other.load_weights(str(tmp_path / "model.weights.h5"))
  np.testing.assert_array_equal(other.get_weights()[0], np.array(MASKED, "float32"))


def test_an_existing_file_is_replaced_only_when_asked(k, tmp_path):
  file = tmp_path / "model.weights.h5"
  file.write_text("mine")
  with pytest.raises(FileExistsError, match=r"model\.weights\.h5.*overwrite=True"):
    dense_weights(small(k), file)
  assert file.read_text() == "mine"
  dense_weights(small(k), file, overwrite=True)
  assert sorted(a.shape for a in arrays(file).values()) == [(2, 3), (3,)]


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path):
  (tmp_path / ".model.weights.h5.export.killed" / "new").mkdir(parents=True)
  (tmp_path / ".model.weights.h5.mine").mkdir()
  dense_weights(small(keras), tmp_path / "model.weights.h5", verbose=False)
  assert names(tmp_path) == [
    ".model.weights.h5.mine",
    "model.weights.h5",
    "model.weights.h5.export_report.json",
  ]


def test_the_report_says_that_nothing_is_smaller_and_what_gzip_makes_of_it(tmp_path, capsys):
  file = tmp_path / "model.weights.h5"
  found = dense_weights(small(keras), file)
  assert str(found) in capsys.readouterr().out
  told = json.loads((tmp_path / "model.weights.h5.export_report.json").read_text())
  size = file.stat().st_size
  assert told["format"] == "weights"
  assert told["bytes"] == told["dense_bytes"] == size > found.gzip_bytes > 0
  assert found.ideal_bytes == 24  # six values, none 0, and a bias that is 0
  assert [(row.path, row.shape, row.format, row.bytes) for row in found.rows] == [
    ("fc/kernel", (2, 3), "dense", 24),
    ("fc/bias", (3,), "dense", 12),
  ]
  share = f"{found.gzip_bytes / size:.0%}"
  assert f"weights: as large as a dense file; gzip makes it {share} of that." in str(found)
  assert "latency" not in str(found) and "outputs  " not in str(found) and "None" not in str(found)
  assert found.latency_ratio is None and found.largest_difference is None


def test_a_directory_in_the_way_is_refused(tmp_path):
  (tmp_path / "model.keras").mkdir()
  with pytest.raises(FileExistsError, match="is a directory"):
    dense_weights(small(keras), tmp_path / "model.keras", overwrite=True)


@pytest.mark.parametrize("name", ["model", "model.h5", "model.weights", "model.tflite"])
def test_another_suffix_is_refused(name, tmp_path):
  with pytest.raises(ValueError, match=r"path=.*must end in \.keras.*or in \.weights\.h5"):
    dense_weights(small(keras), tmp_path / name)
  assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(OSError, match=r"path=.*can't be written"):
    dense_weights(small(keras), tmp_path / "file" / "model.weights.h5")


def test_a_disk_that_fills_up_leaves_the_old_file(k, tmp_path):
  file = tmp_path / "model.weights.h5"
  file.write_text("mine")
  model = k.Sequential([k.layers.Input((100,)), k.layers.Dense(100)])
  with files_up_to(20_000), pytest.raises(OSError, match=r"path='.*h5' can't be written: "):
    dense_weights(model, file, overwrite=True)
  assert file.read_text() == "mine" and names(tmp_path) == ["model.weights.h5"]


def test_an_unbuilt_model_is_refused(k, tmp_path):
  with pytest.raises(ValueError, match="not built"):
    dense_weights(k.Sequential([k.layers.Dense(3)]), tmp_path / "model.keras")
  assert not list(tmp_path.iterdir())


def local_layer(k):
  class Local(k.layers.Dense):
    pass

  return Local


@pytest.mark.slow
def test_a_class_that_a_fresh_process_does_not_find_is_refused_and_the_old_file_stays(k, tmp_path):
  file = tmp_path / "model.keras"
  file.write_text("mine")
  with pytest.raises(
    ValueError, match=r"find test_dense_weights\.Local.*top of a module.*register"
  ):
    dense_weights(small(k, local_layer(k)), file, overwrite=True)
  assert file.read_text() == "mine"
  assert names(tmp_path) == ["model.keras"]


def test_what_is_not_keras_own_is_named_once_with_its_module_if_keras_says_it(k, tmp_path):
  layer = local_layer(k)
  model = k.Sequential([k.layers.Input((2,)), layer(3), layer(2, activation=steep)])
  model.save(str(tmp_path / "model.keras"))
  names = {(module, name) for module, name, _ in fresh_keras.custom(tmp_path / "model.keras")}
  assert names == {("test_dense_weights", "Local"), (None, "steep")}


def steep(x):
  return 2 * x


OWN_LAYERS = """
import keras
import tf_keras

@keras.saving.register_keras_serializable("own")
class Scaled(keras.layers.Dense):
  pass

@tf_keras.saving.register_keras_serializable("own")
class Scaled2(tf_keras.layers.Dense):
  pass

@keras.saving.register_keras_serializable("own")
class Forgetful(keras.layers.Dense):
  def __init__(self, *args, times=1.0, **kwargs):
    super().__init__(*args, **kwargs)
    self.times = times

  def call(self, x):
    return self.times * super().call(x)
"""


@pytest.fixture
def own_layers(tmp_path, monkeypatch):
  folder = tmp_path / "modules"
  folder.mkdir()
  (folder / "own_layers_of_a_test.py").write_text(OWN_LAYERS)
  monkeypatch.syspath_prepend(folder)
  return pytest.importorskip("own_layers_of_a_test")


@pytest.mark.slow
def test_a_registered_class_of_a_module_is_found_where_this_process_finds_it(
  k, own_layers, tmp_path
):
  layer = own_layers.Scaled if k is keras else own_layers.Scaled2
  dense_weights(small(k, layer), tmp_path / "model.keras")
  assert isinstance(k.models.load_model(tmp_path / "model.keras").layers[-1], layer)


@pytest.mark.slow
def test_a_layer_whose_config_lacks_what_it_computes_with_is_refused(own_layers, tmp_path):
  model = small(keras, lambda *args, **kwargs: own_layers.Forgetful(*args, times=2.0, **kwargs))
  with pytest.raises(RuntimeError, match=r"outputs in a fresh process differ.*get_config"):
    dense_weights(model, tmp_path / "model.keras")
  assert not (tmp_path / "model.keras").exists()


@pytest.mark.slow
def test_a_lambda_is_refused_with_keras_own_reason(k, tmp_path):
  model = k.Sequential([k.layers.Input((2,)), k.layers.Lambda(lambda x: x + 1), k.layers.Dense(3)])
  with pytest.raises(RuntimeError, match=r"Lambda.*safe_mode=False"):
    dense_weights(model, tmp_path / "model.keras")
  assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_vocabulary_comes_along(k, tmp_path):
  words = k.layers.TextVectorization(max_tokens=10, output_sequence_length=2)
  words.adapt(["a b", "a c"])
  text = k.layers.Input((), dtype="string")
  model = k.Model(text, k.layers.Embedding(10, 3)(words(text)))
  dense_weights(model, tmp_path / "model.keras")
  again = k.models.load_model(tmp_path / "model.keras")
  np.testing.assert_array_equal(model(tf.constant(["c a"])), again(tf.constant(["c a"])))


def test_a_file_with_other_arrays_is_told(k, tmp_path):
  model = small(k)
  model.save_weights(str(tmp_path / "model.weights.h5"))
  under_test._compare_arrays(model, tmp_path / "model.weights.h5")
  kernel = np.array(KERNEL, "float32")
  kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))
  model.set_weights([kernel, np.zeros(3)])
  with pytest.raises(RuntimeError, match=r"shape \(2, 3\) are not in the file"):
    under_test._compare_arrays(model, tmp_path / "model.weights.h5")


def test_a_file_is_loaded_without_its_optimizer_and_called(k, tmp_path):
  model = small(k)
  model.save(str(tmp_path / "model.keras"))
  found = fresh_keras.tried(k, str(tmp_path / "model.keras"), [np.array([[1.0, 2.0]], "float32")])
  np.testing.assert_array_equal(found["weights"][0], np.array(KERNEL, "float32"))
  np.testing.assert_array_equal(found["outputs"], [[[3.0, 7.0, -1.0]]])
  assert found["load_seconds"] > 0
  assert fresh_keras.tried(k, str(tmp_path / "model.keras"), None)["outputs"] is None


def test_a_model_that_answers_by_chance_is_not_compared_by_its_outputs(k):
  class Noise(k.layers.Layer):
    def call(self, x):
      return x + tf.random.normal(tf.shape(x))

  model = k.Sequential([k.layers.Input((2,)), Noise(), k.layers.Dense(3)])
  arguments, outputs, (said,) = under_test._example(model)
  assert (arguments, outputs) == (None, None)
  assert said.endswith("outputs were not compared: they differ from call to call.")
  arguments, outputs, notes = under_test._example(small(k))
  assert arguments[0].shape == (32, 2) and notes == ()
  np.testing.assert_allclose(outputs[0], arguments[0] @ np.array(KERNEL), rtol=1e-5)


@pytest.mark.parametrize("inputs", ["list", "dict"])
def test_a_model_of_several_inputs_is_compared_by_its_outputs(k, inputs, tmp_path):
  one, two = k.layers.Input((2,), name="one"), k.layers.Input((3,), name="two")
  given = [one, two] if inputs == "list" else {"one": one, "two": two}
  joined = k.layers.Dense(3, name="fc")(one) + two
  model = k.Model(given, k.layers.Dense(1)(joined))
  arguments, outputs, notes = under_test._example(model)
  assert notes == ()
  first, second = tf.nest.flatten(arguments)
  (kernel, bias), (last, _) = model.get_layer("fc").get_weights(), model.layers[-1].get_weights()
  expected = (first @ kernel + bias + second) @ last
  np.testing.assert_allclose(outputs[0], expected, rtol=1e-4, atol=1e-5)
  model.save(str(tmp_path / "model.keras"))
  found = fresh_keras.tried(k, str(tmp_path / "model.keras"), arguments)
  np.testing.assert_array_equal(found["outputs"][0], outputs[0])


def test_inputs_that_cannot_be_drawn_are_said(tmp_path):
  words = tf_keras.Input((None,), ragged=True, dtype="int32")
  pooled = tf_keras.layers.GlobalAveragePooling1D()(tf_keras.layers.Embedding(9, 2)(words))
  _, outputs, (said,) = under_test._example(tf_keras.Model(words, pooled))
  assert outputs is None
  assert "outputs were not compared: No examples can be drawn" in said
