"""Instability: whether copies of a network, trained with different noise, end linearly connected.

Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020,
arXiv:1912.05671, section 2.
"""

import collections.abc
import functools
import numbers

import numpy as np
import tensorflow as tf

from tflottery import arguments, durations, fits
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.analysis.connectivity import require_statistics
from tflottery.analysis.copies import Comparison, Instability, require_finite
from tflottery.analysis.statistics import Reestimator
from tflottery.seeds import noise_of, seeds_of, set_seed
from tflottery.tickets.fit import Fit, batched, lengths
from tflottery.tickets.restart import Restart


def instability(
  build_model,
  train,
  test,
  *,
  at=("init",),
  ticket=None,
  copies=2,
  epochs=None,
  steps=None,
  metric="accuracy",
  points=30,
  statistics="interpolate",
  batch_size=32,
  seed=0,
  callbacks=(),
  verbose=1,
):
  """Measure from which step on the noise of training no longer decides where a network ends.

  Copies are trained from the weights at step k to the end, each with an order of the data (and
  augmentation, dropout) of its own; then the error is taken along the straight line between every
  two of them. Its highest value less the mean of the two ends is the instability, eq. 1; the network
  is stable at k where that is at most 2 points.

  Copy 0 is one training for all k: the dense network's, from which copies 1 and on branch off at each
  k, with its weights, its optimizer's state and its place in the learning-rate schedule. Copies of a
  ticket all begin with its weights and a fresh optimizer, as the ticket itself does.

  Args:
    build_model: function without arguments that returns a compiled model of either Keras.
    train: a pair of arrays, of which each copy has an order for every epoch, a function of the copy's
      seed and the epoch alone; or a function of an int seed that returns a `tf.data.Dataset` of
      (inputs, targets) batches, one epoch long, its order and augmentation drawn from the seed. Such
      a dataset is iterated anew from every k and in every epoch; where a k or the end lies inside
      an epoch, what follows is a new iteration without its first batches. If that shuffles anew, the
      epoch misses some examples and has others twice, and what copy 0 sees depends on all of `at`.
    test: a pair of arrays or a dataset of batches, on which the error is taken.
    at: the steps k, before the end: 'init', '500it', '2ep' or ints.
    ticket: a `Ticket` of this model, whose copies are trained from the step it was rewound to
      (`metadata["rewind_to"]`, 0 where it is absent); `at` is then not given. None: the dense network.
    copies: 2 or more.
    epochs, steps: length of the dense training, from its start; give exactly one.
    metric: name of a metric of the model in [0, 1], of which 1 is best; the error is 1 - metric.
    points: places on the line, 2 or more.
    statistics: moving statistics of BatchNormalization on the line: "interpolate", or "reestimate"
      on the training data, see `evaluate_path`.
    batch_size: for arrays.
    seed: int of at least 0, from which the initialisation and the noise of every copy are drawn.
    callbacks: passed on to every `fit`.
    verbose: 0 is silent, 1 prints a line per k, 2 Keras's progress as well.

  Returns:
    A list of `Instability`, one for every k in the order of `at`; for a ticket one.

  Raises:
    ValueError, TypeError: an argument is out of range or does not fit the model, before training;
      copies end with equal weights, because nothing in their training is random.
    FloatingPointError: a copy's training diverged.

  >>> import keras
  >>> def build_model():
  ...   model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax", name="fc")])
  ...   model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
  ...   return model
  >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
  >>> y = (x[:, 0] > 0).astype(int)
  >>> found = instability(build_model, (x, y), (x, y), steps=2, points=2, verbose=0)
  >>> [(each.step, [pair.copies for pair in each.pairs]) for each in found]
  [(0, [(0, 1)])]
  """
  copies = arguments.whole("copies", copies, least=2)
  points = arguments.whole("points", points, least=2)
  batch_size = arguments.whole("batch_size", batch_size, least=1)
  seed = arguments.whole("seed", seed, least=0)
  require_statistics(statistics, train)
  at = _listed(at)
  _check(build_model, train, test, at, ticket)
  noises = [noise_of(seed, copy) for copy in range(copies)]
  noises = [{name: noise[name] for name in ("order", "dropout")} for noise in noises]
  seeds = seeds_of(seed)
  set_seed(seeds["initialisation"])
  model = build_model()
  _sites.keras_of(model)
  batches = functools.partial(_batches, train, batch_size)
  data = batches(noises[0]["order"])
  if not model.built:
    with model.distribute_strategy.scope():
      model(next(iter(data))[0])
  start, moments, end = _moments(data, epochs, steps, at, ticket)
  evaluate = _evaluator(model, batched(test, batch_size, None), metric)
  masks, frozen = _masks_of(model, ticket)
  restart = Restart(model, fits.sites(model, masks), freezes=frozen is not None)
  begin = functools.partial(restart, masks=masks, frozen=frozen)
  compare = Comparison(evaluate, masks, points, statistics, Reestimator(model, data))

  def new_fit(noise):
    set_seed(seeds["initialisation"])  # the order of a dataset's shuffle depends on it as well
    return Fit(model, batches(noise["order"]), None, callbacks, verbose)

  found = {}
  try:
    for k, finals in _trained(restart, begin, new_fit, noises, start, moments, end):
      pairs = compare(model, finals)
      found[k] = Instability(k, noises, _masks.sparsity(masks), pairs)
      if verbose:
        print(found[k], flush=True)
  finally:
    restart.release()
  return [found[k] for k in moments]


def _trained(restart, begin, new_fit, noises, start, moments, end):
  """Yields every k and the final weights of its copies."""
  branches, done = {}, start
  fit = new_fit(noises[0])
  begin(restart.weights(), step=start, seed=noises[0]["dropout"])
  for k in sorted(set(moments)):
    fit(done, k)
    # At its start the optimizer is fresh, and the schedule stands where the ticket was rewound to.
    branches[k] = restart.weights(), restart.state() if k > start else None
    done = k
  fit(done, end)
  first = require_finite(0, restart.weights())
  for k, (weights, state) in branches.items():
    finals = [first]
    for copy, noise in enumerate(noises[1:], 1):
      fit = new_fit(noise)
      begin(weights, step=start, seed=noise["dropout"], state=state)
      fit(k, end)
      finals.append(require_finite(copy, restart.weights()))
    yield k, finals


def _listed(at):
  """The steps k as a list."""
  if isinstance(at, (str, numbers.Integral)):
    return [at]
  if not isinstance(at, collections.abc.Iterable):
    raise TypeError(
      f"at={at!r} names no step. Give one or several, for instance ('init', '500it')."
    )
  return list(at)


def _check(build_model, train, test, at, ticket):
  """Refuse what can be seen before a model is built."""
  if not callable(build_model) or hasattr(build_model, "fit"):
    raise TypeError(
      f"build_model={build_model!r} must be a function that returns a compiled model."
    )
  if isinstance(train, tf.data.Dataset) or not (
    callable(train) or isinstance(train, (tuple, list))
  ):
    raise TypeError(
      f"train={train!r} has no seed, so all copies would see the data in one order. Give a pair of "
      "arrays, or a function of an int seed that returns a dataset shuffled from it."
    )
  if test is None:
    raise TypeError("test=None: the error is taken on it. Give a pair of arrays or a dataset.")
  if ticket is not None and at != ["init"]:
    raise ValueError(
      f"at={at!r} is for the dense network: copies of a ticket begin where it was rewound to. Leave "
      "at out, or leave ticket out."
    )


def _batches(train, batch_size, seed):
  """The training data of one copy."""
  if not callable(train):
    return batched(train, batch_size, seed)
  data = train(seed)
  if not isinstance(data, tf.data.Dataset):
    raise TypeError(f"train({seed}) returned {data!r}. It must be a tf.data.Dataset of batches.")
  return data


def _moments(data, epochs, steps, at, ticket):
  """(step of the first weights, the steps k, step after the last)."""
  end, _ = lengths(data, epochs, steps, 0)
  length = int(data.cardinality())
  name = "at"
  if ticket is not None:
    name, at = 'ticket.metadata["rewind_to"]', [ticket.metadata.get("rewind_to", 0)]
  moments = [durations.steps(moment, length, argument=name) for moment in at]
  for moment, k in zip(at, moments, strict=True):
    if k >= end:
      raise ValueError(
        f"{name}={moment!r} is step {k}, beyond the training: copies need steps of their own. Give "
        f"one before the last of {end} steps."
      )
  if not moments:
    raise ValueError("at=[] names no step. Give one or several, for instance ('init', '500it').")
  return (0 if ticket is None else moments[0]), moments, end


def _evaluator(model, test, metric):
  """A function that returns the model's (error, loss)."""

  def results(data):
    return model.evaluate(data, verbose=0, return_dict=True)

  names = [name for name in results(test.take(1)) if name != "loss"]
  if metric not in names:
    raise ValueError(
      f"metric={metric!r} is no metric of model {model.name!r}. Its metrics are: "
      f"{', '.join(names) or 'none'}. Compile it with metrics=[{metric!r}], or name another."
    )

  def evaluate():
    found = results(test)
    return 1 - found[metric], found["loss"]

  return evaluate


def _masks_of(model, ticket):
  """(masks, frozen values) by the model's own paths; a ticket's start weights are put into it."""
  if ticket is None:
    return {path: np.ones(site.shape, bool) for path, site in _sites.sites(model).items()}, None
  masks = ticket.apply(model)
  weights = _sites.weights(model)
  held = {path: _sites.value(weights[path]) for path in masks}
  return masks, held if ticket.frozen else None
