"""Export a sparse model: `python -m tflottery.bin.export --model=PATH --output=DIR`.

PATH is a `.keras` file, a tf_keras SavedModel, or a ticket with --builder=module:function. What is
written is loaded again and compared before it is kept, and a report is printed.
"""

import importlib

from absl import app, flags

from tflottery.bin import errors

MODEL = flags.DEFINE_string("model", None, "The .keras file, tf_keras SavedModel or ticket.")
OUTPUT = flags.DEFINE_string("output", None, "The directory to write; a file for tflite, weights.")
FORMAT = flags.DEFINE_enum(
  "format", "auto", ["auto", "compact", "csr", "fastest", "dense", "tflite", "weights"],
  "tflite writes a .tflite file, weights a .keras or .weights.h5 file, the others a SavedModel.",
)  # fmt: skip
VALUES = flags.DEFINE_enum(
  "values", "float32", ["float32", "float16", "int8"], "How weights are stored; int8 in tflite."
)
BUILDER = flags.DEFINE_string("builder", None, "module:function that returns a ticket's network.")
IMPORT = flags.DEFINE_multi_string("import", [], "A module that registers the model's own classes.")
EXAMPLES = flags.DEFINE_string("examples", None, ".npz or .npy, typical inputs; int8 needs them.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether to replace what is at --output.")
flags.mark_flags_as_required(["model", "output"])


def main(_):
  from tflottery.experiments import opening
  from tflottery.export.saved_model import saved_model
  from tflottery.export.tflite import tflite

  for module in IMPORT.value:
    importlib.import_module(module)
  model = opening.open_model(MODEL.value, builder=BUILDER.value)
  examples = opening.open_examples(EXAMPLES.value, model) if EXAMPLES.value else None
  how = {"values": VALUES.value, "examples": examples, "overwrite": OVERWRITE.value}
  if FORMAT.value == "weights":
    _weights(model, **how)
  elif FORMAT.value == "tflite":
    tflite(model, OUTPUT.value, representative=examples if VALUES.value == "int8" else None, **how)
  else:
    saved_model(model, OUTPUT.value, format=FORMAT.value, **how)


def _weights(model, *, values, examples, overwrite):
  from tflottery.export.dense_weights import dense_weights

  if values != "float32" or examples is not None:
    raise ValueError("--format=weights keeps each weight's dtype: no --values, no --examples.")
  dense_weights(model, OUTPUT.value, overwrite=overwrite)


if __name__ == "__main__":
  app.run(errors.reporting(main, also=(ImportError, RuntimeError)), flags_parser=errors.parse)
