"""Connectivity: the error along a path between two networks, and the barrier on it.

Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020,
arXiv:1912.05671.
"""

import numpy as np

from tflottery import arguments
from tflottery import site as _sites
from tflottery.analysis.statistics import STATISTICS, Reestimator

# A barrier of at most 2 points of error, in [0, 1], counts as none (arXiv:1912.05671, section 3).
STABLE = 0.02
_ROUNDING = 1e-6  # Keras's metrics are float32: what lies on the limit must not miss it for that


def line(first, second, amount):
  """The weights on the straight line between two networks: (1 - amount) first + amount second.

  Args:
    first: dict from path to array, as in `tfl.capture(model).weights`.
    second: the same paths and shapes.
    amount: float; 0 gives `first`, 1 gives `second`, both exactly; others are on the same line.

  Returns:
    A dict from path to array of `first`'s dtype. Computed in float64. Arrays of ints and bools have
    nothing in between: they are `first`'s at every amount.

  Raises:
    ValueError: the two don't have the same paths and shapes; lists every one that differs.

  >>> line({"w": np.array([0.0, 2.0])}, {"w": np.array([4.0, 2.0])}, 0.25)["w"].tolist()
  [1.0, 2.0]
  """
  return combine((1 - amount, amount), first=first, second=second)


def bezier(first, control, second, amount):
  """The weights on the quadratic Bezier curve: (1-t)^2 first + 2t(1-t) control + t^2 second.

  Garipov et al., NeurIPS 2018, arXiv:1802.10026, eq. 3, with t = `amount`. The curve begins at
  `first` and ends at `second`, and is drawn towards `control`; `train_bezier` finds one.

  Args:
    first, control, second: dicts from path to array, of the same paths and shapes.
    amount: float in [0, 1].

  Returns:
    A dict from path to array, with dtypes and ints as in `line`.

  Raises:
    ValueError: the three don't have the same paths and shapes; lists every one that differs.

  >>> corner = {"w": np.array([1.0, 1.0])}
  >>> bezier({"w": np.array([0.0, 0.0])}, corner, {"w": np.array([2.0, 0.0])}, 0.5)["w"].tolist()
  [1.0, 0.5]
  """
  shares = bezier_shares(amount)
  return combine(shares, first=first, control=control, second=second)


def bezier_shares(amount):
  """The shares of first, control and second at `amount`, a number or tensor; they sum to 1."""
  return (1 - amount) ** 2, 2 * amount * (1 - amount), amount**2


def combine(shares, **networks):
  """The sum of networks' weights, each times its share; what is no float is the first network's."""
  require_alike(**networks)
  first, *_ = networks.values()

  def combined(path):
    array = np.asarray(first[path])
    if array.dtype.kind in "biu":
      return array.copy()
    parts = zip(shares, networks.values(), strict=True)
    return sum(share * np.float64(weights[path]) for share, weights in parts).astype(array.dtype)

  return {path: combined(path) for path in first}


def require_alike(**networks):
  """Refuse networks, given by the names of their arguments, whose paths or shapes differ."""
  (name, first), *others = networks.items()
  problems = []
  for other, weights in others:
    for path in [*first, *(path for path in weights if path not in first)]:
      shapes = [np.shape(w[path]) if path in w else "absent" for w in (first, weights)]
      if shapes[0] != shapes[1]:
        problems.append(f"{path}: {shapes[0]} in {name}, {shapes[1]} in {other}")
  if problems:
    raise ValueError(
      f"{' and '.join(networks)} are copies whose weights don't match. Give weights of one model. "
      + "; ".join(problems)
    )


def barrier(values):
  """How far the path rises: its highest value minus the mean of its two ends, at least 0.

  Of errors this is the instability of linear mode connectivity, in the units of the errors: the two
  networks are connected ("stable") where it is at most `STABLE`.

  Args:
    values: the error or loss along the path, from its first end to its second, at least 2 numbers.

  Raises:
    ValueError: fewer than two values, or one that is not finite.

  >>> barrier([0.25, 0.75, 0.5])
  0.375
  """
  values = np.asarray(values, np.float64)
  if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
    raise ValueError(f"values={values.tolist()!r}: give two finite numbers or more, in one row.")
  return float(values.max() - (values[0] + values[-1]) / 2)


def is_stable(instability):
  """Whether an instability, of errors in [0, 1], is at most `STABLE`, rounding left aside.

  >>> is_stable(barrier([0.1, 0.12, 0.1])), is_stable(0.021)
  (True, False)
  """
  return instability <= STABLE + _ROUNDING


def evaluate_path(model, path, evaluate, *, points=30, statistics="interpolate", data=None):
  """Evaluate a model at equally spaced places on a path between two networks.

  Args:
    model: a built model of either Keras. Its weights and statistics are afterwards as before, also
      after an error. Masks need not be held: what both ends mask is 0 on the whole line.
    path: function from an amount in [0, 1] to the model's weights there, a dict from path (as
      `first` and `second` of `line`) to array: all of the model's, and nothing else.
    evaluate: function without arguments that returns a number or a tuple of them, for instance
      `lambda: model.evaluate(x, y, verbose=0)`.
    points: number of places, at least 2; the ends, 0 and 1, are among them.
    statistics: "interpolate" takes moving statistics of BatchNormalization as the path gives them;
      "reestimate" estimates them on `data` at every place, the ends too, see `reestimate`. Means of
      two networks' variances are no variance of the network between them, so a residual network's
      error differs much.
    data: for "reestimate": batches as in `reestimate`, or a `statistics.Reestimator` of the model,
      which saves tracing it again.

  Returns:
    A list of tuples (amount, *evaluate()), floats, in the order of the amounts.

  Raises:
    ValueError: an argument is out of range, or the path's weights are not the model's.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="fc")])
  >>> ends = [{"fc/kernel": np.array([[value]], "float32")} for value in (2.0, 4.0)]
  >>> value = lambda: (model.get_weights()[0][0, 0],)
  >>> evaluate_path(model, lambda amount: line(*ends, amount), value, points=3)
  [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0)]
  """
  points = arguments.whole("points", points, least=2)
  require_statistics(statistics, data)
  adapt = None
  if statistics == "reestimate":
    adapt = data if isinstance(data, Reestimator) else Reestimator(model, data)
  variables = _sites.weights(model)
  before = {name: _sites.value(variable) for name, variable in variables.items()}
  rows = []
  try:
    for amount in np.linspace(0, 1, points).tolist():
      weights = path(amount)
      require_alike(model=before, path=weights)
      for name, variable in variables.items():
        variable.assign(weights[name])
      if adapt is not None:
        adapt()
      rows.append((amount, *_numbers(evaluate())))
  finally:
    for name, variable in variables.items():
      variable.assign(before[name])
  return rows


def _numbers(values):
  """What was evaluated, as floats."""
  if isinstance(values, dict):
    raise ValueError(
      f"evaluate returned a dict with {', '.join(values)}. Let it return a number or a tuple of numbers."
    )
  return map(float, np.ravel(values))


def require_statistics(statistics, data):
  """Refuse an unknown choice of statistics, and one to estimate without data."""
  if statistics not in STATISTICS:
    raise ValueError(
      f"statistics={statistics!r} is unknown. Choose one of {', '.join(STATISTICS)}."
    )
  if statistics == "reestimate" and data is None:
    raise ValueError("statistics='reestimate' needs data=, batches of inputs to estimate them on.")
