"""Images are brought to another shape: sizes, channels, dtypes, by hand."""

import numpy as np
import pytest

from tflottery import images


def _row(*values, dtype=np.uint8):
  """One image of one row and one channel."""
  return np.array(values, dtype).reshape(1, 1, -1, 1)


def test_padding_centres_the_image_with_the_odd_pixel_at_the_bottom_and_right():
  found = images.to_shape(_row(1, 2), (4, 5, 1))
  assert found[0, :, :, 0].tolist() == [
    [0, 0, 0, 0, 0],
    [0, 1, 2, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
  ]
  assert found.dtype == np.uint8


def test_one_channel_is_repeated():
  found = images.to_shape(_row(1, 2), (1, 3, 3))
  assert found.tolist() == [[[[1, 1, 1], [2, 2, 2], [0, 0, 0]]]]


def test_three_channels_become_one_by_their_luminance():
  colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]])
  found = images.to_shape(colours.astype(np.uint8).reshape(1, 1, 5, 3), (1, 5, 1))
  assert found.ravel().tolist() == [76, 150, 29, 255, 18]  # 76.245, 149.685, 29.07, 255, 18.15
  found = images.to_shape(np.float32([[[[0.0, 1.0, 0.0]]]]), (1, 1, 1))
  assert found.dtype == np.float32 and found.item() == pytest.approx(0.587)


def test_halves_of_the_luminance_go_up_and_white_stays_white():
  colours = np.uint8([[0, 0, 250], [0, 8, 86], [0, 14, 213]]).reshape(1, 1, 3, 3)
  assert images.to_shape(colours, (1, 3, 1)).ravel().tolist() == [29, 15, 33]  # 28.5, 14.5, 32.5
  assert images.to_shape(np.ones((1, 1, 1, 3)), (1, 1, 1)).item() == 1


def test_resizing_to_half_takes_the_mean_that_antialiasing_weights():
  # Each new pixel spans two old ones, so its triangle reaches two to each side of its middle:
  # weights 0.75, 0.75, 0.25 over the first three of them, those beyond the edge left out.
  found = images.to_shape(_row(0, 70, 140, 210), (1, 2, 1), how="resize")
  expected = [(0.75 * 0 + 0.75 * 70 + 0.25 * 140) / 1.75, (0.25 * 70 + 0.75 * (140 + 210)) / 1.75]
  assert found.ravel().tolist() == np.rint(expected).tolist() == [50, 160]


def test_resizing_to_twice_the_size_interpolates_between_middles():
  found = images.to_shape(_row(0.0, 1.0, dtype=np.float32), (2, 4, 1), how="resize")
  np.testing.assert_allclose(found[0, :, :, 0], [[0, 0.25, 0.75, 1]] * 2, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_the_dtype_and_a_constant_image_stay(dtype):
  whole = np.full((2, 3, 4, 1), 1, dtype)
  for shape in [(5, 2, 3), (3, 4, 3), (6, 8, 1)]:
    found = images.to_shape(whole, shape, how="resize")
    assert found.dtype == dtype and found.shape == (2, *shape)
    np.testing.assert_allclose(found, 1, atol=1e-6)


def test_images_of_the_shape_are_returned_as_they_are():
  whole = np.zeros((3, 4, 5, 2), np.uint8)
  assert images.to_shape(whole, [4, 5, 2]) is whole
  assert images.to_shape(whole[:0], (6, 5, 2)).shape == (0, 6, 5, 2)


def test_many_images_are_brought_chunk_by_chunk_in_their_order():
  many = np.arange(2500, dtype=np.float32).reshape(-1, 1, 1, 1)
  for how in images.FITS:
    found = images.to_shape(many, (2, 2, 1), how=how)
    np.testing.assert_allclose(found[:, 0, 0, 0], many.ravel(), rtol=1e-6)


@pytest.mark.parametrize(
  ("given", "shape", "how", "words"),
  [
    ((2, 4, 4, 1), (3, 8, 1), "pad", ["shape=(3, 8, 1)", "4x4 are larger", "'resize'"]),
    ((2, 4, 4, 3), (4, 4, 2), "pad", ["3 channels can't be brought to 2", "shape=(4, 4, 3)"]),
    ((2, 4, 4, 2), (4, 4, 3), "resize", ["2 channels can't be brought to 3"]),
    ((2, 4, 4, 2), (4, 4, 1), "resize", ["2 channels can't be brought to 1"]),
    ((2, 4, 4, 1), (4, 4), "pad", ["shape=(4, 4)", "three whole numbers"]),
    ((2, 4, 4, 1), 28, "pad", ["shape=28", "three whole numbers"]),
    ((2, 4, 4, 1), (0, 4, 1), "pad", ["shape=(0, 4, 1)", "at least 1"]),
    ((2, 4, 4, 1), (8.0, 4, 1), "pad", ["shape=(8.0, 4, 1)"]),
    ((2, 4, 4, 1), (8, 8, 1), "crop", ["how='crop' is unknown", "resize"]),
    ((4, 4, 1), (8, 8, 1), "pad", ["images of shape (4, 4, 1)", "[n, height, width, channels]"]),
  ],
)
def test_refused_with_the_name_the_value_and_the_cure(given, shape, how, words):
  with pytest.raises(ValueError) as error:
    images.to_shape(np.zeros(given, np.uint8), shape, how=how)
  assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_integers_that_are_no_bytes_are_refused():
  with pytest.raises(ValueError, match="dtype int64: give uint8 or float"):
    images.to_shape(np.zeros((1, 2, 2, 1), np.int64), (4, 4, 1))
