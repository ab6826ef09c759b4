"""Planar data: points of the plane in classes, whose decision boundaries can be drawn."""

_TRAIN, _TEST = 2000, 1000
VALIDATION = 500  # of the training points, where no other number is asked for
_SEED = 2020
_CENTRES = ((-2.0, 0.0), (0.0, -2.0), (2.0, 0.0), (0.0, 2.0))

# Data set: the number of its classes.
CLASSES = {"moons": 2, "circles": 2, "blobs": 4}


def points(name):
  """The points of a data set, always the same: 2,000 for training and 1,000 for the test.

  moons are two half circles that reach into each other (noise 0.15), circles a ring around a ring of
  half its radius (noise 0.1), blobs four normal distributions at (-2, 0), (0, -2), (2, 0) and (0, 2)
  with a standard deviation of 0.7, which overlap slightly. From `sklearn.datasets`.

  Args:
    name: "moons", "circles" or "blobs".

  Returns:
    ((points, labels), (points, labels)) of training and test: float32 [n, 2], not standardised, and
    int32 [n], in random order.

  >>> (train, labels), (test, _) = points("moons")
  >>> train.shape, test.shape, sorted(set(labels.tolist()))
  ((2000, 2), (1000, 2), [0, 1])
  """
  # Slow to import, and nothing but planar data needs it.
  from sklearn import datasets

  makers = {
    "moons": lambda n: datasets.make_moons(n, noise=0.15, random_state=_SEED),
    "circles": lambda n: datasets.make_circles(n, noise=0.1, factor=0.5, random_state=_SEED),
    "blobs": lambda n: datasets.make_blobs(
      n, centers=_CENTRES, cluster_std=0.7, random_state=_SEED
    ),
  }
  where, labels = makers[name](_TRAIN + _TEST)
  where, labels = where.astype("float32"), labels.astype("int32")
  return (where[:_TRAIN], labels[:_TRAIN]), (where[_TRAIN:], labels[_TRAIN:])


def require_images(examples, asked):
  """Refuse points where only images will do.

  Args:
    examples: the `images` of a split, [n, height, width, channels], or points [n, coordinates].
    asked: what is asked for and its cure, the beginning and the end of the error's text.

  Raises:
    ValueError: they are points.

  >>> require_images(points("moons")[0][0], ("augment=True", "Set it to False."))
  Traceback (most recent call last):
  ValueError: augment=True is for images, and these examples are points of 2 coordinates. Set it to False.
  """
  what, cure = asked
  if examples.ndim != 4:
    raise ValueError(
      f"{what} is for images, and these examples are points of {examples.shape[1]} coordinates. {cure}"
    )
