"""Transformers: encoder and decoder of Keras's attention layers, all of whose weights can be pruned.

Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762. Functional models of the inputs source
[n, S] and target [n, T], int32 tokens with padding 0, that return logits [n, T, classes] of the token
after each of the target. One embedding serves both inputs; queries, keys, values and outputs of attention
are `Dense` layers, and `Attention` itself has no weights.

Departs: each part is normalised before and not after it, and the ends once more, as in the Transformer of
tensor2tensor that The State of Sparsity prunes (arXiv:1902.09574); the last layer does not share the
embedding's weights, so that each can have masks of its own.
"""

import dataclasses
import math

from tflottery.experiments import positions


@dataclasses.dataclass(frozen=True)
class _Sizes:
  """Layers in each of encoder and decoder, units, heads, units of the feed-forward layers, dropout."""

  layers: int
  units: int
  heads: int
  hidden: int
  dropout: float

  def times(self, width):
    """So many times as wide; there are as many heads, each of at least one unit."""
    each = max(1, round(self.units / self.heads * width))
    hidden = max(1, round(self.hidden * width))
    return dataclasses.replace(self, units=each * self.heads, hidden=hidden)


_SMALL = _Sizes(layers=2, units=64, heads=4, hidden=128, dropout=0.0)
_BASE = _Sizes(layers=6, units=512, heads=8, hidden=2048, dropout=0.1)


def transformer(k, input_shape, classes, width=1.0):
  """A small Transformer, for strings of digits: 2 and 2 layers of 64 units, 4 heads, no dropout.

  Args:
    k: the module `keras` or `tf_keras`.
    input_shape: (source length, target length).
    classes: size of the vocabulary.
    width: what units are multiplied by; the number of heads stays.

  >>> import keras
  >>> transformer(keras, (13, 13), 13).output_shape
  (None, 13, 13)
  """
  return _transformer("transformer", k, input_shape, classes, _SMALL.times(width))


def transformer_base(k, input_shape, classes, width=1.0):
  """The paper's base model: 6 and 6 layers of 512 units, 8 heads, dropout 0.1; arguments as above.

  Departs: no dropout of attention's weights, which the paper does not name and tensor2tensor has.
  """
  return _transformer("transformer_base", k, input_shape, classes, _BASE.times(width))


MODELS = {"transformer": transformer, "transformer_base": transformer_base}


def _transformer(name, k, input_shape, classes, sizes):
  source, target = (
    k.Input((length,), dtype="int32", name=part)
    for part, length in zip(("source", "target"), input_shape, strict=True)
  )
  embedding = k.layers.Embedding(
    classes,
    sizes.units,
    embeddings_initializer=k.initializers.RandomNormal(stddev=sizes.units**-0.5),
    name="embedding",
  )
  present = positions.PRESENT[k.__name__](name="source_present")(source)
  x = _placed(k, embedding(source), "source", sizes)
  for i in range(1, sizes.layers + 1):
    x = _attending(k, x, None, f"encoder{i}_self", sizes, mask=[None, present])
    x = _feed_forward(k, x, f"encoder{i}_ff", sizes)
  encoded = _normalised(k, x, "encoder")
  x = _placed(k, embedding(target), "target", sizes)
  for i in range(1, sizes.layers + 1):
    # Padding follows the tokens, so whoever can't look ahead can't see it.
    x = _attending(k, x, None, f"decoder{i}_self", sizes, use_causal_mask=True)
    x = _attending(k, x, encoded, f"decoder{i}_cross", sizes, mask=[None, present])
    x = _feed_forward(k, x, f"decoder{i}_ff", sizes)
  # Logits stay float32 under mixed precision: a loss in float16 overflows.
  logits = k.layers.Dense(classes, name="output", dtype="float32")(_normalised(k, x, "decoder"))
  return k.Model((source, target), logits, name=name)


def _placed(k, embedded, name, sizes):
  """Embedded tokens with their positions."""
  x = positions.POSITIONS[k.__name__](name=f"{name}_positions")(embedded)
  return _dropped(k, x, name, sizes)


def _attending(k, x, memory, name, sizes, **masks):
  """`x` and what it finds in `memory`, or in itself where that is None."""
  queries = _normalised(k, x, name)
  found = _attention(k, queries, queries if memory is None else memory, name, sizes, masks)
  return k.layers.Add(name=f"{name}_add")([x, _dropped(k, found, name, sizes)])


def _attention(k, queries, memory, name, sizes, masks):
  """Scaled dot-product attention of several heads, section 3.2.2."""
  each = sizes.units // sizes.heads

  def heads(x, part):
    x = k.layers.Dense(sizes.units, use_bias=False, name=f"{name}_{part}")(x)
    x = k.layers.Reshape((-1, sizes.heads, each), name=f"{name}_{part}_split")(x)
    return k.layers.Permute((2, 1, 3), name=f"{name}_{part}_heads")(x)

  query, key, value = heads(queries, "query"), heads(memory, "key"), heads(memory, "value")
  query = k.layers.Rescaling(1 / math.sqrt(each), name=f"{name}_scale")(query)
  x = k.layers.Attention(name=f"{name}_attention")([query, value, key], **masks)
  x = k.layers.Permute((2, 1, 3), name=f"{name}_places")(x)
  x = k.layers.Reshape((-1, sizes.units), name=f"{name}_joined")(x)
  return k.layers.Dense(sizes.units, use_bias=False, name=f"{name}_output")(x)


def _feed_forward(k, x, name, sizes):
  y = _normalised(k, x, name)
  y = k.layers.Dense(sizes.hidden, activation="relu", name=f"{name}1")(y)
  y = k.layers.Dense(sizes.units, name=f"{name}2")(_dropped(k, y, f"{name}1", sizes))
  return k.layers.Add(name=f"{name}_add")([x, _dropped(k, y, name, sizes)])


def _normalised(k, x, name):
  return k.layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


def _dropped(k, x, name, sizes):
  return k.layers.Dropout(sizes.dropout, name=f"{name}_dropout")(x) if sizes.dropout else x
