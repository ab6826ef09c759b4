"""The experiment behind `python -m tflottery.bin.find_ticket`."""

import importlib.metadata
import time

import tensorflow as tf

from tflottery.experiments import lottery, processes, report, settings, task
from tflottery.experiments.progress import duration
from tflottery.experiments.workdir import Workdir

_PACKAGES = ("tflottery", "tensorflow", "keras", "tf_keras", "numpy")


def main(config, workdir):
  """Run the search that `config` describes in `workdir`, or what is missing of it.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
  """
  chosen = settings.read(config)
  place = Workdir(workdir)
  names = settings.as_json(chosen)
  missing = [p for p in lottery.pieces(chosen, chosen.seeds) if not place.is_done(*p)]
  if missing:
    _split_cpu(chosen)
    work = task.load(chosen)
    place.claim(names, {name: importlib.metadata.version(name) for name in _PACKAGES})
    print(_picked(work), flush=True)
    begun = time.perf_counter()
    workers = min(chosen.workers, len(chosen.seeds))
    if workers > 1:
      shares = [chosen.seeds[i::workers] for i in range(workers)]
      processes.run(run_seeds, (names, str(workdir)), shares)
    else:
      lottery.run(work, place, chosen.seeds)
    print(f"{len(missing)} trainings in {duration(time.perf_counter() - begun)}.", flush=True)
  else:
    place.claim(names, {})
    print("Finished already: nothing to train.", flush=True)
  place.write_tables()
  report.write(place.path)
  for sentence in report.verdict(place.rows()):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def run_seeds(names, workdir, seeds):
  """What one of several processes does."""
  chosen = settings.from_json(names)
  lottery.run(task.load(chosen), Workdir(workdir), seeds)


def _split_cpu(chosen):
  """Two replicas on a machine without accelerators need two logical CPUs, made before TF starts."""
  if chosen.strategy and not tf.config.list_physical_devices("GPU"):
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * chosen.replicas
    if tf.config.get_logical_device_configuration(cpu) is None:
      tf.config.set_logical_device_configuration(cpu, logical)


def _picked(work):
  s = work.settings
  return (
    f"{s.model} ({s.keras}) on {s.dataset}: {work.end} steps of {s.batch_size}, rewound to step "
    f"{work.rewind_step}; picked steps_per_execution={work.steps_per_execution} and "
    f"jit_compile={work.jit_compile}."
  )
