"""Supermasks: `python -m tflottery.bin.supermask --config=FILE --workdir=DIR`.

Masks of a trained network over its untrained weights, for every criterion and sparsity, and masks that
are trained themselves. The config file names the data set, the model and the masks; any of its values
can be given on the command line, as `--config.levels=10`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  """Run the experiment that the flags name."""
  from tflottery.experiments.supermasks import experiment

  experiment.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
