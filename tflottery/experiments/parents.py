"""Parents: the algorithms that begin with a trained network, and whose it is.

A name is a way of pruning and a way of training what it leaves: `l1_norm_scratch_b` is "l1_norm" and
"scratch_b". The baselines of Liu et al. 2019, Rethinking the Value of Network Pruning,
arXiv:1810.05270, prune a dense network; those of Gale et al. 2019, The State of Sparsity,
arXiv:1902.09574, take the masks of a network that became sparse while it was trained, their source.
"""

import dataclasses

from tflottery import durations
from tflottery.experiments import starts, ways

# The algorithm of the trained network that each way of pruning takes.
PARENTS = {"l1_norm": "dense", "slimming": "slimming", "unstructured": "dense"}
SOURCES = ("magnitude", "magnitude_extended", *starts.LEARNED)
PARENTS |= {source: source for source in SOURCES}

# Their arguments stand in a config under these names.
WAYS = {"fine_tuned": ways.FineTuned, "scratch_e": ways.ScratchE, "scratch_b": ways.ScratchB}
# What networks under learned masks begin with, the retraining says.
RETRAININGS = {
  "ticket": ways.ScratchE,
  "scratch_e": ways.ScratchE,
  "scratch_b": ways.ScratchB,
  "scratch_e_sparse": ways.ScratchE,
  "scratch_b_sparse": ways.ScratchB,
  "scratch_b_constant_final": ways.ConstantFinal,
  "scratch_b_continual_decay": ways.ContinualDecay,
  "scratch_b_constant_decay": ways.ConstantDecay,
}
RETRAINED = {f"{source}_{way}": (source, way) for source in SOURCES for way in RETRAININGS}
ALGORITHMS = {
  f"{pruning}_{way}": (pruning, way)
  for pruning in PARENTS
  if pruning not in SOURCES
  for way in WAYS
} | RETRAINED


def arguments_of(algorithm, values):
  """The arguments of one of `ALGORITHMS`, by the names under which they stand in a config's values."""
  pruning, way = ALGORITHMS[algorithm]
  names = (PARENTS[pruning], _name_in_config(way))
  return {name: values[name] for name in names if name in values}


def way_of(settings):
  """How the pruned network is trained.

  Args:
    settings: of one of `ALGORITHMS`.

  Raises:
    ValueError: an argument is unknown or out of range; names it as it stands in the config. Or the
      way changes when the learning rate drops, and it never does.
  """
  _, way = ALGORITHMS[settings.algorithm]
  name = _name_in_config(way)
  given = settings.algorithm_arguments.get(name, {})
  try:
    found = (WAYS | RETRAININGS)[way](**given)
  except (TypeError, ValueError) as error:
    raise ValueError(f"config.{name}={given!r}: {error}") from error
  drops = settings.learning_rate_drops
  if found.needs_drops and not any(durations.steps(drop, 1) for drop in drops):
    raise ValueError(
      f"config.learning_rate_drops={drops!r}: {settings.algorithm} changes when the learning rate drops, "
      "and so it would be Scratch-B. Give drops, or leave it out."
    )
  return found


def pruning(settings):
  """How the network is pruned that `settings` train, or their algorithm where it has no parent."""
  return ALGORITHMS.get(settings.algorithm, [settings.algorithm])[0]


def parent(settings):
  """The settings of the trained network that `settings` begin with; None where they begin anew."""
  if settings.algorithm not in ALGORITHMS:
    return None
  algorithm = PARENTS[pruning(settings)]
  was_asked = algorithm in SOURCES and algorithm not in starts.LEARNED
  return dataclasses.replace(
    settings,
    algorithm=algorithm,
    algorithm_arguments=settings.algorithm_arguments.get(algorithm, {}),
    sparsity=settings.sparsity if was_asked else 0.0,
  )


def _name_in_config(way):
  """The name under which the arguments of a way stand."""
  return "scratch_b" if way.startswith("scratch_b") else way
