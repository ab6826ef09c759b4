"""Stability: `python -m tflottery.bin.stability --config=FILE --workdir=DIR`.

When a network can be rewound to: copies that part at step k and are trained under different noise, the
error along the line between them, and how far they and their tickets end from each other. The config
file names the data set, the model and the steps; any of its values can be given on the command line, as
`--config.copies=3`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  """Run the experiment that the flags name."""
  from tflottery.experiments.stability import experiment

  experiment.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
