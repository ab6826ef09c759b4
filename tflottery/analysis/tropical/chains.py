"""Chains: the two Dense layers around a ReLU in a Keras model; any other form is refused by name."""

from tflottery import site as _sites
from tflottery.analysis.tropical.effects import effect, effect_of, is_dense, named, refusal, source
from tflottery.analysis.tropical.wiring import wiring
from tflottery.layers.parametrised import PARAMETRISED

_TFMOT = {
  "PruneLowMagnitude": "Take the wrappers off first, with tfmot's strip_pruning(model).",
  "ClusterWeights": "Take the wrappers off first, with tfmot's strip_clustering(model).",
}


def chain(model, block):
  """The calls of the two Dense layers; `model`, `block` and errors as in `blocks.network_of`."""
  _sites.keras_of(model)
  _refuse_wrapped(model)
  found = wiring(model)
  if found is None:
    raise ValueError(
      f"model {model.name!r} ({type(model).__name__}) is not built, or its class has a call or __call__ "
      "of its own, so that what it does is not known as a graph. Give a Sequential an Input, or call it "
      "once on a batch; write a subclassed model with the functional API, or take "
      "Network(A, B, c1, c2) of its weights."
    )
  return _whole(model, *found) if block is None else _block(found[1], block)


def _whole(model, inputs, calls, outputs):
  if len(inputs) != 1 or len(outputs) != 1:
    raise ValueError(
      f"model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; one of each is "
      "needed. Name two Dense layers with block=(first, second)."
    )
  out = _passed(outputs[0], ("pass", "softmax"))
  if effect(out) != "dense":
    raise refusal(out, "ends the model, where a Dense layer of logits is needed")
  if effect_of(out.layer.activation) not in ("pass", "softmax"):
    raise ValueError(
      f"{out} has the activation {named(out.layer.activation)}, and logits have none, or softmax. "
      "Take it off, or name the layers with block=(first, second): what the second returns before its "
      "activation is read."
    )
  hidden = _before(out)
  first = _passed(source(hidden), ("pass", "flat"))
  if first is not inputs[0]:
    raise refusal(
      first, f"comes before {hidden} and {out}, and one hidden layer is all that is read"
    )
  if source(hidden).rank != 2:
    raise ValueError(
      f"{hidden} reads tensors of {source(hidden).rank} axes, so it is a network at each place. Put a "
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
    dense = ", ".join(call.path for call in calls if is_dense(call)) or "none"
    raise ValueError(f"block={block!r}: no layer is called {name!r}. Dense layers are: {dense}.")
  if effect(found[0]) != "dense":
    raise refusal(found[0], f"is named by block={block!r}, and is no Dense layer of Keras's own")
  return found


def _before(out):
  """The call of the Dense layer that `out` reads through a ReLU."""
  call = _passed(source(out), ("pass", "relu"))
  if effect(call) != "dense":
    raise refusal(call, f"comes before {out}, where a Dense layer and a plain ReLU are needed")
  own, between = effect_of(call.layer.activation), source(out)
  has_relu = own == "relu"
  while between is not call:
    has_relu |= effect(between) == "relu"
    between = source(between)
  if own not in ("pass", "relu") or not has_relu:
    raise ValueError(
      f"{call} has the activation {named(call.layer.activation)}, and {out} needs a plain ReLU before "
      "it: activation='relu', or a ReLU layer between the two."
    )
  return call


def _passed(call, effects):
  """The first call, from this one back, that has none of these effects."""
  while effect(call) in effects:
    call = source(call)
  return call


def _refuse_wrapped(model):
  """Refuse layers whose weights are not what they compute with."""
  for way, layer, _ in _sites.layers(model):
    if type(layer).__module__.startswith("tensorflow_model_optimization."):
      kind = type(layer).__name__
      cure = _TFMOT.get(kind, "Give the model as it was before its quantization.")
      raise ValueError(
        f"layer `{layer.name}` ({kind}) is tfmot's, and what it computes with is not what a layer of "
        f"Keras's holds. {cure}"
      )
    if isinstance(layer, PARAMETRISED):
      raise ValueError(
        f"layer `{'/'.join(way)}` ({type(layer).__name__}) computes its weights from trained masks. "
        "Give tfl.learned.plain(model)."
      )
