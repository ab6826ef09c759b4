"""Chains: the two Dense layers around a ReLU in a Keras model; any other form is refused by name."""

import keras
import tf_keras

from tflottery import site as _sites
from tflottery.analysis.tropical.wiring import wiring
from tflottery.layers.parametrised import PARAMETRISED

_KERAS = ("keras.", "tf_keras.")
_DENSE = (keras.layers.Dense, tf_keras.layers.Dense)
# They pass their input on as it is, outside of training.
_PASSING = (
  *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
  *("ActivityRegularization", "Identity"),
)
_FUNCTIONS = {"relu": "relu", "linear": "pass"} | dict.fromkeys(
  ("softmax", "log_softmax", "softmax_v2", "log_softmax_v2"), "softmax"
)
_CURES = {
  "BatchNormalization": "Fold its scale and offset into the Dense layer, or train without it.",
  "Dense": "Name two of the Dense layers with block=(first, second).",
  "InputLayer": "A model of two Dense layers with a ReLU between them would do.",
}
_CURE = "Name a Dense, ReLU, Dense in the model with block=(first, second), or build one."


def chain(model, block):
  """The calls of the two Dense layers; `model`, `block` and errors as in `blocks.network_of`."""
  _sites.keras_of(model)
  _refuse_wrapped(model)
  found = wiring(model)
  if found is None:
    raise ValueError(
      f"model {model.name!r} ({type(model).__name__}) is not built, or what it does is not known as a "
      "graph. Give a Sequential an Input, or call it once on a batch; write a subclassed model with "
      "the functional API, or take Network(A, B, c1, c2) of its weights."
    )
  return _whole(model, *found) if block is None else _block(found[1], block)


def _whole(model, inputs, calls, outputs):
  if len(inputs) != 1 or len(outputs) != 1:
    raise ValueError(
      f"model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; one of each is "
      "needed. Name two Dense layers with block=(first, second)."
    )
  out = _passed(outputs[0], ("pass", "softmax"))
  if _effect(out) != "dense":
    raise _refusal(out, "ends the model, where a Dense layer of logits is needed")
  if _of_function(out.layer.activation) not in ("pass", "softmax"):
    raise ValueError(
      f"{out} has the activation {_named(out.layer.activation)}, and logits have none, or softmax. "
      "Take it off, or name the layers with block=(first, second): what the second returns before its "
      "activation is read."
    )
  hidden = _before(out)
  first = _passed(_source(hidden), ("pass", "flat"))
  if first is not inputs[0]:
    raise _refusal(
      first, f"comes before {hidden} and {out}, and one hidden layer is all that is read"
    )
  if _source(hidden).rank != 2:
    raise ValueError(
      f"{hidden} reads tensors of {_source(hidden).rank} axes, so it is a network at each place. Put a "
      "Flatten before it, or name the two layers with block=(first, second) if that is meant."
    )
  return hidden, out


def _block(calls, block):
  if not isinstance(block, (tuple, list)) or len(block) != 2:
    raise ValueError(f"block={block!r} must name two Dense layers, as ('fc1', 'fc2').")
  first, second = (_calls_of(name, calls, block) for name in block)
  if len(second) > 1:
    raise ValueError(
      f"block={block!r}: {second[0]} is called {len(second)} times, and which call is meant is not "
      "known. Give each its own layer."
    )
  hidden = _before(second[0])
  if hidden.layer is not first[0].layer:
    raise ValueError(
      f"block={block!r}: {second[0]} reads {hidden} through a ReLU, and not {first[0]}. Name these two."
    )
  return hidden, second[0]


def _calls_of(name, calls, block):
  """The calls of the one layer of this path or name."""
  found = [call for call in calls if call.path == name]
  found = found or [call for call in calls if call.layer.name == name]
  if len({id(call.layer) for call in found}) > 1:
    paths = ", ".join(call.path for call in found)
    raise ValueError(f"block={block!r}: {name!r} names several layers. Give a path: {paths}.")
  if not found:
    dense = ", ".join(call.path for call in calls if type(call.layer) in _DENSE) or "none"
    raise ValueError(f"block={block!r}: no layer is called {name!r}. Dense layers are: {dense}.")
  if _effect(found[0]) != "dense":
    raise _refusal(found[0], f"is named by block={block!r}, and is no Dense layer of Keras's own")
  return found


def _before(out):
  """The call of the Dense layer that `out` reads through a ReLU."""
  call = _passed(_source(out), ("pass", "relu"))
  if _effect(call) != "dense":
    raise _refusal(call, f"comes before {out}, where a Dense layer and a plain ReLU are needed")
  own, between = _of_function(call.layer.activation), _source(out)
  has_relu = own == "relu"
  while between is not call:
    has_relu |= _effect(between) == "relu"
    between = _source(between)
  if own not in ("pass", "relu") or not has_relu:
    raise ValueError(
      f"{call} has the activation {_named(call.layer.activation)}, and {out} needs a plain ReLU before "
      "it: activation='relu', or a ReLU layer between the two."
    )
  return call


def _passed(call, effects):
  """The first call, from this one back, that has none of these effects."""
  while _effect(call) in effects:
    call = _source(call)
  return call


def _source(call):
  if len(call.sources) != 1:
    raise _refusal(call, f"reads {len(call.sources)} layers, and one is needed")
  return call.sources[0]


def _effect(call):
  """ "dense", "relu", "softmax", "flat" (to rank 2), "pass" for no effect; None for any other."""
  layer, kind = call.layer, type(call.layer).__name__
  if not type(layer).__module__.startswith(_KERAS):
    return None
  if kind in ("Flatten", "Reshape") and call.rank == 2:
    return "pass" if _source(call).rank == 2 else "flat"
  if kind in _PASSING:
    return None if call.arguments.get("training") is True else "pass"
  if kind == "Softmax":
    return "softmax" if getattr(layer, "axis", None) in (-1, call.rank - 1) else None
  if kind == "Activation":
    return _of_function(layer.activation)
  return "dense" if type(layer) in _DENSE else _of_layer(layer)


def _of_layer(layer):
  """ "relu" for a plain ReLU layer."""
  plain = type(layer) in (keras.layers.ReLU, tf_keras.layers.ReLU) and (
    layer.max_value is None and not layer.negative_slope and not layer.threshold
  )
  return "relu" if plain else None


def _of_function(function):
  """The effect of an activation."""
  if isinstance(function, (keras.layers.Layer, tf_keras.layers.Layer)):
    return _of_layer(function)
  own = (getattr(function, "__module__", None) or "").startswith((*_KERAS, "tensorflow."))
  return _FUNCTIONS.get(getattr(function, "__name__", None)) if own else None


def _named(function):
  return repr(getattr(function, "__name__", function))


def _refusal(call, place):
  """The ValueError for a layer in a place where it can't be."""
  kind = type(call.layer).__name__
  reason = ""
  if kind == "Activation":
    reason = f" Its activation is {_named(call.layer.activation)}."
  elif kind in ("ReLU", "LeakyReLU"):
    reason = " A plain ReLU has no max_value, negative_slope or threshold."
  elif isinstance(call.layer, _DENSE) and type(call.layer) not in _DENSE:
    reason = " A derived class may do anything."
  elif call.arguments.get("training") is True:
    reason = " It is called with training=True."
  return ValueError(f"{call} {place}.{reason} {_CURES.get(kind, _CURE)}")


def _refuse_wrapped(model):
  """Refuse layers whose weights are not what they compute with."""
  wrapped = _sites.wrappers(model)
  if wrapped:
    raise ValueError(
      f"layer `{wrapped[0].name}` ({type(wrapped[0]).__name__}) is tfmot's wrapper, which holds a mask "
      "of its own. Take the wrappers off first, with tfmot's strip_pruning(model)."
    )
  for way, layer, _ in _sites.layers(model):
    if isinstance(layer, PARAMETRISED):
      raise ValueError(
        f"layer `{'/'.join(way)}` ({type(layer).__name__}) computes its weights from trained masks. "
        "Give tfl.supermasks.plain(model)."
      )
