"""tflottery: lottery tickets and sparse training for Keras and TensorFlow."""

from tflottery import callbacks, masks
from tflottery.site import sites
from tflottery.tickets.reset import RESETS, initializers_of, reset
from tflottery.tickets.search import find_ticket
from tflottery.tickets.ticket import Ticket, capture
from tflottery.training import hold

__version__ = "0.1.0"
__all__ = [
  "RESETS",
  "Ticket",
  "callbacks",
  "capture",
  "find_ticket",
  "hold",
  "initializers_of",
  "masks",
  "reset",
  "sites",
]
