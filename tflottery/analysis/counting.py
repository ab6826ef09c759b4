"""FLOPs: multiplications and additions per example, dense and at masks, and what training takes."""

import dataclasses
import inspect
import math

import numpy as np
import tensorflow as tf

from tflottery import allocations, arguments
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.analysis import operations as _operations


@dataclasses.dataclass(frozen=True)
class LayerFlops:
  """One layer's multiplications and additions per example, over all its calls.

  Attributes:
    path: the layer's path below the model.
    dense: with every weight.
    sparse: with the weights that live.
  """

  path: str
  dense: int
  sparse: int


@dataclasses.dataclass(frozen=True)
class Flops:
  """A network's multiplications and additions per example.

  Attributes:
    layers: a `LayerFlops` for each layer that computes, in the order of the model.
  """

  layers: tuple[LayerFlops, ...]

  @property
  def dense(self):
    """Of the dense network."""
    return sum(layer.dense for layer in self.layers)

  @property
  def sparse(self):
    """Of the sparse network."""
    return sum(layer.sparse for layer in self.layers)

  @property
  def ratio(self):
    """The sparse network's as a share of the dense one's, in (0, 1]."""
    return self.sparse / self.dense

  def __str__(self):
    rows = [*self.layers, LayerFlops("total", self.dense, self.sparse)]
    width = max(len(row.path) for row in rows)
    lines = [f"{'layer':<{width}}  {'dense':>15}  {'sparse':>15}  share"]
    for row in rows:
      share = f"{row.sparse / row.dense:.3f}" if row.dense else "-"
      lines.append(f"{row.path:<{width}}  {row.dense:>15,}  {row.sparse:>15,}  {share}")
    return "\n".join(lines)


def flops(model, masks=None, *, sparsities=None, inputs=None):
  """Multiplications and additions of a forward pass, per example.

  What counts:
    - A multiply-add counts as 2: a Dense kernel of n_in x n_out takes 2 n_in n_out at every position
      that it is applied to. A bias takes 1 addition per output.
    - Convolutions of every kind, grouped, depthwise, separable, dilated, and transposed; padding is
      multiplied like anything else, as is usual. EinsumDense; attention: its projections, and the
      products of queries, keys and values; recurrent layers: kernels and biases at every step.
    - Average pooling: the window of every output. Maximum pooling compares, which counts nothing.
    - Batch normalisation in inference, one multiplication and one addition; other normalisations by
      their formulas (5 per number, and scale and shift).
    - An embedding is looked up: 0.
    - Not counted: activations, softmax, sums of branches, preprocessing, Lambda and operations
      without a layer.

  A masked weight saves its multiply-adds, wherever it is; nothing else is saved. A layer that is
  called several times counts each time.

  Args:
    model: a built model of either Keras. It is traced for one example; nothing is computed.
    masks: dict from site path to bool array; an absent site is dense. None is dense throughout.
    sparsities: dict from site path to sparsity in [0, 1), in place of `masks`: the FLOPs of masks
      that keep `masks.kept_count` weights of each site, known before there are any.
    inputs: a batch of examples as the model takes them, for a model that does not know its input
      shape: subclassed, or open in height, width or length.

  Returns:
    A `Flops`; print it for a table.

  Warns by name of layers whose weights it cannot count.

  Raises:
    TypeError: the model is not of Keras.
    ValueError: the model is not built, its input shape is open, both masks and sparsities are
      given, or one of them names no weight of the model or does not fit it.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
  >>> flops(model).dense, flops(model, sparsities={"fc/kernel": 0.5}).sparse
  (27, 15)
  """
  if masks is not None and sparsities is not None:
    raise ValueError("masks and sparsities are both given: they say the same. Give one.")
  found = _operations.operations(model, inputs)
  shapes = {path: tuple(v.shape) for path, v in _sites.weights(model).items()}
  return _at(found, shapes, _kept(masks or {}, sparsities or {}, shapes))


def sparsity_for_flops(model, budget, allocation="erk", *, only=None, exclude=None, inputs=None):
  """The sparsity at which the network takes a share of its dense FLOPs.

  Args:
    model: as for `flops`.
    budget: share of the dense network's FLOPs, in (0, 1).
    allocation: of any form that `allocations.sparsities` takes.
    only, exclude: which weights are sites, as for `tflottery.sites`.
    inputs: as for `flops`.

  Returns:
    A float in (0, 1), the lowest sparsity that takes at most `budget`, to one weight. None is tried
    that leaves fewer weights than there are sites.

  Raises:
    ValueError: `budget` is out of range, or the allocation cannot reach it: names what it can.

  >>> import keras
  >>> layers = [keras.Input((100,)), keras.layers.Dense(50), keras.layers.Dense(10)]
  >>> round(sparsity_for_flops(keras.Sequential(layers), 0.25, "equal"), 3)
  0.754
  """
  arguments.share("budget", budget)
  found = _operations.operations(model, inputs)
  every = {path: tuple(v.shape) for path, v in _sites.weights(model).items()}
  shapes = {path: every[path] for path in _sites.sites(model, only=only, exclude=exclude)}

  def ratio(sparsity):
    given = allocations.sparsities(shapes, sparsity, allocation)
    return _at(found, every, _kept({}, given, shapes)).ratio

  size = sum(math.prod(shape) for shape in shapes.values())
  low, high = 1 / (2 * size), (size - len(shapes)) / size
  most, least = ratio(low), ratio(high)
  if not least <= budget <= most:
    raise ValueError(
      f"budget={budget!r} cannot be reached with allocation={allocation!r}: it takes {least:.4f} to "
      f"{most:.4f} of the dense FLOPs. The rest is not sparse: biases, normalisation, and what the "
      "allocation leaves dense or gives a sparsity of its own."
    )
  while high - low > 0.5 / size:
    middle = (low + high) / 2
    low, high = (low, middle) if ratio(middle) <= budget else (middle, high)
  return high


def training_flops(method, *, dense, sparse=None, frequency=None, schedule=None, steps=None):
  """Multiplications and additions of a training step, per example, on average.

  A step is a forward pass, and a backward pass that takes twice as much: to the inputs, and to the
  weights. Evci et al. 2020, arXiv:1911.11134, appendix H, with f_D for `dense`, f_S for `sparse`:

    dense, slimming, l0                                  3 f_D
    variational_dropout, of means and of variances       6 f_D
    static, set, snip, grasp, synflow, small_dense       3 f_S
    snfs, whose gradients are dense at every step        2 f_S + f_D
    rigl, dense at every update, `frequency` steps apart (3 f_S frequency + 2 f_S + f_D) / (frequency + 1)
    magnitude, gradual, random, at s_t in step t         mean over t of 3 f_D (1 - s_t)

  The last, s_t the sparsity, takes FLOPs to fall as the weights do. What a criterion takes before training, and to
  rank weights, is left out, as in the paper.

  Args:
    method: one of those names.
    dense: FLOPs of the dense network's forward pass, as `flops(...).dense`.
    sparse: those of the sparse network; of the small network for small_dense.
    frequency: steps between two updates of the masks.
    schedule: step -> (due, sparsity), a tfmot `PruningSchedule` or a function of its form.
    steps: length of the training.

  Returns:
    A float; times batch size and steps, the FLOPs of the training.

  Raises:
    ValueError: the method is unknown, or one of the numbers it needs is missing or not above 0.

  >>> training_flops("rigl", dense=1000, sparse=100, frequency=9)
  390.0
  """
  if method not in TRAINING:
    raise ValueError(f"method={method!r} is unknown. Choose one of {', '.join(TRAINING)}.")
  given = {"dense": dense, "sparse": sparse, "frequency": frequency, "schedule": schedule}
  given |= {"steps": steps}
  needed = {name: given[name] for name in inspect.signature(TRAINING[method]).parameters}
  for name, value in needed.items():
    if value is None:
      raise ValueError(f"method={method!r} needs {name}=, which is not given.")
    if name != "schedule":
      arguments.positive(name, value)
  return float(TRAINING[method](**needed))


def _always_dense(dense):
  return 3 * dense


def _twice_dense(dense):
  return 6 * dense


def _always_sparse(sparse):
  return 3 * sparse


def _dense_gradients(dense, sparse):
  return 2 * sparse + dense


def _dense_gradients_at_updates(dense, sparse, frequency):
  return (3 * sparse * frequency + _dense_gradients(dense, sparse)) / (frequency + 1)


def _gradual(dense, schedule, steps):
  @tf.function
  def live_shares():
    sparsity, total = tf.zeros([], tf.float64), tf.zeros([], tf.float64)
    for step in tf.range(tf.constant(steps, tf.int64)):
      total += 1 - sparsity  # masks change after the step that they are due in
      due, amount = schedule(step)
      sparsity = tf.where(due, tf.cast(amount, tf.float64), sparsity)
    return total

  return 3 * dense * float(live_shares()) / steps


TRAINING = {
  "dense": _always_dense,
  "l0": _always_dense,
  "variational_dropout": _twice_dense,
  "slimming": _always_dense,
  "small_dense": _always_sparse,
  "static": _always_sparse,
  "set": _always_sparse,
  "snip": _always_sparse,
  "grasp": _always_sparse,
  "synflow": _always_sparse,
  "snfs": _dense_gradients,
  "rigl": _dense_gradients_at_updates,
  "magnitude": _gradual,
  "gradual": _gradual,
  "random": _gradual,
}


def _at(found, shapes, kept):
  """FLOPs with `kept` weights of each path; an absent path is dense."""

  def layer(own):
    dense = sum(2 * uses * math.prod(shapes[path]) for path, uses in own.uses.items())
    saved = sum(
      2 * uses * (math.prod(shapes[path]) - kept[path])
      for path, uses in own.uses.items()
      if path in kept
    )
    return LayerFlops(own.path, dense + own.other, dense + own.other - saved)

  return Flops(tuple(layer(own) for own in found))


def _kept(masks, sparsities, shapes):
  """How many weights live at each path; refuses what does not fit `shapes`."""
  for name, given in (("masks", masks), ("sparsities", sparsities)):
    unknown = [path for path in given if path not in shapes]
    if unknown:
      raise ValueError(
        f"{name}: {', '.join(map(repr, unknown))} is no weight of the model. The weights are: "
        f"{', '.join(shapes)}."
      )
  for path, mask in masks.items():
    if np.shape(mask) != shapes[path]:
      raise ValueError(
        f"masks[{path!r}] has shape {np.shape(mask)}, but the weight has {shapes[path]}."
      )
  for path, value in sparsities.items():
    arguments.share(f"sparsities[{path!r}]", value, zero=True)
  kept = {path: int(np.count_nonzero(mask)) for path, mask in masks.items()}
  return kept | {p: _masks.kept_count(math.prod(shapes[p]), s) for p, s in sparsities.items()}
