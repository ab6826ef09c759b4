"""Prune outside of training: masks from a network as it stands, at once or in iterations."""

import difflib
import functools

import numpy as np
import tensorflow as tf

from tflottery import allocations, arguments, criteria, rules, site, strategies, training
from tflottery.algorithms import checks
from tflottery.algorithms.grasp import grasp
from tflottery.algorithms.initial_weights import initial_weights
from tflottery.algorithms.network import Network, Probe, unchanged
from tflottery.algorithms.synflow import synflow
from tflottery.probe import Lazy


def _deconstructed(name):
  return lambda probe: criteria.named(name, probe.seed)(probe)


CRITERIA = {
  "magnitude": criteria.magnitude,
  "random": _deconstructed("random"),
  "snip": criteria.snip,
  "grasp": grasp,
  "synflow": synflow,
}
CRITERIA |= {name: _deconstructed(name) for name in criteria.DECONSTRUCTED if name not in CRITERIA}
_ITERATIONS = {"synflow": 100}  # the paper's; the others prune at once


def prune(
  model,
  criterion="synflow",
  *,
  sparsity,
  initial=None,
  data=None,
  loss=None,
  allocation="equal",
  scope="global",
  granularity=None,
  iterations=None,
  batches=1,
  seed=0,
  only=None,
  exclude=None,
):
  """Masks for a network before it is trained, or from what training made of it.

  The model stays as it is, weights, statistics, optimizer, metrics and seeds, also where this raises.
  A data set is begun anew once, which is all that one that shuffles notices.

  Train with them held:

      masks = tfl.prune(model, "synflow", sparsity=0.9)
      model.fit(train, epochs=10, callbacks=[tfl.callbacks.HoldMasks(masks)])

  or let the callback prune when `fit` starts:

      tfl.callbacks.HoldMasks(lambda model: tfl.prune(model, "snip", sparsity=0.9, data=train))

  The criteria of Zhou et al. 2019, arXiv:1905.01067, such as "movement", look at trained weights, and
  most of them at what those were before:

      initial = tfl.capture(model).weights
      model.fit(train, epochs=10)
      masks = tfl.prune(model, "movement", sparsity=0.9, initial=initial, scope="layer")

  Over several iterations the share of weights that live falls exponentially, as in Tanaka et al.
  2020, arXiv:2006.05467, Algorithm 1: after iteration i of n it is (1 - sparsity)^(i/n). Every
  iteration scores the network that the one before has left.

  Departs, from Lee et al. 2019, arXiv:1810.02340 (SNIP): biases are not pruned, and the weights are
  not drawn anew afterwards. Of all: counts are exact, and what is masked never comes back. What
  departs from the papers of "grasp" and "synflow" stands with them, in `algorithms/grasp.py` and
  `algorithms/synflow.py`.

  Masks that are held on the model already are where pruning starts.

  Args:
    model: a built model of either Keras; compiled, for "snip" and "grasp" without `loss`.
    criterion: "synflow", "snip", "grasp", "magnitude", "random", a name of `criteria.named` (the
      model's weights are then the final ones), or a function probe -> scores, a dict from site path
      to float tensor, higher means keep. `algorithms.network.Probe` says what it may look at.
    sparsity: share of the masked weights in all sites, in (0, 1); None with an `allocation` by
      pattern and scope "layer".
    initial: dict from path to array, the weights before training: `tfl.capture(model).weights` taken
      then, or a ticket's `weights`; None will do where the criterion does not look at them.
    data: what "snip" and "grasp" look at: a `tf.data.Dataset` of batches (x, y) or (x, y, sample
      weights), whose first ones are taken, or a tuple of arrays, of which batches of up to 128
      examples are drawn. "synflow" needs it only where the model does not say the shape of its
      inputs, as a subclassed one.
    loss: function (targets, outputs) -> float tensor, a Keras loss or its name; None takes the
      compiled one, with what the layers add to it.
    allocation: with scope "layer": "equal", "uniform", "erdos_renyi", "erk", a function, or a dict
      from pattern to sparsity; see `tflottery.allocations`.
    scope: "global" ranks all sites together, as the papers do; "layer" each by itself.
    granularity: see `tflottery.granularity`; None ranks single weights.
    iterations: at least 1; None takes the paper's, 100 for "synflow" and 1 otherwise.
    batches: how many batches' gradients are summed, at least 1.
    seed: int of at least 0, of the criteria that draw and of the batches drawn from arrays.
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.

  Returns:
    A dict from site path to bool NumPy array of the weight's shape, with
    `max(1, round((1 - sparsity) * size))` True for each ranking.

  Warns where a site is left without any weight, as SNIP does at extreme sparsities, and where held
  masks are sparser than what is asked for.

  Raises:
    ValueError: an argument is out of range or unknown; data, a loss or the initial weights are
      missing; initial weights do not fit, every mismatch listed; scores are not finite or all 0, as in
      an iteration after one that left a layer without any weight.
    TypeError: `model` is no Keras model, `initial` no dict, or the data neither a data set nor arrays.

  >>> import keras
  >>> from tflottery.fitting import HoldMasks
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> masks = prune(model, "synflow", sparsity=0.8)
  >>> masks["fc/kernel"].shape, int(masks["fc/kernel"].sum())
  ((4, 5), 4)
  >>> data = (np.ones((8, 4)), np.ones((8, 5)))
  >>> pruned = HoldMasks(lambda model: prune(model, "snip", sparsity=0.8, data=data))
  >>> _ = model.fit(*data, verbose=0, callbacks=[pruned])
  >>> int(np.count_nonzero(model.get_weights()[0]))
  4
  """
  allocations.check(sparsity, allocation)
  rules.check_scope(scope, allocation)
  name, criterion = criterion, _criterion(criterion)
  iterations = _ITERATIONS.get(name, 1) if iterations is None else iterations
  iterations = arguments.whole("iterations", iterations, least=1)
  batches = arguments.whole("batches", batches, least=1)
  seed = arguments.whole("seed", seed, least=0)
  sites = site.sites(model, only=only, exclude=exclude)
  initial = initial_weights(model, sites, initial, name)
  strategies.check(model)
  wanted = _wanted(sites, sparsity, allocation, scope, granularity)
  rule = rules.prune(
    checks.of_scores(name, criterion), wanted, scope=scope, granularity=granularity
  )
  network = Network(model, sites, data=data, loss=loss, batches=batches, seed=seed)
  masks, others = _held(model, sites)
  checks.warn_of_sparser(masks, wanted(1))
  with unchanged(model):
    weights = {path: tf.convert_to_tensor(s.variable) for path, s in sites.items()}
    for i in range(iterations):
      effective = {path: tf.where(masks[path], w, others[path]) for path, w in weights.items()}
      probe = _probe(network, effective, masks, i, seed, initial)
      masks = rule(probe, (i + 1) / iterations)
  masks = {path: np.array(mask) for path, mask in masks.items()}
  checks.warn_of_empty(masks)
  return masks


def _criterion(criterion):
  if not callable(criterion) and (not isinstance(criterion, str) or criterion not in CRITERIA):
    close = difflib.get_close_matches(str(criterion), CRITERIA, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
      f"criterion={criterion!r} is unknown.{hint} Choose one of {', '.join(map(repr, CRITERIA))}, or "
      "give a function probe -> scores."
    )
  return criterion if callable(criterion) else CRITERIA[criterion]


def _wanted(sites, sparsity, allocation, scope, granularity):
  """Function of the share of the iterations done, in (0, 1], to sparsities."""
  shapes = {path: s.shape for path, s in sites.items()}
  if granularity is not None:
    for path, shape in shapes.items():
      granularity.check(shape, path)

  def reached(final, share):
    return np.float64(final if share == 1 else 1 - (1 - final) ** share)

  if scope == "global":
    return lambda share: reached(sparsity, share)
  finals = allocations.sparsities(shapes, sparsity, allocation)
  return lambda share: {path: reached(final, share) for path, final in finals.items()}


def _held(model, sites):
  """(masks to start from, what masked weights hold): held ones; True, and 0, elsewhere."""
  held = training.held_on(model)
  masks, frozen = (held.masks, held.frozen) if held else ({}, {})
  masks = {p: tf.constant(masks.get(p, np.ones(s.shape, bool))) for p, s in sites.items()}
  zeros = {p: tf.zeros(s.shape, s.variable.dtype) for p, s in sites.items()}
  return masks, {p: tf.constant(frozen.get(p, zero)) for p, zero in zeros.items()}


def _probe(network, weights, masks, step, seed, initial):
  """A probe of the network, whose variables take on the weights."""
  for path, s in network.sites.items():
    s.variable.assign(weights[path])
  gradients = functools.cache(network.gradients)
  return Probe(
    weights=weights,
    masks=masks,
    gradients=Lazy(network.sites, lambda path: gradients()[path]),
    step=tf.constant(step, tf.int64),
    network=network,
    seed=seed,
    initial_weights=initial,
  )
