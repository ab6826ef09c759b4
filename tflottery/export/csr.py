"""Kernels that are multiplied by their nonzero entries alone, as CSR matrices.

In the file they are packed like any other. At load the places and the values are unpacked into two
variables, and each call makes a CSR matrix of them: TensorFlow can't keep one in a SavedModel. Nor
can XLA compile it.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tflottery.export import packing, products, variables


@dataclasses.dataclass(frozen=True)
class Transposed(packing.Packed):
  """A kernel [..., in, out] packed as the matrix [out, in], the order in which CSR holds it.

  Attributes:
    kernel_shape: the kernel's shape; `shape` is the matrix's.
  """

  kernel_shape: tuple = ()

  def array(self):
    return super().array().T.reshape(self.kernel_shape)


def pack(kernel, *, values=None):
  """`kernel`, [in, out] or [1, 1, in, out], packed in the order of CSR.

  >>> packed = pack(np.array([[0, 0, 0, 5, 0, 0], [0, 0, 0, 6, 0, 0], [7, 0, 0, 0, 0, 0]], "float32"))
  >>> packed.shape, packed.values.tolist()
  ((6, 3), [7.0, 5.0, 6.0])
  >>> packed.array().shape
  (3, 6)
  """
  packed = packing.pack(matrix(kernel), values=values)
  return Transposed(**vars(packed), kernel_shape=kernel.shape)


def matrix(kernel):
  """`kernel`, [in, out] or [1, 1, in, out], as [out, in]."""
  return kernel.reshape(kernel.shape[-2:]).T


class Sparse:
  """A kernel as the variables that CSR matrices are made of; empty in the file, filled at load."""

  def __init__(self, path, packed):
    count = len(packed.values)
    self.shape = packed.shape
    self.indices = variables.Unpacked(f"{path}/indices", np.zeros([count, 2], np.int64))
    self.values = variables.Unpacked(f"{path}/values", np.zeros([count], packed.dtype))

  def assign(self, values, places):
    """The `assign` of `variables.unpacking`."""
    columns = self.shape[1]
    self.indices.variable.assign(tf.stack([places // columns, places % columns], axis=1))
    self.values.variable.assign(values)


def multiply(x, indices, values, *, shape, strides=None):
  """`x` times the transpose of a sparse matrix.

  Entries of `x` that meet only zeros take no part, so an infinity or NaN there gives no NaN.

  Args:
    x: float32 tensor [rows, in]; with `strides` [images, height, width, in].
    indices: int64 [count, 2], (out, in) of every value, in C order.
    values: float32 [count].
    shape: the matrix's, (out, in).
    strides: (down, right) of a 1x1 convolution; None multiplies matrices.

  >>> multiply(tf.constant([[1.0, 2.0, 3.0]]), [[1, 0], [1, 2]], [10.0, 5.0], shape=(2, 3)).numpy()
  array([[ 0., 25.]], dtype=float32)
  """
  if strides is not None:
    x = _strided(x, strides)
    rows = multiply(tf.reshape(x, [-1, shape[1]]), indices, values, shape=shape)
    return tf.reshape(rows, tf.concat([tf.shape(x)[:3], shape[:1]], axis=0))
  sparse = tf.raw_ops.SparseTensorToCSRSparseMatrix(
    indices=indices, values=values, dense_shape=tf.constant(shape, tf.int64)
  )
  # Transposed by operations of their own: faster than by the product's own arguments (measured).
  columns = tf.transpose(x, [1, 0])
  return tf.transpose(tf.raw_ops.SparseMatrixMatMul(a=sparse, b=columns), [1, 0])


def _strided(x, strides):
  """Every so many rows and columns of images; gathered, for slices with steps are far slower."""
  for axis, step in enumerate(strides, start=1):
    if step > 1:
      x = tf.gather(x, tf.range(0, tf.shape(x)[axis], step), axis=axis)
  return x


def spliced(traced, served):
  """The graph of `traced` with sparse products, and what stands in for their variables.

  Args:
    traced: a `ConcreteFunction`.
    served: dict from the id of a handle that `traced` may capture to its `Sparse`. All its uses are
      products.

  Returns:
    A GraphDef, and a dict as `rebuild.calling` takes it. The served handles are gone from the graph.
  """
  graph_def = traced.graph.as_graph_def()
  pieces, dropped, stand_ins = {}, set(), {}
  for outside, inside in traced.graph.captures:
    if id(outside) in served:
      sparse, name = served[id(outside)], inside.op.name
      stand_ins[f"{name}/indices:0"] = sparse.indices.read
      stand_ins[f"{name}/values:0"] = sparse.values.read
      dropped |= {name, *(reader.name for reader in inside.consumers())}
      for operation, _ in products.uses(traced, outside):
        pieces[operation.name] = _piece(operation, name, sparse.shape)
  kept = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
  for node in graph_def.node:
    if node.name not in dropped:
      kept.node.extend(pieces.get(node.name, [node]))
  controls = {f"^{name}" for name in dropped}
  for node in kept.node:
    node.input[:] = [name for name in node.input if name not in controls]
  return kept, stand_ins


def _piece(operation, name, shape):
  """The nodes that take the place of `operation`; the last has its name.

  Args:
    operation: a product.
    name: what the names of the indices and the values begin with.
    shape: the matrix's, (out, in).
  """
  x = operation.inputs[0]
  with tf.Graph().as_default() as graph:
    placeholder = tf.compat.v1.placeholder
    result = multiply(
      placeholder(tf.float32, x.shape, name="x"),
      placeholder(tf.int64, [None, 2], name="indices"),
      placeholder(tf.float32, [None], name="values"),
      shape=shape,
      strides=products.strides(operation),
    )
  names = {"x": x.name, "indices": f"{name}/indices:0", "values": f"{name}/values:0"}
  prefix = f"{operation.name}/csr/"
  nodes = [node for node in graph.as_graph_def().node if node.name not in names]
  for node in nodes:
    node.name = operation.name if node.name == result.op.name else prefix + node.name
    node.input[:] = [names.get(source, prefix + source) for source in node.input]
  return nodes
