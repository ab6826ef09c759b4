"""Structured: networks that really shrink, channel by channel."""

from tflottery.structured.channels import draw, set_scales
from tflottery.structured.groups import groups
from tflottery.structured.slim import slim

__all__ = ["draw", "groups", "set_scales", "slim"]
