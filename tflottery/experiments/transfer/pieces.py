"""The trainings of the transfer experiment: searches on sources, and what is trained on targets.

Morcos et al. 2019, arXiv:1906.02773. A piece is one training: a dict with the names that begin
`workdir.ROW`.
"""

import itertools

from tflottery.experiments import lottery, report
from tflottery.experiments.progress import Progress
from tflottery.experiments.settings import as_json
from tflottery.experiments.transfer.target import Target, key
from tflottery.experiments.transfer.workdir import DENSE
from tflottery.versions import versions


def transfers(settings, seeds):
  """The pieces of moved tickets and of their controls, in the order in which they are done."""
  return [
    {"seed": seed, "target": target, "source": source, "level": level, "arm": arm}
    for seed in seeds
    for target, source in itertools.product(settings.targets, settings.sources)
    for level in settings.transfer_levels
    for arm in ("ticket", *settings.controls)
  ]


def is_finished(settings, place):
  """Whether nothing is left to do: a dense network is trained before the tickets beside it."""
  searches = lottery.pieces(settings, settings.seeds)
  return all(place.is_done(piece) for piece in transfers(settings, settings.seeds)) and all(
    place.source(name).is_done(*piece) for name in settings.sources for piece in searches
  )


def claim(settings, place):
  """Claim the directories of the searches, after a look at all of them."""
  names = {name: as_json(settings.of(name)) for name in settings.sources}
  for name, values in names.items():
    place.source(name).check(values)
  for name, values in names.items():
    place.source(name).claim(values, versions())


def run(tasks, place, seeds, *, after_piece=lambda: None):
  """Do all searches and pieces of these seeds that are not done yet; call `after_piece` after each.

  Args:
    tasks: a `task.Tasks`.
    place: a `Workdir`.
  """
  for name in tasks.settings.sources:
    search = place.source(name)
    if not all(search.is_done(*p) for p in lottery.pieces(tasks.settings, seeds)):
      print(f"Search on {name}:", flush=True)
      lottery.run(tasks.source(name), search, seeds, after_piece=after_piece)
    if _is_stale(search):
      search.write_tables()
      report.write(search.path)
  todo = missing(tasks, place, seeds)
  progress = Progress({key(p): tasks.target(p["target"], p["source"]).end for p in todo})
  for (seed, target, shape), group in itertools.groupby(todo, _group):
    own = list(group)
    work = tasks.target(target, own[0]["source"])
    print(f"Seed {seed}: {len(own)} trainings on {target}, images of {shape}:", flush=True)
    Target(tasks, work, place, seed, progress).run(own, after_piece)


def _is_stale(search):
  """Whether a piece is newer than the page, as after a kill between the two."""
  page = search.path / "report.html"
  newest = max(path.stat().st_mtime_ns for path in search.path.glob("pieces/seed_*/*.json"))
  return not page.exists() or page.stat().st_mtime_ns < newest


def missing(tasks, place, seeds):
  """The pieces that are not done, those of one seed, target and image shape together, dense first."""
  found = {}
  for piece in transfers(tasks.settings, seeds):
    shape = "x".join(map(str, tasks.source(piece["source"]).data.image_shape))
    piece = piece | {"image_shape": shape}
    for own in (piece | {"level": 0, "arm": DENSE}, piece):
      found.setdefault(key(own), own)
  todo = [piece for piece in found.values() if not place.is_done(piece)]
  return sorted(todo, key=lambda piece: (*_group(piece), piece["arm"] != DENSE))


def _group(piece):
  return piece["seed"], piece["target"], piece["image_shape"]
