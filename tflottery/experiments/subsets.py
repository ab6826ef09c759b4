"""Parts of a data set: one of two disjoint halves, some of its classes, its images in a shape."""

import dataclasses

import numpy as np

from tflottery import images as _images
from tflottery.experiments import planar

HALVES = ("", "a", "b")
_SPLITS = ("train", "validation", "test")


def part(dataset, *, half="", labels=(), shape=(), fit="pad"):
  """A part of a data set, its images brought to a shape.

  Args:
    dataset: a `data.Dataset`.
    half: "a" keeps the examples at even places of the training split, "b" those at odd places, in
      the held-out validation as well; "" keeps all. The halves are disjoint and of the same
      distribution (Morcos et al. 2019, arXiv:1906.02773). The test split stays whole.
    labels: the classes to keep in every split, renumbered from 0 in this order; () keeps all. With
      a half, the half is taken first.
    shape: (height, width, channels) that images are brought to; () leaves them as they are. Points
      have no other shape.
    fit: "pad" or "resize", see `tflottery.images.to_shape`.

  Returns:
    A `Dataset` with its own `classes` and `image_shape`; `dataset` itself if nothing is asked.

  Raises:
    ValueError: unknown or too few labels, a label twice, an unknown half, a shape that images can't
      be brought to, a shape for points, or a split that is left empty.
  """
  if half not in HALVES:
    raise ValueError(f"half={half!r} is unknown. Choose one of {HALVES}.")
  if labels:
    _check_labels(labels, dataset)
  if shape:
    asked = f"shape={tuple(shape)!r}"
    planar.require_images(dataset.train.images, (asked, "Give () to leave them as they are."))
  if half:
    dataset = _half(dataset, HALVES.index(half) - 1)
  if labels:
    kept = {name: _of_classes(getattr(dataset, name), labels) for name in _SPLITS}
    dataset = _with(dataset, kept, classes=len(labels))
  if shape:
    kept = {name: _shaped(getattr(dataset, name), shape, fit) for name in _SPLITS}
    dataset = _with(dataset, kept, image_shape=tuple(shape))
  return dataset


def _half(dataset, parity):
  train, validation = dataset.train, dataset.validation
  first = (parity - len(train)) % 2  # the validation goes on where the training examples end
  kept = {
    "train": dataclasses.replace(
      train, images=train.images[parity::2], labels=train.labels[parity::2]
    ),
    "validation": dataclasses.replace(
      validation, images=validation.images[first::2], labels=validation.labels[first::2]
    ),
  }
  return _with(dataset, kept)


def _of_classes(split, labels):
  chosen = np.isin(split.labels, labels)
  order = np.argsort(labels)  # a sorted list can be searched
  places = np.searchsorted(np.asarray(labels)[order], split.labels[chosen])
  renumbered = order[places].astype(split.labels.dtype)
  return dataclasses.replace(split, images=split.images[chosen], labels=renumbered)


def _shaped(split, shape, fit):
  return dataclasses.replace(split, images=_images.to_shape(split.images, shape, how=fit))


def _with(dataset, splits, **changes):
  """`dataset` with other splits; refuses one that had examples and has none left."""
  for name, split in splits.items():
    if len(getattr(dataset, name)) and not len(split):
      raise ValueError(
        f"nothing is left of the {name} split of {dataset.name!r}, which had "
        f"{len(getattr(dataset, name))} examples. Ask for a larger part."
      )
  return dataclasses.replace(dataset, **splits, **changes)


def _check_labels(labels, dataset):
  for label in labels:
    known = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    if not known or not 0 <= label < dataset.classes:
      raise ValueError(
        f"labels={tuple(labels)!r}: {label!r} is no class of {dataset.name!r}, which has 0 to "
        f"{dataset.classes - 1}."
      )
  if len(set(labels)) != len(labels):
    raise ValueError(f"labels={tuple(labels)!r} must name each class once.")
  if len(labels) < 2:
    raise ValueError(f"labels={tuple(labels)!r}: give two classes or more, or () for all.")
