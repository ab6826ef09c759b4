"""Edge-popup: the weights of the highest scores, chosen in the forward pass."""

import builders
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES

import tflottery as tfl
from tflottery.learned.edge_popup import TopScores


def top(sparsity, rescale=False):
  return TopScores(sparsity, "initial", None, 0, rescale)


def kernel_and_gradient(weight, scores, sparsity, **options):
  """The kernel, and the gradient of its sum with respect to the scores."""
  scores = tf.constant(scores)
  with tf.GradientTape() as tape:
    tape.watch(scores)
    kernel = top(sparsity, **options).weight(tf.constant(weight), {"scores": scores}, None)
    total = tf.reduce_sum(kernel)
  return kernel.numpy().tolist(), tape.gradient(total, scores).numpy().tolist()


def one(k, kernel, **options):
  """Edge-popup over one linear layer without bias."""
  model = k.Sequential(
    [k.layers.Input((len(kernel),)), k.layers.Dense(1, use_bias=False, name="fc")]
  )
  model.set_weights([np.reshape(kernel, (-1, 1))])
  return tfl.edge_popup(model, **options)


def learner(k, *, options=None, **kwargs):
  model = tfl.edge_popup(builders.mlp(k), sparsity=0.6, weights="signed_constant", **kwargs)
  optimizer = k.optimizers.SGD(0.5, momentum=0.9)
  return builders.compiled(k, model, optimizer, **(options or {}))


def fit(model):
  x, y = builders.arrays()
  model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
  return model


@pytest.fixture(scope="module")
def trained():
  """A trained model of each Keras."""
  made = {k: fit(learner(k, rescale=True)) for k in (keras, tf_keras)}
  return made.__getitem__


def test_the_highest_magnitudes_are_kept_and_ties_go_to_the_lower_index():
  kernel, _ = kernel_and_gradient([1.0, 2.0, 4.0, 8.0], [0.1, -0.5, 0.5, 0.5], 0.5)
  assert kernel == [0.0, 2.0, 4.0, 0.0]


def test_every_score_gets_the_gradient_of_its_weight_with_its_own_sign():
  _, gradient = kernel_and_gradient([1.0, -2.0, 4.0, 8.0], [0.1, -0.5, 0.5, -0.2], 0.5)
  assert gradient == [1.0, 2.0, 4.0, -8.0]


def test_rescaling_multiplies_by_the_root_of_the_share_kept():
  options = {"sparsity": 0.75, "rescale": True}
  kernel, gradient = kernel_and_gradient([1.0, 2.0, 4.0, 8.0], [0.1, 0.5, 0.2, 0.3], **options)
  assert kernel == [0.0, 4.0, 0.0, 0.0]
  assert gradient == [2.0, 4.0, 8.0, 16.0]


def test_one_weight_is_kept_at_the_least():
  kernel, _ = kernel_and_gradient([1.0, 2.0], [0.1, 0.5], 0.99)
  assert kernel == [0.0, 2.0]


def test_scores_start_uniform_within_one_over_the_root_of_fan_in():
  scores = top(0.5).initial((3, 3, 16, 400), 0)["scores"].numpy()
  assert scores.shape == (3, 3, 16, 400)
  assert np.abs(scores).max() == pytest.approx(1 / 12, rel=1e-3)
  assert scores.std() == pytest.approx(1 / 12 / np.sqrt(3), rel=0.02)
  other = top(0.5).initial((3, 3, 16, 400), 1)["scores"].numpy()
  assert abs(np.corrcoef(scores.ravel(), other.ravel())[0, 1]) < 0.02


def test_one_step_of_sgd_by_hand(k):
  model = one(k, [2.0, 3.0])
  [scores] = model.trainable_variables
  scores.assign([[0.5], [-0.4]])
  model.compile(k.optimizers.SGD(0.01), "mse")
  model.fit(np.array([[1.0, 10.0]]), np.array([[7.0]]), verbose=0)
  # the kernel is [2, 0], so the error is 2 - 7 and the slope of the kernel 2 * -5 * [1, 10]
  expected = [0.5 - 0.01 * -10 * 2, -0.4 - 0.01 * -100 * 3 * -1]
  np.testing.assert_allclose(scores.numpy().ravel(), expected, rtol=1e-5)


def test_counts_are_exact_in_every_site_and_only_scores_are_trained(k, trained):
  model = trained(k)
  masks = tfl.learned.masks(model)
  kept = {path: int(mask.sum()) for path, mask in masks.items()}
  assert kept == {"fc1/kernel": 19, "fc2/kernel": 12, "out/kernel": 6}
  names = [v.name.rsplit("/", 1)[-1].split(":")[0] for v in model.trainable_variables]
  assert names == ["kernel_scores"] * 3
  fresh = learner(k, rescale=True)
  for layer, before in zip(model.layers, fresh.layers, strict=True):
    for weight, value in zip(layer.layer.get_weights(), before.layer.get_weights(), strict=True):
      assert np.array_equal(weight, value)
  assert any((masks[p] != m).any() for p, m in tfl.learned.masks(fresh).items())


@pytest.mark.slow
@pytest.mark.parametrize("where", ["steps_per_execution", "jit", "replicas"])
def test_masks_and_scores_are_the_same_wherever_they_are_trained(k, trained, where):
  options = {"steps_per_execution": {"steps_per_execution": 7}, "jit": {"jit_compile": True}}
  if where == "replicas":
    with builders.two_replicas().scope():
      model = learner(k, rescale=True)
  else:
    model = learner(k, rescale=True, options=options[where])
  fit(model)
  reference = trained(k)
  found, expected = tfl.learned.masks(model), tfl.learned.masks(reference)
  assert all(np.array_equal(found[path], expected[path]) for path in expected)
  for a, b in zip(model.trainable_variables, reference.trainable_variables, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("k", KERASES)
def test_large_layers_train_too(k):
  # From 16384 scores on, the highest are found by compiled code.
  model = k.Sequential([k.layers.Input((128,)), k.layers.Dense(128, name="fc")])
  model = tfl.edge_popup(model, sparsity=0.9)
  model.compile(k.optimizers.SGD(1.0), "mse")
  before = model.trainable_variables[0].numpy()
  model.fit(np.ones((4, 128)), np.ones((4, 128)), verbose=0)
  assert (model.trainable_variables[0].numpy() != before).mean() > 0.9
  assert tfl.learned.masks(model)["fc/kernel"].sum() == 1638


@pytest.mark.parametrize("k", KERASES)
def test_the_plain_model_the_ticket_and_the_file_give_the_same_outputs(k, trained, tmp_path):
  model = trained(k)
  x, _ = builders.arrays()
  expected = model(x).numpy()
  np.testing.assert_allclose(tfl.learned.plain(model)(x), expected, atol=1e-6)
  build = builders.mlp(k, seed=5)
  tfl.learned.ticket(model).apply(build)
  np.testing.assert_allclose(build(x), expected, atol=1e-6)
  model.save(tmp_path / "a.keras")
  np.testing.assert_allclose(k.models.load_model(tmp_path / "a.keras")(x), expected, atol=1e-6)


def test_a_ticket_with_a_seed_names_how_its_weights_are_drawn(k):
  ticket = tfl.learned.ticket(tfl.edge_popup(builders.mlp(k), seed=4, rescale=True))
  assert [recipe.seed for recipe in ticket.drawn.values()] == [(4, 0), (4, 1), (4, 2)]
  assert ticket.drawn["fc1/kernel"].multiple == pytest.approx(np.sqrt(2))


def test_evaluation_takes_the_one_mask_that_there_is(k, trained):
  x, y = builders.arrays()
  found = tfl.learned.evaluate(trained(k), (x, y))
  assert found["mean"] == found["rounded"]
  assert found["std"]["loss"] == 0
  assert found["sparsity"] == pytest.approx(1 - 37 / 93)
  assert found["rounded_sparsity"] == pytest.approx(1 - 37 / 93)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"sparsity": 1.0}, "sparsity=1.0"),
    ({"sparsity": "half"}, "sparsity='half'"),
    ({"score_seed": -1}, "score_seed=-1"),
    ({"weights": "random"}, "weights='random'"),
  ],
)
def test_arguments_out_of_range_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    one(keras, [1.0, 2.0], **options)
