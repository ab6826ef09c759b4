"""Stability: how far two trained networks lie from each other, in length and in angle.

Frankle et al., Stabilizing the Lottery Ticket Hypothesis, 2019, arXiv:1903.01611, section 4:
stability to pruning compares a trained ticket with the same weights of the trained dense network,
stability to data order two copies of the ticket trained on different orders of the data.
"""

import math

import numpy as np

from tflottery.analysis.connectivity import require_alike


def l2_distance(first, second, masks=None):
  """The L2 distance between two networks' weights, as one vector each; float64 inside.

  Args:
    first: dict from path to array.
    second: the same paths and shapes; of other paths where `masks` does not name them.
    masks: dict from site path to bool array; only weights that are True count, and of the sites
      that it names. None: every array of `first`, so leave out statistics that are not meant.

  Raises:
    ValueError: a path is missing or its shape differs; lists every one.

  >>> first, second = {"w": np.array([0.0, 1.0, 9.0])}, {"w": np.array([3.0, 5.0, 0.0])}
  >>> l2_distance(first, second, {"w": np.array([True, True, False])})
  5.0
  """
  first, second = _vectors(masks, first=first, second=second)
  return float(np.linalg.norm(first - second))


def angle(first, second, masks=None, *, origin=None):
  """The angle between two networks' weights, as one vector each, in degrees from 0 to 180.

  Args:
    first, second, masks: as in `l2_distance`.
    origin: weights like them that are subtracted from both, such as those that both were trained
      from: the angle is then between the ways that the two went. None: the angle at 0.

  Raises:
    ValueError: a path is missing or its shape differs; or one of the two vectors is 0 everywhere or
      not finite, and has no direction.

  >>> round(angle({"w": np.array([1.0, 0.0])}, {"w": np.array([1.0, 1.0])}), 6)
  45.0
  >>> corner = {"w": np.array([1.0, 1.0])}
  >>> round(angle({"w": np.array([1.0, 0.0])}, {"w": np.array([0.0, 1.0])}, origin=corner), 6)
  90.0
  """
  networks = {"first": first, "second": second}
  vectors = _vectors(masks, **networks, **({} if origin is None else {"origin": origin}))
  if origin is not None:
    vectors = [vector - vectors[2] for vector in vectors[:2]]
  directions = []
  for name, vector in zip(networks, vectors, strict=True):
    length = np.linalg.norm(vector)
    if not (np.isfinite(length) and length > 0):
      raise ValueError(
        f"{name} has length {length} (less the origin, over {vector.size} weights) and so no "
        "direction. Give finite weights that are not all 0, and not all the origin's."
      )
    directions.append(vector / length)
  first, second = directions
  # Of the cosine, the arc of a small angle would be rounding alone.
  half = math.atan2(np.linalg.norm(first - second), np.linalg.norm(first + second))
  return math.degrees(2 * half)


def _vectors(masks, **networks):
  """Each network's weights that count, in one float64 vector."""
  if masks is not None:
    networks = {
      name: {path: weights[path] for path in masks if path in weights}
      for name, weights in networks.items()
    }
    require_alike(masks=masks, **networks)
  else:
    require_alike(**networks)
  first = next(iter(networks.values()))

  def vector(weights):
    kept = [
      np.float64(weights[path])[... if masks is None else np.asarray(masks[path], bool)].ravel()
      for path in first
    ]
    return np.concatenate([np.zeros(0), *kept])

  return [vector(weights) for weights in networks.values()]
