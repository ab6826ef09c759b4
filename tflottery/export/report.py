"""What an export became: sizes, formats, speed, differences; as a table and as JSON."""

import dataclasses
import json
import math
import pathlib
import zlib

from tflottery import files

_NAME = "export_report.json"
_SHOWN = 20  # weights in the printed table, the largest; all are in the file
_WIDTH = 60  # characters of their names: TFLite's may be the whole way through a block
_NOISE = 0.08  # ratios of equal models lie within this of 1 (measured)


@dataclasses.dataclass(frozen=True)
class Row:
  """One weight of a report.

  Attributes:
    path: its path below the model; in a TFLite file the name of the tensor.
    shape: its shape.
    sparsity: share of entries that are 0, in [0, 1].
    format: `dense`, `bitmask`, `gaps`, `float16`, or `csr`; in a TFLite file the dtype, as `int8`,
      after `sparse` where zeros are not stored.
    bytes: what its values and their places take.
    dense_bytes: what the dense array takes.
  """

  path: str
  shape: tuple
  sparsity: float
  format: str
  bytes: int
  dense_bytes: int


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class Report:
  """What an export became.

  What is None was not measured, and is left out of the table.

  Attributes:
    path: where it lies.
    format: what was written: `compact`, `csr` or `dense` SavedModels, `tflite`, `keras`, `weights`.
    values: dtype that kernels are stored in; None keeps each weight's own.
    bytes, gzip_bytes: size on disk, raw and with every file gzipped, without this
      report.
    dense_bytes, dense_gzip_bytes: the same of a dense export that holds each weight once, in TFLite
      of float32. Keras files are dense: theirs are their own bytes, and None.
    ideal_bytes: the values that are not 0 and the entropy of their places.
    load_milliseconds, dense_load_milliseconds: one load each, of TFLite files by an interpreter in
      this process, of others in a fresh one. None for `weights`; the dense one's for `keras` too.
    latency_ratio: median time of a call, divided by the dense export's. In TFLite the call has one
      row. None for `keras` and `weights`, as are the next two.
    control_ratio: the same of a second load of the dense export: what noise alone does.
    rounds: over how many rounds, each in random order.
    largest_difference: of an output from the model's, on the examples; None where none could be
      compared, and for `weights`, which compute nothing.
    bit_identical: whether all outputs are the model's to the last bit; None with the former.
    rows: a `Row` per weight, in a TFLite file per constant tensor of weights.
    notes: what there is to say, sentences.
  """

  path: str
  format: str
  values: str | None = None
  bytes: int
  gzip_bytes: int
  dense_bytes: int
  dense_gzip_bytes: int | None = None
  ideal_bytes: int
  load_milliseconds: float | None = None
  dense_load_milliseconds: float | None = None
  latency_ratio: float | None = None
  control_ratio: float | None = None
  rounds: int | None = None
  largest_difference: float | None = None
  bit_identical: bool | None = None
  rows: tuple
  notes: tuple = ()

  def save(self, path):
    """Write the report as JSON; a number that is not finite becomes null."""
    told = dataclasses.asdict(self)
    for name, value in told.items():
      if isinstance(value, float) and not math.isfinite(value):
        told[name] = None
    files.write(path, json.dumps(told, indent=2, allow_nan=False) + "\n")

  @property
  def verdict(self):
    """What became smaller and what did not become faster, in a sentence."""
    if self.latency_ratio is None:
      return f"as large as a dense file; gzip makes it {self.gzip_bytes / self.bytes:.0%} of that."
    noise = max(_NOISE, 2 * abs(self.control_ratio - 1))
    speed = "as fast as dense and no faster"
    if abs(self.latency_ratio - 1) > noise:
      speed = "faster than dense" if self.latency_ratio < 1 else "slower than dense"
    smaller = f"{self.bytes / self.dense_bytes:.0%} of the dense size on disk"
    is_packed = self.format in ("compact", "csr")
    memory = "; in memory the packed weights come on top" if is_packed else ""
    return f"{smaller}, {speed}{memory}."

  def __str__(self):
    shown = sorted(self.rows, key=lambda row: -row.dense_bytes)[:_SHOWN]
    shown = [row for row in self.rows if row in shown]
    rest = [row for row in self.rows if row not in shown]
    values = f", {self.values} values" if self.values else ""
    lines = [
      _table([("weight", "shape", "sparsity", "format", "bytes", "of dense"), *map(_cells, shown)]),
      *(
        [f"and {len(rest)} smaller ones: {sum(row.bytes for row in rest):,} bytes"] if rest else []
      ),
      "",
      f"{self.path}: {self.format}{values}: {self.verdict}",
      *(f"  {name:<14}  {said}" for name, said in self._lines()),
      *(f"  {note}" for note in self.notes),
    ]
    return "\n".join(lines)

  def _lines(self):
    """(what, what was measured of it), of what was."""
    raw = [_share(self.bytes, self.dense_bytes, "dense", 3)]
    gzipped = [_share(self.gzip_bytes, self.dense_gzip_bytes, "dense, gzipped", 3)]
    for shares, count in ((raw, self.bytes), (gzipped, self.gzip_bytes)):
      shares.append(_share(count, self.ideal_bytes, "ideal", 2))
    yield "bytes", f"{self.bytes:>13,}  {', '.join(filter(None, raw))}"
    yield "bytes, gzipped", f"{self.gzip_bytes:>13,}  {', '.join(filter(None, gzipped))}"
    if self.load_milliseconds is not None:
      dense = self.dense_load_milliseconds
      against = "" if dense is None else f"  dense: {dense:.0f} ms"
      yield "load", f"{self.load_milliseconds:>10.0f} ms{against}"
    if self.latency_ratio is not None:
      yield (
        "latency",
        f"{self.latency_ratio:>11.2f} x  of dense; dense against itself: {self.control_ratio:.2f} "
        f"({self.rounds} rounds)",
      )
    if self.largest_difference is not None:
      exactly = "bit for bit" if self.bit_identical else "not bit for bit"
      yield "outputs", f"differ by at most {self.largest_difference:.2g}: {exactly} the model's"


def place(path):
  """Where the report of the export at `path` lies: in a directory, beside a file.

  >>> place(pathlib.Path("digits.tflite")).name
  'digits.tflite.export_report.json'
  """
  return path / _NAME if path.is_dir() else path.with_name(f"{path.name}.{_NAME}")


def row(weight):
  """The `Row` of a `choice.Weight`."""
  array = weight.array
  sparsity = float((array == 0).mean()) if array.size else 0.0
  return Row(weight.path, array.shape, sparsity, weight.format, weight.nbytes, array.nbytes)


def sizes(directory):
  """Bytes of all files under `directory`: raw, and each gzipped."""
  paths = [path for path in pathlib.Path(directory).rglob("*") if path.is_file()]
  return nbytes(directory), sum(map(_gzipped, paths))


def nbytes(directory):
  """Bytes of all files under `directory`."""
  return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


def _gzipped(path):
  zipped, count = zlib.compressobj(6, wbits=31), 0
  with open(path, "rb") as file:
    while chunk := file.read(1 << 20):
      count += len(zipped.compress(chunk))
  return count + len(zipped.flush())


def _share(count, whole, name, digits):
  """`count` as a share of what it is compared with; "" without that, or where that is 0."""
  return f"{count / whole:.{digits}f} of {name} ({whole:,})" if whole else ""


def _cells(row):
  shape = "x".join(map(str, row.shape)) or "scalar"
  share = f"{row.bytes / row.dense_bytes:.3f}" if row.dense_bytes else ""
  path = row.path if len(row.path) <= _WIDTH else f"{row.path[: _WIDTH - 3]}..."
  return (path, shape, f"{row.sparsity:.3f}", row.format, f"{row.bytes:,}", share)


def _table(rows):
  widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
  lines = []
  for row in rows:
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
    right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
    lines.append("  ".join(left + right))
  return "\n".join(lines)
