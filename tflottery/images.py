"""Images of one shape brought to another: padded or resized, their channels repeated or merged."""

import numpy as np
import tensorflow as tf

FITS = ("pad", "resize")
_CHUNK = 1000  # images: a whole data set in float32 would take four times its memory
_LUMINANCE = (299, 587, 114)  # thousandths, so that white stays white and halves go up


def to_shape(images, shape, *, how="pad"):
  """Bring images to the height, width and channels that a model takes.

  One channel is repeated; three become one by their luminance, 0.299 R + 0.587 G + 0.114 B (ITU-R
  BT.601), before the size changes; halves of integers are rounded up.

  Args:
    images: uint8 or float array [n, height, width, channels].
    shape: (height, width, channels) to bring them to, whole numbers of at least 1.
    how: "pad" puts zeros around the image, which stands in the centre; an odd pixel is at the
      bottom or at the right. "resize" is bilinear with antialiasing, and stretches the image where
      the sides are in another proportion.

  Returns:
    An array [n, *shape] of the dtype of `images`; integers are rounded. The same array where it has
    that shape already.

  Raises:
    ValueError: `images` are no images, `how` is unknown, channels that are neither repeated nor
      merged, or an image that is larger than the shape and is to be padded.

  >>> image = np.array([[[[10], [20]]]], np.uint8)
  >>> to_shape(image, (2, 3, 1))[0, :, :, 0].tolist()
  [[10, 20, 0], [0, 0, 0]]
  >>> to_shape(image, (1, 1, 3), how="resize").tolist()
  [[[[15, 15, 15]]]]
  """
  images, shape = np.asarray(images), _shape(shape)
  _check(images, shape, how)
  if images.shape[1:] == shape:
    return images
  result = np.zeros((len(images), *shape), images.dtype)
  fit = {"pad": _padded, "resize": _resized}[how]
  for start in range(0, len(images), _CHUNK):
    chunk = images[start : start + _CHUNK]
    if chunk.shape[-1] == 3 and shape[-1] == 1:
      chunk = _luminance(chunk)
    result[start : start + _CHUNK] = fit(chunk, shape[:2])  # broadcasts a single channel
  return result


def _luminance(images):
  if images.dtype == np.uint8:
    thousandths = images.astype(np.int32) @ np.int32(_LUMINANCE)[:, None]
    return ((thousandths + 500) // 1000).astype(np.uint8)
  return (images @ np.float32(_LUMINANCE)[:, None] / 1000).astype(images.dtype)


def _padded(images, size):
  result = np.zeros((len(images), *size, images.shape[-1]), images.dtype)
  (top, height), (left, width) = (
    ((there - here) // 2, here) for there, here in zip(size, images.shape[1:3], strict=True)
  )
  result[:, top : top + height, left : left + width] = images
  return result


def _resized(images, size):
  if images.shape[1:3] == size:
    return images
  return _rounded(tf.image.resize(images, size, antialias=True).numpy(), images.dtype)


def _rounded(values, dtype):
  return (np.rint(values) if dtype == np.uint8 else values).astype(dtype)


def _shape(shape):
  sides = tuple(shape) if np.iterable(shape) else ()
  whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in sides)
  if len(sides) != 3 or not whole:
    raise ValueError(
      f"shape={shape!r}: give (height, width, channels), three whole numbers of at least 1."
    )
  return sides


def _check(images, shape, how):
  if how not in FITS:
    raise ValueError(f"how={how!r} is unknown. Choose one of {FITS}.")
  if images.ndim != 4 or not (images.dtype == np.uint8 or images.dtype.kind == "f"):
    raise ValueError(
      f"images of shape {images.shape} and dtype {images.dtype}: give uint8 or float images "
      "[n, height, width, channels]."
    )
  here = images.shape[1:]
  if here[-1] != shape[-1] and here[-1] != 1 and (here[-1], shape[-1]) != (3, 1):
    raise ValueError(
      f"shape={shape}: {here[-1]} channels can't be brought to {shape[-1]}. One channel is repeated "
      f"to any number, and three become one; give shape={(*shape[:2], here[-1])}."
    )
  if how == "pad" and (here[0] > shape[0] or here[1] > shape[1]):
    raise ValueError(
      f"shape={shape}: images of {here[0]}x{here[1]} are larger and can't be padded to it. Use "
      "'resize' instead of 'pad', or a larger shape."
    )
