"""Tickets that travel: `python -m tflottery.bin.transfer --config=FILE --workdir=DIR`.

Tickets are found on source tasks, moved to target tasks and trained there, beside random tickets and
the ticket that was found on the target itself. The config file names the tasks; any of its values can
be given on the command line, as `--config.levels=10`. The same command goes on after an interruption.
"""

from absl import app

from tflottery.bin import start


def main(_):
  """Run the experiment that the flags name."""
  from tflottery.experiments.transfer import experiment

  experiment.main(start.CONFIG.value, start.WORKDIR.value)


if __name__ == "__main__":
  app.run(start.reporting(main), flags_parser=start.parse)
