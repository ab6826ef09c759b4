"""Packaging of tflottery: the names, the versions that install together, and nothing that runs."""

import pathlib

from setuptools import find_packages, setup

setup(
  name="tflottery",
  version="0.1.0",
  description="Lottery tickets and sparse training for Keras and TensorFlow",
  long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  python_requires=">=3.10,<3.14",
  packages=find_packages(include=["tflottery", "tflottery.*"]),
  install_requires=[
    "absl-py>=1.4,<2",  # held to 1.x by tensorflow-model-optimization 0.8; said here, pip finds it fast
    "importlib_resources>=5",  # tensorflow-datasets 4.9 imports it without requiring it
    "keras>=3.10,<4",
    "matplotlib>=3.8",
    "ml_collections>=1.0",
    "numpy>=1.26",
    "requests>=2.28",
    "sacrebleu>=2.4",
    "safetensors>=0.4.3",
    "scikit-learn>=1.4",
    "scipy>=1.11",
    "sentencepiece>=0.2",
    "tensorboard>=2.19",
    "tensorflow>=2.20,<2.22",
    "tensorflow-datasets>=4.9.9",
    "tensorflow-model-optimization>=0.8.1,<0.9",
    "tf_keras>=2.20,<2.22",
  ],
  extras_require={"test": ["hypothesis>=6.100", "pytest>=8", "pytest-xdist>=3.5", "ruff>=0.14"]},
)
