"""Versions of what results depend on."""

import importlib.metadata

_PACKAGES = ("tflottery", "tensorflow", "keras", "tf_keras", "numpy")


def versions():
  """Dict from package to its installed version, None for one that runs without being installed."""
  found = {}
  for package in _PACKAGES:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      found[package] = None
  return found
