"""The `tf.Module` that is saved: the traced endpoints over the export's own variables."""

import tensorflow as tf

from tflottery.export import csr, endpoints, rebuild, variables


def write(directory, model, traced, weights):
  """Write a SavedModel of `traced`, whose weights are stored as `weights` say.

  Each weight is written once. What the functions capture beside weights (lookup tables, constants)
  is saved with them.

  Args:
    directory: where to.
    model: the model that the functions were traced from; its lookup tables are looked for in it.
    traced: dict from endpoint name to `ConcreteFunction`. The first is `serving_default` too.
    weights: list of `choice.Weight`.

  Returns:
    The `tf.Module`.
  """
  root, entries = tf.Module(), []
  sparse = {id(w.variable.handle): _sparse(w, entries) for w in weights if w.layout == "csr"}
  stored = {id(w.variable.handle): _stored(w, entries) for w in weights if w.layout != "csr"}
  root.weights = [s.variable for s in stored.values()]
  root.sparse = [(s.indices.variable, s.values.variable) for s in sparse.values()]
  if entries:
    root.packed = variables.unpacking(entries)
  root.resources = _resources(model, traced)
  signatures = {}
  for name, function in traced.items():
    signatures[name] = _endpoint(function, stored, sparse)
    setattr(root, name, signatures[name])
  signatures.setdefault("serving_default", next(iter(signatures.values())))
  options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
  tf.saved_model.save(root, str(directory), signatures=signatures, options=options)
  return root


def _stored(weight, entries):
  if weight.packed is None:
    return variables.Plain(weight.path, weight.array)
  unpacked = variables.Unpacked(weight.path, weight.array)
  entries.append((weight.packed, variables.fill(unpacked, weight.packed)))
  return unpacked


def _sparse(weight, entries):
  sparse = csr.Sparse(weight.path, weight.packed)
  entries.append((weight.packed, sparse.assign))
  return sparse


def _endpoint(traced, stored, sparse):
  graph_def, stand_ins = csr.spliced(traced, sparse)
  for outside, name in rebuild.capture_names(traced):
    if id(outside) in sparse:
      continue
    own = stored.get(id(outside))
    if own is None:
      stand_ins[name] = rebuild.itself(outside)
    else:
      stand_ins[name] = own.handle
      stand_ins |= dict.fromkeys(rebuild.reads(graph_def, name), own.read)
  call = rebuild.calling(traced, stand_ins, graph_def)
  return tf.function(call, input_signature=endpoints.arguments(traced), autograph=False)


def _resources(model, traced):
  """The lookup tables and the like that `traced` captures, found among the model's parts."""
  captured = {id(outside) for f in traced.values() for outside, _ in f.graph.captures}
  parts = tf.train.TrackableView(model).descendants()
  return [
    part
    for part in parts
    if not isinstance(part, tf.Variable) and id(getattr(part, "resource_handle", None)) in captured
  ]
