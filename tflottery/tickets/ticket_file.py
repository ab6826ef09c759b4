"""The file of a ticket: masks in bits, weights, and what names or computes weights instead.

The file is in the safetensors format. Tensors: `mask/<site>`, the mask's bits, eight to a byte in C
order; `weight/<path>`, the start weights; `frozen/<site>`, the frozen values of the masked places
alone, in C order. The metadata hold one JSON object, the header. In it `frozen` says of each site
with frozen values whether they stand in the file ("values") or are its start weights ("weights"),
and `drawn` how weights that are not stored are computed again, with a checksum of them.

Files without frozen values and drawn weights are of format version 1, the others of version 2.
"""

import importlib.metadata
import json
import pathlib
import zlib

import numpy as np
import safetensors
import safetensors.numpy
import tensorflow as tf

from tflottery import files
from tflottery.tickets.drawn import Drawn

FORMAT_VERSION = 2


class _RefusedError(ValueError):
  """A file that is whole, but can't be read here; it is named already."""


def write(path, ticket):
  """Write a `Ticket`, beside `path` first and then renamed.

  Raises:
    ValueError: weights are not what their `Drawn` gives.
  """
  weights = {p: _storable(w) for p, w in ticket.weights.items()}
  frozen = {p: _storable(values)[~ticket.masks[p]] for p, values in ticket.frozen.items()}
  named = {p for p, v in frozen.items() if p in weights and _same(v, weights[p][~ticket.masks[p]])}
  tensors = {f"mask/{p}": np.packbits(mask) for p, mask in ticket.masks.items()}
  tensors |= {f"weight/{p}": w for p, w in weights.items() if p not in ticket.drawn}
  tensors |= {f"frozen/{p}": values for p, values in frozen.items() if p not in named}
  header = {
    "format_version": 1,
    "level": ticket.level,
    "sparsity": ticket.sparsity,
    "sites": [[p, list(mask.shape)] for p, mask in ticket.masks.items()],
    "weights": list(weights),
    "metadata": ticket.metadata,
  }
  if frozen or ticket.drawn:
    header |= {
      "format_version": FORMAT_VERSION,
      "frozen": [[p, "weights" if p in named else "values"] for p in frozen],
      "drawn": [_recipe(p, drawn, weights[p]) for p, drawn in ticket.drawn.items()],
    }
  # One key: safetensors writes several in no fixed order.
  text = {"tflottery_ticket": json.dumps(header, sort_keys=True)}
  files.write(path, safetensors.numpy.save(tensors, metadata=text))


def read(path, ticket):
  """Read what `write` wrote. Nothing in the file is executed.

  Args:
    path: the file.
    ticket: function of the fields of a `Ticket`, by their names, that makes one.

  Raises:
    FileNotFoundError, ValueError: see `Ticket.load`.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise FileNotFoundError(f"No ticket at {str(path)!r}.")
  try:
    with safetensors.safe_open(path, framework="np") as file:
      return ticket(**_fields(path, file))
  except _RefusedError:
    raise
  except (
    *(safetensors.SafetensorError, tf.errors.OpError, MemoryError),
    *(AttributeError, KeyError, OverflowError, TypeError, ValueError),
  ) as error:
    raise ValueError(
      f"{str(path)!r} is not a ticket, or is damaged ({type(error).__name__}: {error}). Save it "
      "again with Ticket.save, or copy it again."
    ) from error


def _fields(path, file):
  header = json.loads((file.metadata() or {})["tflottery_ticket"])
  version = header["format_version"]
  if version > FORMAT_VERSION:
    raise _RefusedError(
      f"Ticket {str(path)!r} has format version {version}, written by a later tflottery; this one "
      f"reads up to {FORMAT_VERSION}. Upgrade tflottery."
    )
  masks = {p: _unpacked(file.get_tensor(f"mask/{p}"), shape) for p, shape in header["sites"]}
  if not masks:
    raise ValueError("it has no sites")
  recipes = {recipe["path"]: recipe for recipe in (header["drawn"] if version > 1 else [])}
  drawn = {p: Drawn.from_json(recipe["drawn"]) for p, recipe in recipes.items()}
  weights = {
    p: _drawn(path, recipes[p], drawn[p], masks.get(p))
    if p in recipes
    else file.get_tensor(f"weight/{p}")
    for p in header["weights"]
  }
  frozen = {}
  for p, how in header["frozen"] if version > 1 else []:
    values = weights[p] if how == "weights" else file.get_tensor(f"frozen/{p}")
    frozen[p] = _frozen(p, values, masks[p])
  return {
    "masks": masks,
    "weights": weights,
    "level": header["level"],
    "metadata": header["metadata"],
    "frozen": frozen,
    "drawn": drawn,
  }


def _frozen(path, values, mask):
  """Frozen values of a site's shape, 0 where it lives, from all weights or from the masked ones."""
  if values.shape == mask.shape:
    values = values[~mask]
  elif values.shape != (np.count_nonzero(~mask),):
    raise ValueError(f"{path} has {values.shape} frozen values for a mask of {mask.shape}")
  frozen = np.zeros(mask.shape, values.dtype)
  frozen[~mask] = values
  return frozen


def _recipe(path, drawn, weights):
  if not _same(drawn.values(), weights):
    raise ValueError(
      f"drawn={{{path!r}: {drawn}}} does not give the weights of the ticket there. Take them from "
      "its values(), or leave it out, so that the weights are stored."
    )
  return {
    "path": path,
    "drawn": drawn.to_json(),
    "crc32": zlib.crc32(weights.tobytes()),
    "version": importlib.metadata.version(drawn.keras),
  }


def _drawn(path, recipe, drawn, mask):
  if mask is not None and drawn.shape != mask.shape:
    raise ValueError(f"{recipe['path']} is drawn as {drawn.shape} for a mask of {mask.shape}")
  values = drawn.values()
  if zlib.crc32(values.tobytes()) != recipe["crc32"]:
    here = importlib.metadata.version(drawn.keras)
    raise _RefusedError(
      f"Ticket {str(path)!r}: {recipe['path']} is drawn from the seed {drawn.seed}, and {drawn.keras} "
      f"{here} draws other numbers than {drawn.keras} {recipe['version']}, with which it was saved. "
      f"Install {drawn.keras}=={recipe['version']}; if that is this one, the file is damaged."
    )
  return values


def _same(ours, theirs):
  """Whether two arrays are equal to the last bit."""
  return ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()


def _storable(array):
  """`array` in a dtype that safetensors stores from NumPy: bfloat16 becomes float32, exactly."""
  array = np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension
  return array if array.dtype.kind in "biuf" else array.astype("float32")


def _unpacked(bits, shape):
  size = int(np.prod(shape))
  if bits.dtype != np.uint8 or bits.size != -(-size // 8):
    raise ValueError(f"a mask of shape {shape} has {bits.size} bytes")
  return np.unpackbits(bits, count=size).astype(bool).reshape(shape)
