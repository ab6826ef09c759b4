"""Early-Bird training: `python -m tflottery.bin.early_bird --config=FILE --workdir=DIR`.

The config file names the data set, the model and the search; any of its values can be given on the
command line, as `--config.shares=(0.3,0.5)`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  from tflottery.experiments import early_bird

  early_bird.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
