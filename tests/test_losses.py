"""The cross-entropy of training: smoothed, over what is no padding, saved with the model."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES, mlp, two_replicas

from tflottery.experiments import losses

QUARTERS = np.log(
  np.float32([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]])
)  # logits of these probabilities
# -(0.9 log p_label + 0.05 (log p_0 + log p_1)), by hand
SMOOTHED = [
  -(0.95 * math.log(0.25) + 0.05 * math.log(0.75)),
  math.log(2),
  -(0.05 * math.log(0.9) + 0.95 * math.log(0.1)),
]
LABELS = np.int32([0, 1, 1])


def test_by_default_it_is_the_loss_of_keras(k):
  loss = losses.crossentropy(k)
  own = k.losses.SparseCategoricalCrossentropy(from_logits=True)
  assert isinstance(loss, type(own))
  assert float(loss(LABELS, QUARTERS)) == float(own(LABELS, QUARTERS))
  assert float(loss(LABELS, QUARTERS)) == pytest.approx(-math.log(0.25 * 0.5 * 0.1) / 3)


def test_smoothing_spreads_its_share_over_all_classes(k):
  loss = losses.crossentropy(k, label_smoothing=0.1)
  assert float(loss(LABELS, QUARTERS)) == pytest.approx(sum(SMOOTHED) / 3, rel=1e-6)
  one_hot = k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
  hot = np.eye(2, dtype=np.float32)[LABELS]
  assert float(loss(LABELS, QUARTERS)) == pytest.approx(float(one_hot(hot, QUARTERS)), rel=1e-6)


def test_labels_may_come_as_a_column(k):
  loss = losses.crossentropy(k, label_smoothing=0.1)
  assert float(loss(LABELS[:, None], QUARTERS)) == float(loss(LABELS, QUARTERS))


@pytest.mark.parametrize("padding", [0, -1, 7], ids=["a class", "below", "beyond the classes"])
def test_padding_counts_neither_in_the_sum_nor_in_the_mean(k, padding):
  loss = losses.crossentropy(k, padding=padding)
  labels = np.int32([[1, padding], [1, padding]])
  logits = QUARTERS[[[0, 1], [2, 0]]]
  assert float(loss(labels, logits)) == pytest.approx(-math.log(0.75 * 0.1) / 2, rel=1e-6)


def test_smoothing_and_padding_go_together(k):
  loss = losses.crossentropy(k, label_smoothing=0.1, padding=0)
  assert float(loss(LABELS, QUARTERS)) == pytest.approx((SMOOTHED[1] + SMOOTHED[2]) / 2, rel=1e-6)


def test_where_all_is_padding_the_loss_is_zero_and_so_is_its_gradient(k):
  loss, logits = losses.crossentropy(k, padding=0), tf.Variable(QUARTERS)
  with tf.GradientTape() as tape:
    value = loss(np.int32([0, 0, 0]), logits)
  assert float(value) == 0
  assert not np.asarray(tape.gradient(value, logits)).any()


def test_sample_weights_weigh_the_sum_and_not_the_number_of_labels(k):
  loss = losses.crossentropy(k, padding=0)
  value = loss(LABELS, QUARTERS, sample_weight=np.float32([9, 4, 0.5]))
  assert float(value) == pytest.approx((4 * math.log(2) - 0.5 * math.log(0.1)) / 2, rel=1e-6)


@pytest.mark.parametrize("k", KERASES)
def test_a_keras_mask_does_not_make_the_mean_anew(k):
  masked = np.int32([[1, 2, 0], [1, 0, 0]])
  tokens = k.Input((3,), dtype="int32")
  x = k.layers.Embedding(4, 5, mask_zero=True)(tokens)
  model = k.Model(tokens, k.layers.Dense(4)(x))
  model.compile("sgd", losses.crossentropy(k, padding=0))
  value = model.evaluate(masked, masked, verbose=0)
  logs = np.log(np.asarray(tf.nn.softmax(np.asarray(model(masked)))))
  expected = -(logs[0, 0, 1] + logs[0, 1, 2] + logs[1, 0, 1]) / 3
  assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_logits_of_half_precision_are_cast(k, label_smoothing):
  loss = losses.crossentropy(k, label_smoothing=label_smoothing)
  logits = np.float16([[0.0, 12.0], [0.0, 1e-3]])
  value = loss(np.int32([0, 1]), tf.constant(logits))
  assert value.dtype == "float32"
  assert float(value) == pytest.approx(float(loss(np.int32([0, 1]), np.float32(logits))), rel=1e-6)


@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_are_the_finite_differences(k, jit_compile):
  loss = losses.crossentropy(k, label_smoothing=0.2, padding=2)
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(2, 3, 4)).astype(np.float32)
  labels = np.int32([[0, 2, 3], [1, 1, 2]])

  @tf.function(jit_compile=jit_compile)
  def value_and_gradient(logits):
    with tf.GradientTape() as tape:
      tape.watch(logits)
      value = loss(labels, logits)
    return value, tape.gradient(value, logits)

  gradient = value_and_gradient(tf.constant(logits))[1].numpy()
  step = 1e-2
  for place in np.ndindex(logits.shape):
    moved = np.zeros_like(logits)
    moved[place] = step
    up, down = (float(value_and_gradient(tf.constant(logits + s * moved))[0]) for s in (1, -1))
    assert gradient[place] == pytest.approx((up - down) / (2 * step), abs=2e-4)
  assert not gradient[labels == 2].any()


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1, "padding": 2}])
def test_a_model_is_saved_and_loaded_with_it(k, options, tmp_path):
  model = mlp(k)
  model.compile("sgd", losses.crossentropy(k, **options))
  model.save(tmp_path / "model.keras")
  loaded = k.models.load_model(tmp_path / "model.keras")
  assert options.items() <= loaded.loss.get_config().items()
  x, y = np.ones((4, 8), np.float32), np.int32([0, 1, 2, 0])
  assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


@pytest.mark.slow
def test_over_replicas_it_is_the_mean_of_their_means(k):
  loss = losses.crossentropy(k, label_smoothing=0.1, padding=0)
  x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
  y = np.int32([1, 0, 2, 1])  # the first replica's second label is padding
  with two_replicas().scope():
    model = mlp(k)
    model.compile(k.optimizers.SGD(0.1), loss)
  logits = np.asarray(model(x))
  halves = [float(loss(y[i : i + 2], logits[i : i + 2])) for i in (0, 2)]
  logged = model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(4), verbose=0)
  assert logged.history["loss"][0] == pytest.approx(np.mean(halves), rel=1e-5)


@pytest.mark.parametrize("k", [keras, tf_keras], ids=lambda k: k.__name__)
@pytest.mark.parametrize("value", [-0.1, 1, 1.5, "0.1", True])
def test_a_share_out_of_range_is_refused(k, value):
  with pytest.raises(ValueError, match=r"label_smoothing=.* at least 0, below 1"):
    losses.crossentropy(k, label_smoothing=value)


@pytest.mark.parametrize("value", [0.0, "pad", True])
def test_padding_that_is_no_label_is_refused(value):
  with pytest.raises(ValueError, match=r"padding=.*a whole number, or None"):
    losses.crossentropy(keras, padding=value)
