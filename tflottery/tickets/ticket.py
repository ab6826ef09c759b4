"""The ticket: masks, the weights to start from, and where they came from, as one file."""

import dataclasses
import json
import pathlib
import warnings
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tflottery import files, fitting, step, training
from tflottery import masks as _masks
from tflottery import site as _sites

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True, repr=False)
class Ticket:
  """A sparse network that is ready to be trained.

  Attributes:
    masks: dict from site path to bool array, True where the weight lives. An absent site is dense.
    weights: dict from path to array, the weights to start from: every weight of the model, before
      masking, so that controls can draw from them.
    level: how many prune-and-train rounds it took; 0 is the dense network.
    metadata: where it came from, JSON values: configuration, data set, seeds, versions.
  """

  masks: dict
  weights: dict
  level: int = 0
  metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def sparsity(self):
    """Share of the weights of all sites that are masked, in [0, 1]."""
    return _masks.sparsity(self.masks)

  def __repr__(self):
    kept = sum(int(mask.sum()) for mask in self.masks.values())
    size = sum(mask.size for mask in self.masks.values())
    lines = [
      f"Ticket(level={self.level}, {kept:,} of {size:,} weights remain ({100 * kept / size:.4g} %))"
    ]
    width = max(len(path) for path in self.masks)
    for path, mask in self.masks.items():
      lines.append(f"  {path:<{width}}  {mask.shape!s:<18} {100 * mask.mean():6.2f} %")
    return "\n".join(lines)

  @classmethod
  def capture(cls, model, masks=None, *, level=0, metadata=None):
    """The ticket of a model as it stands: its weights and its masks.

    Args:
      model: a built model of either Keras.
      masks: dict from site path to bool array; None takes the masks that are held on the model,
        else those of tfmot's wrappers, else False wherever a prunable weight is exactly 0.
      level: the ticket's level.
      metadata: JSON values to store with it.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")])
    >>> model.set_weights([np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2)])
    >>> Ticket.capture(model).masks["fc/kernel"].tolist()
    [[True, False], [False, True]]
    """
    if masks is None:
      masks = _masks_of(model)
    else:
      masks = {path: np.array(masks[path], bool) for path in training.fitting_sites(model, masks)}
    weights = {path: _sites.value(v) for path, v in _sites.weights(model).items()}
    return cls(masks, weights, level, dict(metadata or {}))

  def apply(self, model):
    """Put the start weights, masked, into `model`, without holding them.

    Weights are matched by path; where two builds of one model differ only in the numbers that
    Keras gives its layers (`dense_7`), by their order.

    Returns:
      The masks by the model's own paths.

    Raises:
      ValueError: the ticket does not fit; lists every mismatch, and the model is untouched.
    """
    names, variables = self._paths_in(model), _sites.weights(model)
    for path, value in self.weights.items():
      mask = self.masks.get(path)
      value = value if mask is None else np.where(mask, value, np.zeros_like(value))
      variables[names[path]].assign(value)
    return {names[path]: mask for path, mask in self.masks.items()}

  def callback(self, *, start=True):
    """A callback for `fit` of either Keras that trains the ticket.

    Args:
      start: True puts the start weights into the model when `fit` begins (and again in every later
        `fit` with this callback). False leaves the model's weights as they are and only holds the
        masks, for a training that goes on.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
    >>> model.compile("sgd", "mse")
    >>> ticket = Ticket.capture(model, {"fc/kernel": np.array([[True], [False]])})
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[ticket.callback()])
    >>> float(model.get_weights()[0][1, 0])
    0.0
    """

    def place(model):
      step.innermost(model)  # an optimizer that can't hold masks is refused before weights change
      return self.apply(model) if start else self._masks_in(model)

    return fitting.HoldMasks(place)

  def save(self, path):
    """Write the ticket to `path`, beside it first and then renamed: never half a file.

    The file is in the safetensors format: `mask/<site>` holds the mask's bits, eight to a byte in
    C order, `weight/<path>` the start weights. Equal tickets give equal bytes.
    """
    tensors = {f"mask/{p}": np.packbits(mask) for p, mask in self.masks.items()}
    tensors |= {f"weight/{p}": _storable(w) for p, w in self.weights.items()}
    header = {
      "format_version": FORMAT_VERSION,
      "level": self.level,
      "sparsity": self.sparsity,
      "sites": [[p, list(mask.shape)] for p, mask in self.masks.items()],
      "weights": list(self.weights),
      "metadata": self.metadata,
    }
    # One key: safetensors writes several in no fixed order.
    text = {"tflottery_ticket": json.dumps(header, sort_keys=True)}
    files.write(path, safetensors.numpy.save(tensors, metadata=text))

  @classmethod
  def load(cls, path):
    """Read a ticket. Nothing in the file is executed.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, is no ticket, or was written by a later tflottery.
    """
    path = pathlib.Path(path)
    if not path.is_file():
      raise FileNotFoundError(f"No ticket at {str(path)!r}.")
    try:
      with safetensors.safe_open(path, framework="np") as file:
        header = json.loads((file.metadata() or {})["tflottery_ticket"])
        version = header["format_version"]
        if version > FORMAT_VERSION:
          raise _LaterFormatError(
            f"Ticket {str(path)!r} has format version {version}, written by a later tflottery; this "
            f"one reads up to {FORMAT_VERSION}. Upgrade tflottery."
          )
        masks = {p: _unpacked(file.get_tensor(f"mask/{p}"), shape) for p, shape in header["sites"]}
        weights = {p: file.get_tensor(f"weight/{p}") for p in header["weights"]}
        if not masks:
          raise ValueError("it has no sites")
        return cls(masks, weights, header["level"], header["metadata"])
    except _LaterFormatError:
      raise
    except (safetensors.SafetensorError, KeyError, OverflowError, TypeError, ValueError) as error:
      raise ValueError(
        f"{str(path)!r} is not a ticket, or is damaged ({type(error).__name__}: {error}). Save it "
        "again with Ticket.save, or copy it again."
      ) from error

  def _masks_in(self, model):
    names = self._paths_in(model)
    return {names[path]: mask for path, mask in self.masks.items()}

  def _paths_in(self, model):
    """Dict from the ticket's paths to the model's; raises ValueError where they do not fit."""
    shapes = {p: tuple(v.shape) for p, v in _sites.weights(model).items()}
    own = {p: np.shape(w) for p, w in self.weights.items()}
    names = {p: p for p in own}
    if own.keys() != shapes.keys() and _sites.canonical(own) == _sites.canonical(shapes):
      names = dict(zip(own, shapes, strict=True))
    problems = [f"{p}: not in the model" for p in own if names[p] not in shapes]
    sites = _sites.candidates(model)
    for p, mask in self.masks.items():
      if p not in own:
        problems.append(f"{p}: the ticket has a mask, but no weight")
      elif mask.shape != own[p]:
        problems.append(f"{p}: mask of shape {mask.shape} for a weight of {own[p]}")
      elif names[p] in shapes and names[p] not in sites:
        problems.append(f"{names[p]}: masked, but not prunable in the model (is it frozen?)")
    problems += [f"{p}: not in the ticket" for p in shapes if p not in names.values()]
    problems += [
      f"{names[p]}: {shapes[names[p]]} in the model, {shape} in the ticket"
      for p, shape in own.items()
      if names[p] in shapes and shapes[names[p]] != shape
    ]
    if problems:
      raise ValueError(
        f"The ticket does not fit model {model.name!r}, which is left as it was: "
        f"{'; '.join(problems)}."
      )
    return names


capture = Ticket.capture


class _LaterFormatError(ValueError):
  """A ticket of a later format version."""


def _masks_of(model):
  held = training.held_on(model)
  if held is not None:
    return held.masks
  sites = _sites.sites(model)
  found = {
    path: _sites.value(site.variable if site.wrapper is None else site.wrapper_mask) != 0
    for path, site in sites.items()
  }
  empty = [path for path, mask in found.items() if not mask.any()]
  if empty:
    warnings.warn(f"{', '.join(empty)}: every weight is 0, so all are masked.", stacklevel=3)
  return found


def _storable(array):
  """`array` in a dtype that safetensors stores from NumPy: bfloat16 becomes float32, exactly."""
  array = np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension
  return array if array.dtype.kind in "biuf" else array.astype("float32")


def _unpacked(bits, shape):
  size = int(np.prod(shape))
  if bits.dtype != np.uint8 or bits.size != -(-size // 8):
    raise ValueError(f"a mask of shape {shape} has {bits.size} bytes")
  return np.unpackbits(bits, count=size).astype(bool).reshape(shape)
