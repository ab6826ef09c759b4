"""Sites: which weights of a model can be pruned, by path. Knows both Kerases and tfmot's wrapper.

A path is the names of the layers below the model, then the weight's own: `block/dense/kernel`.
"""

import dataclasses
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

# Kernels by their names in Keras: kernel, recurrent_kernel, depthwise_kernel, pointwise_kernel,
# embeddings. Einsum projections (attention) call theirs kernel too.
_PRUNABLE = re.compile(r"^(.*_)?kernel$|^embeddings$")
_STAYS_DENSE = re.compile(r"bias|^gamma$|^beta$")


@dataclasses.dataclass(frozen=True)
class Site:
  """One prunable weight.

  Attributes:
    path: the weight's path below the model, for instance `block/dense/kernel`.
    variable: the Keras variable.
    layer: the layer that owns it.
    wrapper: tfmot's `PruneLowMagnitude` around that layer, or None.
  """

  path: str
  variable: Any
  layer: Any
  wrapper: Any = None

  @property
  def shape(self):
    return tuple(int(n) for n in self.variable.shape)

  @property
  def initializer(self):
    """The layer's initializer of this weight, or None where it declares none."""
    name = _name(self.variable)
    names = [f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer"]
    names.append("depthwise_initializer")  # DepthwiseConv2D's, whose weight Keras 3 calls kernel
    return next((getattr(self.layer, n) for n in names if getattr(self.layer, n, None)), None)

  @property
  def wrapper_mask(self):
    """The mask variable (float, 0 or 1) of tfmot's wrapper; None without a wrapper."""
    if self.wrapper is None:
      return None
    return next(m for w, m, _ in self.wrapper.pruning_vars if w is self.variable)


def keras_of(model):
  """The module, `keras` or `tf_keras`, that `model` is a model of.

  Raises:
    TypeError: `model` is neither.
  """
  for module in (keras, tf_keras):
    if isinstance(model, module.Model):
      return module
  raise TypeError(
    f"model must be a model of Keras 3 or of tf_keras. Received: {model!r} of type "
    f"{type(model).__module__}.{type(model).__qualname__}."
  )


def sites(model, *, only=None, exclude=None, policy=None):
  """The prunable weights of a built model.

  By default the kernels of Dense, convolution, embedding and recurrent layers and the projections
  of attention: trainable float weights of rank 2 and more named as kernels. Biases and
  normalisation parameters stay dense. In a model wrapped by tfmot's `prune_low_magnitude` the
  wrapped weights are the sites, and nothing else.

  Args:
    model: a built model of either Keras.
    only: regular expression, or several, searched in paths; None means every site. Weights of
      rank 2 and more that are not chosen by default (a custom layer's) can be named here.
    exclude: regular expression, or several; what matches is no site.
    policy: a tfmot `PruningPolicy`, or any object with its `allow_pruning(layer)`; None allows all.

  Returns:
    A dict from path to `Site`, in the order of the model's layers.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: the model is not built, has no prunable weight, or a pattern matches nothing.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="fc")])
  >>> sites(model)["fc/kernel"].shape
  (4, 3)
  """
  found = _wrapped(model) or _plain(model, by_name=only is None)
  available = list(found)
  if policy is not None:
    if hasattr(policy, "ensure_model_supports_pruning"):
      policy.ensure_model_supports_pruning(model)
    found = {path: site for path, site in found.items() if policy.allow_pruning(site.layer)}
  if only is not None:
    matched = matching(only, found, argument="only", available=available)
    found = {path: site for path, site in found.items() if path in matched}
  if exclude is not None:
    matched = matching(exclude, available, argument="exclude", available=available)
    found = {path: site for path, site in found.items() if path not in matched}
  if not found:
    reason = f" allowed by policy={policy!r}" if policy is not None else ""
    left = f"; only={only!r} and exclude={exclude!r} leave none of {available}" if available else ""
    raise ValueError(
      f"model {model.name!r} has no prunable weight{reason}{left}. Prunable are trainable kernels "
      "of rank 2 and more; name others with only=."
    )
  return found


def candidates(model):
  """Everything that can be a site: what is chosen by default and what `only` can name."""
  return _wrapped(model) or _plain(model, by_name=False)


def matching(patterns, paths, *, argument, available=None):
  """The set of paths in which any of the patterns is found.

  Raises:
    ValueError: a pattern is no regular expression or matches no path; names `argument`.

  >>> matching("fc[12]/", ["fc1/kernel", "fc2/kernel", "output/kernel"], argument="only") == {
  ...   "fc1/kernel", "fc2/kernel"}
  True
  """
  matched = set()
  for pattern in [patterns] if isinstance(patterns, (str, re.Pattern)) else patterns:
    try:
      hits = {path for path in paths if re.search(pattern, path)}
    except re.error as error:
      raise ValueError(f"{argument}={pattern!r} is not a regular expression: {error}.") from error
    if not hits:
      raise ValueError(
        f"{argument}={pattern!r} matches no prunable weight. The weights are: "
        f"{', '.join(available or paths)}."
      )
    matched |= hits
  return matched


def weights(model):
  """Every weight of a built model by path: the trainable ones, and statistics such as BatchNorm's.

  What tfmot's wrappers add (masks, thresholds, steps), metrics and the state of random generators
  are no weights of the network.

  Returns:
    A dict from path to Keras variable, in the order of the model's layers.
  """
  found = {}
  for prefix, layer, _ in layers(model):
    if not _is_wrapper(layer):
      for variable in _own(layer, "trainable") + _own(layer, "non_trainable"):
        found[_unused("/".join([*prefix, _name(variable)]), found)] = variable
  if not found:
    raise ValueError(
      f"model {model.name!r} has no weights yet: it is not built. Call it once on a batch, or give "
      "it an Input, before it is pruned."
    )
  return found


def canonical(paths):
  """Paths with the numbers that Keras gives by itself (`dense_7`) counted from this model's first.

  Two builds of one model differ only in these numbers, so they have the same canonical paths.

  >>> canonical(["dense_7/kernel", "dense_7/bias", "dense_8/kernel"])
  ['dense/kernel', 'dense/bias', 'dense_1/kernel']
  """
  counts, renamed = {}, {}
  result = []
  for path in paths:
    *layers, weight = path.split("/")
    prefix = ()
    for layer in layers:
      key = (*prefix, layer)
      if key not in renamed:
        stem = (*(renamed[prefix] if prefix else ()), re.sub(r"_\d+$", "", layer))
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        renamed[key] = (*stem[:-1], f"{stem[-1]}_{number}" if number else stem[-1])
      prefix = key
    result.append("/".join([*(renamed[prefix] if prefix else ()), weight]))
  return result


def _wrapped(model):
  """The sites of tfmot's wrappers, {} in a model without any."""
  names = {id(variable): path for path, variable in weights(model).items()}
  found = {}
  for _, layer, _ in layers(model):
    if _is_wrapper(layer):
      for variable, _, _ in layer.pruning_vars:
        path = names[id(variable)]
        found[path] = Site(path, variable, layer.layer, layer)
  return found


def _plain(model, *, by_name):
  owners = {
    id(variable): layer
    for _, layer, _ in layers(model)
    if layer.trainable  # in tf_keras the weights of a frozen layer still call themselves trainable
    for variable in _own(layer, "trainable")
  }
  found = {}
  for path, variable in weights(model).items():
    name = _name(variable)
    is_matrix = len(variable.shape) >= 2 and tf.as_dtype(variable.dtype).is_floating
    chosen = _PRUNABLE.search(name) if by_name else not _STAYS_DENSE.search(name)
    if id(variable) in owners and variable.trainable and is_matrix and chosen:
      found[path] = Site(path, variable, owners[id(variable)])
  return found


def layers(model):
  """(names on the way, layer, parent) of the model and of every layer in it, each once."""
  keras_of(model)
  seen = set()

  def walk(layer, prefix, parent):
    if id(layer) in seen:
      return
    seen.add(id(layer))
    yield prefix, layer, parent
    for child in layer._flatten_layers(recursive=False, include_self=False):
      if hasattr(child, "update_state"):  # tf_keras lists metrics among the layers
        continue
      yield from walk(child, prefix if _is_wrapper(child) else (*prefix, child.name), layer)

  yield from walk(model, (), None)


def wrappers(model):
  """tfmot's wrappers in a model."""
  return [layer for _, layer, _ in layers(model) if _is_wrapper(layer)]


def empty_wrappers(model):
  """tfmot's wrappers that have no weight to prune, such as a BatchNormalization's."""
  return [wrapper for wrapper in wrappers(model) if not wrapper.pruning_vars]


def without_wrappers(model):
  """`model` without tfmot's wrappers: a new model of the same layers, or `model` if it has none.

  Raises:
    ValueError: wrapped layers in a subclassed model, which tfmot can't rebuild.
  """
  if not wrappers(model):
    return model
  from tflottery import tfmot

  try:
    return tfmot.load().sparsity.keras.strip_pruning(model)
  except (NotImplementedError, ValueError) as error:
    raise ValueError(
      f"The pruning wrappers of model {model.name!r} can't be taken off: {error} Only Sequential "
      "and functional models can be stripped of them; build the model without wrappers and put the "
      "weights in."
    ) from error


def _is_wrapper(layer):
  return hasattr(layer, "pruning_vars") and hasattr(layer, "pruning_obj")


def _own(layer, kind):
  """The variables that `layer` itself owns; kind is trainable or non_trainable."""
  lists = (
    ("_trainable_variables", "_trainable_weights"),
    (
      "_non_trainable_variables",
      "_non_trainable_weights",
    ),
  )
  keras3, keras2 = lists[kind == "non_trainable"]
  return list(getattr(layer, keras3 if isinstance(layer, keras.Layer) else keras2))


def _name(variable):
  return variable.name.rsplit("/", 1)[-1].split(":")[0]


def _unused(path, taken):
  """`path`, numbered where two layers of one parent share a name."""
  names = (path if n == 1 else f"{path}_{n}" for n in range(1, len(taken) + 2))
  return next(name for name in names if name not in taken)


def value(variable):
  """The variable's value as a NumPy array, outside of any replica."""
  return np.array(variable.numpy() if hasattr(variable, "numpy") else variable)
