"""Prepared: data sets of TensorFlow Datasets that are on the disk, or can be brought there."""

import requests


def require(name, builder):
  """Prepare what `builder` reads, unless it is there.

  Args:
    name: the data set's, for errors.
    builder: a `tfds.core.DatasetBuilder`.

  Raises:
    FileNotFoundError: it is not prepared and can't be downloaded; says where it was sought and what to
      do, by hand where the data set asks for that.
  """
  if builder.is_prepared():
    return
  try:
    # Without a network, TensorFlow Datasets would try again for minutes.
    for url in [u for u in builder.url_infos or () if u.startswith("http")][:1]:
      requests.head(url, timeout=10)
    builder.download_and_prepare()
  except Exception as error:  # from any of 400 download scripts
    reason = (str(error).splitlines() or [""])[0][:200]
    raise FileNotFoundError(
      f"data set {name!r} is not prepared in {builder.data_dir}, and could not be downloaded"
      f" ({type(error).__name__}: {reason}). Set --config.data_dir or the environment variable"
      f" TFDS_DATA_DIR to a directory that holds it{_by_hand(builder)}"
    ) from None


def _by_hand(builder):
  told = " ".join((builder.MANUAL_DOWNLOAD_INSTRUCTIONS or "").split())
  return f". To prepare it by hand: {told}" if told else ""
