"""Models from files: which Keras reads them, tickets with their networks, and what is refused."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tflottery as tfl
from tflottery.experiments import opening

KERNEL = [[2.0, -1.0, 3.0], [0.5, 4.0, -2.0]]


def network(k, layer=None):
  """2-3, its kernel known."""
  model = k.Sequential([k.layers.Input((2,)), (layer or k.layers.Dense)(3, name="fc")])
  model.set_weights([np.array(KERNEL, "float32"), np.zeros(3, "float32")])
  return model


def keras_network():
  """What a ticket's builder is."""
  return network(keras)


def tf_keras_network():
  """The same in tf_keras."""
  return network(tf_keras)


def no_network():
  """Not a model."""
  return "a network"


def with_an_argument(classes):
  """Takes what nobody gives."""
  return classes


def kernel(model):
  return model.get_weights()[0].tolist()


def test_a_keras_file_is_opened_by_the_keras_that_wrote_it_uncompiled(k, tmp_path):
  model = network(k)
  model.compile("adam", "mse")
  model.save(str(tmp_path / "model.keras"))
  opened = opening.open_model(tmp_path / "model.keras")
  assert isinstance(opened, k.Model)
  assert kernel(opened) == KERNEL
  assert getattr(opened, "optimizer", None) is None


def test_a_saved_model_of_tf_keras_is_a_model_again(tmp_path):
  model = network(tf_keras)
  model.compile("adam", "mse")
  model.save(str(tmp_path / "saved"), save_format="tf")
  opened = opening.open_model(tmp_path / "saved")
  assert isinstance(opened, tf_keras.Model)
  assert kernel(opened) == KERNEL
  assert list(tfl.sites(opened)) == ["fc/kernel"]


@pytest.mark.parametrize("name", ["wrapped.keras", "wrapped"])
def test_a_model_in_tfmots_wrappers_is_opened_with_them(tfmot, name, tmp_path):
  wrapped = tfmot.sparsity.keras.prune_low_magnitude(network(tf_keras))
  wrapped.save(str(tmp_path / name))
  opened = opening.open_model(tmp_path / name)
  [site] = tfl.sites(opened).values()
  assert (site.path, site.wrapper_mask.shape) == ("fc/kernel", (2, 3))
  assert site.variable.numpy().tolist() == KERNEL


def test_a_ticket_is_its_network_with_the_masked_start_weights(k, tmp_path):
  mask = np.array([[True, False, True], [False, False, True]])
  start = network(k)
  start.set_weights([2 * np.array(KERNEL), np.ones(3)])
  tfl.Ticket.capture(start, {"fc/kernel": mask}).save(tmp_path / "level_1.ticket")
  builder = f"test_opening:{k.__name__}_network"
  opened = opening.open_model(tmp_path / "level_1.ticket", builder=builder)
  assert isinstance(opened, k.Model)
  assert kernel(opened) == [[4.0, 0.0, 6.0], [0.0, 0.0, -4.0]]
  assert opened.get_weights()[1].tolist() == [1.0, 1.0, 1.0]


@pytest.fixture(scope="module")
def ticket(tmp_path_factory):
  file = tmp_path_factory.mktemp("tickets") / "final.ticket"
  tfl.Ticket.capture(network(keras)).save(file)
  return file


BAD_BUILDERS = {
  "none": (None, ValueError, r"is a ticket, which holds no network.*builder='module:function'"),
  "without a function": ("test_opening", ValueError, r"must be written as 'module:function'"),
  "of no module": ("no_such_module:f", ModuleNotFoundError, r"builder=.*'no_such_module'"),
  "of no function": ("test_opening:nothing", ValueError, r"builder=.*no function.*'nothing'"),
  "that is no function": ("test_opening:KERNEL", ValueError, "builder=.*no function"),
  "with arguments": (
    "test_opening:with_an_argument",
    ValueError,
    r"without arguments: .*'classes'",
  ),
  "of no model": ("test_opening:no_network", ValueError, r"returned no Keras model.*'a network'"),
}


@pytest.mark.parametrize("name", BAD_BUILDERS)
def test_a_bad_builder_is_refused(name, ticket):
  builder, error, match = BAD_BUILDERS[name]
  with pytest.raises(error, match=match):
    opening.open_model(ticket, builder=builder)


def test_a_builder_beside_a_model_is_refused(tmp_path):
  network(keras).save(tmp_path / "model.keras")
  with pytest.raises(ValueError, match=r"builder='a:b' is for tickets.*its own model"):
    opening.open_model(tmp_path / "model.keras", builder="a:b")


def test_nothing_there_is_said(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"none\.keras'?: no such file"):
    opening.open_model(tmp_path / "none.keras")


def test_a_saved_model_without_keras_in_it_is_refused_with_the_cure(tmp_path):
  tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
  with pytest.raises(ValueError, match=r"without its Keras model.*\.keras file"):
    opening.open_model(tmp_path / "saved")


def test_a_directory_without_a_saved_model_is_refused(tmp_path):
  with pytest.raises(ValueError, match="must be a SavedModel that tf_keras's"):
    opening.open_model(tmp_path)


def test_a_damaged_saved_model_is_refused(tmp_path):
  network(tf_keras).save(str(tmp_path / "saved"), save_format="tf")
  shutil.rmtree(tmp_path / "saved" / "variables")
  with pytest.raises(ValueError, match=r"can't be loaded.*copy it again"):
    opening.open_model(tmp_path / "saved")


@pytest.mark.parametrize("name", ["model.h5", "model.weights.h5", "model.hdf5"])
def test_an_hdf5_file_is_refused_with_the_cure(name, tmp_path):
  (tmp_path / name).write_bytes(b"\x89HDF")
  with pytest.raises(ValueError, match=r"is an HDF5 file.*save it as \.keras"):
    opening.open_model(tmp_path / name)


def test_another_file_is_refused_as_no_ticket(tmp_path):
  (tmp_path / "notes.txt").write_text("hello")
  with pytest.raises(ValueError, match=r"notes\.txt' is not a ticket"):
    opening.open_model(tmp_path / "notes.txt", builder="test_opening:keras_network")


def test_text_a_cut_file_and_foreign_zips_are_no_keras_files(k, tmp_path):
  file = tmp_path / "model.keras"
  network(k).save(str(file))
  whole = file.read_bytes()
  for name, metadata in (("foreign", {"keras": 3}), ("empty", {"keras_version": "3.10"})):
    with zipfile.ZipFile(tmp_path / name, "w") as foreign:
      foreign.writestr("metadata.json", json.dumps(metadata))
  zips = [(tmp_path / name).read_bytes() for name in ("foreign", "empty")]
  for content in (b"hello", whole[:-300], *zips):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no \.keras file, or is damaged.*copy it again"):
      opening.open_model(file)


def test_a_flipped_bit_is_found(k, tmp_path):
  file = tmp_path / "model.keras"
  network(k).save(str(file))
  content = bytearray(file.read_bytes())
  content[content.index(np.float32(KERNEL).tobytes()) + 3] ^= 1
  file.write_bytes(content)
  with pytest.raises(ValueError, match=r"can't be loaded: .*CRC"):
    opening.open_model(file)


def test_a_class_that_is_not_registered_is_named_with_the_cure(k, tmp_path):
  class Unknown(k.layers.Dense):
    pass

  network(k, Unknown).save(str(tmp_path / "model.keras"))
  with pytest.raises(ValueError, match=r"needs test_opening\.Unknown.*--import=MODULE"):
    opening.open_model(tmp_path / "model.keras")


def test_examples_have_the_models_structure_and_dtypes(k, tmp_path):
  a, b = k.layers.Input((2,), name="a"), k.layers.Input((1,), name="b", dtype="int32")
  outputs = k.layers.Dense(1)(a) + k.layers.Embedding(9, 1)(b)[:, 0]
  two = k.Model([a, b], outputs)
  x, y = np.ones((4, 2)), np.ones((4, 1))
  np.savez(tmp_path / "two.npz", x, y)
  found = opening.open_examples(tmp_path / "two.npz", two)
  assert [array.dtype for array in found] == [np.float32, np.int32]
  assert two(found).shape == (4, 1)
  np.save(tmp_path / "one.npy", x)
  assert opening.open_examples(tmp_path / "one.npy", network(k)).dtype == np.float32
  with pytest.raises(ValueError, match=r"holds 1 arrays, but model .* takes 2 inputs"):
    opening.open_examples(tmp_path / "one.npy", two)


def test_examples_by_name_are_in_the_order_of_their_sorted_keys(tmp_path):
  inputs = {"b": keras.Input((1,), name="b"), "a": keras.Input((2,), name="a")}
  model = keras.Model(inputs, keras.layers.Dense(1)(inputs["a"]) + inputs["b"])
  np.savez(tmp_path / "two.npz", np.zeros((4, 2)), np.ones((4, 1)))
  found = opening.open_examples(tmp_path / "two.npz", model)
  assert {name: array.shape for name, array in found.items()} == {"a": (4, 2), "b": (4, 1)}


def test_words_are_examples_too(tmp_path):
  word = keras.Input((), dtype="string")
  model = keras.Model(
    word, keras.layers.Embedding(4, 2)(keras.layers.StringLookup(vocabulary=["x"])(word))
  )
  np.save(tmp_path / "words.npy", np.array(["x", "y"]))
  found = opening.open_examples(tmp_path / "words.npy", model)
  assert model(tf.convert_to_tensor(found)).shape == (2, 2)


def test_examples_that_are_no_arrays_are_refused(tmp_path):
  (tmp_path / "x.npy").write_text("hello")
  with pytest.raises(ValueError, match=r"x\.npy' is no file of arrays.*numpy\.savez"):
    opening.open_examples(tmp_path / "x.npy", network(keras))
  with pytest.raises(FileNotFoundError):
    opening.open_examples(tmp_path / "none.npy", network(keras))
