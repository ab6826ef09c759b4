"""Held masks: masks enforced inside the compiled train step, on both Kerases.

The masks act between the aggregation of the gradients and the optimizer's update, so that clipping,
momentum, moments and weight decay all see the sparse network.
"""

import warnings

import keras
import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery import step


def hold(model, masks):
  """Hold `masks` in every later optimizer step of `model`, until `release`.

  From this call on a masked weight is exactly 0 after every optimizer step, its gradient reaches
  the optimizer as 0, and its slots (momentum, moments, averages) are 0. Works in `fit`,
  `train_on_batch` and custom loops that call the optimizer, for every `steps_per_execution`,
  `jit_compile` and under `tf.distribute`. Masks become bool variables of the optimizer, so that
  they travel in checkpoints; `release` takes them out again.

  Call `enforce` after weights were loaded into a held model. A later `compile` gives the model an
  optimizer without masks, and a second `hold` (also by a callback's `fit`) releases the first.

  Args:
    model: a built and compiled model of either Keras.
    masks: dict from site path to bool array of the weight's shape; an absent site stays dense.

  Returns:
    A `HeldMasks`, also a context manager that releases at its end.

  Raises:
    TypeError: `model` is no Keras model, or its optimizer is a legacy one or Adafactor.
    ValueError: the model is not built or compiled, or the masks do not fit; every mismatch is
      listed, and the model is untouched.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> with hold(model, {"fc/kernel": np.array([[True], [False]])}):
  ...   _ = model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
  >>> float(model.get_weights()[0][1, 0])
  0.0
  """
  return HeldMasks(model, masks)


class HeldMasks:
  """Masks in force on a model; made by `hold`.

  Attributes:
    model: the model.
    sites: dict from path to the `Site` of every held mask.
  """

  def __init__(self, model, masks):
    self.model = model
    self.sites = fitting_sites(model, masks)
    self._optimizer = step.innermost(model)
    interrupted = held_on(model)
    if interrupted is not None:
      interrupted.release()
    with model.distribute_strategy.scope():
      model.optimizer.build(model.trainable_variables)
      self._masks = {path: self._mask_variable(site) for path, site in self.sites.items()}
    key = self._optimizer._var_key
    self._paths = {key(site.variable): path for path, site in self.sites.items()}
    self._slots = {
      path: step.slots(self._optimizer, site.variable) for path, site in self.sites.items()
    }
    self._schedules = self._take_over_wrappers()
    self._variables = self._optimizer._variables
    step.set_variables(self._optimizer, [*self._variables, *self._masks.values()])
    self.assign(masks)
    constrained = any(site.variable.constraint is not None for site in self.sites.values())
    again = constrained or not step.keeps_zeros(self._optimizer)
    step.hook(self._optimizer, self.mask_gradient, self.mask_variables if again else None)
    object.__setattr__(self._optimizer, "_held_masks", self)
    model.train_function = None  # a function already traced would not see the hook

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()

  @property
  def masks(self):
    """The masks in force: dict from path to bool NumPy array."""
    return {path: _sites.value(variable) for path, variable in self._masks.items()}

  def assign(self, masks):
    """Change the masks between steps: weights and slots at newly masked places become 0."""
    fitting_sites(self.model, masks)
    strange = [path for path in masks if path not in self._masks]
    if strange:
      raise ValueError(
        f"masks name {', '.join(strange)}, held are only {', '.join(self._masks)}. Release these "
        "masks and hold all of them, with True everywhere for a weight that is dense as yet."
      )
    empty = [path for path, mask in masks.items() if not np.any(mask)]
    if empty:
      warnings.warn(f"The masks leave no weight in {', '.join(empty)}.", stacklevel=2)
    for path, mask in masks.items():
      self._masks[path].assign(np.asarray(mask, bool))
    self.enforce()

  def enforce(self):
    """Set weights and slots to 0 where the masks say so, for instance after weights were loaded."""
    for path, site in self.sites.items():
      mask = _sites.value(self._masks[path])
      for variable in (site.variable, *self._slots[path]):
        value = _sites.value(variable)
        variable.assign(np.where(mask, value, np.zeros_like(value)))
      if site.wrapper_mask is not None:
        site.wrapper_mask.assign(mask.astype("float32"))

  def release(self):
    """Take hook and masks out again; the weights stay sparse, and the model is plain Keras."""
    if vars(self._optimizer).get("_held_masks") is not self:
      return
    step.unhook(self._optimizer)
    object.__delattr__(self._optimizer, "_held_masks")
    step.set_variables(self._optimizer, self._variables)
    for wrapper, schedule in self._schedules:
      wrapper.pruning_obj._pruning_schedule = schedule
    self.model.train_function = None

  def mask_gradient(self, gradient, variable):
    """`gradient` with 0 at masked places, where it is NaN or infinite too."""
    path = self._paths.get(self._optimizer._var_key(variable))
    if path is None or gradient is None:
      return gradient
    mask = tf.convert_to_tensor(self._masks[path])
    if isinstance(gradient, tf.IndexedSlices):  # an embedding's: only the rows that were looked up
      mask = tf.gather(mask, gradient.indices)
      values = tf.where(mask, gradient.values, tf.zeros_like(gradient.values))
      return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return tf.where(mask, gradient, tf.zeros_like(gradient))

  def mask_variables(self):
    """Mask weights and slots inside the step, after an update that may not keep their zeros."""

    def masked(variable, mask):
      variable.assign(tf.where(mask, variable, tf.zeros_like(variable)))

    def update(strategy):
      for path, site in self.sites.items():
        for variable in (site.variable, *self._slots[path]):
          mask = _tf_variable(self._masks[path])
          strategy.extended.update(_tf_variable(variable), masked, args=(mask,), group=False)

    tf.distribute.get_replica_context().merge_call(update)

  def _mask_variable(self, site):
    ones, name = np.ones(site.shape, bool), f"mask_{site.path.replace('/', '_')}"
    if _sites.keras_of(self.model) is keras:
      return keras.Variable(ones, dtype="bool", trainable=False, name=name)
    return tf.Variable(ones, trainable=False, name=name)

  def _take_over_wrappers(self):
    """Stop tfmot's wrappers from changing masks while these are held: (wrapper, its schedule)."""
    wrappers = {id(site.wrapper): site.wrapper for site in self.sites.values() if site.wrapper}
    schedules = []
    for wrapper in wrappers.values():
      schedules.append((wrapper, wrapper.pruning_obj._pruning_schedule))
      wrapper.pruning_obj._pruning_schedule = _never_due
      # The wrapper refuses to train before a callback has set its step.
      wrapper.pruning_step.assign(max(0, int(_sites.value(wrapper.pruning_step))))
    return schedules


def fitting_sites(model, masks):
  """The sites that `masks` name, in the order of the model.

  Raises:
    ValueError: a path or shape does not fit, with all the mismatches listed.
  """
  known = _sites.candidates(model)
  problems = []
  for path, mask in masks.items():
    if path not in known:
      problems.append(f"{path}: no such prunable weight")
    elif tuple(np.shape(mask)) != known[path].shape:
      problems.append(f"{path}: mask of shape {np.shape(mask)} for {known[path].shape}")
  if problems or not masks:
    raise ValueError(
      f"The masks do not fit model {model.name!r}: {'; '.join(problems) or 'there are none'}. "
      f"Its prunable weights are: {', '.join(f'{p} {s.shape}' for p, s in known.items())}."
    )
  return {path: site for path, site in known.items() if path in masks}


def held_on(model):
  """The `HeldMasks` in force on a model, None where there are none."""
  if getattr(model, "optimizer", None) is None:
    return None
  optimizer = model.optimizer
  while hasattr(optimizer, "inner_optimizer"):
    optimizer = optimizer.inner_optimizer
  return vars(optimizer).get("_held_masks")


def _never_due(_):
  """A pruning schedule for tfmot's wrappers that never fires."""
  return tf.constant(False), tf.constant(0.0)


def _tf_variable(variable):
  return variable.value if isinstance(variable, keras.Variable) else variable
