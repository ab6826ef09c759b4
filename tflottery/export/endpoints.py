"""What a SavedModel of a Keras model offers: its endpoints, traced with Keras's own signatures."""

import keras
import tensorflow as tf

from tflottery import site as _sites


def trace(model, signatures=None):
  """Dict from endpoint name to `ConcreteFunction`; by default `serve`, the model's inference call.

  Args:
    model: a built model of either Keras.
    signatures: dict from name to a `tf.function` with an `input_signature`, or to a list of
      `tf.TensorSpec`s for the model's call; None is Keras's own `serve`, its batch size free.

  Raises:
    TypeError: an endpoint is neither.
    ValueError: the model's inputs are not known.
  """
  if signatures is None:
    signatures = {"serve": input_signature(model)}
  return {name: _traced(model, name, signature) for name, signature in signatures.items()}


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


def _traced(model, name, signature):
  if hasattr(signature, "get_concrete_function"):
    return signature.get_concrete_function()
  if not isinstance(signature, (list, tuple)):
    raise TypeError(
      f"signatures[{name!r}] must be a tf.function with an input_signature, or a list of "
      f"tf.TensorSpec. Received: {signature!r}."
    )
  function = tf.function(model.__call__, input_signature=list(signature), autograph=False)
  return function.get_concrete_function()


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
