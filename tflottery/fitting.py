"""What `model.fit` of either Keras is given so that its masks are held."""

import warnings

import tf_keras

from tflottery import masks as _masks
from tflottery import step, training


class HoldMasks(tf_keras.callbacks.Callback):
  """Hold masks while `fit` runs; afterwards the model is plain Keras and its weights are sparse.

  Works in the `fit` of Keras 3 and of tf_keras. In every checkpoint and validation pass masked
  weights are exactly 0, or their frozen values. Masks and frozen values travel in the checkpoints of
  the training as variables of the optimizer, so `BackupAndRestore` brings them back; when training
  ends they leave the optimizer, and the frozen values stay in the weights.

  Every epoch's logs get `sparsity`, the share of the masked weights in those of all its sites, and
  `replaced`, the share of the live weights that the latest change of masks grew anew (0 where masks
  do not change): History, the progress bar, and CSVLogger and TensorBoard if they stand later in
  the list of callbacks.

  Given to a second `fit` of the same model, the same callback goes on: with the masks that it ended
  with or was interrupted at, with the same frozen values, and with its schedule at the optimizer's
  own step (a model that was compiled anew starts at 0). Given to another model it starts over.

  Args:
    masks: dict from site path to bool array, or a function of the model that returns one.
    changes: `rules.Changes` that change the masks while the network trains, or a function of the
      model that returns them; None leaves the masks as they are.
    frozen: dict from site path to float array of the weight's shape, or a function of the model that
      returns one: what masked weights hold instead of 0, see `tflottery.hold`. None: 0.
    log_sites: whether the logs also get `sparsity/<path>` of every site.

  Raises:
    ValueError, TypeError: when `fit` starts, if masks or frozen values do not fit the model (see
      `tflottery.hold`), another callback of this `fit` holds masks, or the schedule can't fire
      within the steps that `fit` is going to do. Later there are warnings where masks leave a site
      without any weight.

  >>> import keras, numpy as np
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> masks = {"fc/kernel": np.array([[True], [False]])}
  >>> history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0, callbacks=[HoldMasks(masks)])
  >>> float(model.get_weights()[0][1, 0]), history.history["sparsity"]
  (0.0, [0.5])
  """

  def __init__(self, masks, changes=None, *, frozen=None, log_sites=False):
    super().__init__()
    self._masks = masks
    self._changes = changes
    self._frozen = frozen
    self._log_sites = log_sites
    self._ended_with = None  # what this model's last fit ended with, see _state
    self._held = None
    self._began = False  # between the first epoch's beginning and the training's end
    self._empty = set()  # sites without any weight, of which has been warned

  @property
  def masks(self):
    """The masks in force, after `fit` those that it ended with; None before the first `fit`."""
    is_held = self._held is not None and training.held_on(self.model) is self._held
    return self._held.masks if is_held else self._ended_with and self._ended_with["masks"]

  def set_model(self, model):
    # Here and not in on_train_begin: fit makes the train function in between, and
    # BackupAndRestore looks for the masks before.
    if model is not self.model:
      self._ended_with = None
    elif self._began:  # that fit was interrupted
      self._ended_with = _state(self._held)
    super().set_model(model)
    self._held = self._hold(model, enforce=False)  # this fit may be refused, or be an evaluate
    self._held.holder = self
    self._began, self._empty = False, set()

  def hold(self, model):
    """Hold the masks as in `fit`, until they are released: for training loops of your own.

    Returns:
      `HeldMasks`, also a context manager that releases at its end.
    """
    return self._hold(model, enforce=True)

  def _hold(self, model, *, enforce):
    changes = _of(model, self._changes)
    state = self._ended_with
    if state is None:
      state = {"masks": _of(model, self._masks), "frozen": _of(model, self._frozen)}
    return training.HeldMasks(model, changes=changes, enforce=enforce, **state)

  def on_train_begin(self, logs=None):
    refuse_another(self.model, self._held)

  def on_epoch_begin(self, epoch, logs=None):
    if not self._began:  # other callbacks may have loaded weights when the training began
      if self._ended_with is None:
        _check_schedule(self._held, self.params, epoch)
      self._held.enforce()
    self._began = True

  def on_epoch_end(self, epoch, logs=None):
    if logs is not None:
      masks = self._held.masks
      logs["sparsity"] = _masks.sparsity(masks)
      logs["replaced"] = self._held.replaced
      if self._log_sites:
        logs.update({f"sparsity/{p}": _masks.sparsity({p: mask}) for p, mask in masks.items()})
      self._warn_of_empty(masks)

  def on_train_end(self, logs=None):
    self._ended_with, self._began = _state(self._held), False
    self._held.release()

  def _warn_of_empty(self, masks):
    """Say once of every site that its last weight has gone, as a ranking of all sites may do."""
    empty = {path for path, mask in masks.items() if not mask.any()} - self._empty
    if empty and self._held.changes is not None:
      warnings.warn(
        f"The masks leave no weight in {', '.join(sorted(empty))}. Ask for a lower sparsity, or for "
        "scope='layer'.",
        stacklevel=2,
      )
    self._empty |= empty


def _of(model, given):
  return given(model) if callable(given) else given


def _state(held):
  """What a later hold of the same masks begins with."""
  return {"masks": held.masks, "frozen": held.frozen, "initial": held.initial}


def refuse_another(model, mine):
  """One callback of a `fit` changes the step: of two, neither could keep what it promises.

  Every callback's `set_model` hooks, and so the last of them: whoever is first to begin finds out.

  Args:
    model: the model.
    mine: what the caller has hooked with, as `step.owner` gives it.

  Raises:
    ValueError: naming both.
  """
  other = step.owner(step.innermost(model))
  if other is mine or other is None:
    return
  other.release()
  raise ValueError(
    f"callbacks={_name(mine)} and {_name(other)} both want to change the optimizer's step of model "
    f"{model.name!r}. Give fit one of them; for different sparsities by layer, give its allocation= a "
    "dict of patterns."
  )


def _name(owner):
  return type(getattr(owner, "holder", None) or owner).__name__


def _updates(model, batches):
  """How many updates the optimizer makes of so many batches."""
  accumulated = getattr(step.innermost(model), "gradient_accumulation_steps", None)  # Keras 3 alone
  return batches // (accumulated or 1)


def _check_schedule(held, params, epoch):
  """Refuse a schedule that can't fire within the steps that `fit` is going to do from `epoch` on.

  Raises:
    ValueError: naming the steps.
  """
  if held.changes is None or held.changes_done or params.get("steps") is None:
    return
  from tflottery import schedules  # imports tfmot, which only schedules need

  start = held.steps_done
  stop = start + _updates(held.model, params["steps"] * (params["epochs"] - epoch))
  schedule, ends = held.changes.schedule, held.changes.ends
  if schedules.first_due(schedule, start, stop) is None:
    held.release()
    raise ValueError(
      f"The schedule of the masks, {schedule!r}, never fires in this fit: the optimizer stands at "
      f"step {start} and fit ends at step {stop}. Give begin_step, end_step and frequency in steps "
      "of the optimizer, or train longer."
    )
  if ends is not None and ends >= stop:
    warnings.warn(
      f"end_step={ends} lies beyond this fit, which ends after step {stop - 1}: the final sparsity "
      "will not be reached. Train longer, or let the schedule end sooner.",
      stacklevel=2,
    )
