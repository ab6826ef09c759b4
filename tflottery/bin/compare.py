"""Compare algorithms: `python -m tflottery.bin.compare --config=FILE --workdir=DIR`.

The config file names the data set, the model and the grid of algorithms, sparsities and seeds; any of
its values can be given on the command line, as `--config.seeds=(0,)`. The same command goes on after
an interruption, and with more seeds, sparsities or algorithms trains only what is new.
"""

from absl import app

from tflottery.bin import start


def main(_):
  from tflottery.experiments import compare

  compare.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
