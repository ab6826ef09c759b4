"""Bit masks and gap codes: encoded by NumPy, decoded by TensorFlow and by NumPy alike."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tflottery.export import packing


def decoded(packed):
  """What the graph that runs at load makes of `packed`."""
  values = tf.cast(tf.constant(packed.values), packed.dtype)
  if packed.code == "dense":
    return tf.reshape(values, packed.shape).numpy()
  size = int(np.prod(packed.shape))
  places = packing.places(packed.code, tf.constant(packed.positions), size)
  return packing.spread(values, places, packed.shape).numpy()


def bits(array):
  return array.dtype, array.shape, array.tobytes()


def with_zeros(array, kept):
  return np.where(kept, array, np.zeros((), array.dtype))


def test_a_bit_mask_has_the_first_entry_in_the_highest_bit():
  packed = packing.pack(np.array([[5, 0, 0, 0, 6], [0, 0, 0, 0, 7]], "float32"))
  assert packed.code == "bitmask"
  assert packed.positions.tolist() == [0b10001000, 0b01000000]
  assert packed.values.tolist() == [5, 6, 7]
  assert packed.nbytes == 2 + 3 * 4
  assert decoded(packed).tolist() == [[5, 0, 0, 0, 6], [0, 0, 0, 0, 7]]


def test_a_gap_is_the_zeros_before_a_value_and_255_skips_255_entries():
  array = np.zeros(2000, "float32")
  array[[0, 1, 3, 258, 513, 1024]] = [1, 2, 3, 4, 5, 6]
  packed = packing.pack(array)
  assert packed.code == "gaps"
  # 3 to 258: 254 zeros. 258 to 513: 254 zeros. 513 to 1024: 510 zeros = 255 + 255 + 0.
  assert packed.positions.tolist() == [0, 0, 1, 254, 254, 255, 255, 0]
  assert packed.nbytes == 8 + 6 * 4
  assert bits(decoded(packed)) == bits(array) == bits(packed.array())


def test_a_gap_of_exactly_255_takes_two_bytes():
  array = np.zeros(5000, "float32")
  array[255] = 1
  packed = packing.pack(array)
  assert packed.positions.tolist() == [255, 0]
  assert np.flatnonzero(decoded(packed)).tolist() == [255]


@pytest.mark.parametrize(
  "sparsity, code",
  [(0.0, "dense"), (0.02, "dense"), (0.5, "bitmask"), (0.8, "bitmask"), (0.9, "gaps")],
)
def test_the_smallest_code_is_chosen(sparsity, code):
  array = np.ones(10_000, "float32")
  array[np.random.default_rng(0).permutation(10_000)[: int(sparsity * 10_000)]] = 0
  assert packing.pack(array).code == code


def test_an_array_without_zeros_is_dense_and_one_without_values_takes_no_byte_of_gaps():
  assert packing.pack(np.ones(64, "float32")).code == "dense"
  empty = packing.pack(np.zeros((8, 8), "float32"))
  assert (empty.code, empty.nbytes) == ("gaps", 0)
  assert bits(decoded(empty)) == bits(np.zeros((8, 8), "float32"))


def test_nan_infinity_and_denormal_values_come_back_to_the_bit():
  array = np.zeros(400, "float32")
  odd = np.array(
    [0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x00000001, 0x807FFFFF], np.uint32
  )
  array[10:16] = odd.view("float32")
  assert bits(decoded(packing.pack(array))) == bits(array)


def test_minus_zero_is_a_zero():
  array = np.array([-0.0] * 99 + [1], "float32")
  packed = packing.pack(array)
  assert packed.values.tolist() == [1]
  assert not np.signbit(decoded(packed)).any()


def test_float16_values_are_rounded_and_come_back_as_float32():
  array = np.zeros(100, "float32")
  array[3] = 1 + 2**-11 + 2**-20  # above the middle of 1 and 1 + 2^-10
  packed = packing.pack(array, values="float16")
  assert packed.values.dtype == np.float16
  assert decoded(packed)[3] == np.float32(1 + 2**-10) == packed.array()[3]
  assert decoded(packed).dtype == np.float32


def test_values_beyond_float16_keep_their_dtype_and_infinities_do_not_mind():
  beyond, infinite = np.zeros(100, "float32"), np.zeros(100, "float32")
  beyond[5], infinite[5] = 65_536, np.inf
  assert packing.pack(beyond, values="float16").values.dtype == np.float32
  assert packing.pack(infinite, values="float16").values.dtype == np.float16
  assert decoded(packing.pack(infinite, values="float16"))[5] == np.inf


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_array_comes_back(data):
  dtype = data.draw(st.sampled_from(["float32", "float64", "float16", "int32", "int8"]))
  shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=40))
  rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
  kept = rng.random(shape) < data.draw(st.sampled_from([0, 0.001, 0.01, 0.1, 0.5, 1]))
  array = with_zeros(rng.integers(1, 100, shape).astype(dtype), kept)
  packed = packing.pack(array)
  assert bits(decoded(packed)) == bits(array) == bits(packed.array())
  assert packed.nbytes <= min(array.nbytes, -(-array.size // 8) + kept.sum() * array.itemsize)


def test_bfloat16_comes_back():
  array = np.zeros(100, tf.bfloat16.as_numpy_dtype)
  array[7] = 3
  assert bits(decoded(packing.pack(array))) == bits(array)


def test_the_ideal_is_the_values_and_the_entropy_of_a_random_mask():
  array = np.zeros(1000, "float32")
  array[:500] = 1
  assert packing.ideal_nbytes(array) == 500 * 4 + 1000 / 8
  assert packing.ideal_nbytes(array, dtype="float16") == 500 * 2 + 1000 / 8
  assert packing.ideal_nbytes(np.ones(10, "float32")) == 40
  assert packing.ideal_nbytes(np.zeros(10, "float32")) == 0
