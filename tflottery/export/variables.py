"""The variables that an export holds: as they are, or packed and unpacked once when it is loaded."""

import numpy as np
import tensorflow as tf

from tflottery.export import packing


class Plain:
  """A weight as an ordinary variable."""

  def __init__(self, path, array):
    self.variable = tf.Variable(array, trainable=False, name=_name(path))

  def handle(self):
    return tf.compat.v1.get_default_graph().capture(self.variable.handle)

  def read(self):
    return self.variable.read_value()


class Unpacked(Plain):
  """A weight whose variable is empty in the file and filled when the file is loaded.

  Its static shape is unknown to the loader, so every read says what it is.
  """

  def __init__(self, path, array):
    self.shape = array.shape
    shape = [None] * array.ndim
    empty = np.zeros([0] * array.ndim, array.dtype)
    self.variable = tf.Variable(empty, shape=shape, trainable=False, name=_name(path))

  def read(self):
    return tf.ensure_shape(self.variable.read_value(), self.shape)


class AtLoad(tf.saved_model.experimental.TrackableResource):
  """Runs `function` whenever the SavedModel that holds it is loaded, by any loader.

  TensorFlow restores the checkpoint first, then initialises resources; this one holds nothing.
  """

  def __init__(self, function):
    super().__init__()
    self._function = function

  def _create_resource(self):
    return tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name="tflottery_at_load")

  def _initialize(self):
    self._function()

  def _destroy_resource(self):
    pass


def unpacking(entries):
  """A `tf.Module` of packed arrays that unpacks them when it is loaded.

  It has one variable of all places, and one of all values of a dtype, so that many weights cost no
  more files, nodes and names than one.

  Args:
    entries: list of (`packing.Packed`, assign). `assign(values, places)` is called in the graph
      that runs at load: values [count] in the array's dtype; places int64 [count], the flat indices
      of the values in order, or None where every entry is a value.
  """
  module, begins, parts = tf.Module(), [], {}
  for packed, _ in entries:
    begins.append({})
    for name, array in _parts(packed).items():
      parts.setdefault(name, []).append(array)
      begins[-1][name] = sum(map(len, parts[name][:-1]))
  for name, arrays in parts.items():
    setattr(module, name, tf.Variable(np.concatenate(arrays), trainable=False, name=name))

  def unpack():
    with tf.device("CPU:0"):
      whole = {name: getattr(module, name).read_value() for name in parts}
      for (packed, assign), begin in zip(entries, begins, strict=True):
        cut = [tf.slice(whole[n], [begin[n]], [len(a)]) for n, a in _parts(packed).items()]
        places = None
        if packed.code != "dense":
          places = packing.places(packed.code, cut[0], int(np.prod(packed.shape)))
        assign(tf.cast(cut[1], packed.dtype), places)

  module.at_load = AtLoad(unpack)
  return module


def _parts(packed):
  """The arrays of `packed` by the variable that they are stored in: the places, then the values."""
  return {"places": packed.positions, f"values_{packed.values.dtype.name}": packed.values}


def fill(weight, packed):
  """The `assign` of `unpacking` that fills the `Unpacked` variable `weight`."""

  def assign(values, places):
    if places is None:
      weight.variable.assign(tf.reshape(values, packed.shape))
    else:
      weight.variable.assign(packing.spread(values, places, packed.shape))

  return assign


def _name(path):
  return path.replace(":", "_")
