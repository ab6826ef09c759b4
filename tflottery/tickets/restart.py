"""Restart: put a compiled model into the state from which a ticket is trained."""

import keras
import numpy as np
import tensorflow as tf

from tflottery import learning_rates, step, training
from tflottery import site as _sites
from tflottery.seeds import keeps_state_in_trace, set_seed


class Restart:
  """Trains many tickets with one compiled model, whose train function is traced only once.

  A call makes the training that follows a pure function of its arguments: weights and statistics
  are those given, the masks are held with `frozen` (dict from site path to array; what is masked at
  an absent site, or with None at every site, is 0), the optimizer is as fresh as after `compile` or as
  in `state` (arrays from the method of that name), the learning-rate schedule goes on from `step` (with a
  state: from the state's own step), random generators (dropout) start from `seed`.

  Args:
    model: a built and compiled model of either Keras. Its masks are held until `release`.
    sites: dict of the sites, for instance from `tflottery.sites`.
    freezes: whether tickets may come with frozen values, for which there must be room in the traced
      step; those without hold zeros in it.
  """

  def __init__(self, model, sites, *, freezes=False):
    self.model = model
    self._weights = _sites.weights(model)
    self._optimizer = step.innermost(model)
    with model.distribute_strategy.scope():
      model.optimizer.build(model.trainable_variables)
      self._offset = tf.Variable(0, dtype=tf.int64, trainable=False)
    self._state = _optimizer_variables(model.optimizer)
    self._fresh = [_sites.value(variable) for variable in self._state]
    self._averages = getattr(self._optimizer, "_model_variables_moving_average", [])
    self._schedule = self._optimizer._learning_rate
    if learning_rates.is_schedule(self._schedule):
      self._optimizer._learning_rate = learning_rates.later(self._schedule, self._offset)
    dense = {path: np.ones(s.shape, bool) for path, s in sites.items()}
    room = {path: np.zeros(s.shape) for path, s in sites.items()} if freezes else None
    self.held = training.hold(model, dense, frozen=room)

  def __call__(self, weights, masks, *, frozen=None, step=0, seed=0, state=None):
    self.assign_weights(weights)
    for variable, value in zip(self._state, self._fresh if state is None else state, strict=True):
      variable.assign(value)
    if state is None:
      # With use_ema the averages of tf_keras begin at the weights, those of Keras 3 at the first step.
      for average, variable in zip(self._averages, self.model.trainable_variables, strict=False):
        average.assign(_sites.value(variable))
    self._offset.assign(step if state is None else 0)
    self.held.assign(masks, frozen or {})
    self.reseed(seed)

  def assign_weights(self, weights):
    """Put weights into the model, and nothing else."""
    for path, variable in self._weights.items():
      variable.assign(weights[path])

  def weights(self):
    """Every weight of the model: dict from path to array."""
    return {path: _sites.value(variable) for path, variable in self._weights.items()}

  def state(self):
    """What the training has made of the optimizer: a list of arrays, its step among them."""
    return [_sites.value(variable) for variable in self._state]

  def reseed(self, seed):
    """Let everything that draws while the model runs begin from `seed`, an int or several."""
    draws = np.random.SeedSequence(seed)
    set_seed(int(draws.generate_state(1)[0]))
    if _sites.keras_of(self.model) is keras:
      states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
      for variable, draw in zip(states, draws.spawn(len(states)), strict=True):
        variable.assign(draw.generate_state(2))
    elif any(map(keeps_state_in_trace, self.model._flatten_layers())):
      # The state of tf_keras's random operations lives in the traced function: trace it again.
      self.model.train_function = None

  def release(self):
    """Leave a plain Keras model behind."""
    self.held.release()
    self._optimizer._learning_rate = self._schedule


def _optimizer_variables(optimizer):
  """Everything that training changes in the optimizer and in those inside it, each once."""
  found = {}
  while optimizer is not None:
    variables = optimizer.variables
    listed = list(variables() if callable(variables) else variables)
    rate = getattr(optimizer, "_learning_rate", None)  # tf_keras does not list it
    for variable in listed + ([rate] if hasattr(rate, "assign") else []):
      found[id(variable)] = variable
    optimizer = getattr(optimizer, "inner_optimizer", None)
  return list(found.values())
