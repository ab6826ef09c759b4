"""Tropical: the polytopes that govern a network's decision boundary, in plain NumPy and SciPy.

Alfarra et al. 2022, On the Decision Boundaries of Neural Networks: A Tropical Geometry Perspective,
arXiv:2002.08838.
"""

from tflottery.analysis.tropical.blocks import (
  decision_polytopes,
  network_of,
  paths_of,
  tropical_masks,
)
from tflottery.analysis.tropical.boundaries import boundary, boundary_crossings
from tflottery.analysis.tropical.cells import cells
from tflottery.analysis.tropical.distances import (
  hausdorff,
  hausdorff_bound,
  shape_distance,
  support_distance,
)
from tflottery.analysis.tropical.generators import generators, support
from tflottery.analysis.tropical.hypersurface import gap, hypersurface
from tflottery.analysis.tropical.magnitude import magnitude_prune
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.planes import plane, principal_plane, project
from tflottery.analysis.tropical.polygons import mean_width, normalise, polygon, steiner_point
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical.pruned import Pruned
from tflottery.analysis.tropical.pruning import shrink, tropical_prune
from tflottery.analysis.tropical.subdivision import Subdivision, subdivision
from tflottery.analysis.tropical.zonotopes import support_points, zonotope, zonotope_vertices

__all__ = [
  "DecisionPolytopes",
  "Network",
  "Pruned",
  "Subdivision",
  "boundary",
  "boundary_crossings",
  "cells",
  "decision_polytopes",
  "gap",
  "generators",
  "hausdorff",
  "hausdorff_bound",
  "hypersurface",
  "magnitude_prune",
  "mean_width",
  "network_of",
  "normalise",
  "paths_of",
  "plane",
  "polygon",
  "principal_plane",
  "project",
  "shape_distance",
  "shrink",
  "steiner_point",
  "subdivision",
  "support",
  "support_distance",
  "support_points",
  "tropical_masks",
  "tropical_prune",
  "zonotope",
  "zonotope_vertices",
]
