"""RigL: drop the weights of the smallest magnitude, grow where the gradient is largest.

Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, arXiv:1911.11134,
Algorithm 1.
"""

from tflottery import criteria, rules, step
from tflottery.algorithms.static import drawn
from tflottery.fitting import HoldMasks


class RigL(HoldMasks):
  """Train a sparse network from the start, its masks rewired by magnitude and gradient.

  Masks begin at random. When the schedule is due, `int(drop(t) * live)` weights of every site are
  replaced: those of the smallest magnitude go, and as many come among all that are not kept, those
  of the largest gradient magnitude of that step's batch, aggregated over the replicas. A weight that
  has just been dropped may come back and keeps its value and slots; others start at 0 with slots
  of 0. Ties go to the lower index.

  Departs: no noise is added to the magnitudes; the slots of dropped weights become 0 at once; the
  masks are updated at the steps begin_step + i * frequency and at end_step, counted from 0.

  Args:
    sparsity: share of the masked weights in all sites, in (0, 1); None with an `allocation` by
      pattern, whose other sites stay dense, or with `masks`.
    end_step: the last step that changes masks, T_end; the paper's is about 75 % of the training.
    masks: the masks to begin with, for instance a ticket's: dict from site path to bool array, or a
      function of the model that returns one; None draws them by `sparsity` and `allocation`.
    allocation: "erk", "erdos_renyi", "uniform" (the first site dense), "equal", a function, or a
      dict from pattern to sparsity; see `tflottery.allocations`.
    begin_step: the first step that changes masks.
    frequency: steps between two changes, the paper's Delta T.
    drop: share of the live weights that is replaced at first, the paper's alpha, in (0, 1].
    drop_schedule: how it falls to end_step: "cosine", "constant", "linear", "inverse_power" (cubic),
      or a schedule step -> (due, share), which then rules alone.
    skip_update: whether a step that changes masks leaves out the optimizer's update, as the authors'
      code does; False updates the weights first. Accumulated gradients are never left out.
    grow_init: what new weights start from: "zeros"; "random", normal with the standard deviation of
      the site's weights times grow_scale; "gradient", the gradient times grow_scale (the authors'
      sign; a negative scale starts downhill).
    grow_scale: see grow_init.
    seed: int, of the masks at the beginning and of "random".
    only, exclude: patterns that choose the sites, as in `tflottery.sites`.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError: an argument is out of range; when `fit` starts, if the sparsity can't be allocated,
      or no step of the schedule lies in this `fit`; also as `HoldMasks`.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> rigl = RigL(0.8, end_step=6, frequency=2)
  >>> history = model.fit(np.ones((8, 4)), np.ones((8, 5)), batch_size=1, verbose=0, callbacks=[rigl])
  >>> history.history["sparsity"]
  [0.8]
  """

  def __init__(
    self,
    sparsity=None,
    *,
    end_step,
    masks=None,
    allocation="erk",
    begin_step=0,
    frequency=100,
    drop=0.3,
    drop_schedule="cosine",
    skip_update=True,
    grow_init="zeros",
    grow_scale=1.0,
    seed=0,
    only=None,
    exclude=None,
    log_sites=False,
  ):
    from tflottery import schedules  # imports tfmot

    schedule = schedules.drops(drop_schedule, drop, begin_step, end_step, frequency)

    def replaces(at):
      due, share = schedule(at)
      return due & (share > 0)

    def changes(model):
      # The gradients of several batches are not thrown away.
      skipping = skip_update and not step.accumulates(step.innermost(model))
      return rules.Changes(
        schedule,
        rules.drop_and_grow(criteria.gradient),
        skips=replaces if skipping else None,
        grow=rules.grow_init(grow_init, grow_scale, seed),
      )

    rules.grow_init(grow_init, grow_scale, seed)  # refuses an unknown one before there is a model
    start = drawn(sparsity, allocation, seed, only, exclude, masks)
    super().__init__(start, changes, log_sites=log_sites)
