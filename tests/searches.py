"""Searches of a few seconds that the tests share: in this process, and through the binary."""

import csv
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import keras
import tf_keras

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMES = ("train_seconds", "steps_per_second", "steps_per_second_with_evaluation")
# What TensorFlow's own C++ prints on stderr, whatever its log level.
_TENSORFLOW_SAYS = re.compile(r"^([IWEF]\d{4} |WARNING: All log messages before|To enable the)")


def config(file="configs/default.py", **changes):
  """The config of `file` with other values."""
  if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # configs import each other
  result = runpy.run_path(str(ROOT / file))["get_config"]()
  with result.unlocked(), result.ignore_type():
    for name, value in changes.items():
      result[name] = value
  return result


def tiny(**changes):
  """Two levels of LeNet on digits, 40 steps each, rewound to step 20."""
  small = {"steps": 40, "rewind_to": "20it", "levels": 2, "eval_every": 10, "batch_size": 30}
  return config(**small | changes)


def command(workdir, *flags, file="configs/lth_digits.py"):
  """The binary's command line."""
  binary = [sys.executable, "-m", "tflottery.bin.find_ticket"]
  return [*binary, f"--config={file}", f"--workdir={workdir}", *flags]


def environment(**more):
  """Its environment: the tests' own models can be imported, TensorFlow is quiet."""
  path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
  return os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"} | more


def run(*args, **options):
  """Run a command to its end; `said` is its stderr without TensorFlow's lines."""
  done = subprocess.run(
    list(args), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=500, **options
  )
  done.said = [line for line in done.stderr.splitlines() if not _TENSORFLOW_SAYS.match(line)]
  return done


def table(workdir):
  """The rows of results.csv as texts."""
  with open(workdir / "results.csv", newline="", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def outcome(workdir):
  """What a search found, without what depends on the clock: tickets' bytes, rows, curves, files."""
  tickets = {str(p.relative_to(workdir)): p.read_bytes() for p in workdir.rglob("*.ticket")}
  rows = [{n: v for n, v in row.items() if n not in TIMES} for row in table(workdir)]
  pieces = workdir.glob("pieces/*/*")
  curves = {str(p.relative_to(workdir)): json.loads(p.read_text())["curve"] for p in pieces}
  files = sorted(
    str((p.parent if "tfevents" in p.name else p).relative_to(workdir))
    for p in workdir.rglob("*")
    if p.is_file()
  )
  return {"tickets": tickets, "rows": rows, "curves": curves, "files": files}


def on_disk(workdir):
  """Every file with its bytes and the time of its last change."""
  files = [p for p in workdir.rglob("*") if p.is_file()]
  return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def _noisy(k, input_shape, classes):
  return k.Sequential(
    [
      k.layers.Input(input_shape),
      k.layers.Flatten(),
      k.layers.Dense(40, use_bias=False),
      k.layers.BatchNormalization(momentum=0.8),
      k.layers.ReLU(),
      k.layers.Dropout(0.3),
      k.layers.Dense(20, activation="relu"),
      k.layers.Dropout(0.2),
      k.layers.Dense(classes),
    ]
  )


def noisy_keras(input_shape, classes):
  """A network with dropout and batch normalisation, its layers unnamed."""
  return _noisy(keras, input_shape, classes)


def noisy_tf_keras(input_shape, classes):
  """The same in tf_keras."""
  return _noisy(tf_keras, input_shape, classes)


def without_kernels(input_shape, classes):
  """A network with nothing to prune."""
  del classes
  image = keras.Input(input_shape)
  x = keras.layers.Flatten()(image)
  return keras.Model(image, keras.layers.BatchNormalization()(x[:, :10]))


def of_seven_classes(input_shape):
  """A network with too few logits for digits."""
  return _noisy(keras, input_shape, 7)


def no_model():
  """Not a network."""
  return "a network"
