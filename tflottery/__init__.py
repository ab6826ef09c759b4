"""tflottery: lottery tickets and sparse training for Keras and TensorFlow."""

import importlib
import sys

from tflottery import (
  allocations,
  analysis,
  callbacks,
  export,
  granularity,
  images,
  learned,
  masks,
  structured,
)
from tflottery.algorithms.prune import prune
from tflottery.learned.edge_popup import edge_popup
from tflottery.learned.l0 import l0
from tflottery.learned.supermask import supermask
from tflottery.learned.variational_dropout import variational_dropout
from tflottery.site import sites
from tflottery.tickets.freeze import FREEZES, freeze
from tflottery.tickets.reset import RESETS, initializers_of, reset
from tflottery.tickets.search import find_ticket
from tflottery.tickets.ticket import Ticket, capture
from tflottery.training import hold

__version__ = "0.1.0"
__all__ = [
  "FREEZES",
  "RESETS",
  "Ticket",
  "allocations",
  "analysis",
  "callbacks",
  "capture",
  "edge_popup",
  "export",
  "find_ticket",
  "freeze",
  "granularity",
  "hold",
  "images",
  "initializers_of",
  "l0",
  "learned",
  "masks",
  "prune",
  "reset",
  "sites",
  "structured",
  "supermask",
  "variational_dropout",
]


def __getattr__(name):
  if name == "schedules":  # they are tfmot's type, and `import tflottery` must not import tfmot
    return importlib.import_module("tflottery.schedules")
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if "tensorflow_model_optimization" in sys.modules:  # its models find our schedules by their names
  importlib.import_module("tflottery.schedules")
