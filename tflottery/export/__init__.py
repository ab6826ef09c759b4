"""Exports: sparse SavedModels, TFLite files, and plain Keras files."""

from tflottery.export.dense_weights import dense_weights
from tflottery.export.report import Report
from tflottery.export.saved_model import saved_model
from tflottery.export.tflite import tflite

__all__ = ["Report", "dense_weights", "saved_model", "tflite"]
