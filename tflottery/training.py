"""Held masks: masks enforced inside the compiled train step, on both Kerases.

The masks act between the aggregation of the gradients and the optimizer's update, so that clipping,
momentum, moments and weight decay all see the sparse network.
"""

import warnings

import keras
import numpy as np
import tensorflow as tf

from tflottery import fits, step, strategies
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.changing import Changing, Place


def hold(model, masks, changes=None, *, frozen=None):
  """Hold `masks` in every later optimizer step of `model`, until `release`.

  From this call on a masked weight is exactly 0, or its frozen value, after every optimizer step:
  w * m + frozen * (1 - m). Its gradient reaches the optimizer as 0, and its slots (momentum,
  moments) are 0; the averages of `use_ema` hold there what the weight holds. Works in `fit`,
  `train_on_batch` and custom loops that call the optimizer, for every `steps_per_execution`,
  `jit_compile` and under `tf.distribute`. Masks become bool variables of the optimizer, and frozen
  values float ones, so that they travel in checkpoints; `release` takes them out again, and leaves
  the frozen values in the weights.

  Call `enforce` after weights were loaded into a held model. A later `compile` gives the model an
  optimizer without masks, and a second `hold` (also by a callback's `fit`) releases the first.

  Args:
    model: a built and compiled model of either Keras.
    masks: dict from site path to bool array of the weight's shape; an absent site stays dense.
    changes: `rules.Changes` that change the masks inside the step; None leaves them as they are.
      What is dropped takes its frozen value; what grows begins with it.
    frozen: dict from site path to float array of the weight's shape, finite: what masked weights
      hold (values at other places count when they are masked later), in the weight's dtype. At an
      absent site they hold 0; None: at every site.

  Returns:
    A `HeldMasks`, also a context manager that releases at its end.

  Raises:
    TypeError: `model` is no Keras model, its optimizer is a legacy one or Adafactor, or it is built
      under a strategy that can't train it in compiled steps.
    ValueError: the model is not built or compiled, the masks or frozen values do not fit, or frozen
      values are meant for a weight in tfmot's wrapper; every mismatch is listed, and the model is
      untouched.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> with hold(model, {"fc/kernel": np.array([[True], [False]])}):
  ...   _ = model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
  >>> float(model.get_weights()[0][1, 0])
  0.0
  >>> masks, frozen = {"fc/kernel": [[True], [False]]}, {"fc/kernel": [[0.0], [0.5]]}
  >>> with hold(model, masks, frozen=frozen):
  ...   _ = model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
  >>> float(model.get_weights()[0][1, 0])
  0.5
  """
  return HeldMasks(model, masks, changes, frozen=frozen)


class HeldMasks:
  """Masks in force on a model; made by `hold`.

  Attributes:
    model: the model.
    sites: dict from path to the `Site` of every held mask.
    changes: the `rules.Changes` that change them, or None.
    holder: the callback that holds them, or None.

  A masked weight holds 0, or its value in `frozen`; see `hold`.

  `enforce=False` leaves the weights alone until `enforce` is called, which must be before the first
  step: by a callback, whose `fit` may yet be refused. `initial` gives the weights that an earlier
  hold of these masks kept for `changes.initial`; None keeps those of the first `enforce`.
  """

  def __init__(self, model, masks, changes=None, *, frozen=None, enforce=True, initial=None):
    self.model = model
    self.holder = None
    self.changes = changes
    strategies.check(model)
    self.sites = fits.sites(model, masks)
    frozen = fits.frozen(self.sites, frozen or {})
    self._optimizer = step.innermost(model)
    interrupted = step.owner(self._optimizer)
    if interrupted is not None:
      interrupted.release()
    with model.distribute_strategy.scope():
      model.optimizer.build(model.trainable_variables)
      self._places = {p: self._place(site, frozen.get(p)) for p, site in self.sites.items()}
      self._changing = changes and Changing(
        self._places,
        changes,
        self._optimizer,
        counts_on=self._optimizer is not model.optimizer,
        new_variable=self._new_variable,
        initial=initial,
      )
    key = self._optimizer._var_key
    self._paths = {key(site.variable): path for path, site in self.sites.items()}
    self._schedules = self._take_over_wrappers()
    self._variables = self._optimizer._variables
    own = [place.mask for place in self._places.values()]
    own += [place.frozen for place in self._places.values() if place.frozen is not None]
    own += self._changing.variables if changes else []
    step.set_variables(self._optimizer, [*self._variables, *own])
    self._set(masks)
    if enforce:
      self.enforce()
    constrained = any(site.variable.constraint is not None for site in self.sites.values())
    self._masks_again = constrained or not step.keeps_zeros(self._optimizer)
    step.hook(
      self._optimizer,
      self.mask_gradient,
      owner=self,
      after=self.after_update if self._masks_again or changes or frozen else None,
      skips=changes and changes.skips,
    )
    model.train_function = None  # a function already traced would not see the hook

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()

  @property
  def masks(self):
    """The masks in force: dict from path to bool NumPy array."""
    return {path: _sites.value(place.mask) for path, place in self._places.items()}

  @property
  def frozen(self):
    """What masked weights hold: dict from path to array, of the sites that were given values."""
    places = self._places.items()
    return {path: _sites.value(p.frozen) for path, p in places if p.frozen is not None}

  @property
  def initial(self):
    """The weights kept for `changes.initial`: dict from path to array, {} where none are."""
    kept = self._changing.initial if self._changing else {}
    return {path: _sites.value(variable) for path, variable in kept.items()}

  @property
  def steps_done(self):
    """The optimizer's own count of its steps."""
    return int(step.steps_done(self._optimizer))

  @property
  def changes_done(self):
    """How often the masks have changed inside the step."""
    return int(_sites.value(self._changing.count)) if self._changing else 0

  @property
  def replaced(self):
    """The share of the live weights, in [0, 1], that the latest change of masks grew anew."""
    return float(_sites.value(self._changing.replaced)) if self._changing else 0.0

  def assign(self, masks, frozen=None):
    """Change the masks between steps.

    Slots at newly masked places become 0, weights 0 or their frozen values.

    Args:
      masks: dict from site path to bool array; an absent site keeps its mask.
      frozen: dict from site path to float array, only of sites that were held with frozen values;
        an absent site's become 0. None leaves all frozen values as they are.
    """
    if frozen is not None:
      frozen = fits.frozen(self.sites, frozen)
      strange = [path for path in frozen if self._places[path].frozen is None]
      if strange:
        raise ValueError(
          f"frozen={', '.join(strange)}: held without frozen values. Give hold (or HoldMasks) "
          "frozen= with zeros for these sites, Restart freezes=True, so that there is room for them."
        )
    self._set(masks)
    for path, place in self._places.items():
      if frozen is not None and place.frozen is not None:
        place.frozen.assign(frozen.get(path, np.zeros(place.site.shape)))
    self.enforce()

  def _set(self, masks):
    fits.sites(self.model, masks)
    strange = [path for path in masks if path not in self._places]
    if strange:
      raise ValueError(
        f"masks name {', '.join(strange)}, held are only {', '.join(self._places)}. Release these "
        "masks and hold all of them, with True everywhere for a weight that is dense as yet."
      )
    empty = [path for path, mask in masks.items() if not np.any(mask)]
    if empty:
      warnings.warn(f"The masks leave no weight in {', '.join(empty)}.", stacklevel=3)
    for path, mask in masks.items():
      self._places[path].mask.assign(np.asarray(mask, bool))

  def enforce(self):
    """Set weights to 0 or their frozen values where masked, for instance after some were loaded.

    Slots become 0 there.
    """
    if self._changing:
      self._changing.keep_initial()
    for place in self._places.values():
      mask = _sites.value(place.mask)
      for variable in (place.site.variable, *place.averages):
        variable.assign(np.where(mask, _sites.value(variable), place.held))
      for slot in place.slots:
        value = _sites.value(slot)
        slot.assign(np.where(mask, value, np.zeros_like(value)))
      if place.site.wrapper_mask is not None:
        place.site.wrapper_mask.assign(mask.astype("float32"))

  def release(self):
    """Take hook and masks out again; the weights stay what they are, and the model is plain Keras."""
    if step.owner(self._optimizer) is not self:
      return
    step.unhook(self._optimizer)
    step.set_variables(self._optimizer, self._variables)
    for wrapper, schedule in self._schedules:
      wrapper.pruning_obj._pruning_schedule = schedule
    self.model.train_function = None

  def mask_gradient(self, gradient, variable):
    """`gradient` with 0 at masked places, where it is NaN or infinite too."""
    path = self._paths.get(self._optimizer._var_key(variable))
    if path is None or gradient is None:
      return gradient
    mask = tf.convert_to_tensor(self._places[path].mask)
    if isinstance(gradient, tf.IndexedSlices):  # an embedding's: only the rows that were looked up
      mask = tf.gather(mask, gradient.indices)
      values = tf.where(mask, gradient.values, tf.zeros_like(gradient.values))
      return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return _masks.select(mask, gradient, tf.zeros_like(gradient))

  def after_update(self, pairs):
    """What follows the update inside the step, on its aggregated (gradient, variable) pairs."""
    paths = [(self._paths.get(self._optimizer._var_key(v)), g) for g, v in pairs]
    gradients = {path: g for path, g in paths if path is not None and g is not None}

    def everywhere(strategy, gradients):
      gradients = {p: strategy.experimental_local_results(g)[0] for p, g in gradients.items()}
      if self._changing:
        self._changing.run(strategy, gradients)
      for place in self._places.values():
        if self._masks_again:  # this update may not keep zeros
          place.write(strategy, tf.convert_to_tensor(place.mask))
        elif place.frozen is not None:  # decay, and the rounding of averages, move what is not 0
          place.write_weight(strategy, tf.convert_to_tensor(place.mask), place.held)

    tf.distribute.get_replica_context().merge_call(everywhere, args=(gradients,))

  def _place(self, site, frozen):
    mask = self._new_variable(f"mask/{site.path}", np.ones(site.shape, bool))
    if frozen is not None:
      frozen = self._new_variable(f"frozen/{site.path}", frozen)
    averages = step.averages(self._optimizer, site.variable)
    alike = {id(average) for average in averages}
    slots = [s for s in step.slots(self._optimizer, site.variable) if id(s) not in alike]
    return Place(site, mask, slots, averages, frozen)

  def _new_variable(self, name, value):
    name, value = name.replace("/", "_"), np.asarray(value)
    if _sites.keras_of(self.model) is keras:
      return keras.Variable(value, dtype=str(value.dtype), trainable=False, name=name)
    return tf.Variable(value, trainable=False, name=name)

  def _take_over_wrappers(self):
    """Stop tfmot's wrappers from changing masks while these are held: (wrapper, its schedule)."""
    wrappers = {id(site.wrapper): site.wrapper for site in self.sites.values() if site.wrapper}
    schedules = []
    for wrapper in [*wrappers.values(), *_sites.empty_wrappers(self.model)]:
      schedules.append((wrapper, wrapper.pruning_obj._pruning_schedule))
      wrapper.pruning_obj._pruning_schedule = _never_due
    # A wrapper refuses to train before a callback has set its step, and tfmot's callback goes by the
    # first wrapper's: so also of those that are not held.
    for wrapper in _sites.wrappers(self.model) if schedules else ():
      wrapper.pruning_step.assign(max(0, int(_sites.value(wrapper.pruning_step))))
    return schedules


def held_on(model):
  """The `HeldMasks` in force on a model, None where there are none."""
  if getattr(model, "optimizer", None) is None:
    return None
  optimizer = model.optimizer
  while hasattr(optimizer, "inner_optimizer"):
    optimizer = optimizer.inner_optimizer
  owner = step.owner(optimizer)
  return owner if isinstance(owner, HeldMasks) else None


def _never_due(_):
  """A pruning schedule for tfmot's wrappers that never fires."""
  return tf.constant(False), tf.constant(0.0)
