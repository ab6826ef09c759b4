"""Find lottery tickets: `python -m tflottery.bin.find_ticket --config=FILE --workdir=DIR`.

The config file names the data set, the model and the search; any of its values can be given on the
command line, as `--config.levels=5`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  from tflottery.experiments import find_ticket

  find_ticket.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
