"""The experiment behind `python -m tflottery.bin.train`."""

from tflottery.experiments import run as _run
from tflottery.experiments import run_report, settings, sparse, task
from tflottery.experiments.progress import Steps
from tflottery.versions import versions


def main(config, workdir):
  """Train the network that `config` describes in `workdir`, or what is missing of its training.

  Raises:
    ValueError, FileNotFoundError: before any training; names the setting, its value and the cure.
  """
  chosen = sparse.read(config)
  place = _run.Run(workdir)
  names = settings.as_json(chosen)
  place.check(names)
  if place.is_done:
    print("Finished already: nothing to train.", flush=True)
  else:
    work = task.load(chosen, sparse.Task)
    place.claim(names, versions())
    print(_picked(work), flush=True)
    _run.run(work, place, Steps(chosen.algorithm, work.end))
  run_report.write(place.path)
  for sentence in run_report.sentences(place.summary()):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def _picked(work):
  s = work.settings
  return (
    f"{s.algorithm} on {s.model} ({s.keras}) and {s.dataset}: {work.end} steps of {s.batch_size}; "
    f"picked steps_per_execution={work.steps_per_execution} and jit_compile={work.jit_compile}."
  )
