"""Where a traced function multiplies by a kernel, and with how many rows."""

import tensorflow as tf

from tflottery.export import inputs, rebuild
from tflottery.export.stripped import restoring


def uses(traced, handle):
  """Pairs of an operation that uses a variable's value, and why it is no product.

  A product is a `MatMul` (also the one of a Dense on inputs of rank 3 and more) or a 1x1 `Conv2D`,
  the kernel on its right; the reason is then None. Otherwise it is the end of a sentence.

  Args:
    traced: a `ConcreteFunction`.
    handle: the variable's handle, as `traced` captured it; one that it did not has no uses.
  """
  found = []
  for reader in _readers(traced, handle):
    if reader.type == "ReadVariableOp":
      read = reader.outputs[0]
      found += [(user, _obstacle(user, read.name)) for user in read.consumers()]
    else:
      found.append((reader, f"is used by {reader.type}"))
  return found


def strides(operation):
  """(down, right) of a `Conv2D`; None of a `MatMul`."""
  return tuple(operation.get_attr("strides")[1:3]) if operation.type == "Conv2D" else None


def dense(x, kernel, step):
  """The product as the model computes it: a matrix product, or with strides a 1x1 convolution."""
  return tf.matmul(x, kernel) if step is None else tf.nn.conv2d(x, kernel, step, "VALID")


def rows(operation, shape):
  """How many rows the product of `operation` has on an input of `shape`.

  A convolution has one for each output position of each image.
  """
  if operation.type == "MatMul":
    return shape[0]
  down, right = strides(operation)
  return shape[0] * -(-shape[1] // down) * -(-shape[2] // right)


def input_shapes(traced, operations, arguments):
  """The shapes that the operations' first inputs have in a call of `traced`: lists of ints.

  Args:
    traced: a `ConcreteFunction`.
    operations: operations of its graph.
    arguments: flat list of arrays.
  """
  call = rebuild.calling(
    traced, {name: rebuild.itself(outside) for outside, name in rebuild.capture_names(traced)}
  )

  @tf.function(autograph=False)
  def shapes(*args):
    call(*args)
    given = {inside.name: arg for inside, arg in zip(traced.inputs, args, strict=False)}
    return [_shape(operation.inputs[0], given) for operation in operations]

  with restoring(inputs.written(traced)):
    return [shape.numpy().tolist() for shape in shapes(*map(tf.constant, arguments))]


def _shape(tensor, given):
  """The shape, in the graph that is being built, of what was `tensor` in the one it is built from."""
  if tensor.shape.is_fully_defined():
    return tf.constant(tensor.shape.as_list())
  if tensor.name in given:
    return tf.shape(given[tensor.name])
  return tf.shape(tf.compat.v1.get_default_graph().get_tensor_by_name(tensor.name))


def _readers(traced, handle):
  inside = [inner for outer, inner in traced.graph.captures if outer is handle]
  return [reader for inner in inside for reader in inner.consumers()]


def _obstacle(operation, read):
  if operation.type not in ("MatMul", "Conv2D"):
    return f"is used by {operation.type}"
  x, kernel = operation.inputs
  if kernel.name != read or x.name == read:
    return f"is not on the right of a {operation.type} alone"
  return _matmul_obstacle(operation) if operation.type == "MatMul" else _conv_obstacle(operation)


def _matmul_obstacle(operation):
  if operation.get_attr("transpose_a") or operation.get_attr("transpose_b"):
    return "is multiplied transposed"
  return None


def _conv_obstacle(operation):
  x, kernel = operation.inputs
  if kernel.shape[:2] != [1, 1]:
    return "is the kernel of a convolution that is not 1x1"
  if x.shape[-1] != kernel.shape[2]:
    return "is the kernel of a convolution in groups"
  if operation.get_attr("data_format") != b"NHWC":
    return "is the kernel of a convolution with channels first"
  if operation.get_attr("padding") not in (b"SAME", b"VALID"):
    return "is the kernel of a padded 1x1 convolution"
  return None
