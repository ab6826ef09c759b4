"""Criteria: probe -> scores, a dict from site path to float tensor. Higher means keep."""

import difflib
import functools

import numpy as np
import tensorflow as tf

from tflottery import arguments, deconstructed, draws


def magnitude(probe):
  """|w|. Han et al. 2015, arXiv:1506.02626."""
  return {path: tf.abs(weight) for path, weight in probe.weights.items()}


def gradient(probe):
  """|dL/dw|. Evci et al. 2020, arXiv:1911.11134."""
  return {path: tf.abs(probe.gradients[path]) for path in probe.masks}


def snip(probe):
  """|w dL/dw|, the connection sensitivity. Lee et al. 2019, arXiv:1810.02340, equation 5.

  The paper divides by the sum over the network, which changes no rank.
  """

  def score(path, weight):  # summed gradients are float32 whatever the weight is
    return tf.abs(tf.cast(weight, tf.float32) * tf.cast(probe.gradients[path], tf.float32))

  return {path: score(path, weight) for path, weight in probe.weights.items()}


def random(seed):
  """A criterion of uniform draws in [0, 1), new ones at every step.

  Site i draws from (seed, i, step): the same numbers on every device, replica and worker.

  Args:
    seed: int of at least 0, or a sequence of such.

  Raises:
    ValueError: the seed is no whole number, or below 0.
  """
  seed = _seed(seed)

  def draw(probe):
    sites = enumerate(probe.masks.items())
    return {path: draws.uniform(mask.shape, (*seed, i), probe.step) for i, (path, mask) in sites}

  return draw


def named(name, seed=0):
  """The criterion of that name: "magnitude", or one of `DECONSTRUCTED`.

  The nine of Zhou et al. 2019, arXiv:1905.01067, with w the weight and w0 its initial value:

      large_final   |w|             large_init  |w0|      large_init_large_final
      small_final  -|w|             small_init -|w0|      small_init_small_final
      movement     |w - w0|         magnitude_increase  |w| - |w0|          random

  A joint criterion keeps what is above (below) one percentile of both magnitudes, taken over the
  weights of the layer that live. Where layers are ranked together, its percentiles are each layer's
  still.

  With `_same_sign` at its end a criterion puts the weights whose sign is not that of their initial
  value below all others, in random order; with `_diff_sign` those that kept their sign. 0 is a sign
  of its own, and magnitudes have to stay below 2^76. Of blocks or channels (`granularity`) those that hold such weights go first. What departs
  from the paper stands in `tflottery/deconstructed.py`.

  Args:
    name: the name.
    seed: int of at least 0, or a sequence of such, of what is drawn: site i at step t draws from
      (seed, i, t).

  Raises:
    ValueError: no criterion has that name; lists those that there are. Also from the criterion, if it
      needs the initial weights and the probe has none.

  >>> from tflottery.probe import Probe
  >>> final, initial = {"a": tf.constant([3.0, -1.0])}, {"a": tf.constant([2.5, 4.0])}
  >>> masks = {"a": tf.constant([True, True])}
  >>> probe = Probe(final, masks, gradients={}, step=0, initial_weights=initial)
  >>> named("movement")(probe)["a"].numpy().tolist()
  [0.5, 5.0]
  """
  known = {"magnitude": lambda seed: magnitude} | DECONSTRUCTED
  if not isinstance(name, str) or name not in known:
    close = difflib.get_close_matches(str(name), known, n=1)
    raise ValueError(
      f"criterion={name!r} is unknown.{f' Did you mean {close[0]!r}?' if close else ''} Choose one "
      f"of {', '.join(map(repr, known))}."
    )
  return known[name](seed)


def needs_initial(name):
  """Whether the criterion of that name looks at the initial weights.

  Raises:
    ValueError: as `named`.

  >>> needs_initial("movement"), needs_initial("large_final")
  (True, False)
  """
  named(name)
  return name not in ("magnitude", *deconstructed.FINAL_ONLY)


def _seed(seed):
  return tuple(arguments.whole("seed", part, least=0) for part in np.ravel(np.array(seed, object)))


def _initial(probe, name):
  if probe.initial_weights is None:
    raise ValueError(
      f"criterion={name!r} needs the weights from before the training, and none were captured. Give "
      "them as initial=, for instance tfl.capture(model).weights taken before fit or a ticket's "
      "weights; within fit, initial=True of Gradual or rules.Changes captures them."
    )
  return probe.initial_weights


def _scored(name, probe):
  """One of `deconstructed.SCORES` on every site."""
  initial = {} if name in deconstructed.FINAL_ONLY else _initial(probe, name)
  score = deconstructed.SCORES[name]
  return {
    path: score(*deconstructed.ends(initial.get(path), weight), probe.masks[path])
    for path, weight in probe.weights.items()
  }


def _plain(name, seed):
  return random(seed) if name == "random" else functools.partial(_scored, name)


def _signed(name, sign, seed):
  criterion, seed = _plain(name, seed), _seed(seed)

  def scores(probe):
    initial, found = _initial(probe, f"{name}_{sign}"), criterion(probe)
    for i, path in enumerate(probe.masks):
      stays = deconstructed.SIGNS[sign](*deconstructed.ends(initial[path], probe.weights[path]))
      draw = draws.uniform(stays.shape, (*seed, i), probe.step)
      found[path] = deconstructed.below(tf.cast(found[path], tf.float32), stays, draw)
    return found

  return scores


_NAMES = (*deconstructed.SCORES, "random")
# Name -> function of a seed that returns the criterion.
DECONSTRUCTED = {name: functools.partial(_plain, name) for name in _NAMES} | {
  f"{name}_{sign}": functools.partial(_signed, name, sign)
  for sign in deconstructed.SIGNS
  for name in _NAMES
}
