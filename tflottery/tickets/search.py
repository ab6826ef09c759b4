"""The search for a winning ticket: train, prune, reset, and again.

Frankle & Carbin, ICLR 2019, arXiv:1803.03635; rewinding to step k from Frankle et al., Stabilizing
the Lottery Ticket Hypothesis, arXiv:1903.01611, and Linear Mode Connectivity, ICML 2020,
arXiv:1912.05671; learning-rate rewinding from Renda et al., ICLR 2020, arXiv:2003.02389; other
criteria, resets and what becomes of the pruned from Zhou et al., NeurIPS 2019, arXiv:1905.01067.
"""

import numpy as np

from tflottery import arguments
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.seeds import seeds_of, set_seed
from tflottery.tickets import freeze, prune
from tflottery.tickets.actions import Actions
from tflottery.tickets.fit import Fit, batched, lengths
from tflottery.tickets.restart import Restart
from tflottery.tickets.ticket import Ticket
from tflottery.versions import versions

# What the next level starts from: (its weights, the step that its learning rate stands at).
STARTS = {
  "rewind": lambda rewound, final, k, end: (rewound, k),
  "continue": lambda rewound, final, k, end: (final, end),
  "rewind_learning_rate": lambda rewound, final, k, end: (final, k),
}


def find_ticket(
  build_model,
  train,
  validation=None,
  *,
  levels,
  rate=0.2,
  rates=None,
  scope="layer",
  one_shot=False,
  rewind_to="init",
  start="rewind",
  criterion="large_final",
  kept="rewind",
  keep_sign=False,
  pruned="zero",
  epochs=None,
  steps=None,
  batch_size=32,
  seed=0,
  only=None,
  exclude=None,
  policy=None,
  callbacks=(),
  verbose=1,
):
  """Find a lottery ticket by iterative magnitude pruning, or by another criterion.

  The dense network is trained to the end; then each level removes a share of the remaining weights,
  puts the survivors back to their values of step k with fresh optimizer slots, and trains them for
  the rest of the steps, the learning-rate schedule going on from k.

  A criterion compares the trained weights with those that the same training began with: for level 1
  the weights of step k. Resets, and what becomes of the pruned, go by the weights of step k at every
  level; of a pruned weight counts what its own last training made of it.

  Args:
    build_model: function without arguments that returns a compiled model of either Keras.
    train: `tf.data.Dataset` of (inputs, targets) batches, one epoch long, or a pair of arrays. Of
      arrays every level sees the same batch at the same step. A dataset is iterated anew by every
      `fit`; where `rewind_to` or the end lies inside an epoch, what follows is a new iteration
      without its first batches: if that shuffles anew, the epoch misses some examples and has
      others twice.
    validation: the same, evaluated after every epoch; None evaluates nothing.
    levels: number of prune-and-train rounds after the dense training, 0 or more.
    rate: share of the *remaining* weights that a level removes, in [0, 1).
    rates: dict from pattern (regular expression on paths) to another rate, for instance
      `{"output": 0.1}` for the paper's half rate in the output layer; the last match counts.
    scope: "layer" ranks each layer by itself, "global" all sites of one rate together.
    one_shot: True prunes every level's masks at once from the trained dense network.
    rewind_to: k, as 'init', '500it' or '2ep'.
    start: "rewind" (Frankle et al.); "continue" trains on from the final weights, at the final
      learning rate; "rewind_learning_rate" keeps the final weights and rewinds the schedule alone.
    criterion: which weights stay: "large_final" (those of the largest magnitude), or another name of
      `criteria.named`.
    kept: what the survivors start from, a name in `tfl.RESETS`; another than "rewind" needs
      start="rewind".
    keep_sign: True gives the survivors the signs that they had at step k.
    pruned: what the others are held at, a name in `tfl.FREEZES`; another than "zero" needs
      start="rewind".
    epochs, steps: length of the dense training; give exactly one.
    batch_size: for arrays; their order is a function of `seed` and the epoch alone.
    seed: int, from which separate seeds of initialisation, data order (and dropout) and masks are
      drawn; all are recorded in the ticket.
    only, exclude, policy: choose the sites, see `tflottery.sites`.
    callbacks: passed on to every `fit`.
    verbose: 0 is silent, 1 prints a line per level, 2 Keras's progress as well.

  Returns:
    The `Ticket` of the last level: masks, the weights to start its training from, and what the
    pruned are held at. Its metadata hold the history of the levels: sparsity and final metrics.

  Raises:
    ValueError, TypeError: an argument is out of range or does not fit the model, before training;
      a level would empty a layer.

  >>> import keras
  >>> def build_model():
  ...   model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  ...   model.compile("sgd", "mse")
  ...   return model
  >>> data = np.ones((64, 4), "float32"), np.ones((64, 5), "float32")
  >>> find_ticket(build_model, data, levels=2, rate=0.5, epochs=1, verbose=0)
  Ticket(level=2, 5 of 20 weights remain (25 %))
    fc/kernel  (4, 5)              25.00 %
  """
  if start not in STARTS:
    raise ValueError(f"start={start!r} is unknown. Choose one of {', '.join(STARTS)}.")
  actions = Actions(criterion, kept, keep_sign, pruned, scope)
  actions.check(start)
  if not callable(build_model) or hasattr(build_model, "fit"):
    raise TypeError(
      f"build_model={build_model!r} must be a function that returns a compiled model."
    )
  if batch_size < 1:
    raise ValueError(f"batch_size={batch_size!r} is out of range: at least 1.")
  seeds = seeds_of(arguments.whole("seed", seed, least=0))
  set_seed(seeds["initialisation"])
  model = build_model()
  _sites.keras_of(model)
  data = batched(train, batch_size, seeds["order"])
  if not model.built:
    with model.distribute_strategy.scope():
      model(next(iter(data))[0])
  sites = _sites.sites(model, only=only, exclude=exclude, policy=policy)
  site_rates = prune.site_rates(list(sites), rate, rates)
  sizes = {path: int(np.prod(site.shape)) for path, site in sites.items()}
  prune.check(sizes, site_rates, levels=levels, scope=scope, one_shot=one_shot)
  end, k = lengths(data, epochs, steps, rewind_to)
  fit = Fit(model, data, batched(validation, batch_size, None), callbacks, verbose)
  own = {"initializers": actions.initializers(model, sites), "seed": seeds["masks"]}
  restart = Restart(model, sites, freezes=pruned != "zero")
  try:
    masks = every = {path: np.ones(site.shape, bool) for path, site in sites.items()}
    initial = restart.weights()
    restart(initial, masks, seed=[seeds["order"], 0])
    fit(0, k)
    begin = rewound = restart.weights()
    frozen = {}
    history = [_report(0, masks, fit(k, end), verbose)]
    dense = final = lived = restart.weights()
    for level in range(1, levels + 1):
      if one_shot:
        shot = prune.one_shot_rates(site_rates, level)
        masks = actions.masks(level, rewound, dense, every, shot, seed=seeds["masks"])
        lived = dense
      else:
        masks = actions.masks(level, begin, final, masks, site_rates, seed=seeds["masks"])
      begin, position = STARTS[start](rewound, final, k, end)
      if start == "rewind":
        begin, frozen = actions.start(level, rewound, lived, masks, **own)
      restart(begin, masks, frozen=frozen, step=position, seed=[seeds["order"], level])
      history.append(_report(level, masks, fit(k, end), verbose))
      final = restart.weights()
      lived = freeze.lived(masks, final, lived)
  finally:
    restart.release()
  origin = {
    "rate": rate,
    "rates": dict(rates or {}),
    "one_shot": one_shot,
    "rewind_to": k,
    "start": start,
    **actions.words,
    "steps": end,
    "seed": seed,
    "seeds": seeds,
    "batch_size": batch_size,
    "sites": list(sites),
    "history": history,
    "versions": versions(),
  }
  return Ticket(masks, begin, levels, origin, frozen)


def _report(level, masks, logs, verbose):
  share = _masks.sparsity(masks)
  if verbose:
    metrics = "".join(f", {name} {value:.4f}" for name, value in logs.items())
    print(f"level {level}: {100 * (1 - share):.4g} % of the weights remain{metrics}", flush=True)
  return {"level": level, "sparsity": share} | logs
