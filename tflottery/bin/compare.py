"""Compare algorithms: `python -m tflottery.bin.compare --config=FILE --workdir=DIR`.

The config file names the data set, the model and the grid of algorithms, sparsities and seeds; any of
its values can be given on the command line, as `--config.seeds=(0,)`. The same command goes on after
an interruption, and with more seeds, sparsities or algorithms trains only what is new.
"""

from absl import app, flags
from ml_collections import config_flags

from tflottery.bin import start

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment's config file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Where networks, tables and report are written.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_):
  from tflottery.experiments import compare

  compare.main(_CONFIG.value, _WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
