"""Tropical: `python -m tflottery.bin.tropical --config=FILE --workdir=DIR`.

The polytopes that govern a network's decision boundary, and which initialisation keeps their shape when
the network is pruned and trained again. The config file names the data set, the network and the steps;
any of its values can be given on the command line, as `--config.hidden=50`. The same command goes on
after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  """Run the experiment that the flags name."""
  from tflottery.experiments.tropical import experiment

  experiment.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
