"""Runs a SavedModel by TensorFlow's C API, without Python's TensorFlow, as TF Serving does.

    python tf_capi.py JOB RESULT

JOB and RESULT are pickles. A job: a dict from name to (directory, inputs, outputs): inputs a dict
from a tensor's name to a float32 or object (bytes) array, outputs a list of names of float32
tensors. A result: a dict from name to the list of the outputs' arrays, and under `imported` the
names of all modules that were imported.
"""

import ctypes
import importlib.util
import pathlib
import pickle
import sys

import numpy as np

_FLOAT, _STRING, _STRING_BYTES = 1, 7, 24  # of tf_datatype.h; sizeof(TF_TString)
_POINTERS = (
  "TF_AllocateTensor",
  "TF_GraphOperationByName",
  "TF_LoadSessionFromSavedModel",
  "TF_NewGraph",
  "TF_NewSessionOptions",
  "TF_NewStatus",
  "TF_TensorData",
)


class Output(ctypes.Structure):
  """A `TF_Output`: an operation, and which of its outputs."""

  _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def library():
  """TensorFlow's C library, from where the package lies, which is not imported."""
  folder = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
  found = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
  for name in _POINTERS:
    getattr(found, name).restype = ctypes.c_void_p
  found.TF_Dim.restype = ctypes.c_int64
  found.TF_Message.restype = ctypes.c_char_p
  return found


def check(c, status):
  if c.TF_GetCode(status):
    raise RuntimeError(c.TF_Message(status).decode())


def tensor(c, array):
  """A `TF_Tensor` with the entries of `array`."""
  dims = (ctypes.c_int64 * array.ndim)(*array.shape)
  if array.dtype == np.float32:
    made = c.TF_AllocateTensor(_FLOAT, dims, array.ndim, ctypes.c_size_t(array.nbytes))
    ctypes.memmove(c.TF_TensorData(ctypes.c_void_p(made)), array.tobytes(), array.nbytes)
    return made
  size = ctypes.c_size_t(_STRING_BYTES * array.size)
  made = c.TF_AllocateTensor(_STRING, dims, array.ndim, size)
  begin = c.TF_TensorData(ctypes.c_void_p(made))
  for i, text in enumerate(array.ravel()):
    place = ctypes.c_void_p(begin + _STRING_BYTES * i)
    c.TF_StringInit(place)
    c.TF_StringCopy(place, text, ctypes.c_size_t(len(text)))
  return made


def array(c, made):
  """The float32 entries of a `TF_Tensor`."""
  made = ctypes.c_void_p(made)
  assert c.TF_TensorType(made) == _FLOAT
  shape = [c.TF_Dim(made, i) for i in range(c.TF_NumDims(made))]
  count = int(np.prod(shape))
  data = ctypes.cast(c.TF_TensorData(made), ctypes.POINTER(ctypes.c_float * count))
  return np.array(data.contents, np.float32).reshape(shape)


def output(c, graph, name):
  operation, index = name.split(":")
  found = c.TF_GraphOperationByName(graph, operation.encode())
  if found is None:
    raise ValueError(f"The graph has no operation {operation!r}.")
  return Output(found, int(index))


def run(c, directory, inputs, outputs):
  """What the SavedModel in `directory` gives, as a list of arrays."""
  status, graph = ctypes.c_void_p(c.TF_NewStatus()), ctypes.c_void_p(c.TF_NewGraph())
  options = ctypes.c_void_p(c.TF_NewSessionOptions())
  tags = (ctypes.c_char_p * 1)(b"serve")
  session = ctypes.c_void_p(
    c.TF_LoadSessionFromSavedModel(options, None, directory.encode(), tags, 1, graph, None, status)
  )
  check(c, status)
  n, m = len(inputs), len(outputs)
  fed = (Output * n)(*(output(c, graph, name) for name in inputs))
  values = (ctypes.c_void_p * n)(*(tensor(c, value) for value in inputs.values()))
  fetched = (Output * m)(*(output(c, graph, name) for name in outputs))
  found = (ctypes.c_void_p * m)()
  c.TF_SessionRun(session, None, fed, values, n, fetched, found, m, None, 0, None, status)
  check(c, status)
  return [array(c, made) for made in found]


def main(job_path, result_path):
  job = pickle.loads(pathlib.Path(job_path).read_bytes())
  c = library()
  result = {name: run(c, *call) for name, call in job.items()}
  result["imported"] = sorted(sys.modules)
  pathlib.Path(result_path).write_bytes(pickle.dumps(result))


if __name__ == "__main__":
  main(*sys.argv[1:])
