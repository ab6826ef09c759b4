"""Learned masks: networks whose weights are computed from trained parameters, and what comes of them."""

from tflottery.learned.convert import masks, plain, ticket
from tflottery.learned.evaluate import evaluate

__all__ = ["evaluate", "masks", "plain", "ticket"]
