"""Pruning before training: values by hand, and a model that stays as it was."""

import functools
import itertools
import random
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import Watch, arrays, batches, compiled, mlp, one_kernel, random_masks, two_replicas
from hypothesis import given, settings
from hypothesis import strategies as st

import tflottery as tfl
from tflottery.algorithms.grasp import grasp
from tflottery.algorithms.prune import CRITERIA, prune
from tflottery.algorithms.synflow import synflow

pytestmark = pytest.mark.slow

ROW = np.array([[1.0, 1.0, 1.0, 4.0]], "float32")
ZERO = np.zeros((1, 1), "float32")


def seen(model, criterion, **options):
  """The scores of a criterion, one dict of arrays for each iteration, and its probes."""
  scores, probes = [], []

  def watched(probe):
    found = criterion(probe)
    scores.append({path: np.array(score) for path, score in found.items()})
    probes.append(probe)
    return found

  with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "The masks leave no weight")
    prune(model, watched, **{"sparsity": 0.5} | options)
  return scores, probes


def chain(k, *kernels, biases=None, activation=None, **options):
  """Dense layers l0, l1, ... of given kernels."""
  layers = [k.layers.Input((len(kernels[0]),))]
  for i, kernel in enumerate(kernels):
    layers.append(
      k.layers.Dense(len(kernel[0]), activation, biases is not None, name=f"l{i}", **options)
    )
  model = k.Sequential(layers)
  values = zip(kernels, biases, strict=True) if biases else ((kernel,) for kernel in kernels)
  model.set_weights([np.array(value, "float64") for layer in values for value in layer])
  return model


def everything(model):
  """All that a user could find changed."""
  variables = list(model.variables)
  variables += [v for metric in model.metrics for v in metric.variables]
  if model.optimizer is not None:
    own = model.optimizer.variables
    variables += list(own() if callable(own) else own)
  flags = [layer.trainable for layer in model.layers]
  values = {id(v): np.array(v.numpy()) for v in variables}
  return values, flags, random.getstate(), np.random.get_state()[1]


def assert_same(before, after):
  for key, value in before[0].items():
    np.testing.assert_array_equal(value, after[0][key])
  assert before[1:3] == after[1:3]
  np.testing.assert_array_equal(before[3], after[3])


@functools.cache
def restless(k):
  """Normalisation, dropout, a metric and a trained optimizer: much that a pass could change."""
  layers = [
    k.layers.Input((8,)),
    k.layers.Dense(6, "relu", name="fc1"),
    k.layers.BatchNormalization(momentum=0.5, name="norm"),
    k.layers.Dropout(0.5, name="dropout"),
    k.layers.Dense(3, name="out"),
  ]
  model = compiled(k, k.Sequential(layers), metrics=["accuracy"])
  model.fit(batches(), epochs=1, verbose=0)
  return model


# SNIP


def test_snip_scores_the_weight_times_its_gradient(k):
  model = one_kernel(k, [1.0, 2.0, -3.0, 0.5], "sgd")
  # w x = 2, so the gradient of (w x)^2 is 4 x: scores 4, 8, 12, 8, and the tie goes to index 1.
  masks = prune(model, "snip", sparsity=0.5, data=(ROW, ZERO))
  assert masks["fc/kernel"].dtype == bool
  assert masks["fc/kernel"].ravel().tolist() == [False, True, True, False]


def test_snip_sums_the_gradients_of_its_batches_before_it_takes_their_size(k):
  model = one_kernel(k, [1.0, 1.0], "sgd")
  x = np.array([[1.0, 1.0], [1.0, -1.0]], "float32")
  data = tf.data.Dataset.from_tensor_slices((x, [[0.0], [1.0]])).batch(1)
  # Gradients (4, 4) and (-2, 2): a tie in the first batch, 2 and 6 in both.
  one = prune(model, "snip", sparsity=0.5, data=data)
  assert one["fc/kernel"].ravel().tolist() == [True, False]
  two = prune(model, "snip", sparsity=0.5, data=data, batches=2)
  assert two["fc/kernel"].ravel().tolist() == [False, True]


def test_snip_looks_at_normalisation_as_in_inference(k):
  layers = [k.layers.Input((2,)), k.layers.BatchNormalization(epsilon=0.0)]
  layers.append(k.layers.Dense(1, use_bias=False, name="fc"))
  model = k.Sequential(layers)
  model.compile("sgd", "mse")
  model.layers[-1].set_weights([np.array([[1.0], [1.0]])])
  x = np.array([[1.0, 2.0], [1.0, 2.0]], "float32")
  # With the batch's own statistics both inputs were 0, and so every gradient.
  _, probes = seen(model, CRITERIA["snip"], data=(x, np.zeros((2, 1), "float32")))
  assert probes[0].gradients["fc/kernel"].numpy().ravel().tolist() == [6.0, 12.0]


def test_every_iteration_looks_at_the_network_that_the_one_before_left(k):
  model = one_kernel(k, [1.0, 2.0, -3.0, 0.5], "sgd")
  scores, probes = seen(
    model, CRITERIA["snip"], sparsity=0.75, iterations=2, data=(ROW, ZERO), batches=1
  )
  assert [score["fc/kernel"].ravel().tolist() for score in scores] == [[4, 8, 12, 8], [0, 4, 6, 0]]
  assert probes[1].weights["fc/kernel"].numpy().ravel().tolist() == [0.0, 2.0, -3.0, 0.0]
  assert probes[1].gradients["fc/kernel"].numpy().ravel().tolist() == [-2.0, -2.0, -2.0, -8.0]
  assert [int(probe.step) for probe in probes] == [0, 1]


def test_sample_weights_weigh_the_gradients(k):
  model = one_kernel(k, [1.0, 1.0], "sgd")
  x = np.eye(2, dtype="float32")
  data = (x, np.zeros((2, 1), "float32"), np.array([0.0, 1.0], "float32"))
  assert prune(model, "snip", sparsity=0.5, data=data)["fc/kernel"].ravel().tolist() == [
    False,
    True,
  ]


def test_another_loss_than_the_compiled_one_can_be_given(k):
  model = chain(k, [[1.0], [2.0], [-3.0], [0.5]])
  for loss in ("mse", k.losses.MeanSquaredError(), lambda y, output: tf.square(y - output)):
    masks = prune(model, "snip", sparsity=0.5, data=(ROW, ZERO), loss=loss)
    assert masks["l0/kernel"].ravel().tolist() == [False, True, True, False]


# GraSP


@pytest.mark.parametrize(
  "weights, expected",
  [
    # Residuals 1 and 3, g = (2, 0) + (6, 6), H = (4 2; 2 2), H g = (44, 28).
    ([1.0, 2.0], [44.0, 56.0]),
    # Residuals 1 and -1, g = (2, 0) + (-2, -2), H g = (-4, -4): the sign counts.
    ([1.0, -2.0], [-4.0, 8.0]),
  ],
)
def test_grasp_scores_the_weight_times_hessian_times_gradient(k, weights, expected):
  model = one_kernel(k, weights, "sgd")
  data = tf.data.Dataset.from_tensors(([[1.0, 0.0], [1.0, 1.0]], [[0.0], [0.0]]))
  scores, _ = seen(model, functools.partial(grasp, temperature=1.0), data=data)
  np.testing.assert_allclose(scores[0]["fc/kernel"].ravel(), expected, rtol=1e-6)
  masks = prune(model, functools.partial(grasp, temperature=1.0), sparsity=0.5, data=data)
  assert masks["fc/kernel"].ravel().tolist() == [False, True]
  # The loss is of degree 2 in the output, so gradient and Hessian are a quarter each.
  cool, _ = seen(model, functools.partial(grasp, temperature=2.0), data=data)
  np.testing.assert_allclose(cool[0]["fc/kernel"].ravel(), np.array(expected) / 16, rtol=1e-6)


def test_grasp_removes_the_highest_scores_of_the_paper():
  """-w H g, by second differences of the loss."""
  model = mlp(keras)
  x, y = arrays(16)
  one_hot = np.eye(3)[y]

  def loss_at(flat):
    kernels = np.split(flat, [48, 78])
    h = x.astype("float64")
    for i, (kernel, shape) in enumerate(zip(kernels, [(8, 6), (6, 5), (5, 3)], strict=True)):
      h = h @ kernel.reshape(shape)
      h = np.maximum(h, 0) if i < 2 else h
    z = h / 200.0
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    halves = [slice(0, 8), slice(8, 16)]
    return sum(-(one_hot[half] * log_p[half]).sum(1).mean() for half in halves)

  flat = np.concatenate([v.numpy().ravel() for v in model.trainable_variables if len(v.shape) == 2])
  flat = flat.astype("float64")

  def gradient_at(flat, step=1e-5):
    steps = np.eye(len(flat)) * step
    return np.array([(loss_at(flat + s) - loss_at(flat - s)) / (2 * step) for s in steps])

  g = gradient_at(flat)
  step = 1e-3 / np.abs(g).max()
  hg = (gradient_at(flat + step * g) - gradient_at(flat - step * g)) / (2 * step)
  data = tf.data.Dataset.from_tensors((x, y))
  scores, _ = seen(model, CRITERIA["grasp"], data=data)
  found = np.concatenate([score.ravel() for score in scores[0].values()])
  expected = flat * hg
  np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
  masks = prune(model, "grasp", sparsity=0.5, data=data)
  kept = np.concatenate([mask.ravel() for mask in masks.values()])
  assert found[kept].min() >= found[~kept].max()


def test_the_temperature_acts_before_a_final_softmax_or_sigmoid(k):
  x, y = arrays(16)
  plain = mlp(k)
  for activation, loss, from_logits, targets in [
    ("softmax", "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", y),
    ("sigmoid", "binary_crossentropy", "BinaryCrossentropy", np.eye(3, dtype="float32")[y]),
  ]:
    layers = [k.layers.Input((8,)), *(k.layers.Dense(n, "relu") for n in (6, 5))]
    model = k.Sequential([*layers, k.layers.Dense(3, activation)])
    model.set_weights(plain.get_weights())
    model.compile("sgd", loss)
    plain.compile("sgd", getattr(k.losses, from_logits)(from_logits=True))
    for name in ("grasp", "synflow"):
      data = tf.data.Dataset.from_tensors((x, targets))
      ended, _ = seen(model, CRITERIA[name], data=data)
      expected, _ = seen(plain, CRITERIA[name], data=data)
      for a, b in zip(ended[0].values(), expected[0].values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


def test_grasp_sees_normalisation_as_in_training(k):
  layers = [k.layers.Input((2,)), k.layers.BatchNormalization(), k.layers.Dense(1, name="fc")]
  model = k.Sequential(layers)
  model.compile("sgd", "mse")
  x = np.tile([[1.0, 2.0]], (4, 1)).astype("float32")
  with pytest.raises(ValueError, match="every weight the score 0"):  # all examples are the mean
    prune(model, "grasp", sparsity=0.5, data=(x, np.ones((4, 1), "float32")))


def test_a_batch_that_has_no_halves_is_refused(k):
  model = one_kernel(k, [1.0, 1.0], "sgd")
  with pytest.raises(ValueError, match="batch of 1 example can't be cut"):
    prune(model, "grasp", sparsity=0.5, data=(np.ones((1, 2)), np.ones((1, 1))))


# SynFlow


def test_synflow_scores_the_sum_over_the_paths_through_a_weight(k):
  model = chain(k, [[1.0, -2.0], [3.0, 4.0]], [[5.0], [-1.0]])
  scores, _ = seen(model, synflow)
  # R = 5 (1 + 3) + 1 (2 + 4) = 26, and the next power of two is 32.
  assert (scores[0]["l0/kernel"] * 32).tolist() == [[5.0, 2.0], [15.0, 4.0]]
  assert (scores[0]["l1/kernel"] * 32).tolist() == [[20.0], [6.0]]
  masks = prune(model, "synflow", sparsity=0.5, iterations=1)
  assert masks["l0/kernel"].tolist() == [[False, False], [True, False]]
  assert masks["l1/kernel"].tolist() == [[True], [True]]


def test_synflow_makes_biases_and_normalisation_positive(k):
  model = chain(k, [[-2.0]], [[3.0]], biases=[[-1.0], [0.0]])
  scores, _ = seen(model, synflow)  # R = 3 (2 + 1) = 9, next to 8
  assert [float(score[0, 0] * 8) for score in scores[0].values()] == [6.0, 9.0]
  layers = [k.layers.Input((2,)), k.layers.Dense(3, name="fc"), k.layers.BatchNormalization()]
  model = k.Sequential([*layers, k.layers.Dense(1, name="out")])
  positive, _ = seen(model, synflow)
  gamma, *others = model.layers[1].get_weights()
  model.layers[1].set_weights([gamma * [-1, 1, -1], *others])
  negative, _ = seen(model, synflow)
  for path, scores in positive[0].items():
    np.testing.assert_array_equal(scores, negative[0][path])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_the_synaptic_flow_is_conserved_from_layer_to_layer(seed, widths):
  rng = np.random.default_rng(seed)
  kernels = [rng.normal(size=shape) for shape in itertools.pairwise(widths)]
  scores, _ = seen(chain(keras, *kernels, activation="relu"), synflow)
  flows = [float(score.sum()) for score in scores[0].values()]
  np.testing.assert_allclose(flows, flows[0], rtol=1e-5)
  assert 0.7 < flows[0] < 1.5  # over the next power of two


def test_a_hundred_iterations_of_synflow_leave_no_layer_empty_where_one_does():
  k = keras
  rng = np.random.default_rng(0)
  model = chain(k, rng.uniform(1, 1.1, size=(16, 16)), rng.uniform(1, 1.1, size=(16, 1)))
  with pytest.warns(UserWarning, match=r"no weight in l0/kernel.*more iterations"):
    once = prune(model, "synflow", sparsity=0.95, iterations=1)
  assert once["l1/kernel"].sum() == 14  # round(0.05 * 272), none of them of the large layer
  masks = prune(model, "synflow", sparsity=0.95)
  assert masks["l0/kernel"].any() and masks["l1/kernel"].any()
  assert sum(mask.sum() for mask in masks.values()) == 14
  # What is left is connected: every unit that is reached leads on.
  assert (masks["l0/kernel"].any(0) == masks["l1/kernel"].any(1)).all()


@pytest.mark.parametrize("size", [8, -10], ids=["overflow", "underflow"])
def test_the_flow_of_a_deep_network_may_leave_the_range_of_floats(k, size):
  first = np.array([[1.0, 2.0], [3.0, 4.0]]) * 2.0**size
  rest = [np.full((2, 2), 2.0**size)] * 20
  for options in ({}, {"dtype": "float64"}):
    model = chain(k, first, *rest, activation="relu", **options)
    scores, _ = seen(model, synflow)
    # R = 20 2^size (2^(size + 1))^20; a weight of a later layer carries a quarter of it.
    unit = scores[0]["l20/kernel"].sum() / 10
    np.testing.assert_allclose(scores[0]["l0/kernel"], unit * first / 2.0**size, rtol=1e-6)
    np.testing.assert_allclose(scores[0]["l1/kernel"], unit * np.array([[2.0, 2.0], [3.0, 3.0]]))
    for i in range(2, 21):
      np.testing.assert_allclose(scores[0][f"l{i}/kernel"], 2.5 * unit, rtol=1e-6)
    assert 0.7 < 10 * unit < 1.5


def test_biases_count_alike_where_the_flow_leaves_the_range_of_floats(k):
  rest, none = [np.full((2, 2), 2.0**8)] * 20, [np.zeros(2)] * 20
  model = chain(k, [[1.0, 1.0], [1.0, 1.0]], *rest, biases=[np.array([-6.0, 0.0]), *none])
  scores, _ = seen(model, synflow)
  # The hidden units hold 2 + 6 and 2, so of what leaves them 4 parts come of the first.
  assert (scores[0]["l1/kernel"][0] == 4 * scores[0]["l1/kernel"][1]).all()
  assert scores[0]["l0/kernel"].sum() == pytest.approx(scores[0]["l1/kernel"].sum() * 4 / 10)


def test_a_flow_that_can_neither_be_represented_nor_scaled_is_refused(k):
  model = chain(k, *[np.full((2, 2), 2.0**8)] * 20, activation="softplus")
  with pytest.raises(ValueError, match=r"out of the range of its floats.*dtype='float64'"):
    prune(model, "synflow", sparsity=0.5)
  wide = chain(k, *[np.full((2, 2), 2.0**8)] * 20, activation="softplus", dtype="float64")
  scores, _ = seen(wide, synflow)
  assert all((score > 0).all() for score in scores[0].values())


def test_activations_that_saturate_are_warned_of_and_can_be_scaled_away(k):
  relu6 = k.layers.ReLU(6.0)
  layers = [k.layers.Dense(4, relu6, kernel_initializer="ones", name=f"l{i}") for i in range(3)]
  model = k.Sequential([k.layers.Input((4,)), *layers, k.layers.Dense(1, name="out")])
  with pytest.warns(UserWarning, match=r"l0/kernel, l1/kernel, l2/kernel the score 0: no signal"):
    prune(model, "synflow", sparsity=0.1, iterations=1)
  scores, _ = seen(model, functools.partial(synflow, scale=-64))
  flows = [float(score.sum()) for score in scores[0].values()]
  np.testing.assert_allclose(flows, flows[0], rtol=1e-5)


def test_a_network_that_lets_nothing_through_is_refused(k):
  model = chain(k, np.ones((2, 2)), np.zeros((2, 1)))
  with pytest.raises(ValueError, match=r"'synflow' gives every weight the score 0 in iteration 1"):
    prune(model, "synflow", sparsity=0.5)


def test_a_layer_that_runs_dry_between_iterations_is_named(k):
  model = chain(k, np.ones((8, 8)), np.ones((8, 1)))
  model.compile("sgd", "mse")
  data = (np.ones((4, 8), "float32"), np.zeros((4, 1), "float32"))
  with pytest.raises(ValueError, match=r"score 0 in iteration 2.*no weight is left in l0/kernel"):
    prune(model, "snip", sparsity=0.99, iterations=2, data=data)


def test_synflow_knows_several_inputs_and_outputs(k):
  a, b = k.Input((2,), name="a"), k.Input((3,), name="b")
  parts = [k.layers.Dense(2, use_bias=False, name=n)(x) for n, x in (("fa", a), ("fb", b))]
  both = k.layers.Add()(parts)
  model = k.Model({"a": a, "b": b}, {"sum": both, "own": k.layers.Dense(1, name="out")(both)})
  scores, _ = seen(model, synflow)
  weights = {path: np.abs(site.variable.numpy()) for path, site in tfl.sites(model).items()}
  onward = 1 + weights["out/kernel"][:, 0]
  ratio = scores[0]["fa/kernel"] / (weights["fa/kernel"] * onward)
  np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
  np.testing.assert_allclose(
    scores[0]["fb/kernel"], weights["fb/kernel"] * onward * ratio[0, 0], rtol=1e-5
  )


def _subclassed(k):
  class Net(k.Model):
    def __init__(self):
      super().__init__()
      self.fc1 = k.layers.Dense(5, "relu", name="fc1")
      self.out = k.layers.Dense(3, name="out")

    def call(self, x):
      return self.out(self.fc1(x))

  model = Net()
  model(np.zeros((1, 8), "float32"))
  return compiled(k, model)


def test_where_the_model_does_not_say_the_shape_of_its_inputs_data_does(k):
  model = _subclassed(k)
  with pytest.raises(ValueError, match=r"does not say the shape of its inputs\. Give data="):
    prune(model, "synflow", sparsity=0.5)
  open_size = k.Sequential(
    [
      k.layers.Input((None, None, 1)),
      k.layers.Conv2D(2, 3, name="conv"),
      k.layers.GlobalAveragePooling2D(),
    ]
  )
  with pytest.raises(ValueError, match="Give data="):
    prune(open_size, "synflow", sparsity=0.5)
  masks = prune(model, "synflow", sparsity=0.5, iterations=2, data=batches())
  assert sum(mask.sum() for mask in masks.values()) == 28  # round(55 / 2), to even
  images = (np.ones((4, 8, 8, 1)), np.ones((4, 2)))
  assert prune(open_size, synflow, sparsity=0.5, data=images)["conv/kernel"].sum() == 9


# Counts, scopes, iterations


def test_the_share_that_lives_falls_exponentially(k):
  model = one_kernel(k, np.arange(1.0, 65.0), "sgd")
  _, probes = seen(model, CRITERIA["magnitude"], sparsity=1 - 1 / 16, iterations=4)
  assert [int(p.masks["fc/kernel"].numpy().sum()) for p in probes] == [64, 32, 16, 8]
  masks = prune(model, "magnitude", sparsity=1 - 1 / 16, iterations=4)
  assert np.flatnonzero(masks["fc/kernel"]).tolist() == [60, 61, 62, 63]


@pytest.mark.filterwarnings("ignore:The masks leave no weight")
@settings(max_examples=15, deadline=None)
@given(
  st.floats(0.01, 0.99),
  st.integers(1, 4),
  st.sampled_from(["global", "layer"]),
  st.sampled_from(["magnitude", "random"]),
)
def test_counts_are_exact(sparsity, iterations, scope, name):
  model = _net()
  options = {"sparsity": sparsity, "iterations": iterations, "scope": scope}
  if scope == "global":
    masks = prune(model, name, **options)
    assert sum(mask.sum() for mask in masks.values()) == tfl.masks.kept_count(93, sparsity)
  else:
    for mask in prune(model, name, **options).values():
      assert mask.sum() == tfl.masks.kept_count(mask.size, sparsity)


@functools.cache
def _net():
  return mlp(keras)


def test_a_global_ranking_takes_the_layers_together_and_scope_layer_each(k):
  model = chain(k, [[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]])
  together = prune(model, "magnitude", sparsity=0.5)
  assert together["l0/kernel"].tolist() == [[False, False], [False, True]]
  assert together["l1/kernel"].tolist() == [[True], [True]]
  each = prune(model, "magnitude", sparsity=0.5, scope="layer")
  assert each["l0/kernel"].tolist() == [[False, False], [True, True]]
  assert each["l1/kernel"].tolist() == [[False], [True]]


def test_allocations_and_patterns_spread_the_sparsity(k):
  model = mlp(k)
  by_name = prune(model, "snip", sparsity=0.5, scope="layer", allocation="uniform", data=batches())
  assert {path: int(mask.sum()) for path, mask in by_name.items()} == {
    "fc1/kernel": 48, "fc2/kernel": 15, "out/kernel": 8,
  }  # fmt: skip
  by_pattern = prune(
    model, "magnitude", sparsity=None, scope="layer", allocation={"fc": 0.5}, iterations=3
  )
  assert [int(mask.sum()) for mask in by_pattern.values()] == [24, 15, 15]
  only = prune(model, "magnitude", sparsity=0.5, only="fc", exclude="fc2")
  assert list(only) == ["fc1/kernel"]


def test_units_of_a_granularity_stay_whole(k):
  model = mlp(k)
  channel = tfl.granularity.channel()
  options = {"sparsity": 0.5, "scope": "layer", "iterations": 3}
  masks = prune(model, "synflow", granularity=channel, **options)
  for mask in masks.values():
    assert (mask.all(0) | ~mask.any(0)).all()
  with pytest.raises(ValueError, match=r"fc2/kernel of shape .* has no groups of m=4"):
    prune(model, "synflow", sparsity=0.5, granularity=tfl.granularity.n_of_m(2, 4))


def test_random_masks_follow_from_the_seed(k):
  model = mlp(k)
  first, again, other = (prune(model, "random", sparsity=0.5, seed=s) for s in (1, 1, 2))
  for path, mask in first.items():
    np.testing.assert_array_equal(mask, again[path])
  assert any((mask != other[path]).any() for path, mask in first.items())


def test_of_arrays_batches_are_drawn_by_the_seed(k):
  model = one_kernel(k, np.ones(8), "sgd")
  x = np.repeat(np.eye(8, dtype="float32"), 128, 0)  # sorted: the first 128 are all alike
  options = {"sparsity": 0.5, "data": (x, np.zeros((1024, 1), "float32"))}
  first, again = (prune(model, "snip", seed=3, **options) for _ in range(2))
  np.testing.assert_array_equal(first["fc/kernel"], again["fc/kernel"])
  _, probes = seen(model, CRITERIA["snip"], seed=3, **options)
  gradients = probes[0].gradients["fc/kernel"].numpy().ravel()
  assert (gradients > 0).all() and gradients.sum() == pytest.approx(2.0)
  _, probes = seen(model, CRITERIA["snip"], batches=8, **options)  # all of them
  np.testing.assert_allclose(probes[0].gradients["fc/kernel"].numpy().ravel(), 2.0, rtol=1e-5)


def test_a_criterion_of_ones_own_sees_probe_and_network(k):
  model = mlp(k)

  def own(probe):
    assert probe.network.model is model and probe.seed == 7
    assert set(probe.gradients) == set(probe.weights) == set(probe.masks)
    return {path: -tf.abs(weight) for path, weight in probe.weights.items()}

  masks = prune(model, own, sparsity=0.5, seed=7)
  weights = {path: np.abs(site.variable.numpy()) for path, site in tfl.sites(model).items()}
  kept = np.concatenate([weights[path][mask] for path, mask in masks.items()])
  gone = np.concatenate([weights[path][~mask] for path, mask in masks.items()])
  assert kept.max() <= gone.min()


# The model


ONE_OF_EACH_KIND = ("magnitude", "random", "snip", "grasp", "synflow", "movement_same_sign")


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_the_model_stays_as_it_was(k, name):
  model = restless(k)
  before = everything(model)
  initial = {path: 0.5 * w - 0.1 for path, w in tfl.capture(model).weights.items()}
  options = {"iterations": 2, "data": batches(), "batches": 2, "initial": initial}
  prune(model, name, sparsity=0.5, **options)
  assert_same(before, everything(model))


def test_the_model_stays_as_it_was_when_pruning_fails(k):
  model = restless(k)
  before = everything(model)

  def bad_loss(y, output):
    raise ValueError("no loss")

  with pytest.raises(ValueError, match="no loss"):
    prune(model, "grasp", sparsity=0.5, data=batches(), loss=bad_loss)
  assert_same(before, everything(model))

  def in_the_second_iteration(probe):
    found = synflow(probe)
    if probe.step == 1:
      raise KeyboardInterrupt
    return found

  with pytest.raises(KeyboardInterrupt):
    prune(model, in_the_second_iteration, sparsity=0.5, iterations=3)
  assert_same(before, everything(model))


def test_a_pass_that_fails_leaves_no_positive_weights_behind(k, monkeypatch):
  model = restless(k)
  before = everything(model)
  monkeypatch.setattr(
    "tflottery.algorithms.network.Network.run", lambda *args: (_ for _ in ()).throw(MemoryError)
  )
  with pytest.raises(MemoryError):
    prune(model, "synflow", sparsity=0.5)
  assert_same(before, everything(model))


def test_fit_trains_with_the_masks_held(k):
  model, watch = mlp(k, batch_norm=True), Watch()
  pruned = tfl.callbacks.HoldMasks(
    lambda model: prune(model, "snip", sparsity=0.6, data=batches(), batches=3)
  )
  expected = prune(model, "snip", sparsity=0.6, data=batches(), batches=3)
  history = model.fit(batches(), epochs=2, verbose=0, callbacks=[pruned, watch])
  assert watch.looks == 30
  for path, mask in watch.masks.items():
    np.testing.assert_array_equal(mask, expected[path])
  assert history.history["sparsity"] == [pytest.approx(56 / 93)] * 2


def test_a_model_of_several_losses_trains_after_it_was_pruned(k):
  x, y = arrays()
  inputs = k.Input((8,))
  hidden = k.layers.Dense(6, "relu", name="fc")(inputs)
  model = k.Model(
    inputs,
    {"a": k.layers.Dense(3, name="a")(hidden), "b": k.layers.Dense(1, name="b")(hidden)},
  )
  losses = {"a": k.losses.SparseCategoricalCrossentropy(from_logits=True), "b": "mse"}
  targets = {"a": y, "b": x[:, :1]}
  model.compile("adam", losses, metrics={"a": "accuracy"})
  for name in ("snip", "grasp"):
    masks = prune(model, name, sparsity=0.5, data=(x, targets))
    assert sum(mask.sum() for mask in masks.values()) == 36
    assert not any(np.any(v.numpy()) for metric in model.metrics for v in metric.variables)
  history = model.fit(x, targets, verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks)])
  assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_two_replicas_prune_as_one_device_does(k, name):
  options = {"sparsity": 0.6, "iterations": 3, "data": batches()}
  one = prune(mlp(k, batch_norm=True), name, **options)
  with two_replicas().scope():
    model = mlp(k, batch_norm=True)
  before = everything(model)
  two = prune(model, name, **options)
  assert_same(before, everything(model))
  for path, mask in one.items():
    np.testing.assert_array_equal(mask, two[path])


def test_networks_of_other_layers_are_pruned_too(k):
  rng = np.random.default_rng(0)
  convolutions = [
    k.layers.Input((8, 8, 1)),
    k.layers.Conv2D(4, 3, activation="relu"),
    k.layers.BatchNormalization(),
    k.layers.MaxPooling2D(),
    k.layers.Flatten(),
    k.layers.Dense(3),
  ]
  recurrent = [
    k.layers.Input((7,)), k.layers.Embedding(10, 4), k.layers.LSTM(5), k.layers.Dense(3)
  ]  # fmt: skip
  images, words = rng.normal(size=(16, 8, 8, 1)), rng.integers(0, 10, size=(16, 7))
  for layers, x in ((convolutions, images.astype("float32")), (recurrent, words)):
    model = compiled(k, k.Sequential(layers))
    for name in ("snip", "grasp", "synflow"):
      data = (x, np.arange(16) % 3)
      masks = prune(model, name, sparsity=0.5, scope="layer", iterations=1, data=data)
      assert all(mask.sum() == round(mask.size / 2) for mask in masks.values())


def test_half_precision_prunes_with_the_weights_in_float32(k):
  k.mixed_precision.set_global_policy("mixed_float16")
  try:
    model = mlp(k)
  finally:
    k.mixed_precision.set_global_policy("float32")
  for name in ("snip", "grasp", "synflow"):
    masks = prune(model, name, sparsity=0.5, data=batches(), iterations=1)
    assert sum(mask.sum() for mask in masks.values()) == 46


def test_a_wrapped_model_is_pruned_as_the_plain_one(tfmot):
  schedule = tfmot.sparsity.keras.ConstantSparsity(0.9, 0, frequency=1)
  model = tfmot.sparsity.keras.prune_low_magnitude(
    mlp(tf_keras, batch_norm=True), pruning_schedule=schedule
  )
  compiled(tf_keras, model)
  for name in ("snip", "grasp", "synflow"):
    options = {"sparsity": 0.6, "iterations": 2, "data": batches()}
    before = everything(model)
    masks = prune(model, name, **options)
    assert_same(before, everything(model))
    plain = prune(mlp(tf_keras, batch_norm=True), name, **options)
    for path, mask in plain.items():
      np.testing.assert_array_equal(mask, masks[path])
  for layer in model.layers:
    assert layer.pruning_obj._pruning_schedule is schedule


def test_masks_that_are_held_are_where_pruning_starts(k):
  model = mlp(k)
  start = random_masks(model, 0.5)
  with tfl.hold(model, start):
    same = prune(model, "magnitude", sparsity=0.5, scope="layer")
    more = prune(model, "synflow", sparsity=0.8, scope="layer", iterations=2)
    with pytest.warns(UserWarning, match=r"fc1/kernel, .*a sparsity of 0.4946 already.*Release"):
      less = prune(model, "magnitude", sparsity=0.2)
  for path, mask in start.items():
    np.testing.assert_array_equal(mask, same[path])
    np.testing.assert_array_equal(mask, less[path])
    assert not (more[path] & ~mask).any()
    assert more[path].sum() == tfl.masks.kept_count(mask.size, 0.8)


# Misuse


@pytest.mark.parametrize("sparsity", [0.0, 1.0, -0.1, 1.5, None, "0.9", True, float("nan")])
def test_a_sparsity_out_of_range_is_refused(sparsity):
  with pytest.raises(ValueError) as caught:
    prune(_net(), "magnitude", sparsity=sparsity)
  assert f"sparsity={sparsity!r}" in str(caught.value)


@pytest.mark.parametrize(
  "options, message",
  [
    (
      {"criterion": "snap"},
      r"criterion='snap' is unknown.*'snip', 'grasp', 'synflow', .*'movement'",
    ),
    ({"criterion": ["snip"]}, r"criterion=\['snip'\] is unknown"),
    ({"iterations": 0}, "iterations=0 is out of range"),
    ({"iterations": 1.5}, "iterations=1.5 is out of range"),
    ({"batches": 0}, "batches=0 is out of range"),
    ({"seed": -1}, "seed=-1 is out of range"),
    ({"scope": "network"}, "scope='network' is unknown"),
    ({"allocation": "erk"}, "scope='global' ranks all sites together"),
    ({"only": "conv"}, "only='conv' matches no prunable weight"),
    ({"criterion": "snip"}, "data=None: this criterion looks at examples"),
    ({"criterion": "grasp"}, "data=None: this criterion looks at examples"),
    ({"criterion": "snip", "data": batches(), "batches": 16}, "batches=16, but data has only 15"),
    ({"criterion": "snip", "data": arrays(), "batches": 2}, "batches=2, but data has only 1"),
    ({"criterion": lambda probe: {}}, "no scores of the weight's shape for fc1/kernel"),
    (
      {"criterion": lambda probe: {p: w[:1] for p, w in probe.weights.items()}},
      "no scores of the weight's shape",
    ),
    (
      {"criterion": lambda probe: {p: w / 0 for p, w in probe.weights.items()}},
      "fc1/kernel, fc2/kernel, out/kernel scores that are not finite",
    ),
  ],
)
def test_bad_arguments_are_refused_by_name(options, message):
  with pytest.raises(ValueError, match=message):
    prune(_net(), **{"criterion": "magnitude", "sparsity": 0.5} | options)


@pytest.mark.parametrize(
  "data", [3, np.ones((8, 8)), (np.ones((8, 8)),), [np.ones((8, 8))], tf.ones((8, 8))]
)
def test_data_that_is_no_batches_of_inputs_and_targets_is_refused(data):
  with pytest.raises(TypeError, match="data must"):
    prune(_net(), "snip", sparsity=0.5, data=data)


def test_a_model_without_a_loss_is_refused(k):
  model = chain(k, np.ones((8, 3)))
  with pytest.raises(ValueError, match=r"loss=None, and model .* is not compiled"):
    prune(model, "snip", sparsity=0.5, data=batches())
  with pytest.raises(ValueError, match="beside sample weights in data"):
    data = (np.ones((4, 8)), np.ones((4, 3)), np.ones(4))
    prune(model, "snip", sparsity=0.5, data=data, loss="mse")


def test_what_is_no_built_model_is_refused(k):
  with pytest.raises(TypeError, match="must be a model of Keras 3 or of tf_keras"):
    prune("model", "magnitude", sparsity=0.5)
  with pytest.raises(ValueError, match="not built"):
    prune(k.Sequential([k.layers.Dense(3)]), "magnitude", sparsity=0.5)


def test_where_masks_are_held_the_network_is_that_of_the_frozen_values(k):
  # Inputs (1, 2, 3) and weights (1, 2, 5), the last one frozen: the output is 20, its error's
  # gradient 2 * 20, and the weights' is 40 times the inputs.
  model = one_kernel(k, [1.0, 2.0, 9.0], "sgd")
  mask = {"fc/kernel": np.array([[True], [True], [False]])}
  seen = {}

  def criterion(probe):
    seen.update(weights=probe.weights["fc/kernel"], gradients=probe.gradients["fc/kernel"])
    return {"fc/kernel": tf.abs(probe.weights["fc/kernel"])}

  data = (np.array([[1.0, 2.0, 3.0]], "float32"), np.zeros((1, 1), "float32"))
  with tfl.hold(model, mask, frozen={"fc/kernel": np.full((3, 1), 5.0)}):
    tfl.prune(model, criterion, sparsity=0.5, data=data)
  np.testing.assert_allclose(np.ravel(seen["weights"]), [1, 2, 5])
  np.testing.assert_allclose(np.ravel(seen["gradients"]), [40, 80, 120])


def test_an_unknown_criterion_names_the_closest():
  model = one_kernel(keras, [1.0, 2.0], "sgd")
  with pytest.raises(ValueError, match=r"'mvment' is unknown. Did you mean 'movement'"):
    tfl.prune(model, "mvment", sparsity=0.5)
