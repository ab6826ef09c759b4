"""Train a network, dense or sparse: `python -m tflottery.bin.train --config=FILE --workdir=DIR`.

The config file names the data set, the model and the algorithm; any of its values can be given on
the command line, as `--config.sparsity=0.9`. The same command goes on after an interruption.
"""

from absl import app, flags
from ml_collections import config_flags

from tflottery.bin import start

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment's config file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where network, tables and report are written.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_):
  from tflottery.experiments import train

  train.main(_CONFIG.value, _WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
