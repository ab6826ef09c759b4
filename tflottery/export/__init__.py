"""Exports: sparse SavedModels, TFLite files, and plain Keras files."""

from tflottery.export.report import Report
from tflottery.export.saved_model import saved_model

__all__ = ["Report", "saved_model"]
