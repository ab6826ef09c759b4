"""What an export became: sizes, formats, speed, differences; as a table and as JSON."""

import dataclasses
import gzip
import json
import pathlib
import shutil

from tflottery import files

_SHOWN = 20  # weights in the printed table, the largest; all are in the file
_NOISE = 0.08  # ratios of equal models lie within this of 1 (measured)


@dataclasses.dataclass(frozen=True)
class Row:
  """One weight of a report.

  Attributes:
    path: its path below the model.
    shape: its shape.
    sparsity: share of entries that are 0, in [0, 1].
    format: `dense`, `bitmask`, `gaps`, `float16`, or `csr`.
    bytes: what its values and their places take.
    dense_bytes: what the dense array takes.
  """

  path: str
  shape: tuple
  sparsity: float
  format: str
  bytes: int
  dense_bytes: int


@dataclasses.dataclass(frozen=True, repr=False)
class Report:
  """What an export became.

  Attributes:
    directory: where it lies.
    format: `compact`, `csr`, `dense` or `tflite`: what was written.
    values: dtype of the packed values.
    bytes, gzip_bytes: size on disk, raw and with every file gzipped.
    dense_bytes, dense_gzip_bytes: the same of a dense export that holds each weight once.
    ideal_bytes: the values that are not 0 and the entropy of their places, and dense vectors.
    load_milliseconds, dense_load_milliseconds: one load each, in a fresh process.
    latency_ratio: median time of a call, divided by the dense export's.
    control_ratio: the same of a second load of the dense export: what noise alone does.
    rounds: over how many rounds, each in random order.
    largest_difference: of an output from the model's, on the examples.
    bit_identical: whether all outputs are the model's to the last bit.
    rows: a `Row` per weight.
    notes: what there is to say, sentences.
  """

  directory: str
  format: str
  values: str
  bytes: int
  gzip_bytes: int
  dense_bytes: int
  dense_gzip_bytes: int
  ideal_bytes: int
  load_milliseconds: float
  dense_load_milliseconds: float
  latency_ratio: float
  control_ratio: float
  rounds: int
  largest_difference: float
  bit_identical: bool
  rows: tuple
  notes: tuple = ()

  def save(self, path):
    """Write the report as JSON."""
    files.write(path, json.dumps(dataclasses.asdict(self), indent=2) + "\n")

  @property
  def verdict(self):
    """What became smaller and what did not become faster, in a sentence."""
    noise = max(_NOISE, 2 * abs(self.control_ratio - 1))
    speed = "as fast as dense and no faster"
    if abs(self.latency_ratio - 1) > noise:
      speed = "faster than dense" if self.latency_ratio < 1 else "slower than dense"
    smaller = f"{self.bytes / self.dense_bytes:.0%} of the dense size on disk"
    memory = "" if self.format == "dense" else "; in memory the packed weights come on top"
    return f"{smaller}, {speed}{memory}."

  def __str__(self):
    identical = "bit for bit the model's" if self.bit_identical else "not bit for bit the model's"
    gzipped = self.gzip_bytes / self.dense_gzip_bytes
    shown = sorted(self.rows, key=lambda row: -row.dense_bytes)[:_SHOWN]
    shown = [row for row in self.rows if row in shown]
    rest = [row for row in self.rows if row not in shown]
    lines = [
      _table([("weight", "shape", "sparsity", "format", "bytes", "of dense"), *map(_cells, shown)]),
      *(
        [f"and {len(rest)} smaller ones: {sum(row.bytes for row in rest):,} bytes"] if rest else []
      ),
      "",
      f"{self.directory}: {self.format}, {self.values} values: {self.verdict}",
      f"  bytes           {self.bytes:>13,}  {self.bytes / self.dense_bytes:.3f} of dense ({self.dense_bytes:,}), "
      f"{self.bytes / self.ideal_bytes:.2f} of ideal ({self.ideal_bytes:,})",
      f"  bytes, gzipped  {self.gzip_bytes:>13,}  {gzipped:.3f} of dense, gzipped ({self.dense_gzip_bytes:,})",
      f"  load            {self.load_milliseconds:>10.0f} ms  dense: {self.dense_load_milliseconds:.0f} ms",
      f"  latency         {self.latency_ratio:>11.2f} x  of dense; dense against itself: {self.control_ratio:.2f} "
      f"({self.rounds} rounds)",
      f"  outputs         differ by at most {self.largest_difference:.2g}: {identical}",
      *(f"  {note}" for note in self.notes),
    ]
    return "\n".join(lines)


def row(weight):
  """The `Row` of a `choice.Weight`."""
  array = weight.array
  sparsity = float((array == 0).mean()) if array.size else 0.0
  return Row(weight.path, array.shape, sparsity, weight.format, weight.nbytes, array.nbytes)


def sizes(directory):
  """Bytes of all files under `directory`: raw, and each gzipped."""
  paths = [path for path in pathlib.Path(directory).rglob("*") if path.is_file()]
  return sum(path.stat().st_size for path in paths), sum(_gzipped(path) for path in paths)


class _Counter:
  """A file that forgets what is written to it, but how much."""

  def __init__(self):
    self.count = 0

  def write(self, data):
    self.count += len(data)
    return len(data)

  def flush(self):
    pass


def _gzipped(path):
  counter = _Counter()
  with (
    open(path, "rb") as file,
    gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as zipped,
  ):
    shutil.copyfileobj(file, zipped, 1 << 20)
  return counter.count


def _cells(row):
  shape = "x".join(map(str, row.shape)) or "scalar"
  share = f"{row.bytes / row.dense_bytes:.3f}" if row.dense_bytes else ""
  return (row.path, shape, f"{row.sparsity:.3f}", row.format, f"{row.bytes:,}", share)


def _table(rows):
  widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
  lines = []
  for row in rows:
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
    right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
    lines.append("  ".join(left + right))
  return "\n".join(lines)
