"""Supermasks: networks that work by their masks alone, over weights that are not trained."""

from tflottery.supermasks.convert import masks, plain, ticket
from tflottery.supermasks.evaluate import evaluate

__all__ = ["evaluate", "masks", "plain", "ticket"]
