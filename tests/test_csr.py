"""Kernels multiplied by their nonzeros alone: what is stored, spliced, chosen and computed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tflottery as tfl
from tflottery.export import choice, csr, endpoints, fastest, module, packing, products

# [in=3, out=4] and its values in the order of CSR: by output, then by input.
KERNEL = np.array([[0, 7, 0, 0], [5, 0, 0, 0], [6, 8, 0, 0]], "float32")


def _kernel(size_in, size_out, kept, value=1.0):
  """A kernel whose first `kept` entries are `value`."""
  kernel = np.zeros(size_in * size_out, "float32")
  kernel[:kept] = value
  return kernel.reshape(size_in, size_out)


def _dense(k, kernel, **arguments):
  layer = k.layers.Dense(kernel.shape[1], use_bias=False, name="fc", **arguments)
  model = k.Sequential([k.Input((kernel.shape[0],)), layer])
  model.set_weights([kernel])
  return model


def _conv(k, kernel, *, stride, padding, size=(None, None)):
  layer = k.layers.Conv2D(
    kernel.shape[1], 1, strides=stride, padding=padding, use_bias=False, name="conv"
  )
  model = k.Sequential([k.Input((*size, kernel.shape[0])), layer])
  model.set_weights([kernel[None, None]])
  return model


def _parts(model):
  traced = endpoints.trace(model)
  return choice.weights(model, traced), traced


def _forced(weights):
  """The weights of rank 2 and more as CSR, whatever the rule says."""
  return [
    dataclasses.replace(w, packed=csr.pack(w.array), layout="csr") if w.array.ndim > 1 else w
    for w in weights
  ]


def _written(model, directory):
  weights, traced = _parts(model)
  module.write(directory, model, traced, _forced(weights))
  return tf.saved_model.load(str(directory))


def _operations(function):
  return [operation.type for operation in function.graph.get_operations()]


def _by_rule(model, rows):
  weights, traced = _parts(model)
  shape = [n or rows for n in traced["serve"].inputs[0].shape]
  chosen, notes = fastest.by_rule(weights, traced, {"serve": [np.ones(shape, "float32")]})
  return [w.path for w in chosen], notes


def test_a_kernel_is_packed_by_output_and_comes_back_as_it_was():
  for kernel in (KERNEL, KERNEL[None, None]):
    packed = csr.pack(kernel)
    assert packed.values.tolist() == [5, 6, 7, 8]
    assert (packed.shape, packed.code) == ((4, 3), "bitmask")
    assert packing.places(packed.code, packed.positions, 12).numpy().tolist() == [1, 2, 3, 5]
    np.testing.assert_array_equal(packed.array(), kernel)


def test_a_dense_layer_multiplies_by_its_nonzeros(k, tmp_path):
  loaded = _written(_dense(k, KERNEL), tmp_path / "new")
  x = tf.constant([[1.0, 10, 100], [2, 0, 1]])
  np.testing.assert_array_equal(loaded.serve(x), [[650, 807, 0, 0], [6, 22, 0, 0]])
  assert loaded.serve(x[:1]).shape == (1, 4)
  assert loaded.serve(x[:0]).shape == (0, 4)
  types = _operations(loaded.signatures["serving_default"])
  assert "MatMul" not in types
  indices, values = loaded.sparse[0]
  assert indices.numpy().tolist() == [[0, 1], [0, 2], [1, 0], [1, 2]]
  assert values.numpy().tolist() == [5, 6, 7, 8]


def test_a_strided_1x1_convolution_multiplies_by_its_nonzeros(k, tmp_path):
  image = np.arange(5 * 4 * 3).reshape(1, 5, 4, 3).astype("float32")
  for padding in ("same", "valid"):
    model = _conv(k, KERNEL, stride=2, padding=padding)
    loaded = _written(model, tmp_path / padding)
    found = loaded.serve(image).numpy()
    # At row 2, column 2 the input is [30, 31, 32]: 5 * 31 + 6 * 32, 7 * 30 + 8 * 32.
    assert found[0, 1, 1].tolist() == [347, 466, 0, 0]
    np.testing.assert_array_equal(found, np.asarray(model(image)))
    assert found.shape == (1, 3, 2, 4)


def test_a_kernel_used_twice_serves_matrices_and_inputs_of_rank_3(k, tmp_path):
  layer = k.layers.Dense(4, name="fc")
  flat, words = k.Input((3,)), k.Input((2, 3))
  model = k.Model([flat, words], [layer(flat), layer(words)])
  layer.set_weights([KERNEL, np.array([1, 2, 3, 4], "float32")])
  loaded = _written(model, tmp_path / "new")
  x = tf.constant([[1.0, 10, 100]])
  first, second = loaded.serve([x, tf.stack([x, x * 2], axis=1)])
  assert first.numpy().tolist() == [[651, 809, 3, 4]]
  assert second.numpy().tolist() == [[[651, 809, 3, 4], [1301, 1616, 3, 4]]]
  assert len(loaded.sparse) == 1


def test_a_kernel_of_zeros_gives_the_bias(k, tmp_path):
  loaded = _written(_dense(k, np.zeros([3, 4], "float32")), tmp_path / "new")
  np.testing.assert_array_equal(loaded.serve(tf.ones([2, 3])), np.zeros([2, 4]))


def test_the_v1_session_loader_serves_csr(tmp_path):
  import keras

  _written(_dense(keras, KERNEL), tmp_path / "new")
  with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "new"))
    signature = meta.signature_def["serving_default"]
    (x,), (y,) = signature.inputs.values(), signature.outputs.values()
    assert session.run(y.name, {x.name: [[1, 10, 100]]}).tolist() == [[650, 807, 0, 0]]


def _also(k, use):
  """A Dense model whose kernel `use` is applied to, too."""
  model = _dense(k, _kernel(1000, 1000, 50_000))

  @tf.function(input_signature=[tf.TensorSpec([None, 1000])])
  def call(x):
    return model(x) + use(x, tf.convert_to_tensor(model.layers[-1].kernel))

  traced = {"serve": call.get_concrete_function()}
  return choice.weights(model, traced), traced


@pytest.mark.parametrize(
  "use, reason",
  [
    (lambda x, kernel: tf.reduce_sum(kernel), "fc/kernel is used by Sum"),
    (
      lambda x, kernel: tf.matmul(kernel, x, transpose_b=True)[0, 0],
      "fc/kernel is not on the right",
    ),
    (
      lambda x, kernel: tf.matmul(x, kernel, transpose_b=True),
      "fc/kernel is multiplied transposed",
    ),
  ],
)
def test_a_kernel_that_is_used_otherwise_too_stays_compact_and_it_is_said(k, use, reason):
  weights, traced = _also(k, use)
  calls = {"serve": [np.ones([32, 1000], "float32")]}
  chosen, notes = choice.choose(weights, format="csr", values="float32", traced=traced, calls=calls)
  assert [w.format for w in chosen] == ["gaps"]
  assert notes[0].startswith(f"Not multiplied as CSR: {reason}")


def test_a_kernel_read_in_a_nested_function_stays_compact(k):
  model = _dense(k, _kernel(1000, 1000, 50_000))
  inner = tf.function(model.__call__, autograph=False)

  @tf.function(input_signature=[tf.TensorSpec([None, 1000])])
  def call(x):
    return inner(x)

  traced = {"serve": call.get_concrete_function()}
  found, refused = fastest.candidates(choice.weights(model, traced), traced, {"serve": []})
  assert (found, list(refused.values())) == ([], ["is used by StatefulPartitionedCall"])


def test_convolutions_other_than_plain_1x1_are_no_products(k):
  model = k.Sequential(
    [
      k.Input((8, 8, 4)),
      k.layers.Conv2D(4, 1, name="plain"),
      k.layers.Conv2D(4, 3, name="wide"),
      k.layers.Conv2D(4, 1, groups=2, name="groups"),
    ]
  )
  weights, traced = _parts(model)
  reasons = {}
  for weight in weights:
    for _, reason in products.uses(traced["serve"], weight.variable.handle):
      reasons.setdefault(weight.path, reason)
  assert reasons["plain/kernel"] is None
  assert reasons["wide/kernel"] == "is the kernel of a convolution that is not 1x1"
  assert reasons["groups/kernel"] is not None


@pytest.mark.parametrize(
  "shape, kept, rows, is_chosen",
  [
    ((1000, 1000), 50_000, 32, True),
    ((1000, 1000), 51_000, 32, False),
    ((1000, 1000), 50_000, 31, False),
    ((1000, 999), 49_950, 32, False),
    ((784, 2048), 80_282, 32, True),  # what pruning to 0.95 keeps of 1,605,632: 80,281.6
  ],
)
def test_the_rule_is_95_percent_zeros_a_million_weights_32_rows(shape, kept, rows, is_chosen):
  import keras

  chosen, notes = _by_rule(_dense(keras, _kernel(*shape, kept)), rows)
  assert chosen == (["fc/kernel"] if is_chosen else [])
  said = "Multiplied as CSR: fc/kernel" if is_chosen else "fc/kernel comes closest with 9"
  assert said in notes[0]


@pytest.mark.parametrize(
  "stride, images, is_chosen", [(1, 2, False), (1, 3, True), (2, 5, False), (2, 6, True)]
)
def test_a_convolutions_rows_are_its_output_positions(k, stride, images, is_chosen):
  kernel = _kernel(1000, 1000, 100)
  # 15 positions an image, or 3 * 2.
  model = _conv(k, kernel, stride=stride, padding="same", size=(5, 3))
  assert _by_rule(model, images)[0] == (["conv/kernel"] if is_chosen else [])


def test_the_fewest_rows_of_any_product_count(k):
  layer = k.layers.Dense(1000, use_bias=False, name="fc")
  flat, words = k.Input((1000,)), k.Input((4, 1000))
  model = k.Model([flat, words], [layer(flat), layer(words)])
  layer.set_weights([_kernel(1000, 1000, 100)])
  weights, traced = _parts(model)
  calls = {"serve": [np.ones([8, 1000], "float32"), np.ones([8, 4, 1000], "float32")]}
  (candidate,), _ = fastest.candidates(weights, traced, calls)
  assert candidate.rows == 8
  assert sorted(shape for _, shape in candidate.products) == [[8, 1000], [32, 1000]]


def test_where_nothing_qualifies_all_is_compact(k):
  weights, traced = _parts(_dense(k, _kernel(200, 100, 400)))
  calls = {"serve": [np.ones([32, 200], "float32")]}
  chosen, notes = choice.choose(weights, format="csr", values="float32", traced=traced, calls=calls)
  assert choice.format_of(chosen) == "compact"
  assert notes == [
    "Nothing is multiplied as CSR, which is faster from 95% zeros, 32 rows, 1,000,000 weights on; "
    "fc/kernel comes closest with 98.0%, 32, 20,000."
  ]


def test_fastest_chooses_what_was_measured_to_be_faster():
  import keras

  rng = np.random.default_rng(0)
  large = np.where(rng.random([2048, 2048]) < 0.99, 0, 1).astype("float32")
  small = np.where(rng.random([2048, 10]) < 0.5, 0, 1).astype("float32")
  model = keras.Sequential([keras.Input((2048,))])
  for name, kernel in (("large", large), ("small", small)):
    model.add(keras.layers.Dense(kernel.shape[1], use_bias=False, name=name))
  model.set_weights([large, small])
  weights, traced = _parts(model)
  calls = {"serve": [rng.normal(size=[256, 2048]).astype("float32")]}
  chosen, notes = fastest.by_timing(weights, traced, calls)
  assert [w.path for w in chosen] == ["large/kernel"]
  assert [note.split(":")[0] for note in notes] == ["large/kernel", "small/kernel"]


@pytest.mark.slow
def test_an_mlp_is_exported_as_csr_and_loads_in_plain_tensorflow(k, tmp_path):
  rng = np.random.default_rng(0)
  model = k.Sequential([k.Input((1024,))])
  for name in ("a", "b"):
    model.add(k.layers.Dense(1024, activation="relu", name=name))
  model.add(k.layers.Dense(10, name="c"))
  for layer in model.layers:
    kernel, bias = layer.get_weights()
    layer.set_weights([np.where(rng.random(kernel.shape) < 0.98, 0, kernel * 10), bias + 1])
  x = rng.normal(size=[64, 1024]).astype("float32")
  report = tfl.export.saved_model(model, tmp_path / "new", format="csr", examples=x, verbose=False)
  formats = {row.path: row.format for row in report.rows}
  assert (formats["a/kernel"], formats["b/kernel"], formats["c/kernel"]) == ("csr", "csr", "gaps")
  assert report.format == "csr"
  assert report.bytes < 0.04 * report.dense_bytes
  expected = np.asarray(model(x))
  assert report.largest_difference < 1e-6 * np.abs(expected).max()
  np.save(tmp_path / "x.npy", x)
  code = (
    "import sys, numpy as np, tensorflow as tf\n"
    "model = tf.saved_model.load(sys.argv[1] + '/new')\n"
    "np.save(sys.argv[1] + '/y.npy', model.serve(np.load(sys.argv[1] + '/x.npy')))\n"
    "assert not {'tflottery', 'tf_keras'} & {m.split('.')[0] for m in sys.modules}\n"
  )
  subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=tmp_path)
  found = np.load(tmp_path / "y.npy")
  np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
