"""Draws: the same bits everywhere, uniform, and others for another seed, site or step."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import draws

COUNT = 100_000


def lowbias32(words):
  """Wellons' hash of uint32 in NumPy."""
  words = words ^ (words >> np.uint32(16))
  words = words * np.uint32(0x7FEB352D)
  words = words ^ (words >> np.uint32(15))
  words = words * np.uint32(0x846CA68B)
  return words ^ (words >> np.uint32(16))


def in_numpy(size, seed, step):
  first, second = np.random.SeedSequence(seed).generate_state(2)
  with np.errstate(over="ignore"):
    key = lowbias32(np.array([step % 2**32], np.uint32) + first) ^ second
    bits = lowbias32(lowbias32(np.arange(size, dtype=np.uint32)) ^ key)
  return (bits >> np.uint32(8)) / np.float64(2**24)


@settings(max_examples=40, deadline=None)
@given(
  st.integers(1, 50), st.lists(st.integers(0, 2**40), min_size=1, max_size=3), st.integers(0, 2**34)
)
def test_they_are_the_hash_written_out_in_numpy(size, seed, step):
  found = draws.uniform((size,), seed, tf.constant(step, tf.int64)).numpy()
  np.testing.assert_array_equal(found, in_numpy(size, seed, step))


@pytest.mark.parametrize("function", [draws.uniform, draws.normal])
def test_shape_type_and_the_step_as_a_number_or_a_tensor(function):
  found = function((2, 3, 4), (1, 2), 5)
  assert found.shape == (2, 3, 4) and found.dtype == tf.float32
  for dtype in (tf.int32, tf.int64):
    assert (function((2, 3, 4), (1, 2), tf.constant(5, dtype)) == found).numpy().all()
  assert (tf.reshape(function((24,), (1, 2), 5), (2, 3, 4)) == found).numpy().all()


def test_the_same_bits_come_eager_traced_and_under_jit_compile():
  for seed in [(0, 0), (7, 3)]:

    def draw(step, seed=seed):
      return draws.uniform((37, 41), seed, step)

    traced, compiled = tf.function(draw), tf.function(draw, jit_compile=True)
    for step in (0, 1, 2**31, 2**33 + 1):
      expected = draw(tf.constant(step, tf.int64)).numpy()
      for function in (traced, compiled):
        np.testing.assert_array_equal(function(tf.constant(step, tf.int64)).numpy(), expected)


def test_draws_are_uniform_in_the_half_open_interval():
  found = draws.uniform((COUNT,), (0, 0), 0).numpy()
  assert 0 <= found.min() < 1e-4 and 1 - 1e-4 < found.max() < 1
  counts = np.histogram(found, 100, (0, 1))[0]
  chi_square = ((counts - COUNT / 100) ** 2).sum() / (COUNT / 100)
  assert 50 < chi_square < 165  # 99 degrees of freedom, a chance of 1 in 10,000 on either side


def test_neighbours_seeds_steps_and_sites_are_independent():
  """Correlations of 100,000 pairs have a standard deviation of 0.0032."""
  first = draws.uniform((COUNT,), (0, 0), 0).numpy()
  others = {
    "step": draws.uniform((COUNT,), (0, 0), 1).numpy(),
    "site": draws.uniform((COUNT,), (0, 1), 0).numpy(),
    "seed": draws.uniform((COUNT,), (1, 0), 0).numpy(),
    "neighbour": np.roll(first, 1),
    "row": np.roll(first, 256),
  }
  for name, other in others.items():
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.014, name
    assert (first == other).mean() < 1e-4, name


def test_every_bit_is_set_in_half_of_the_draws():
  whole = (draws.uniform((COUNT,), (3, 1), 9).numpy().astype("float64") * 2**24).astype("int64")
  for bit in range(24):
    assert abs((whole >> bit & 1).mean() - 0.5) < 0.007, bit


def test_normal_draws_are_standard_normal():
  found = draws.normal((COUNT,), (0, 0, 1), 4).numpy()
  assert abs(found.mean()) < 0.014 and abs(found.std() - 1) < 0.01
  below = [(found < x).mean() for x in (-2, -1, 0, 1, 2)]
  np.testing.assert_allclose(below, [0.02275, 0.15866, 0.5, 0.84134, 0.97725], atol=0.007)


def test_the_highest_uniform_draw_makes_a_finite_normal_one():
  place = 393_363  # where step 2 of seed (0, 0) draws 1 - 2^-24
  assert draws.uniform((place + 1,), (0, 0), 2).numpy()[-1] == 1 - 2.0**-24
  found = draws.normal((place + 1,), (0, 0), 2).numpy()
  assert np.isfinite(found).all() and 5 < found[-1] < 6


def test_gaussian_draws_are_the_formula_of_box_and_muller():
  first, second = (draws.gaussian((5,), (1, 2), 7, replica).numpy() for replica in (0, 1))
  assert not np.isclose(first, second).any()
  key = np.uint32(draws._key((1, 2), 7).numpy())
  with np.errstate(over="ignore"):
    words = lowbias32(
      lowbias32(np.arange(3, dtype=np.uint32)) ^ lowbias32(np.array([key]) + np.uint32(0))
    )
    u, v = (w >> np.uint32(8) for w in (words, lowbias32(words)))
  radius, angle = np.sqrt(-2 * np.log(u / 2**24 + 2**-25)), 2 * np.pi * (v / 2**24)
  expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:5]
  np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-5)


def test_gaussian_draws_are_independent_standard_normal():
  first = draws.gaussian((COUNT,), (0, 0), 4).numpy()
  assert abs(first.mean()) < 0.014 and abs(first.std() - 1) < 0.01
  below = [(first < x).mean() for x in (-3, -2, -1, 0, 1, 2, 3)]
  expected = [0.00135, 0.02275, 0.15866, 0.5, 0.84134, 0.97725, 0.99865]
  assert (np.abs(np.subtract(below, expected)) < [5e-4, *[0.007] * 5, 5e-4]).all(), below
  others = {
    "step": draws.gaussian((COUNT,), (0, 0), 5).numpy(),
    "seed": draws.gaussian((COUNT,), (0, 1), 4).numpy(),
    "replica": draws.gaussian((COUNT,), (0, 0), 4, 1).numpy(),
    "neighbour": np.roll(first, 1),
    "pair": np.roll(first, COUNT // 2),
  }
  for name, other in others.items():
    for power in (1, 2):
      assert abs(np.corrcoef(first**power, other**power)[0, 1]) < 0.016, (name, power)


def test_gaussian_draws_of_a_shape_that_is_a_tensor_are_the_same_under_jit_compile_too():
  expected = draws.gaussian((3, 7), (0, 0), 5).numpy()
  assert draws.gaussian(tf.constant([3, 7]), (0, 0), 5).numpy().tolist() == expected.tolist()
  compiled = tf.function(lambda step: draws.gaussian((3, 7), (0, 0), step), jit_compile=True)
  np.testing.assert_allclose(compiled(tf.constant(5)), expected, rtol=1e-4, atol=1e-5)


def test_normal_draws_agree_under_jit_compile():
  def draw(step):
    return draws.normal((1000,), (0, 0, 1), step)

  step = tf.constant(3, tf.int64)
  compiled = tf.function(draw, jit_compile=True)(step)
  np.testing.assert_allclose(compiled, draw(step), rtol=1e-5, atol=1e-6)
