"""Whatever the model, its export computes the same to the last bit and leaves it as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import two_replicas
from exports import KINDS, mlp, outputs, signature, sparse, write

import tflottery as tfl
from tflottery import export
from tflottery.export import comparing, endpoints, inputs, products, report


def assert_same(traced, directory, examples=None):
  for name, function in traced.items():
    arrays = inputs.arguments(function, examples)
    for found, expected in zip(
      outputs(directory, arrays, name), inputs.call(function, arrays), strict=True
    ):
      np.testing.assert_array_equal(found, expected)


def weights_of(model):
  return [np.array(weight).tobytes() for weight in model.get_weights()]


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_computes_what_the_model_does(kind, k, tmp_path):
  model = sparse(KINDS[kind](k))
  before = weights_of(model)
  traced, stored = write(model, tmp_path)
  assert {weight.format for weight in stored} & {"bitmask", "gaps"}
  assert_same(traced, tmp_path)
  assert weights_of(model) == before


@pytest.mark.slow
@pytest.mark.parametrize("name, share", [("MobileNetV2", 0.21), ("ResNet50", 0.15)])
def test_networks_that_nobody_here_wrote(name, share, k, tmp_path):
  model = sparse(getattr(k.applications, name)(weights=None))
  traced, _ = write(model, tmp_path / "compact")
  images = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
  assert_same(traced, tmp_path / "compact", images)
  write(model, tmp_path / "dense", pack=lambda weight, values: weight)
  assert report.nbytes(tmp_path / "compact") <= share * report.nbytes(tmp_path / "dense")


def test_a_layer_of_three_weights_is_stored_as_it_is_and_a_large_one_packed(k, tmp_path):
  _, stored = write(mlp(k), tmp_path)
  formats = {weight.path: weight.format for weight in stored}
  assert formats == {
    "fc1/kernel": "gaps",
    "fc1/bias": "dense",
    "fc2/kernel": "gaps",
    "fc2/bias": "dense",
  }


def test_shapes_dtypes_and_names_of_the_signatures_are_kept_and_the_batch_is_free(k, tmp_path):
  write(sparse(KINDS["two inputs and two outputs"](k)), tmp_path)
  for name in ("serve", "serving_default"):
    arguments, found = signature(tmp_path, name)
    assert arguments == {"left": ([None, 64], "float32"), "right": ([None, 32], "float32")}
    assert found == {"y": ([None, 64], "float32"), "z": ([None, 64], "float32")}


def test_held_masks_are_laid_on_the_weights(k, tmp_path):
  model = mlp(k, sparsity=0)
  model.compile("adam", "mse")
  masks = {p: np.random.default_rng(0).random(s.shape) < 0.1 for p, s in tfl.sites(model).items()}
  with tfl.hold(model, masks):
    model.layers[0].kernel.assign_add(np.ones((64, 128), "float32"))  # beside the masks
    before = weights_of(model)
    traced, stored = write(model, tmp_path)
    assert weights_of(model) == before
    kernel = next(weight.array for weight in stored if weight.path == "fc1/kernel")
    assert not kernel[~masks["fc1/kernel"]].any() and kernel[masks["fc1/kernel"]].all()
  model.layers[0].kernel.assign(kernel)
  assert_same(traced, tmp_path)


def test_a_ticket_that_was_applied_is_exported(k, tmp_path):
  model = mlp(k)
  ticket = tfl.Ticket.capture(model)
  other = mlp(k, sparsity=0)
  ticket.apply(other)
  write(other, tmp_path / "other")
  traced, _ = write(model, tmp_path / "model")
  assert_same(traced, tmp_path / "other")


def test_wrappers_of_tfmot_are_taken_off_and_their_masks_laid_on(tfmot, tmp_path):
  schedule = tfmot.sparsity.keras.ConstantSparsity(0.9, 0, frequency=1)
  wrapped = tfmot.sparsity.keras.prune_low_magnitude(mlp(tf_keras, 0), schedule)
  wrapped.compile("adam", "mse")
  step = tfmot.sparsity.keras.UpdatePruningStep()
  wrapped.fit(np.ones((64, 64)), np.ones((64, 64)), verbose=0, callbacks=[step])
  for layer in wrapped.layers:
    if hasattr(layer, "pruning_vars"):
      layer.pruning_vars[0][0].assign_add(tf.ones_like(layer.pruning_vars[0][0]))
  before = weights_of(wrapped)
  traced, stored = write(wrapped, tmp_path)
  assert weights_of(wrapped) == before
  assert [round((w.array == 0).mean(), 2) for w in stored if w.array.ndim == 2] == [0.9, 0.9]
  operations = {node.op for node in traced["serve"].graph.as_graph_def().node}
  assert not operations & {"AssignVariableOp", "If", "StatelessIf"}
  wrapped.evaluate(np.ones((64, 64)), np.ones((64, 64)), verbose=0)  # still a wrapped model


def test_a_model_of_two_replicas_is_exported(k, tmp_path):
  with two_replicas().scope():
    model = mlp(k)
  traced, stored = write(model, tmp_path)
  assert [weight.format for weight in stored] == ["gaps", "dense", "gaps", "dense"]
  assert_same(traced, tmp_path)


def test_endpoints_of_the_users_own(k, tmp_path):
  model = mlp(k)

  @tf.function(input_signature=[tf.TensorSpec([None, 64], name="images")])
  def classify(images):
    scores = model(images)
    return {"best": tf.argmax(scores, -1), "probability": tf.reduce_max(tf.nn.softmax(scores), -1)}

  rows = [tf.TensorSpec([4, 64], name="four")]
  traced, _ = write(model, tmp_path, signatures={"classify": classify, "rows": rows})
  assert_same(traced, tmp_path)
  assert signature(tmp_path) == (
    {"images": ([None, 64], "float32")},
    {"best": ([None], "int64"), "probability": ([None], "float32")},
  )
  assert signature(tmp_path, "rows")[0] == {"four": ([4, 64], "float32")}


def test_ragged_inputs_need_examples(tmp_path):
  x = tf_keras.Input((None,), ragged=True, dtype="int32")
  words = tf_keras.layers.GlobalAveragePooling1D()(tf_keras.layers.Embedding(300, 64)(x))
  traced, _ = write(sparse(tf_keras.Model(x, tf_keras.layers.Dense(64)(words))), tmp_path)
  assert_same(traced, tmp_path, tf.ragged.constant([[1, 2, 3], [4]], dtype=tf.int32))
  with pytest.raises(ValueError, match=r"No examples can be drawn .* Give examples=\."):
    inputs.arguments(traced["serve"])


def test_float16_values_give_what_the_rounded_weights_give(k, tmp_path):
  model = mlp(k)
  traced, stored = write(model, tmp_path, values="float16")
  assert [weight.packed.values.dtype for weight in stored if weight.packed] == ["float16"] * 2
  arrays = inputs.arguments(traced["serve"])
  before = inputs.call(traced["serve"], arrays)[0]
  for layer in model.layers:
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel.astype("float16").astype("float32"), bias])
  assert_same(traced, tmp_path)
  assert 0 < np.abs(inputs.call(traced["serve"], arrays)[0] - before).max() < 1e-3


def test_a_variable_that_the_model_writes_to_is_kept_apart(tmp_path):
  class Counting(tf_keras.layers.Layer):
    def __init__(self):
      super().__init__()
      self.calls = self.add_weight(name="calls", shape=(), initializer="zeros", trainable=False)

    def call(self, x):
      self.calls.assign_add(1.0)
      return x + self.calls

  model = sparse(
    tf_keras.Sequential([tf_keras.Input((64,)), tf_keras.layers.Dense(128), Counting()])
  )
  write(model, tmp_path)
  loaded = tf.saved_model.load(str(tmp_path))
  first, second = (loaded.serve(tf.zeros([1, 64])) for _ in range(2))
  np.testing.assert_array_equal(second - first, np.ones((1, 128)))


def test_a_call_leaves_states_and_seeds_as_they_were(k):
  layers = [k.layers.LSTM(8, stateful=True), k.layers.Dense(3)]
  model = k.Sequential([k.Input((5, 4), batch_size=32), *layers])
  before = [np.array(v.numpy()) for v in model.layers[0].states]
  traced = endpoints.trace(model)
  calls = {"serve": inputs.arguments(traced["serve"])}
  first, second = (comparing.outputs(traced, calls)["serve"][0] for _ in range(2))
  np.testing.assert_array_equal(first, second)
  for state, value in zip(model.layers[0].states, before, strict=True):
    np.testing.assert_array_equal(state.numpy(), value)


def test_exports_of_every_format_leave_states_as_they_were(k, tmp_path):
  layers = [k.layers.LSTM(8, stateful=True), k.layers.Dense(3)]
  model = k.Sequential([k.Input((5, 4), batch_size=32), *layers])
  model.predict(np.ones((32, 5, 4), "float32"), verbose=0)
  before = [np.array(v.numpy()) for v in model.layers[0].states]
  assert all(state.any() for state in before)
  traced = endpoints.trace(model)["serve"]
  products.input_shapes(traced, [], inputs.arguments(traced))
  export.tflite(model, tmp_path / "1.tflite", verbose=False)
  for state, value in zip(model.layers[0].states, before, strict=True):
    np.testing.assert_array_equal(state.numpy(), value)


@pytest.mark.slow
def test_a_keras_file_leaves_states_as_they_were(k, tmp_path):
  model = k.Sequential([k.Input((5, 4), batch_size=32), k.layers.LSTM(8, stateful=True)])
  model.predict(np.ones((32, 5, 4), "float32"), verbose=0)
  before = [np.array(v.numpy()) for v in model.layers[0].states]
  export.dense_weights(model, tmp_path / "1.keras", verbose=False)
  for state, value in zip(model.layers[0].states, before, strict=True):
    np.testing.assert_array_equal(state.numpy(), value)


@pytest.mark.parametrize("write_file", [export.tflite, export.dense_weights])
def test_a_file_is_not_written_to_a_url(write_file, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(
    ValueError, match=r"path='gs://bucket/a\.keras' must be a path on this machine"
  ):
    write_file(mlp(keras), "gs://bucket/a.keras")
  assert not list(tmp_path.iterdir())


def test_augmentation_is_not_exported(k, tmp_path):
  layers = [k.layers.RandomFlip(seed=3), k.layers.Flatten(), k.layers.Dense(400)]
  model = sparse(k.Sequential([k.Input((4, 4, 3)), *layers]))
  traced, _ = write(model, tmp_path)
  arrays = inputs.arguments(traced["serve"])
  found = outputs(tmp_path, arrays)[0]
  np.testing.assert_allclose(found, model.predict(arrays[0], verbose=0), rtol=0, atol=1e-6)


def test_a_trace_that_is_not_the_call_is_refused(tmp_path):
  # Keras 3 takes the free time axis for as long as the batch.
  layer = keras.layers.TimeDistributed(keras.layers.Dense(30))
  model = keras.Sequential([keras.Input((None, 20)), layer])
  with pytest.raises(
    ValueError, match=r"computes something else .*\(32, 64, 30\).* fix them in Input"
  ):
    export.saved_model(model, tmp_path / "1")


@pytest.mark.parametrize(
  "signatures, error, words",
  [
    ({}, TypeError, "signatures must be a dict"),
    ([tf.TensorSpec([None, 64])], TypeError, "signatures must be a dict"),
    ({"serve": []}, TypeError, r"signatures\['serve'\] must be a tf.function"),
    ({"serve": tf.function(lambda x: x)}, TypeError, "with an input_signature"),
    ({"weights": [tf.TensorSpec([None, 64])]}, ValueError, "endpoint 'weights'. Choose another"),
    ({"name": [tf.TensorSpec([None, 64])]}, ValueError, "endpoint 'name'. Choose another"),
    ({1: [tf.TensorSpec([None, 64])]}, ValueError, "endpoint 1. Choose another"),
    ({"serve": [tf.TensorSpec([None, 64])] * 3}, ValueError, "can't be called with the inputs"),
  ],
)
def test_signatures_that_can_not_be_are_named(signatures, error, words):
  with pytest.raises(error, match=words):
    endpoints.trace(mlp(keras), signatures)


def test_outputs_that_a_saved_model_does_not_hold_are_refused():
  spec = [tf.TensorSpec([None, 64])]
  for result in (lambda x: (x, None), lambda x: {"a": {"b": x}}):
    with pytest.raises(ValueError, match="must return a tensor, or a list or dict of tensors"):
      endpoints.trace(mlp(keras), {"serve": tf.function(result, input_signature=spec)})


def test_calls_of_python_are_refused():
  @tf.function(input_signature=[tf.TensorSpec([None, 64])])
  def serve(x):
    return tf.py_function(lambda y: y, [x], tf.float32)

  with pytest.raises(ValueError, match=r"'serve' calls Python \(EagerPyFunc\)"):
    endpoints.trace(mlp(keras), {"serve": serve})


def test_examples_that_lose_by_being_cast_are_refused():
  traced = endpoints.trace(mlp(keras), {"serve": [tf.TensorSpec([None, 64])]})["serve"]
  assert inputs.arguments(traced, np.ones((2, 64)))[0].dtype == np.float32

  @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
  def whole(x):
    return x

  for given in ([1.5], [2.0**40], [np.nan]):
    with pytest.raises(ValueError, match="examples must be whole numbers for an input of int32"):
      inputs.arguments(whole.get_concrete_function(), np.array(given))


def test_float64_and_float16_models_keep_their_dtype(k, tmp_path):
  for dtype in ("float64", "float16"):
    layers = [k.layers.Dense(400, dtype=dtype)]
    model = sparse(k.Sequential([k.Input((64,), dtype=dtype), *layers]))
    traced, stored = write(model, tmp_path / dtype)
    assert stored[0].packed.values.dtype == dtype
    assert_same(traced, tmp_path / dtype)
