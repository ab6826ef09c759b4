"""The narrower dense network: as many parameters as live in a sparse one, and no more."""

import functools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import site
from tflottery.algorithms import small_dense
from tflottery.experiments import models


def _build(k):
  return functools.partial(_lenet, k)


def _lenet(k, width):
  return models.build("lenet_300_100", k=k, input_shape=(28, 28, 1), classes=10, width=width)


def _count(model):
  return sum(math.prod(variable.shape) for variable in site.weights(model).values())


def test_lenet_at_98_percent_by_hand(k):
  # 5,324 live kernel weights and 410 biases. 7 and 2 units: 784*7 + 7 + 7*2 + 2 + 2*10 + 10 = 5,541;
  # one more unit in the first layer is 6,339.
  model = small_dense.small_dense(_build(k), 5324 + 410)
  assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [7, 2, 10]
  assert _count(model) == 5541


@settings(max_examples=10, deadline=None)
@given(units=st.integers(20, 400), share=st.floats(0.01, 1))
def test_the_next_unit_would_be_too_many(units, share):
  # One hidden layer of `units`, 5 inputs and 2 outputs: 5n + n + 2n + 2 = 8n + 2 parameters.
  budget = max(10, round(share * (8 * units + 2)))

  def build(width):
    return max(1, round(units * width))

  width = _widest(build, budget)
  n = build(width)
  assert 8 * n + 2 <= budget
  assert n == units or 8 * (n + 1) + 2 > budget


def _widest(build, budget):
  import keras

  def model(width):
    n = build(width)
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(n), keras.layers.Dense(2)])

  return small_dense.widest(model, budget)


@pytest.mark.parametrize("parameters", [10, 10**7])
def test_a_number_of_parameters_that_no_width_has_is_refused(k, parameters):
  with pytest.raises(ValueError, match=f"parameters={parameters}.*width 1 has 266610"):
    small_dense.small_dense(_build(k), parameters)


def test_as_many_as_the_whole_network_has_is_the_whole_network(k):
  assert small_dense.widest(_build(k), 266_610) == 1.0
