"""Compact SavedModels in every loader that TensorFlow has: each gives what the model gives."""

import dataclasses
import gc
import pathlib
import pickle
import shutil
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from exports import KINDS, write
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

KERASES = {"keras": keras, "tf_keras": tf_keras}
WORDS = [f"w{i}" for i in range(2000)]
NAMES = ["keras-image", "keras-text", "tf_keras-image", "tf_keras-text"]

# Loads SavedModels with TensorFlow alone, which itself imports Keras unless that can't be imported.
FRESH = """
import pickle, sys
sys.modules.update(dict.fromkeys(["keras", "tf_keras", "tflottery"]))
import tensorflow as tf
result = {}
for name, (directory, inputs) in pickle.load(open(sys.argv[1], "rb")).items():
  loaded = tf.saved_model.load(directory)
  inputs = {key: tf.constant(value) for key, value in inputs.items()}
  served = loaded.signatures["serving_default"](**inputs)
  result[name] = [served["output_0"].numpy(), loaded.serve(*inputs.values()).numpy()]
result["imported"] = sorted(name for name, module in sys.modules.items() if module)
pickle.dump(result, open(sys.argv[2], "wb"))
"""

# Resident memory, in bytes: for each of five loads that are kept, and after every tenth of sixty
# loads that are given up at once. The kept come first: what is freed may stay with the process.
MEMORY = """
import gc, pickle, sys
sys.modules.update(dict.fromkeys(["keras", "tf_keras", "tflottery"]))
import tensorflow as tf

def resident():
  gc.collect()
  return int(open("/proc/self/statm").read().split()[1]) * 4096

def loaded(directory):
  model = tf.saved_model.load(directory)
  model.serve(tf.ones((1, 2048)))
  return model

directories = pickle.load(open(sys.argv[1], "rb"))
result, kept = {}, []
for name, directory in directories.items():
  kept.append(loaded(directory))
  before = resident()
  kept += [loaded(directory) for _ in range(5)]
  result[name] = (resident() - before) / 5
result["unloaded"] = []
for cycle in range(1, 61):
  loaded(directories["compact"])
  if cycle % 10 == 0:
    result["unloaded"].append(resident())
pickle.dump(result, open(sys.argv[2], "wb"))
"""


@dataclasses.dataclass(frozen=True)
class Export:
  """A compact SavedModel, one batch for it, and what the model makes of that batch."""

  directory: str
  inputs: Any
  output: Any
  formats: Any
  model: Any

  @property
  def batch(self):
    return tf.constant(*self.inputs.values())

  def called(self, loaded):
    """The output of the signature `serving_default` of what a loader gave."""
    tensors = {name: tf.constant(array) for name, array in self.inputs.items()}
    return loaded.signatures["serving_default"](**tensors)["output_0"].numpy()


def image_model(k):
  layers = k.layers
  return k.Sequential(
    [
      k.Input((16, 16, 3), name="pixels"),
      layers.Conv2D(32, 3, use_bias=False),
      layers.BatchNormalization(),
      layers.ReLU(),
      layers.Conv2D(64, 3, strides=2, name="convolution"),
      layers.BatchNormalization(),
      layers.ReLU(),
      layers.Flatten(),
      layers.Dense(32, activation="relu", name="hidden"),
      layers.Dense(10),
    ]
  )


def text_model(k):
  layers = k.layers
  return k.Sequential(
    [
      k.Input((1,), dtype="string", name="text"),
      layers.TextVectorization(vocabulary=WORDS, output_sequence_length=8),
      layers.Embedding(2002, 16, name="words"),
      layers.GlobalAveragePooling1D(),
      layers.Dense(3),
    ]
  )


def prune(model, seed=0):
  """Random weights: 95 % of matrices and 80 % of other kernels 0; vectors as of a trained model."""
  rng = np.random.default_rng(seed)
  for weight in model.weights:
    shape = tuple(weight.shape)
    if len(shape) > 1:
      sparsity = 0.95 if len(shape) == 2 else 0.8
      value = np.where(rng.random(shape) < sparsity, 0, rng.normal(size=shape) / 10)
    else:
      value = rng.uniform(0.5, 1.5, shape)
    weight.assign(value.astype("float32"))
  return model


def dense(weight, *, values):
  """The `pack` of `write` that packs nothing."""
  del values
  return weight


def exported(name, directory, *, seed=0):
  """The `Export` of a new model of `NAMES`, without a trial in a fresh process."""
  k, kind = name.split("-")
  rng = np.random.default_rng(1)
  if kind == "image":
    pixels = rng.normal(size=(5, 16, 16, 3)).astype("float32")
    model, inputs = image_model(KERASES[k]), {"pixels": pixels}
  else:
    model = text_model(KERASES[k])
    inputs = {"text": np.array([[b"w1 w7 w1999"], [b"w30"], [b"unheard w5"]], object)}
  traced, weights = write(prune(model, seed), directory)
  output = np.asarray(traced["serve"](tf.constant(*inputs.values())))
  return Export(str(directory), inputs, output, {w.path: w.format for w in weights}, model)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
  """Dict from name to `Export`: an image and a text model of each Keras."""
  directory = tmp_path_factory.mktemp("exports")
  return {name: exported(name, directory / name) for name in NAMES}


@pytest.fixture(params=NAMES)
def export(request, exports):
  return exports[request.param]


@pytest.fixture
def image(exports, k):
  return exports[f"{k.__name__}-image"]


class Job:
  """A Python process that runs on while other tests do; what it writes is in `directory`."""

  def __init__(self, command, directory):
    self.directory = directory
    with open(directory / "said", "w") as said:
      command = [sys.executable, *command]
      self.process = subprocess.Popen(command, stdout=said, stderr=said, cwd=directory)

  def finish(self):
    assert self.process.wait() == 0, (self.directory / "said").read_text()[-3000:]


def pickled(command, content, directory):
  """A `Job` that is given a pickle, and leaves one."""
  (directory / "job").write_bytes(pickle.dumps(content))
  return Job([*command, "job", "result"], directory)


def cli(export, directory):
  """A `Job` of `saved_model_cli run`, which leaves `output_0.npy`."""
  ((name, array),) = export.inputs.items()
  np.save(directory / "input.npy", array)
  command = ["-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", export.directory]
  command += ["--tag_set", "serve", "--signature_def", "serving_default"]
  return Job([*command, "--inputs", f"{name}=input.npy", "--outdir", "."], directory)


@pytest.fixture(scope="module")
def jobs(exports, tmp_path_factory):
  """The processes that load `exports`; `in_time` starts them before the first test."""
  fresh = {name: (export.directory, export.inputs) for name, export in exports.items()}
  served = {name: (e.directory, *tensor_names(e)) for name, e in exports.items()}
  script = str(pathlib.Path(__file__).with_name("tf_capi.py"))
  started = {
    "capi": pickled([script], served, tmp_path_factory.mktemp("capi")),
    "fresh": pickled(["-c", FRESH], fresh, tmp_path_factory.mktemp("fresh")),
    "keras-image": cli(exports["keras-image"], tmp_path_factory.mktemp("cli")),
    "tf_keras-text": cli(exports["tf_keras-text"], tmp_path_factory.mktemp("cli")),
  }
  yield started
  for job in started.values():
    job.process.kill()
    job.process.wait()


@pytest.fixture(scope="module", autouse=True)
def in_time(request):
  """Starts the processes first, if a test that was selected waits for them; those come last."""
  items = [item for item in request.session.items if item.path == request.path]
  if any("jobs" in item.fixturenames for item in items):
    request.getfixturevalue("jobs")


def result(job):
  """What a `pickled` job found."""
  job.finish()
  return pickle.loads((job.directory / "result").read_bytes())


def tensor_names(export):
  """Inputs by the name of their tensor in the graph, and the name of the output in a list."""
  saved = saved_model_pb2.SavedModel()
  saved.ParseFromString(pathlib.Path(export.directory, "saved_model.pb").read_bytes())
  signature = saved.meta_graphs[0].signature_def["serving_default"]
  inputs = {signature.inputs[name].name: array for name, array in export.inputs.items()}
  return inputs, [signature.outputs["output_0"].name]


def size(directory):
  return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


def test_both_codes_are_tried(exports):
  formats = exports["keras-image"].formats
  assert formats["convolution/kernel"] == "bitmask"
  assert formats["hidden/kernel"] == "gaps"
  assert exports["tf_keras-text"].formats["words/embeddings"] == "gaps"


def test_the_signature_alone_works(export):
  signature = tf.saved_model.load(export.directory).signatures["serving_default"]
  gc.collect()
  found = signature(**{name: tf.constant(array) for name, array in export.inputs.items()})
  np.testing.assert_array_equal(found["output_0"], export.output)


def test_v1_session(export):
  inputs, outputs = tensor_names(export)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.saved_model.loader.load(session, ["serve"], export.directory)
    (found,) = session.run(outputs, inputs)
  np.testing.assert_array_equal(found, export.output)


@pytest.mark.parametrize("name", ["keras-text", "tf_keras-text"])
def test_one_of_two_loaded_twice_is_deleted(exports, name):
  export = exports[name]
  first, second = (tf.saved_model.load(export.directory) for _ in range(2))
  del first
  gc.collect()
  np.testing.assert_array_equal(export.called(second), export.output)


def test_two_models_in_one_process_one_is_deleted(image, k, tmp_path):
  other = exported(f"{k.__name__}-image", tmp_path / "other", seed=1)
  first, second = tf.saved_model.load(image.directory), tf.saved_model.load(other.directory)
  np.testing.assert_array_equal(image.called(first), image.output)
  del first
  gc.collect()
  np.testing.assert_array_equal(other.called(second), other.output)
  assert np.abs(other.output - image.output).max() > 0.01


def test_two_exports_of_one_model_one_is_deleted(image, tmp_path):
  write(image.model, tmp_path / "again")
  first, second = (tf.saved_model.load(str(d)) for d in (image.directory, tmp_path / "again"))
  np.testing.assert_array_equal(image.called(first), image.output)
  del first
  gc.collect()
  np.testing.assert_array_equal(image.called(second), image.output)


def test_freezing(image):
  loaded = tf.saved_model.load(image.directory)
  frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
  assert not frozen.graph.captures
  (found,) = frozen(image.batch)
  np.testing.assert_allclose(found, image.output, atol=1e-6)


def test_xla(image):
  loaded = tf.saved_model.load(image.directory)
  found = tf.function(lambda x: loaded.serve(x), jit_compile=True)(image.batch)
  np.testing.assert_allclose(found, image.output, atol=1e-5)


def test_saved_again_it_is_right_and_no_longer_small(export, tmp_path):
  loaded = tf.saved_model.load(export.directory)
  tf.saved_model.save(loaded, str(tmp_path), signatures=loaded.signatures)
  again = tf.saved_model.load(str(tmp_path))
  np.testing.assert_array_equal(export.called(again), export.output)
  assert size(tmp_path) > 1.5 * size(export.directory)


def test_a_loaded_model_in_a_keras_model(image, k):
  class Served(k.layers.Layer):
    def __init__(self):
      super().__init__()
      self.loaded = tf.saved_model.load(image.directory)

    def call(self, x):
      return self.loaded.serve(x)

  inputs = k.Input((16, 16, 3))
  model = k.Model(inputs, k.layers.Softmax()(Served()(inputs)))
  np.testing.assert_allclose(model(image.batch), tf.nn.softmax(image.output), atol=1e-6)


def test_tfsm_layer_needs_a_dense_export(tmp_path):
  compact = exported("keras-image", tmp_path / "compact")
  with pytest.raises(ValueError, match="must be fully-defined"):
    keras.layers.TFSMLayer(compact.directory)
  write(compact.model, tmp_path / "dense", pack=dense)
  found = keras.layers.TFSMLayer(str(tmp_path / "dense"))(compact.batch)
  np.testing.assert_array_equal(found, compact.output)


def test_tf_keras_load_model(image):
  loaded = tf_keras.models.load_model(image.directory)
  np.testing.assert_array_equal(loaded.serve(image.batch), image.output)


def test_mirrored_strategy_of_a_model_loaded_outside_its_scope(image):
  loaded = tf.saved_model.load(image.directory)
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  found = strategy.experimental_local_results(strategy.run(loaded.serve, [image.batch]))
  assert len(found) == 2
  for output in found:
    np.testing.assert_array_equal(output, image.output)


def test_loading_in_the_scope_of_a_mirrored_strategy_needs_a_dense_export(image, tmp_path):
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  write(image.model, tmp_path / "dense", pack=dense)
  with strategy.scope():
    with pytest.raises(tf.errors.InvalidArgumentError, match="cross-replica context"):
      tf.saved_model.load(image.directory)
    loaded = tf.saved_model.load(str(tmp_path / "dense"))
  np.testing.assert_array_equal(image.called(loaded), image.output)


@pytest.mark.parametrize("file", ["variables.data-00000-of-00001", "variables.index"])
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damaged_variables_are_refused(exports, tmp_path, file, damage):
  shutil.copytree(exports["keras-image"].directory, tmp_path / "damaged")
  path = tmp_path / "damaged" / "variables" / file
  content = bytearray(path.read_bytes())
  if damage == "flipped":
    content[len(content) // 2] ^= 1
  else:
    del content[len(content) // 2 :]
  path.write_bytes(content)
  with pytest.raises((tf.errors.OpError, IndexError)):
    tf.saved_model.load(str(tmp_path / "damaged"))


@pytest.mark.parametrize(
  "kind", ["sequential", "two inputs and two outputs", "dicts", "subclassed", "text"]
)
def test_signatures_are_those_of_keras(k, kind, tmp_path):
  model = KINDS[kind](k)
  write(model, tmp_path / "ours")
  model.export(str(tmp_path / "theirs"))
  ours, theirs = (tf.saved_model.load(str(tmp_path / name)) for name in ("ours", "theirs"))
  assert set(ours.signatures) == set(theirs.signatures)
  for name in theirs.signatures:
    for of in ("structured_input_signature", "structured_outputs"):
      assert getattr(ours.signatures[name], of) == getattr(theirs.signatures[name], of)
  (own,), (keras_own,) = ours.serve.concrete_functions, theirs.serve.concrete_functions
  assert own.structured_input_signature == keras_own.structured_input_signature
  assert own.structured_outputs == keras_own.structured_outputs


def test_a_process_without_keras_and_tflottery(export, jobs):
  found = result(jobs["fresh"])
  roots = {name.split(".")[0] for name in found["imported"]}
  assert "tensorflow" in roots and roots.isdisjoint({"tflottery", "keras", "tf_keras"})
  for output in found[pathlib.Path(export.directory).name]:
    np.testing.assert_array_equal(output, export.output)


def test_the_c_api(export, jobs):
  found = result(jobs["capi"])
  assert "numpy" in found["imported"] and "tensorflow" not in found["imported"]
  (output,) = found[pathlib.Path(export.directory).name]
  np.testing.assert_array_equal(output, export.output)


@pytest.mark.parametrize("name", ["keras-image", "tf_keras-text"])
def test_saved_model_cli(name, exports, jobs):
  jobs[name].finish()
  output = np.load(jobs[name].directory / "output_0.npy")
  np.testing.assert_array_equal(output, exports[name].output)


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
  """What `MEMORY` found, in units of the kernel's size."""
  directory = tmp_path_factory.mktemp("memory")
  model = prune(keras.Sequential([keras.Input((2048,)), keras.layers.Dense(2048)]))
  directories = {name: str(directory / name) for name in ("dense", "compact")}
  write(model, directories["dense"], pack=dense)
  write(model, directories["compact"])
  found = result(pickled(["-c", MEMORY], directories, directory))
  return {name: np.array(sizes) / (2048 * 2048 * 4) for name, sizes in found.items()}


@pytest.mark.slow
def test_loading_fifty_times_keeps_memory(memory):
  sizes = memory["unloaded"]
  assert len(sizes) == 6
  assert sizes[-1] - sizes[0] < 2, sizes  # kernels, of which 50 were loaded


@pytest.mark.slow
def test_loaded_it_takes_the_memory_of_a_dense_one(memory):
  assert 0.9 < memory["dense"] < 1.4
  assert 0.9 < memory["compact"] < 1.5  # the packed weights stay beside the kernel: 0.06 of it
