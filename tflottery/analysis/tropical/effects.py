"""Effects: what a call of a layer does to its tensors, and why it can't be in its place in a network."""

import keras
import tf_keras

_KERAS = ("keras.", "tf_keras.")
_LAYERS = (keras.layers.Layer, tf_keras.layers.Layer)
_DENSE = (keras.layers.Dense, tf_keras.layers.Dense)
_DRAWING = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")  # in training alone
_PASSING = ("ActivityRegularization", "Identity")
_FUNCTIONS = {"relu": "relu", "linear": "pass"} | dict.fromkeys(
  ("softmax", "log_softmax", "softmax_v2", "log_softmax_v2"), "softmax"
)
_CURES = {
  "BatchNormalization": "Fold its scale and offset into the Dense layer, or train without it.",
  "Dense": "Name two of the Dense layers with block=(first, second).",
  "InputLayer": "A model of two Dense layers with a ReLU between them would do.",
}
_CURE = "Name a Dense, ReLU, Dense in the model with block=(first, second), or build one."


def effect(call):
  """ "dense", "relu", "softmax", "flat" (to rank 2), "pass" for no effect; None for any other."""
  layer, kind = call.layer, type(call.layer).__name__
  if not _is_own(layer):
    return None
  if kind == "TFOpLambda":  # a function of TensorFlow's, called in a model of tf_keras
    return "relu" if effect_of(layer.function) == "relu" else None
  if kind == "Softmax":
    is_whole = layer.axis in (-1, call.rank - 1) and call.arguments.get("mask") is None
    return "softmax" if is_whole else None
  if not isinstance(layer, _LAYERS):  # an operation of Keras 3
    return _of_layer(layer)
  if kind in ("Flatten", "Reshape") and call.rank == 2:
    return None if _permutes(call) else "pass" if source(call).rank == 2 else "flat"
  if kind in (*_DRAWING, *_PASSING):
    return None if _draws(call) else "pass"
  if kind == "Activation":
    return effect_of(layer.activation)
  return "dense" if is_dense(call) else _of_layer(layer)


def effect_of(function):
  """The effect of an activation."""
  if isinstance(function, _LAYERS):
    return _of_layer(function)
  own = (getattr(function, "__module__", None) or "").startswith((*_KERAS, "tensorflow."))
  return _FUNCTIONS.get(getattr(function, "__name__", None)) if own else None


def is_dense(call):
  """Whether it is Keras's own Dense layer that is called."""
  return type(call.layer) in _DENSE


def source(call):
  """The one call that this one reads."""
  if len(call.sources) != 1:
    raise refusal(call, f"reads {len(call.sources)} layers, and one is needed")
  return call.sources[0]


def named(function):
  """The name of an activation, for errors."""
  return repr(getattr(function, "__name__", function))


def refusal(call, place):
  """The ValueError for a layer in a place where it can't be."""
  reason, cure = _why(call)
  return ValueError(f"{call} {place}.{reason} {cure}")


def _why(call):
  """What is wrong with the layer itself, and what would do."""
  layer, kind = call.layer, type(call.layer).__name__
  cure = _CURES.get(kind, _CURE)
  if kind == "Activation":
    return f" Its activation is {named(layer.activation)}.", cure
  if kind in ("ReLU", "LeakyReLU") and effect(call) != "relu":
    return " A plain ReLU has no max_value, negative_slope or threshold.", cure
  if isinstance(layer, _DENSE) and not is_dense(call):
    return " A derived class may do anything.", cure
  if _draws(call):
    reason = f" It, or a model that it is in, is called with training={call.arguments['training']}."
    return reason, "Call it without, so that it does nothing outside of training."
  if kind == "Flatten" and _permutes(call):
    reason = " It permutes its inputs first (data_format='channels_first')."
    return reason, "Use 'channels_last', and a kernel after it with its rows in that order."
  return "", cure


def _of_layer(layer):
  """ "relu" for a plain ReLU layer, or operation of Keras 3."""
  plain = type(layer).__name__ in ("ReLU", "Relu") and _is_own(layer)
  limit = getattr(layer, "max_value", None)
  bent = any(getattr(layer, name, 0) for name in ("negative_slope", "threshold"))
  return "relu" if plain and limit is None and not bent else None


def _is_own(layer):
  """Whether the class is one of Keras's own."""
  return type(layer).__module__.startswith(_KERAS)


def _draws(call):
  """Whether a call changes its input at random, or may, outside of the model's training."""
  training = call.arguments.get("training")
  is_on = training is not None and training is not False
  return is_on and type(call.layer).__name__ in _DRAWING


def _permutes(call):
  """Whether a Flatten gives its inputs in another order than a reshape does."""
  is_first = getattr(call.layer, "data_format", None) == "channels_first"
  return is_first and any(read.rank > 2 for read in call.sources)
