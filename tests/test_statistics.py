"""Statistics of BatchNormalization that are estimated anew, against values worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import two_replicas

from tflottery.analysis import Reestimator, reestimate

X = [np.array([[0.0], [4.0]], "float32"), np.array([[5.0], [7.0]], "float32")]


def _norm(k, name="bn", **options):
  return k.layers.BatchNormalization(center=False, scale=False, name=name, **options)


def _moving(layer):
  return [np.array(v).item() for v in (layer.moving_mean, layer.moving_variance)]


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99])
def test_statistics_are_the_means_of_those_of_the_batches_whatever_the_momentum(k, momentum):
  model = k.Sequential([k.layers.Input((1,)), _norm(k, momentum=momentum)])
  reestimate(model, X)
  assert _moving(model.layers[-1]) == [4.0, 2.5]  # means 2 and 6, variances 4 and 1
  assert model.layers[-1].momentum == momentum


def test_every_batch_weighs_the_same(k):
  model = k.Sequential([k.layers.Input((1,)), _norm(k)])
  reestimate(model, [*X, np.array([[10.0]], "float32")])
  np.testing.assert_allclose(_moving(model.layers[-1]), [6.0, 5 / 3], rtol=1e-6)


def test_the_variance_of_images_is_the_one_that_the_layer_takes_in_training(k):
  model = k.Sequential([k.layers.Input((1, 1, 1)), _norm(k)])
  reestimate(model, [X[0].reshape(2, 1, 1, 1)])
  assert _moving(model.layers[-1]) == [2.0, 4.0 if k is keras else 8.0]


def test_batches_may_have_targets_and_come_from_a_dataset(k):
  model = k.Sequential([k.layers.Input((1,)), _norm(k)])
  data = tf.data.Dataset.from_tensor_slices((np.concatenate(X), np.zeros(4))).batch(2)
  reestimate(model, data)
  assert _moving(model.layers[-1]) == [4.0, 2.5]


def test_statistics_are_those_of_the_present_weights_time_after_time(k):
  model = k.Sequential(
    [k.layers.Input((1,)), k.layers.Dense(1, use_bias=False, name="fc"), _norm(k)]
  )
  again = Reestimator(model, X)
  for weight in (1.0, -3.0):
    kernel = np.array([[weight]], "float32")
    model.layers[-2].set_weights([kernel])
    again()
    np.testing.assert_allclose(_moving(model.layers[-1]), [4 * weight, 2.5 * weight**2], rtol=1e-6)
    assert model.layers[-2].get_weights()[0] == weight


def test_layers_within_models_are_found_and_see_normalised_inputs(k):
  inner = k.Sequential(
    [k.layers.Input((1,)), _norm(k, name="inner_bn", epsilon=0.25)], name="inner"
  )
  model = k.Sequential([k.layers.Input((1,)), inner, _norm(k)])
  reestimate(model, X)
  assert _moving(inner.layers[-1]) == [4.0, 2.5]
  # the inner layer normalises by the batch: variances 4 / 4.25 and 1 / 1.25
  np.testing.assert_allclose(_moving(model.layers[-1]), [0, (4 / 4.25 + 0.8) / 2], atol=1e-6)


def test_frozen_layers_are_left_alone(k):
  model = k.Sequential([k.layers.Input((1,)), _norm(k, name="frozen"), _norm(k)])
  frozen = model.layers[-2]
  frozen.trainable = False
  frozen.set_weights([np.array([value], "float32") for value in (1.0, 0.249)])
  reestimate(model, X)
  assert _moving(frozen) == [1.0, np.float32(0.249)]
  # (x - 1) / sqrt(0.249 + 0.001): means 2 and 10, variances 16 and 4
  np.testing.assert_allclose(_moving(model.layers[-1]), [6.0, 10.0], rtol=1e-6)


def test_a_layer_that_tf_keras_calls_for_inference_is_left_alone():
  inputs, fixed = tf_keras.Input((1,)), _norm(tf_keras)
  model = tf_keras.Model(inputs, fixed(inputs, training=False))
  fixed.set_weights([np.array([value], "float32") for value in (0.7, 5.1)])
  reestimate(model, X)
  assert _moving(fixed) == [np.float32(0.7), np.float32(5.1)]


def test_nothing_else_changes(k):
  layers = [
    k.layers.Dense(3, name="fc"),
    k.layers.Dropout(0.5, seed=1),
    k.layers.BatchNormalization(momentum=0.9, name="bn"),
  ]
  model = k.Sequential([k.layers.Input((1,)), *layers])
  moving = {id(layers[2].moving_mean), id(layers[2].moving_variance)}
  others = [v for v in model.variables if id(v) not in moving]
  before = [np.array(v.numpy()) for v in others]
  assert len(others) == (5 if k is keras else 4)  # Keras 3's dropout has a state
  reestimate(model, X)
  for variable, value in zip(others, before, strict=True):
    np.testing.assert_array_equal(np.array(variable.numpy()), value)
  assert layers[2].momentum == 0.9


def test_a_model_without_normalisation_is_left_alone(k):
  model = k.Sequential([k.layers.Input((1,)), k.layers.Dense(1)])
  before = model.get_weights()
  reestimate(model, X)
  np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("data", [[], iter(())], ids=["list", "generator"])
def test_data_without_a_batch_are_refused_and_momenta_put_back(k, data):
  model = k.Sequential([k.layers.Input((1,)), _norm(k, momentum=0.75)])
  with pytest.raises(ValueError, match="has no batch to estimate statistics on"):
    reestimate(model, data)
  assert model.layers[-1].momentum == 0.75
  assert _moving(model.layers[-1]) == [0, 1]


def test_replicas_see_whole_batches(k):
  with two_replicas().scope():
    model = k.Sequential([k.layers.Input((1,)), _norm(k)])
  reestimate(model, X)
  assert [v.numpy().item() for v in model.layers[-1].weights] == [4.0, 2.5]


def test_other_classes_of_batch_normalisation_are_estimated_too():
  norm = tf_keras.layers.experimental.SyncBatchNormalization()
  model = tf_keras.Sequential([tf_keras.Input((1,)), norm])
  reestimate(model, [np.array([[0.0], [4.0]]), np.array([[5.0], [7.0]])])
  assert [array.tolist() for array in model.get_weights()[2:]] == [[4.0], [2.5]]
