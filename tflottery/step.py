"""The step of an optimizer: a hook between the aggregated gradients and the update, on both Kerases.

Knows the optimizers' insides, and nothing of masks.
"""

import keras
import tensorflow as tf
import tf_keras

# Their update of a weight is 0 where weight, gradient and slots are 0 (Ftrl's is 0 / 0).
_KEEPS_ZEROS = {
  "Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "Lamb", "Lion", "Nadam", "RMSprop", "SGD",
}  # fmt: skip
_HOOKS = (
  "apply",
  "apply_gradients",
  "_all_reduce_sum_gradients",
  "_apply_weight_decay",
  "_distributed_apply_gradients_fn",
  "_distributed_tf_update_step",
)


def innermost(model):
  """The model's optimizer, inside any LossScaleOptimizer: it sees unscaled, finite gradients.

  Raises:
    ValueError: the model is not compiled.
    TypeError: the optimizer is Adafactor, or one of tf_keras's legacy ones, whose step can't be
      held.
  """
  optimizer = getattr(model, "optimizer", None)
  if optimizer is None:
    raise ValueError(
      f"model {model.name!r} has no optimizer. Call model.compile(...) before its masks are held."
    )
  while hasattr(optimizer, "inner_optimizer"):
    optimizer = optimizer.inner_optimizer
  if not isinstance(optimizer, (keras.optimizers.Optimizer, tf_keras.optimizers.Optimizer)):
    raise TypeError(
      f"optimizer {type(optimizer).__module__}.{type(optimizer).__qualname__} can't hold masks. "
      "Use the class of this name from keras.optimizers or tf_keras.optimizers, not a legacy one."
    )
  if type(optimizer).__name__ == "Adafactor":
    raise TypeError(
      "optimizer Adafactor can't hold masks: where a whole row and column is masked, its factored "
      "moments are 0 / 0, and its clipping spreads the NaN over the layer. Use Adam or AdamW."
    )
  return optimizer


def keeps_zeros(optimizer):
  """Whether the update is known to be 0 where weight, gradient and slots are 0."""
  kind = type(optimizer)
  known = kind.__module__.split(".")[0] in ("keras", "tf_keras") and kind.__name__ in _KEEPS_ZEROS
  return known and getattr(optimizer, "epsilon", 1) > 0  # with 0 it is 0 / 0


def slots(optimizer, variable):
  """The optimizer's variables for a weight: those of its shape in lists parallel to the weights."""
  indices = vars(optimizer).get("_trainable_variables_indices") or optimizer._index_dict
  index = indices[optimizer._var_key(variable)]
  found = []
  for name, listed in vars(optimizer).items():
    parallel = isinstance(listed, (list, tuple)) and len(listed) == len(indices)
    if parallel and name not in ("_variables", "_trainable_variables"):
      slot = listed[index]
      if hasattr(slot, "assign") and tuple(slot.shape) == tuple(variable.shape):
        found.append(slot)
  return found


def averages(optimizer, variable):
  """Those of the slots that are an average of the weight itself: one with `use_ema`, else none."""
  listed = {id(slot) for slot in getattr(optimizer, "_model_variables_moving_average", None) or ()}
  return [slot for slot in slots(optimizer, variable) if id(slot) in listed]


def accumulates(optimizer):
  """Whether the optimizer accumulates the gradients of several batches before it updates."""
  return bool(getattr(optimizer, "gradient_accumulation_steps", None))  # tf_keras has none


def steps_done(optimizer):
  """The optimizer's own count of its updates, an int64 scalar tensor."""
  return tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.int64)


def has_updated(optimizer):
  """Whether the batch that has just been counted ended in an update, bool scalar tensor."""
  if not accumulates(optimizer):
    return tf.constant(True)
  batches = tf.convert_to_tensor(optimizer._iterations)
  return batches % optimizer.gradient_accumulation_steps == 0


def hook(optimizer, gradient, *, owner, after=None, skips=None):
  """Hook into the step of this one optimizer instance, until `unhook`.

  Args:
    optimizer: the innermost one. It has one hook at a time.
    gradient: function of (aggregated gradient, variable) that returns what the update sees.
    owner: whose hook it is, with a method `release`, for whoever wants to hook next.
    after: function of the aggregated (gradient, variable) pairs that is called in the step after
      the update; None for none.
    skips: function of the number of steps done to a bool tensor: whether this step leaves out the
      update and the weight decay. The steps are counted on. None skips none.
  """
  if isinstance(optimizer, keras.optimizers.Optimizer):
    hooks = {
      "apply": _apply_of_keras(optimizer, gradient, after),
      # The hook has aggregated the gradients already.
      "_all_reduce_sum_gradients": list,
    }
    update = "_distributed_tf_update_step"
  else:
    hooks = {"apply_gradients": _apply_of_tf_keras(optimizer, gradient, after)}
    update = "_distributed_apply_gradients_fn"
  if skips is not None:
    hooks[update] = _skipping(optimizer, getattr(optimizer, update), skips)
    hooks["_apply_weight_decay"] = lambda variables: None  # _skipping does it
  for name, function in hooks.items():
    object.__setattr__(optimizer, name, function)
  object.__setattr__(optimizer, "_hook_owner", owner)


def owner(optimizer):
  """Whose hook the optimizer has, None without one."""
  return vars(optimizer).get("_hook_owner")


def unhook(optimizer):
  """Give the optimizer its own step back."""
  for name in (*_HOOKS, "_hook_owner"):
    if name in vars(optimizer):
      object.__delattr__(optimizer, name)


def set_variables(optimizer, variables):
  """Make `variables` what the optimizer saves and restores."""
  if isinstance(optimizer, keras.optimizers.Optimizer):
    # Past Keras's tracker, which would keep them for good.
    object.__setattr__(optimizer, "_variables", variables)
  else:
    optimizer._variables = variables
    if hasattr(optimizer, "_coalesced_children"):  # what tf.train.Checkpoint has cached
      del optimizer._coalesced_children


def _apply_of_keras(optimizer, gradient, after):
  original, aggregate = optimizer.apply, optimizer._all_reduce_sum_gradients

  def apply(grads, trainable_variables=None):
    variables = list(trainable_variables or optimizer._trainable_variables)
    # Aggregated first and once: Keras would clip each replica's gradients before their sum.
    pairs = aggregate(list(zip(grads, variables, strict=True)))
    original([gradient(g, v) for g, v in pairs], variables)
    if after is not None:
      after(pairs)

  return apply


def _apply_of_tf_keras(optimizer, gradient, after):
  original = optimizer.apply_gradients

  def apply_gradients(grads_and_vars, name=None, skip_gradients_aggregation=False, **kwargs):
    pairs = list(grads_and_vars)
    if not skip_gradients_aggregation and kwargs.get("experimental_aggregate_gradients", True):
      pairs = optimizer.aggregate_gradients(pairs)
    sparse = [(gradient(g, v), v) for g, v in pairs]
    iterations = original(sparse, name=name, skip_gradients_aggregation=True)
    if after is not None:
      after(pairs)
    return iterations

  return apply_gradients


def _skipping(optimizer, original, skips):
  """The optimizer's update of all its variables, in the cross-replica context, left out when due."""
  counts_steps_itself = isinstance(optimizer, tf_keras.optimizers.Optimizer)

  def decay(variable):
    rate = tf.cast(optimizer.learning_rate, variable.dtype)
    share = tf.cast(optimizer.weight_decay, variable.dtype)
    variable.assign_sub(variable * share * rate)

  def update(strategy, grads_and_vars, *args):
    def all_variables():
      for _, variable in grads_and_vars:
        if optimizer.weight_decay and optimizer._use_weight_decay(variable):
          strategy.extended.update(variable, decay, group=False)
      original(strategy, grads_and_vars, *args)
      return tf.constant(0)

    def none():
      if counts_steps_itself:
        optimizer.iterations.assign_add(1)
      return tf.constant(0)

    tf.cond(skips(steps_done(optimizer)), none, all_variables)
    return steps_done(optimizer)

  return update
