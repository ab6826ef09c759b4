"""A traced function, built once more over other tensors than those it captured.

So a model's graph comes to read packed weights, whatever layers, functions and Keras it was traced
from: nobody has to know how a layer uses its weight.
"""

import tensorflow as tf


def calling(traced, stand_ins, graph_def=None):
  """A Python function for `tf.function` that computes what `traced` does over other variables.

  Args:
    traced: a `ConcreteFunction`.
    stand_ins: dict from a captured tensor's name inside the graph (`capture_names`) to what stands
      in for it: a function without arguments, called while tracing, that returns a tensor or a
      resource handle.
    graph_def: the graph of `traced`, edited; None takes it as it is.
  """
  graph_def = graph_def or traced.graph.as_graph_def()
  arguments = [t.name for t in traced.inputs[: len(traced.inputs) - len(traced.captured_inputs)]]
  outputs = [t.name for t in traced.outputs]
  shapes = [t.shape for t in traced.outputs]

  def call(*args, **kwargs):
    given = tf.nest.flatten((args, kwargs), expand_composites=True)
    tensors = dict(zip(arguments, given, strict=True))
    tensors |= {name: stand_in() for name, stand_in in stand_ins.items()}
    found = _imported(graph_def, tensors, outputs)
    for tensor, shape in zip(found, shapes, strict=True):
      tensor.set_shape(shape)
    return tf.nest.pack_sequence_as(traced.structured_outputs, found, expand_composites=True)

  return call


def capture_names(traced):
  """Pairs of a tensor outside that `traced` captured, and its name inside the graph."""
  return [(outside, inside.name) for outside, inside in traced.graph.captures]


def reads(graph_def, handle):
  """Names of the tensors that are the whole value of the variable behind `handle` (a name)."""
  node = handle.split(":")[0]
  return [
    f"{n.name}:0"
    for n in graph_def.node
    if n.op == "ReadVariableOp" and n.input[0] in (node, handle)
  ]


def itself(outside):
  """What stands in for a captured tensor that stays what it is."""
  return lambda: tf.compat.v1.get_default_graph().capture(outside)


def _imported(graph_def, tensors, outputs):
  """The tensors `outputs` of `graph_def`, imported here, with `tensors` in the place of its own."""
  replaced = {name.split(":")[0] for name in tensors}
  kept = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
  for node in graph_def.node:
    if node.name not in replaced:
      inputs = [
        name for name in node.input if name.removeprefix("^") not in replaced or name[0] != "^"
      ]
      copy = kept.node.add()
      copy.CopyFrom(node)
      copy.attr.pop("_class", None)  # colocated with a variable that is another now
      del copy.input[:]
      copy.input.extend(inputs)
  used = {name if ":" in name else f"{name}:0" for node in kept.node for name in node.input}
  return tf.graph_util.import_graph_def(
    kept,
    input_map={name: tensor for name, tensor in tensors.items() if name in used},
    return_elements=outputs,
    name="",
  )
