"""Drawn: weights that need not be stored, because they can be computed again from a seed."""

import dataclasses
import json
import numbers
from typing import Any

import keras
import numpy as np
import tf_keras

from tflottery.tickets import reset

KERASES = {"keras": keras, "tf_keras": tf_keras}


@dataclasses.dataclass(frozen=True)
class Drawn:
  """How the values of one weight are drawn; equal ones give equal bits, in every process.

  Another version of Keras, or another kind of machine, may draw other numbers, which a `Ticket`
  finds out by a checksum.

  Attributes:
    initializer: dict with the `class_name` of a built-in initializer and its `config` without a
      seed, JSON values.
    shape: tuple of ints.
    seed: tuple of ints of at least 0.
    keras: whose initializer it is, "keras" or "tf_keras".
    constant: True takes the signs of what was drawn times its standard deviation (of the
      population, in float32): the signed constant of Zhou et al. 2019, arXiv:1905.01067.
    multiple: what all values are multiplied by, in float32.

  Raises:
    ValueError: a field is not of this form.

  >>> ones = Drawn({"class_name": "Ones", "config": {}}, (2, 3), 0, multiple=0.5)
  >>> ones.values().tolist()
  [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
  >>> Drawn.from_json(ones.to_json()) == ones
  True
  """

  initializer: dict[str, Any]
  shape: tuple
  seed: tuple
  keras: str = "keras"
  constant: bool = False
  multiple: float = 1.0

  def __post_init__(self):
    for name in ("shape", "seed"):
      given = getattr(self, name)
      given = (given,) if isinstance(given, numbers.Integral) else tuple(given)
      if not all(isinstance(n, numbers.Integral) and n >= 0 for n in given):
        raise ValueError(f"{name}={given!r} must be ints of at least 0.")
      object.__setattr__(self, name, tuple(int(n) for n in given))
    object.__setattr__(self, "constant", bool(self.constant))
    object.__setattr__(self, "multiple", float(self.multiple))
    if not np.isfinite(np.float32(self.multiple)):
      raise ValueError(f"multiple={self.multiple!r} must be finite in float32.")
    self._object()

  @classmethod
  def of(cls, site, seed, *, keras, constant=False, multiple=1.0):
    """The draw of a `Site` by the initializer that its layer declares.

    Raises:
      ValueError: it declares none, or one that is not built in, or that JSON can't hold.
    """
    initializer = site.initializer
    if not hasattr(initializer, "get_config"):  # none, or a plain function
      raise ValueError(
        f"{site.path}: its layer declares no initializer, so it can't be drawn from a seed. Take its "
        "weights as they are (seed=None)."
      )
    config = {key: v for key, v in initializer.get_config().items() if key != "seed"}
    kind = {"class_name": type(initializer).__name__, "config": config}
    if type(initializer) is not getattr(KERASES[keras].initializers, kind["class_name"], None):
      raise ValueError(
        f"{site.path}: its initializer {initializer!r} is none that is built into {keras}, so a file "
        "can't name it. Take its weights as they are (seed=None)."
      )
    return cls(kind, site.shape, seed, keras, constant, multiple)

  def values(self):
    """The values, a float32 array."""
    like = np.zeros(self.shape, "float32")
    values = reset.reinit(like, None, None, seed=self.seed, initializer=self._object())
    if self.constant:
      values = reset.constant(values, None, None, keep_sign=True)
    return (values * np.float32(self.multiple)).astype("float32")

  def to_json(self):
    """A dict of JSON values."""
    return dataclasses.asdict(self) | {"shape": list(self.shape), "seed": list(self.seed)}

  @classmethod
  def from_json(cls, values):
    """The inverse of `to_json`. Only built-in initializers are made, and nothing is executed."""
    try:
      return cls(**values)
    except TypeError as error:
      raise ValueError(f"{values!r} is no recipe of weights ({error}).") from error

  def _object(self):
    """The initializer, with a seed that `reset.reinit` replaces.

    Raises:
      ValueError: it is none of this Keras's, or its config does not fit.
    """
    if not isinstance(self.keras, str) or self.keras not in KERASES:
      raise ValueError(f"keras={self.keras!r} is unknown. Choose one of {', '.join(KERASES)}.")
    module = KERASES[self.keras].initializers
    try:
      name, config = self.initializer["class_name"], self.initializer["config"]
      kind = getattr(module, name)
      if not issubclass(kind, module.Initializer):
        raise TypeError(f"{name} is no initializer")
      json.dumps(config, allow_nan=False)
      return kind.from_config(config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        f"initializer={self.initializer!r} is none that {self.keras} has built in "
        f"({type(error).__name__}: {error})."
      ) from error
