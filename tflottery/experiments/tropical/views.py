"""Views: the plane that the networks of a seed are looked at in, and what is measured there."""

import numpy as np

from tflottery.analysis.tropical.distances import hausdorff, shape_distance
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.planes import principal_plane
from tflottery.analysis.tropical.polygons import mean_width
from tflottery.analysis.tropical.polytopes import DecisionPolytopes

MEASURES = ("shape_distance", "hausdorff", "mean_width", "test_accuracy", "agreement_percent")


def network_from(weights, paths):
  """The `Network` of a model's weights.

  Args:
    weights: dict from path to array.
    paths: which of them is what, as from `blocks.paths_of`.
  """
  array = {name: np.asarray(weights[path], float) for name, path in paths.items()}
  return Network(array["A"].T, array["B"].T, array.get("c1"), array.get("c2"))


class View:
  """The plane in which decisions between two classes are looked at.

  Networks of two inputs are looked at as they are. Others are restricted to a plane, which projects
  their polytopes on it.

  Args:
    dense: the `Network` that others are compared with.
    pair: the two classes.
    inputs, labels: training examples [n, inputs] and [n]; the plane goes through the mean of the two
      classes.
    plane: "generators", the principal plane of the dense network's generators, or "data", that of
      the two classes.
  """

  def __init__(self, dense, pair, inputs, labels, plane):
    self._pair, self._plane, self._origin = pair, None, None
    if inputs.shape[1] > 2:
      own = inputs[np.isin(labels, pair)]
      self._origin = own.mean(0)
      whole = DecisionPolytopes(dense, pair)
      centred = own - self._origin
      self._plane = whole.principal_plane() if plane == "generators" else principal_plane(centred)
    self._dense = dense
    self._hull = self.polytopes(dense).hull()

  def polytopes(self, network):
    """The planar `DecisionPolytopes` of a network."""
    whole = DecisionPolytopes(network, self._pair)
    return whole if self._plane is None else whole.on_plane(self._plane, self._origin)

  def points(self, inputs):
    """Inputs [n, inputs] as points of the plane [n, 2]."""
    return inputs if self._plane is None else (inputs - self._origin) @ self._plane.T

  def measure(self, network, inputs, labels):
    """Dict of `MEASURES`: how far `network` is from the dense one, and how well it classifies.

    Args:
      inputs, labels: test examples [n, inputs] and [n].
    """
    hull = self.polytopes(network).hull()
    predicted = network(inputs).argmax(-1)
    same = predicted == self._dense(inputs).argmax(-1)
    values = (
      shape_distance(hull, self._hull),
      hausdorff(hull, self._hull),
      mean_width(hull),
      (predicted == labels).mean(),
      100 * same.mean(),
    )
    return dict(zip(MEASURES, map(float, values), strict=True))
