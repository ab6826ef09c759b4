"""What exports weigh and how fast they answer, against a dense SavedModel that holds each weight once.

    python benchmarks/export.py [--networks=mlp,cnn] [--sparsities=0.5,0.9] [--kerases=keras]

Every export is loaded in a fresh process beside two loads of the dense one, all three called in a new
random order in every round. Latency is the ratio of medians; in brackets stands dense against itself.
The networks are untrained, their zeros at random places: so `gzip` and the codes get no help from
structure. Differences are those of outputs from the model's.
"""

import argparse
import pathlib
import tempfile
import warnings

import keras
import numpy as np
import tf_keras

import tflottery as tfl
from tflottery import export

ROWS = (1, 32, 256)
COLUMNS = ["network", "Keras", "zeros", "format", "bytes / dense", "of ideal", "gzip MB (dense)"]
COLUMNS += ["load ms (dense)", *(f"latency, {rows} rows" for rows in ROWS), "largest difference"]


def mlp(k):
  """784-2048-2048-10: 5.8 million weights."""
  layers = [k.layers.Dense(2048, "relu"), k.layers.Dense(2048, "relu"), k.layers.Dense(10)]
  return k.Sequential([k.Input((784,)), *layers])


def cnn(k):
  """Three convolutions with batch normalisation and two dense layers: 1.1 million weights."""
  layers = []
  for filters in (32, 64, 128):
    layers += [k.layers.Conv2D(filters, 3, padding="same"), k.layers.BatchNormalization()]
    layers += [k.layers.ReLU(), k.layers.MaxPool2D()]
  layers += [k.layers.Flatten(), k.layers.Dense(512, "relu"), k.layers.Dense(10)]
  return k.Sequential([k.Input((32, 32, 3)), *layers])


KERASES = {"keras": keras, "tf_keras": tf_keras}
NETWORKS = {"mlp": mlp, "cnn": cnn}
FORMATS = (("compact", "float32"), ("compact", "float16"), ("csr", "float32"))


def sparse(model, sparsity):
  rng = np.random.default_rng(0)
  for site in tfl.sites(model).values():
    weight = np.array(site.variable.numpy())
    site.variable.assign(weight * (rng.random(weight.shape) >= sparsity))
  return model


def measured(model, format, values, workdir):
  """The reports of one format, one for each number of rows."""
  rng = np.random.default_rng(0)
  shape = model.inputs[0].shape[1:]
  return [
    export.saved_model(
      model,
      pathlib.Path(workdir, "export"),
      format=format,
      values=values,
      examples=rng.random((rows, *shape)).astype("float32"),
      overwrite=True,
      verbose=False,
    )
    for rows in ROWS
  ]


def cells(reports, values):
  """The columns from `format` on."""
  one = reports[0]
  written = reports[-1].format
  return [
    written if values == "float32" else f"{written}, {values}",
    f"{one.bytes / one.dense_bytes:.3f}",
    f"{one.bytes / one.ideal_bytes:.2f}",
    f"{one.gzip_bytes / 1e6:.2f} ({one.dense_gzip_bytes / 1e6:.2f})",
    f"{one.load_milliseconds:.0f} ({one.dense_load_milliseconds:.0f})",
    *(f"{found.latency_ratio:.2f} ({found.control_ratio:.2f})" for found in reports),
    f"{max(found.largest_difference for found in reports):.1g}",
  ]


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--networks", default=",".join(NETWORKS))
  parser.add_argument("--sparsities", default="0.5,0.8,0.9,0.95,0.98")
  parser.add_argument("--kerases", default="keras")
  args = parser.parse_args()
  warnings.filterwarnings("ignore")
  print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
  with tempfile.TemporaryDirectory() as workdir:
    for network in args.networks.split(","):
      for keras_name in args.kerases.split(","):
        for sparsity in map(float, args.sparsities.split(",")):
          model = sparse(NETWORKS[network](KERASES[keras_name]), sparsity)
          for format, values in FORMATS:
            reports = measured(model, format, values, workdir)
            if format == "csr" and reports[-1].format != "csr":
              continue  # nowhere known to be faster
            row = [network, keras_name, f"{sparsity:g}", *cells(reports, values)]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
  main()
