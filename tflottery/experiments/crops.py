"""Crops: a JPEG of any size becomes a square image, of which only what is seen is decoded.

He et al. 2016, arXiv:1512.03385, section 3.4, with the random crops of Szegedy et al. 2015,
arXiv:1409.4842, section 6, as The State of Sparsity (Gale et al. 2019, arXiv:1902.09574) trains on
ImageNet.

Departs: bicubic by TensorFlow 2's own convention for centres of pixels, not TensorFlow 1's; the centre
is 7/8 of the shorter side for every `side`, which is the paper's 224 / (224 + 32) at 224.
"""

import tensorflow as tf

AREA = (0.08, 1.0)  # of a random crop, as a share of the image
_COVERED = 0.1  # no crop is smaller: published codes say both, so this is the true least area
ASPECT = (3 / 4, 4 / 3)  # its width over its height
_ATTEMPTS = 10
_CENTRE = (7, 8)  # 224 of 256


def central(encoded, side):
  """The centre, 7/8 of the shorter side, resized.

  Args:
    encoded: string scalar, a JPEG.
    side: int, pixels.

  Returns:
    float32 [side, side, 3] from 0 to 255; bicubic interpolation goes a little beyond at edges.

  >>> square = tf.io.encode_jpeg(tf.fill([40, 64, 3], tf.constant(255, tf.uint8)))
  >>> image = central(square, 16)
  >>> image.shape, float(image[0, 0, 0])
  (TensorShape([16, 16, 3]), 255.0)
  """
  return _resized(encoded, _central_window(tf.image.extract_jpeg_shape(encoded)), side)


def random(encoded, key, side):
  """A random crop, flipped or not, resized: see `AREA`, of which a tenth is the least, and `ASPECT`.

  Where ten draws don't fit into the image, it is the central crop.

  Args:
    encoded: string scalar, a JPEG.
    key: int64 [2]; equal keys give equal crops.
    side: int, pixels.

  Returns:
    As of `central`.
  """
  keys = tf.unstack(tf.random.split(key, 2))
  shape = tf.image.extract_jpeg_shape(encoded)
  begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
    shape,
    tf.zeros([1, 0, 4]),
    keys[0],
    min_object_covered=_COVERED,
    aspect_ratio_range=ASPECT,
    area_range=AREA,
    max_attempts=_ATTEMPTS,
    use_image_if_no_bounding_boxes=True,
  )
  window = tf.concat([begin[:2], size[:2]], 0)
  # The whole image stands for a failure.
  window = tf.where(tf.reduce_all(size[:2] == shape[:2]), _central_window(shape), window)
  image = _resized(encoded, window, side)
  return tf.where(tf.random.stateless_uniform([], keys[1]) < 0.5, image[:, ::-1], image)


def _central_window(shape):
  """(top, left, height, width) of the centre."""
  part, whole = _CENTRE
  side = part * tf.reduce_min(shape[:2]) // whole
  corner = (shape[:2] - side + 1) // 2
  return tf.concat([corner, [side, side]], 0)


def _resized(encoded, window, side):
  image = tf.image.decode_and_crop_jpeg(encoded, window, channels=3)
  return tf.image.resize(image, [side, side], method="bicubic")
