"""The Transformer: what its places see, its weights as sites, and that it learns on both Kerases."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES, assert_held

import tflottery as tfl
from tflottery import callbacks, site
from tflottery.experiments import decoding, losses, models, sequences, tokens, transformer

SHAPE, CLASSES = (6, 5), 13
_BUILT = {}


@pytest.fixture
def model(k):
  """Two and two layers of 8 units; built once for each Keras."""
  if k not in _BUILT:
    k.utils.set_random_seed(0)
    _BUILT[k] = models.build("transformer", k=k, input_shape=SHAPE, classes=CLASSES, width=1 / 8)
  return _BUILT[k]


def batch(seed=0):
  """Three sources of 4 tokens with 2 of padding, and their targets."""
  rng = np.random.default_rng(seed)
  source, target = (rng.integers(2, CLASSES, (3, n), np.int32) for n in SHAPE)
  source[:, 4:] = 0
  return source, target


def logits(model, source, target):
  return np.asarray(model((source, target), training=False))


def test_no_place_sees_the_target_behind_it(model):
  source, target = batch()
  before = logits(model, source, target)
  for place in range(SHAPE[1]):
    other = target.copy()
    other[:, place] = 2 + (target[:, place] - 1) % (CLASSES - 2)
    changed = np.abs(logits(model, source, other) - before).max((0, 2))
    assert not changed[:place].any(), place
    assert changed[place] > 1e-3, place


def test_every_place_sees_every_token_of_the_source(model):
  source, target = batch()
  before = logits(model, source, target)
  for place in range(4):
    other = source.copy()
    other[:, place] = 2 + (source[:, place] - 1) % (CLASSES - 2)
    assert np.abs(logits(model, other, target) - before).max((0, 2)).min() > 1e-5


@pytest.mark.parametrize("k", KERASES)
def test_more_padding_changes_no_logits(model, k):
  source, target = batch()
  longer = models.build("transformer", k=k, input_shape=(9, 7), classes=CLASSES, width=1 / 8)
  longer.set_weights(model.get_weights())
  padded = np.pad(source, ((0, 0), (0, 3))), np.pad(target, ((0, 0), (0, 2)))
  before = logits(model, source, target)
  np.testing.assert_allclose(logits(longer, *padded)[:, :5], before, atol=1e-5)


def test_places_are_told_apart(model):
  source, target = batch()
  swapped = source[:, [1, 0, 2, 3, 4, 5]]
  assert np.abs(logits(model, swapped, target) - logits(model, source, target)).max() > 1e-3


def test_embedding_projections_and_output_are_sites_and_nothing_else(model):
  attention = [
    f"{place}_{part}/kernel"
    for place in ("encoder1_self", "encoder2_self", "decoder1_self", "decoder1_cross",
                  "decoder2_self", "decoder2_cross")
    for part in ("query", "key", "value", "output")
  ]  # fmt: skip
  dense = [
    f"{side}{i}_ff{j}/kernel" for side in ("encoder", "decoder") for i in (1, 2) for j in (1, 2)
  ]
  assert set(tfl.sites(model)) == {"embedding/embeddings", "output/kernel", *attention, *dense}


def test_gradients_reach_every_weight(model, k):
  source, target = batch()
  with tf.GradientTape() as tape:
    loss = losses.crossentropy(k, padding=0)(tf.constant(target), model((source, target)))
  own = [getattr(v, "value", v) if k is keras else v for v in model.trainable_variables]
  for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, own), strict=True):
    assert gradient is not None and np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.name


def test_both_kerases_have_the_same_weights_by_path_and_compute_the_same():
  first, second = (
    models.build("transformer", k=k, input_shape=SHAPE, classes=CLASSES, width=1 / 16)
    for k in (keras, tf_keras)
  )
  weights = site.weights(first), site.weights(second)
  assert set(weights[0]) == set(weights[1])
  for path, variable in weights[0].items():
    weights[1][path].assign(site.value(variable))
  np.testing.assert_allclose(logits(first, *batch()), logits(second, *batch()), atol=1e-5)


def _by_hand(weights, source, target, heads=4):
  """Logits of the paper's formulas, in NumPy."""
  w, units = weights, weights["embedding/embeddings"].shape[1]

  def placed(tokens):
    angles = np.arange(tokens.shape[1])[:, None] / 10_000 ** (np.arange(0, units, 2) / units)
    sinusoids = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return w["embedding/embeddings"][tokens] * units**0.5 + sinusoids

  def normalised(x, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return x * w[f"{name}_norm/gamma"] + w[f"{name}_norm/beta"]

  def attention(queries, memory, name, seen):
    q, k, v = (
      x @ w[f"{name}_{part}/kernel"]
      for x, part in ((queries, "query"), (memory, "key"), (memory, "value"))
    )
    found = []
    for head in np.split(np.arange(units), heads):
      scores = q[..., head] @ k[..., head].swapaxes(1, 2) / len(head) ** 0.5
      shares = np.where(seen, np.exp(scores), 0)
      found.append(shares / shares.sum(-1, keepdims=True) @ v[..., head])
    return np.concatenate(found, -1) @ w[f"{name}_output/kernel"]

  def fed_forward(x, name):
    hidden = normalised(x, name) @ w[f"{name}1/kernel"] + w[f"{name}1/bias"]
    return x + np.maximum(hidden, 0) @ w[f"{name}2/kernel"] + w[f"{name}2/bias"]

  present = (source != 0)[:, None, :]
  x = placed(source)
  for i in (1, 2):
    own = normalised(x, f"encoder{i}_self")
    x = fed_forward(x + attention(own, own, f"encoder{i}_self", present), f"encoder{i}_ff")
  encoded, x = normalised(x, "encoder"), placed(target)
  before = np.tril(np.ones((target.shape[1],) * 2, bool))
  for i in (1, 2):
    own = normalised(x, f"decoder{i}_self")
    x = x + attention(own, own, f"decoder{i}_self", before)
    found = attention(normalised(x, f"decoder{i}_cross"), encoded, f"decoder{i}_cross", present)
    x = fed_forward(x + found, f"decoder{i}_ff")
  return normalised(x, "decoder") @ w["output/kernel"] + w["output/bias"]


def test_logits_are_those_of_the_papers_formulas(model):
  weights = {path: np.float64(site.value(v)) for path, v in site.weights(model).items()}
  expected = _by_hand(weights, *batch())
  np.testing.assert_allclose(logits(model, *batch()), expected, atol=1e-5)


def test_width_keeps_the_heads_and_the_papers_base_model_has_its_sizes():
  assert transformer._BASE.times(1) == transformer._BASE
  half = transformer._BASE.times(0.5)
  assert (half.layers, half.units, half.heads, half.hidden) == (6, 256, 8, 1024)
  assert transformer._SMALL.times(0.001).units == 4


@pytest.mark.parametrize(
  ("name", "shape", "words"),
  [
    ("transformer", (8, 8, 1), ["takes pairs of sequences", "(8, 8, 1)"]),
    ("transformer_base", (2,), ["takes pairs of sequences", "(2,)"]),
    ("lenet_300_100", (13, 13), ["takes images", "(13, 13)", "transformer or transformer_base"]),
  ],
)
def test_pairs_are_for_transformers_and_transformers_for_pairs(name, shape, words):
  with pytest.raises(ValueError) as error:
    models.build(name, k=keras, input_shape=shape, classes=10)
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def _copying(k):
  """Writes its source: the logits of every place are 1 for the source's token there and 0 for others."""
  source, target = (k.Input((5,), dtype="int32", name=name) for name in ("source", "target"))
  rows = k.layers.Embedding(7, 7, name="rows")
  one_hot = rows(source)
  none = k.layers.Rescaling(0.0)(k.layers.Embedding(7, 7, name="unused")(target))
  model = k.Model((source, target), k.layers.Add()([one_hot, none]))
  rows.set_weights([np.eye(7, dtype=np.float32)])
  return model


def test_greedy_writes_to_the_end_token_and_never_padding_or_start(k):
  source = [[5, 4, 2, 6, 6], [6, 6, 6, 6, 6], [3, 1, 4, 4, 4], [2, 3, 3, 3, 3]]
  written = decoding.greedy(_copying(k), source, length=5, batch_size=3, jit_compile=False)
  # In the third all but the start token are equally likely at its place: the lowest is the end.
  assert written.tolist() == [[5, 4, 2, 0, 0], [6, 6, 6, 6, 6], [3, 2, 0, 0, 0], [2, 0, 0, 0, 0]]
  assert tokens.until_end(written) == [[5, 4], [6, 6, 6, 6, 6], [3], []]


def _trained(k, model, callback=None, steps=8, **options):
  data = sequences.load("sort_digits")
  model.compile(k.optimizers.Adam(1e-3), losses.crossentropy(k, padding=0), **options)
  batches = data.training(batch_size=16, seed=0, start=0, stop=steps)
  model.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=callback and [callback])
  return model


def _narrow(k, width=1 / 16):
  k.utils.set_random_seed(0)
  return models.build("transformer", k=k, input_shape=(13, 13), classes=13, width=width)


@pytest.mark.slow
def test_masks_of_magnitude_hold_and_a_file_brings_them_back(k, tmp_path):
  pruning = callbacks.Magnitude(0.8, begin_step=0, end_step=4, frequency=2, allocation="equal")
  model = _trained(k, _narrow(k), pruning, jit_compile=True, steps_per_execution=4)
  masks = tfl.capture(model).masks
  assert set(masks) == set(tfl.sites(model))
  assert {round(1 - mask.mean(), 1) for mask in masks.values()} == {0.8}
  assert_held(model, masks)
  model.save(tmp_path / "model.keras")
  loaded = k.models.load_model(tmp_path / "model.keras")
  source, target = sequences.load("sort_digits").inputs(3)
  np.testing.assert_array_equal(logits(loaded, source, target), logits(model, source, target))


@pytest.mark.slow
def test_mixed_precision_computes_in_half_and_returns_float32_that_is_near(k):
  plain = _narrow(
    k, 1 / 8
  )  # of 4 units, one place's may be nearly equal: the norm magnifies their rounding
  k.mixed_precision.set_global_policy("mixed_bfloat16")
  try:
    mixed = _narrow(k, 1 / 8)
  finally:
    k.mixed_precision.set_global_policy("float32")
  assert mixed.get_layer("encoder1_self_attention").compute_dtype == "bfloat16"
  inputs = sequences.load("sort_digits").inputs(3)
  found, expected = logits(mixed, *inputs), logits(plain, *inputs)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())
  assert np.isfinite(_trained(k, mixed, jit_compile=True).get_weights()[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_it_learns_to_reverse_strings_and_writes_them_by_itself(k):
  model, data = _narrow(k, 1), sequences.load("reverse_digits")
  model.compile(k.optimizers.Adam(1e-3), losses.crossentropy(k, padding=0), jit_compile=True)
  steps = data.training(batch_size=64, seed=0, start=0, stop=1500)
  model.fit(steps, steps_per_epoch=1500, verbose=0)
  measured = data.measured(model)
  assert measured["exact_match"] > 0.9 and 95 < measured["bleu"] <= 100, measured
