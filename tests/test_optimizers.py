"""Optimizers by name and their learning-rate schedule, on both Kerases."""

import numpy as np
import pytest

from tflottery.experiments import optimizers

# Warm-up over 4 steps to 0.8, halved at steps 6 and 8.
BY_HAND = [0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]


def _sgd(k, **schedule):
  return optimizers.build(k, "sgd", {"learning_rate": 0.8}, **schedule)


def _rates(optimizer, count):
  schedule = optimizer._learning_rate
  return [float(schedule(step)) for step in range(count)]


def test_warm_up_and_drops_are_worked_by_hand(k):
  rates = _rates(_sgd(k, warmup=4, drops=[6, 8], decay=0.5), 10)
  np.testing.assert_allclose(rates, BY_HAND, atol=1e-7)


def test_warm_up_alone_and_drops_alone(k):
  np.testing.assert_allclose(_rates(_sgd(k, warmup=2), 4), [0, 0.4, 0.8, 0.8], atol=1e-7)
  rates = _rates(_sgd(k, drops=[1, 3]), 5)
  np.testing.assert_allclose(rates, [0.8, 0.08, 0.08, 0.008, 0.008], rtol=1e-6)


def test_drops_within_the_warm_up_act_there(k):
  rates = _rates(_sgd(k, warmup=4, drops=[2], decay=0.5), 6)
  np.testing.assert_allclose(rates, [0, 0.2, 0.2, 0.3, 0.4, 0.4], atol=1e-7)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_follows_the_schedule_step_by_step(k, jit_compile):
  model = k.Sequential([k.layers.Input((1,)), k.layers.Dense(1, use_bias=False)])
  model.set_weights([np.zeros((1, 1), "float32")])
  optimizer = _sgd(k, warmup=4, drops=[6, 8], decay=0.5)
  model.compile(optimizer, lambda y, prediction: -prediction, jit_compile=jit_compile)
  weights = [0.0]
  for _ in range(10):  # the gradient is -1: every step adds the learning rate
    model.train_on_batch(np.ones((2, 1), "float32"), np.ones((2, 1), "float32"))
    weights.append(float(model.get_weights()[0][0, 0]))
  np.testing.assert_allclose(np.diff(weights), BY_HAND, atol=1e-6)


def test_without_a_schedule_the_rate_is_a_plain_number(k):
  optimizer = optimizers.build(k, "adam", {"learning_rate": 0.25, "beta_1": 0.5})
  assert float(optimizer.learning_rate) == 0.25
  assert optimizer.beta_1 == 0.5
  assert type(optimizer).__name__ == "Adam"
  assert type(optimizer).__module__.startswith(k.__name__ + ".")


def test_the_default_rate_of_keras_is_scheduled_where_none_is_given(k):
  np.testing.assert_allclose(_rates(optimizers.build(k, "adam", {}, warmup=2), 3), [0, 5e-4, 1e-3])


@pytest.mark.parametrize("name", ["adadelta", "adagrad", "adamax", "nadam", "rmsprop", "sgd"])
def test_the_rate_is_the_optimizers_own_default_where_none_is_given(k, name):
  plain = float(type(k.optimizers.get(name))().learning_rate)
  rates = _rates(optimizers.build(k, name, {}, drops=[1]), 2)
  np.testing.assert_allclose(rates, [plain, 0.1 * plain], rtol=1e-5)


def test_an_argument_that_the_optimizer_does_not_take_is_named(k):
  with pytest.raises(ValueError, match=r"config\.sgd=.*'beta_1': 0\.5.*does not suit") as error:
    optimizers.build(k, "sgd", {"learning_rate": 0.1, "beta_1": 0.5})
  assert "\n" not in str(error.value)


def test_the_arguments_given_are_left_alone(k):
  arguments = {"learning_rate": 0.5}
  optimizers.build(k, "sgd", arguments, warmup=3)
  assert arguments == {"learning_rate": 0.5}
