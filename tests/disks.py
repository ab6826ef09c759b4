"""A disk that fills up, for the tests of exports."""

import contextlib
import resource


@contextlib.contextmanager
def files_up_to(size):
  """No file can become larger than `size` bytes."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
