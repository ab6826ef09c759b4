"""Nodes: the calls that a Sequential or functional model notes, of either Keras."""

import keras
import tf_keras

_KERAS = ("keras.", "tf_keras.")


def network(model):
  """What knows the nodes of a Sequential or functional model; None for any other layer."""
  if not isinstance(model, (keras.Model, tf_keras.Model)):
    return None
  found = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
  is_own = all(f.__module__.startswith(_KERAS) for f in (type(model).call, type(model).__init__))
  known = getattr(found, "_nodes_by_depth", None) if is_own else None
  return found if known else None


def nodes_of(model):
  """The nodes of a Sequential or functional model, inputs first: (node, layer, args, kwargs)."""
  by_depth = network(model)._nodes_by_depth
  for depth in sorted(by_depth, reverse=True):
    for node in by_depth[depth]:
      if node.is_input:
        continue
      if hasattr(node, "operation"):
        yield node, node.operation, node.arguments.args, node.arguments.kwargs
      else:
        yield node, node.layer, node.call_args, node.call_kwargs


def layer_of(tensor):
  """The layer, or operation, that a symbolic tensor comes from."""
  history = tensor._keras_history
  return history.operation if hasattr(history, "operation") else history.layer
