"""Nodes: the calls that a Sequential or functional model notes, of either Keras."""

import keras
import tf_keras

_KERAS = ("keras.", "tf_keras.")


def network(model, *, derived=False):
  """What knows the nodes of a Sequential or functional model; None for any other layer.

  Args:
    derived: whether a model of a class with an `__init__` of its own, which can't be made again from
      its nodes alone, counts as well.
  """
  if not isinstance(model, (keras.Model, tf_keras.Model)):
    return None
  found = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
  methods = (type(model).call, *(() if derived else (type(model).__init__,)))
  is_own = all(method.__module__.startswith(_KERAS) for method in methods)
  known = getattr(found, "_nodes_by_depth", None) if is_own else None
  return found if known else None


def nodes_of(found):
  """The nodes that `network` found, each after those that it reads: (node, layer, args, kwargs)."""
  by_depth = found._nodes_by_depth
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
