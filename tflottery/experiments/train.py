"""The experiment behind `python -m tflottery.bin.train`."""

from tflottery.experiments import parents, rethinking, run_report, settings, sparse, task
from tflottery.experiments import run as _run
from tflottery.experiments.progress import Steps
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions


def main(config, workdir):
  """Train the network that `config` describes in `workdir`, or what is missing of its training.

  A network that this one is pruned from is trained in `workdir/parent`.

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
    work = task.load(chosen, rethinking.kind_of(chosen))
    place.claim(names, versions())
    print(_picked(work), flush=True)
    own = rethinking.task_of(work, chosen, lambda: _parent(work, parents.parent(chosen), place))
    _run.run(own, place, Steps(chosen.algorithm, own.end))
  run_report.write(place.path)
  for sentence in run_report.sentences(place.summary()):
    print(sentence)
  print(f"Report: {place.path / 'report.html'}", flush=True)


def _parent(work, chosen, place):
  """The trained network that the one of `work` is pruned from; trains what is missing of it."""
  there, names = _run.Run(place.path / "parent"), settings.as_json(chosen)
  there.check(names)
  if not there.is_done:
    there.claim(names, versions())
    own = rethinking.task_of(work, chosen)
    _run.run(own, there, Steps(f"parent, {chosen.algorithm}", own.end))
  return Ticket.load(there.path / "final.ticket")


def _picked(work):
  s = work.settings
  return (
    f"{s.algorithm} on {s.model} ({s.keras}) and {s.dataset}: {work.end} steps of {s.batch_size}; "
    f"picked steps_per_execution={work.steps_per_execution} and jit_compile={work.jit_compile}."
  )
