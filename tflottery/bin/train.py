"""Train a network, dense or sparse: `python -m tflottery.bin.train --config=FILE --workdir=DIR`.

The config file names the data set, the model and the algorithm; any of its values can be given on
the command line, as `--config.sparsity=0.9`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  from tflottery.experiments import train

  train.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
