"""What a SavedModel of a Keras model offers: its endpoints, traced with Keras's own signatures."""

import inspect

import keras
import tensorflow as tf

from tflottery import site as _sites

_TAKEN = ("packed", "resources", "sparse", "weights")  # attributes of the module that is saved


def trace(model, signatures=None):
  """Dict from endpoint name to `ConcreteFunction`; by default `serve`, the model's inference call.

  Args:
    model: a built model of either Keras.
    signatures: dict from name to a `tf.function` with an `input_signature`, or to a list of
      `tf.TensorSpec`s for the model's call; None is Keras's own `serve`, its batch size free.

  Raises:
    TypeError: an endpoint is neither.
    ValueError: the model's inputs are not known, its call can't be traced with them, its outputs
      can't be those of a SavedModel, or it calls Python.
  """
  if signatures is None:
    signatures = {"serve": input_signature(model)}
  _check(signatures)
  found = {name: _traced(model, name, signature) for name, signature in signatures.items()}
  for name, function in found.items():
    _check_outputs(name, function)
    _check_operations(name, function)
  return found


def input_signature(model):
  """The arguments of `model`'s call as a list of `tf.TensorSpec`s, as `model.export` has them.

  Raises:
    ValueError: the model was never called and has no Input, so its inputs are not known.
  """
  specs = _keras3(model) if _sites.keras_of(model) is keras else _tf_keras(model)
  if not specs:
    raise ValueError(
      f"model {model.name!r} has never been called, so its inputs are not known. Call it once on a "
      "batch, build it with an Input, or give signatures={'serve': [tf.TensorSpec(...)]}."
    )
  return specs


def arguments(traced):
  """The specs of a traced function's arguments, those given by name after the others.

  Each has the name of its placeholder: the one in the structure is made up where none was given.
  """
  args, kwargs = traced.structured_input_signature
  inputs = iter(traced.inputs)

  def named(spec):
    names = [next(inputs).op.name for _ in tf.nest.flatten(spec, expand_composites=True)]
    if not isinstance(spec, tf.TensorSpec):
      return spec
    return tf.TensorSpec(spec.shape, spec.dtype, name=names[0])

  return tf.nest.map_structure(named, [*args, *(kwargs[name] for name in sorted(kwargs))])


def inference(model):
  """A function that calls `model` as `predict` does: `training=False`, where the model takes it."""
  if "training" in inspect.signature(model.call).parameters:
    return lambda *args: model(*args, training=False)
  return lambda *args: model(*args)


def _check(signatures):
  if not isinstance(signatures, dict) or not signatures:
    raise TypeError(
      "signatures must be a dict from endpoint names to tf.functions or lists of tf.TensorSpec, with "
      f"one at least. Received: {signatures!r}."
    )
  for name, signature in signatures.items():
    taken = not isinstance(name, str) or hasattr(tf.Module, name) or name in _TAKEN
    if taken or not name.isidentifier() or name.startswith("_"):
      raise ValueError(f"signatures can't have an endpoint {name!r}. Choose another name.")
    is_function = getattr(signature, "input_signature", None) is not None
    specs = signature if isinstance(signature, (list, tuple)) else ()
    if not is_function and not tf.nest.flatten(specs):
      raise TypeError(
        f"signatures[{name!r}] must be a tf.function with an input_signature, or a list of "
        f"tf.TensorSpec. Received: {signature!r}."
      )


def _traced(model, name, signature):
  if hasattr(signature, "get_concrete_function"):
    return signature.get_concrete_function()
  function = tf.function(inference(model), input_signature=list(signature), autograph=False)
  try:
    return function.get_concrete_function()
  except TypeError as error:
    said = str(error).strip().splitlines()[-1]
    raise ValueError(
      f"model {model.name!r} can't be called with the inputs {list(signature)} of endpoint {name!r}: "
      f"{said} Give the endpoint as a tf.function with an input_signature: signatures={{'serve': ...}}."
    ) from error


def _check_outputs(name, function):
  """A SavedModel's outputs are a tensor, or a flat list or dict of tensors."""
  structure = function.structured_outputs
  parts = structure if isinstance(structure, (list, tuple)) else [structure]
  parts = list(structure.values()) if isinstance(structure, dict) else parts
  if any(isinstance(part, (list, tuple, dict)) or part is None for part in parts):
    raise ValueError(
      f"Endpoint {name!r} must return a tensor, or a list or dict of tensors. It returns "
      f"{structure}. Give one that does: signatures={{'serve': a tf.function}}."
    )


def _check_operations(name, function):
  graph_def = function.graph.as_graph_def()
  nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
  found = sorted({node.op for node in nodes} & {"PyFunc", "PyFuncStateless", "EagerPyFunc"})
  if found:
    raise ValueError(
      f"Endpoint {name!r} calls Python ({', '.join(found)}), which a SavedModel can't hold. Write "
      "tf.py_function and tf.numpy_function in operations of TensorFlow."
    )


def _keras3(model):
  if isinstance(model, keras.Sequential):
    return [_spec(x) for x in model.inputs] if model.built else None
  if hasattr(model, "operations"):  # functional
    return [tf.nest.map_structure(_spec, model.input)]
  config = model.get_build_config() or {}
  shapes = config.get("shapes_dict") or [config["input_shape"]] if config else []
  shapes = shapes.values() if isinstance(shapes, dict) else shapes
  return [_of_shapes(shape, model.input_dtype) for shape in shapes]


def _tf_keras(model):
  if getattr(model, "inputs", None):
    specs = [_spec(x) for x in model.inputs]
    return specs if len(specs) == 1 else [specs]
  saved = model.save_spec()
  return list(saved[0]) if saved else None


def _spec(tensor):
  """The spec of a Keras input, its batch size free."""
  if hasattr(tensor, "type_spec") and not isinstance(tensor.type_spec, tf.TensorSpec):
    return tensor.type_spec  # ragged and sparse inputs of tf_keras
  shape = (None, *tensor.shape[1:])
  return tf.TensorSpec(shape, tensor.dtype, name=tensor.name)


def _of_shapes(shape, dtype):
  """Specs for the shapes, in whatever structure, that a subclassed model was built with."""
  if isinstance(shape, dict):
    return {key: _of_shapes(value, dtype) for key, value in shape.items()}
  if all(n is None or isinstance(n, int) for n in shape):
    return tf.TensorSpec((None, *shape[1:]), dtype)
  return type(shape)(_of_shapes(value, dtype) for value in shape)
