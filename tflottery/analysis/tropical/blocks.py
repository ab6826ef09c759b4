"""Blocks: a Dense, a ReLU and a Dense of a Keras model, read as a network; anything else is refused."""

import numpy as np

from tflottery import site as _sites
from tflottery.analysis.tropical import chains
from tflottery.analysis.tropical.magnitude import RULES, magnitude_prune
from tflottery.analysis.tropical.network import Network
from tflottery.analysis.tropical.polytopes import DecisionPolytopes
from tflottery.analysis.tropical.pruning import tropical_prune


def network_of(model, block=None):
  """The network f(x) = B max(A x + c1, 0) + c2 that a model is, or that a block of it is.

  A model is read if it is [Flatten,] Dense, ReLU, Dense [and softmax or log_softmax, which leaves the
  boundary where it is: f is the logits]. x is what the first Dense reads: of images their numbers in
  order, `images.reshape(len(images), -1)`. Not counted are what these do outside of training: Dropout,
  AlphaDropout, GaussianDropout, GaussianNoise, ActivityRegularization, Identity, a linear Activation.
  The ReLU may be `keras.ops.relu` or `tf.nn.relu`. Masks that are held are zeros of the weights
  already, and LoRA is added to its kernel.

  Args:
    model: a built Sequential or functional model of either Keras, models inside it unfolded.
    block: None for the whole model; or the names, or paths, of two Dense layers inside any such model,
      the second of which reads the first through a ReLU alone. f is then what the second returns
      before its own activation.

  Returns:
    A `Network` of copies of the weights in float64, of any float dtype before.

  Raises:
    TypeError: `model` is no Keras model.
    ValueError: the model, or the block, has another form, fewer than two outputs, or a weight that is
      not finite: names the layer, its class and what would do.

  >>> import keras
  >>> model = keras.Sequential([
  ...   keras.Input((2,)), keras.layers.Dense(1, "relu"), keras.layers.Dense(2, "softmax")])
  >>> values = [[3.0], [4.0]], [-5.0], [[1.0, -1.0]], [0.0, 2.0]
  >>> model.set_weights([np.array(value) for value in values])
  >>> network = network_of(model)
  >>> network.A.tolist(), network.B.tolist(), network([2, 1]).tolist()
  ([[3.0, 4.0]], [[1.0], [-1.0]], [5.0, -3.0])
  """
  hidden, out = chains.chain(model, block)
  A, c1 = _weights(hidden)
  B, c2 = _weights(out)
  if len(B) < 2:
    raise ValueError(
      f"{out} has one unit: a decision boundary lies between two classes. Give it two, or take "
      "Network(A, B, c1, c2) with the rows 0 and z in B for a single logit z."
    )
  return Network(A, B, c1, c2)


def paths_of(model, block=None):
  """Which of a model's weights are those of the network that `network_of` reads.

  Args:
    model, block: as in `network_of`.

  Returns:
    A dict from "A", "B", and "c1" and "c2" for biases that there are, to the path of the weight, as
    `tflottery.site.weights` has it. The kernels are the transposes of A and B.

  Raises:
    TypeError: `model` is no Keras model.
    ValueError: the model, or the block, has another form; or A and B are no weights of their own: one
      layer serves as both, a layer is quantized, or its kernel is a sum with LoRA's.

  >>> import keras
  >>> model = keras.Sequential([
  ...   keras.Input((2,)), keras.layers.Dense(3, "relu", name="fc"),
  ...   keras.layers.Dense(2, use_bias=False, name="out")])
  >>> paths_of(model)
  {'A': 'fc/kernel', 'B': 'out/kernel', 'c1': 'fc/bias'}
  """
  return _paths(model, *chains.chain(model, block))


def decision_polytopes(model, pair=(0, 1), *, block=None):
  """The polytopes that govern the boundary between two classes of a Keras model.

  Alfarra et al. 2022, arXiv:2002.08838, theorem 2.

  Args:
    model, block: as in `network_of`.
    pair: two different classes (i, j), indices of the model's outputs.

  Returns:
    A `DecisionPolytopes`.

  Raises:
    TypeError, ValueError: as in `network_of`, or `pair` names no two classes.

  >>> import keras
  >>> model = keras.Sequential([
  ...   keras.Input((2,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(2)])
  >>> model.set_weights([np.eye(2), np.zeros(2), np.diag([3.0, 4.0]), np.zeros(2)])
  >>> decision_polytopes(model).hull().tolist()
  [[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]
  """
  return DecisionPolytopes(network_of(model, block), pair)


def tropical_masks(model, share, *, block=None, rule="tropical"):
  """Masks for the two kernels of a model, or of a block, that prune a share of their entries.

  Args:
    model, block: as in `network_of`; the two layers are trainable.
    share: share of the entries of both kernels that is masked, in [0, 1).
    rule: "tropical", see `tropical_prune`, with the hidden layer's bias; or a rule of
      `magnitude_prune`.

  Returns:
    A dict from site path to bool array of the kernel's shape, as `tfl.hold` and `Ticket.capture` take
    it. Entries that are 0 already are masked.

  Raises:
    TypeError, ValueError: as in `network_of` and `paths_of`, or an argument is out of range.

  >>> import keras
  >>> model = keras.Sequential([
  ...   keras.Input((1,)), keras.layers.Dense(2, "relu", name="fc"), keras.layers.Dense(2, name="out")])
  >>> values = [[3.0, 1.0]], [0.0, 0.0], [[1.0, 2.0], [1.0, 1.0]], [0.0, 0.0]
  >>> model.set_weights([np.array(value) for value in values])
  >>> masks = tropical_masks(model, 0.5)
  >>> masks["fc/kernel"].tolist(), masks["out/kernel"].tolist()
  ([[True, False]], [[True, True], [False, False]])
  """
  if rule not in ("tropical", *RULES):
    names = ", ".join(map(repr, ("tropical", *RULES)))
    raise ValueError(f"rule={rule!r} is unknown. Choose one of {names}.")
  network = network_of(model, block)
  paths = _prunable(model, *chains.chain(model, block))
  if rule == "tropical":
    pruned = tropical_prune(network.A, network.B, share, c1=network.c1)
  else:
    pruned = magnitude_prune(network.A, network.B, share, rule=rule)
  return {path: mask.T for path, mask in zip(paths, pruned.masks, strict=True)}


def _prunable(model, *calls):
  """The paths of the kernels of two calls' layers."""
  found = _paths(model, *calls)
  sites = _sites.candidates(model)
  for call, name in zip(calls, ("A", "B"), strict=True):
    if found[name] not in sites:
      raise ValueError(f"{call} is not trainable, so it can't be pruned. Set trainable=True.")
  return found["A"], found["B"]


def _paths(model, hidden, out):
  """Dict from "A", "B", "c1", "c2" to the path of the weight."""
  if hidden.layer is out.layer:
    raise ValueError(
      f"{hidden} is both layers of the block: A and B are one weight. Give each its own layer."
    )
  for call in (hidden, out):
    _refuse_quantized(call)
    if getattr(call.layer, "lora_enabled", False):
      raise ValueError(
        f"{call} has LoRA enabled: its kernel is the sum of several weights. Save the model's weights, "
        "which merges them, and load them into the model built without LoRA."
      )
  paths = {id(variable): path for path, variable in _sites.weights(model).items()}
  variables = {"A": hidden.layer.kernel, "B": out.layer.kernel}
  variables |= {"c1": hidden.layer.bias, "c2": out.layer.bias}
  return {name: paths[id(v)] for name, v in variables.items() if v is not None}


def _refuse_quantized(call):
  mode = getattr(call.layer, "quantization_mode", None)
  if mode:
    raise ValueError(
      f"{call} is quantized ({mode}): its kernel is no float weight. Give the model as it was before."
    )


def _weights(call):
  """(kernel [outputs, inputs], bias or None) of a Dense layer, float64."""
  layer = call.layer
  _refuse_quantized(call)
  kernel = _sites.value(layer.kernel).astype(float)
  bias = _sites.value(layer.bias).astype(float) if layer.use_bias else None
  if not all(np.isfinite(values).all() for values in (kernel, bias) if values is not None):
    raise ValueError(
      f"{call} holds a weight that is not finite (NaN or infinity): its training diverged. Give a "
      "model from before."
    )
  return kernel.T, bias
