"""Sparse models of every kind, and a round trip through the file, for the tests of exports."""

import keras
import numpy as np
import tensorflow as tf

import tflottery as tfl
from tflottery.export import choice, endpoints, inputs, module
from tflottery.export.stripped import stripped


def sparse(model, sparsity=0.9, seed=0):
  """`model` with so many of its prunable weights at random set to 0."""
  rng = np.random.default_rng(seed)
  for site in tfl.sites(model).values():
    weight = np.array(site.variable.numpy())
    site.variable.assign(
      np.where(rng.random(weight.shape) < sparsity, np.zeros_like(weight), weight)
    )
  return model


def mlp(k, sparsity=0.9):
  layers = [k.layers.Dense(128, "relu", name="fc1"), k.layers.Dense(64, name="fc2")]
  return sparse(k.Sequential([k.Input((64,), name="x"), *layers]), sparsity)


def write(model, directory, *, values="float32", signatures=None, pack=choice.compact):
  """Export without the trial: the traced endpoints, and the weights as they were stored."""
  with stripped(model) as plain:
    traced = endpoints.trace(plain, signatures)
    weights = [pack(weight, values=values) for weight in choice.weights(plain, traced)]
    module.write(directory, plain, traced, weights)
    return traced, weights


def outputs(directory, arrays, endpoint="serve"):
  loaded = tf.saved_model.load(str(directory))
  return inputs.call(getattr(loaded, endpoint).concrete_functions[0], arrays)


def signature(directory, name="serving_default"):
  """(arguments, outputs) of a signature: dicts from name to (shape, dtype)."""
  found = tf.saved_model.load(str(directory)).signatures[name]
  specs = (found.structured_input_signature[1], found.structured_outputs)
  return tuple({n: (s.shape.as_list(), s.dtype.name) for n, s in spec.items()} for spec in specs)


def _functional(k):
  left, right = k.Input((64,), name="left"), k.Input((32,), name="right")
  joined = k.layers.Concatenate()([k.layers.Dense(128)(left), k.layers.Dense(128)(right)])
  named = {"y": k.layers.Dense(64, name="y")(joined), "z": k.layers.Dense(64, name="z")(joined)}
  return k.Model([left, right], named)


def _dicts(k):
  left, right = k.Input((64,), name="left"), k.Input((32,), name="right")
  joined = k.layers.Concatenate()([k.layers.Dense(128)(left), k.layers.Dense(128)(right)])
  return k.Model({"left": left, "right": right}, {"y": k.layers.Dense(64, name="y")(joined)})


def _subclassed(k):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.first, self.second = k.layers.Dense(128), k.layers.Dense(128)
      self.scale = tf.Variable(3.0)  # no weight of Keras

    def call(self, pair, training=False):
      return (self.first(pair[0]) + self.second(pair[1])) * self.scale

  model = Net()
  model([np.ones((2, 64), "float32"), np.ones((2, 32), "float32")])
  return model


def _nested(k):
  inner = k.Sequential([k.Input((64,)), k.layers.Dense(128), k.layers.BatchNormalization()])
  x = k.Input((64,))
  return k.Model(x, k.layers.Dense(64, "gelu")(inner(x)))


def _convolutions(k):
  layers = [
    k.layers.Conv2D(32, 3, activation="swish"),
    k.layers.BatchNormalization(),
    k.layers.SeparableConv2D(64, 3),
    k.layers.DepthwiseConv2D(3),
    k.layers.Conv2DTranspose(32, 3),
    k.layers.Dropout(0.5),
    k.layers.GlobalAveragePooling2D(),
  ]
  return k.Sequential([k.Input((12, 12, 3)), *layers, k.layers.Dense(10)])


def _recurrent(k):
  layers = [k.layers.LSTM(64, return_sequences=True), k.layers.GRU(64), k.layers.Dense(10)]
  return k.Sequential([k.Input((None,), dtype="int32"), k.layers.Embedding(500, 64), *layers])


def _attention(k):
  x = k.Input((10, 32))
  return k.Model(x, k.layers.LayerNormalization()(k.layers.MultiHeadAttention(4, 32)(x, x)))


def _text(k):
  layer = k.layers.TextVectorization(output_sequence_length=5)
  layer.adapt(np.array(["a b c", "d e a"]))
  x = k.Input((1,), dtype="string", name="text")
  words = k.layers.Flatten()(k.layers.Embedding(200, 64)(layer(x)))
  return k.Model(x, k.layers.Dense(10)(words))


def _one_hot(k):
  x = k.Input((1,), dtype="string")
  table = k.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")
  return k.Model(x, k.layers.Dense(2000)(table(x)))


def _shared(k):
  layer, x = k.layers.Dense(64), k.Input((64,))
  return k.Model(x, layer(layer(x)))


def _tied(k):
  class Scores(k.layers.Layer):
    """The embedding's own weights as the output layer's."""

    def __init__(self, embedding):
      super().__init__()
      self.embedding = embedding

    def call(self, x):
      return tf.matmul(x, tf.convert_to_tensor(self.embedding.embeddings), transpose_b=True)

  embedding, x = k.layers.Embedding(300, 64), k.Input((7,), dtype="int32")
  return k.Model(x, Scores(embedding)(embedding(x)))


def _inner_function(k):
  class Product(k.layers.Layer):
    def build(self, shape):
      self.w = self.add_weight(name="kernel", shape=(64, 128), initializer="glorot_uniform")
      super().build(shape)

    @tf.function
    def call(self, x):
      return tf.matmul(x, self.w)

  return k.Sequential([k.Input((64,)), Product()])


def _policy(name):
  def build(k):
    choose = keras.config.set_dtype_policy if k is keras else k.mixed_precision.set_global_policy
    choose(name)
    try:
      return k.Sequential([k.Input((64,)), k.layers.Dense(128, "relu"), k.layers.Dense(64)])
    finally:
      choose("float32")

  return build


KINDS = {
  "sequential": mlp,
  "two inputs and two outputs": _functional,
  "dicts": _dicts,
  "subclassed": _subclassed,
  "nested": _nested,
  "convolutions": _convolutions,
  "recurrent": _recurrent,
  "attention": _attention,
  "text": _text,
  "one-hot strings": _one_hot,
  "shared": _shared,
  "tied": _tied,
  "a tf.function inside": _inner_function,
  "mixed_float16": _policy("mixed_float16"),
  "bfloat16": _policy("bfloat16"),
}
