"""What follows the optimizer's update inside the compiled step: masks that change, and zeros again.

Everything here runs in the cross-replica context, on aggregated gradients: no collective stands
inside a `tf.cond`, and every replica writes the same values.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tflottery import step
from tflottery.masks import live_count, select
from tflottery.probe import Lazy, Probe
from tflottery.site import Site, value


@dataclasses.dataclass(frozen=True)
class Place:
  """A site whose mask is held.

  Attributes:
    site: the `Site`.
    mask: bool variable of the weight's shape.
    slots: the optimizer's variables for the weight that are 0 where it is masked.
    averages: those that average the weight, and hold what it holds where it is masked.
    frozen: variable like the weight, what it holds where it is masked; None: 0.
  """

  site: Site
  mask: Any
  slots: list
  averages: list
  frozen: Any = None

  @property
  def held(self):
    """What the weight holds where it is masked, a tensor of its dtype."""
    if self.frozen is None:
      return tf.zeros(self.site.shape, self.site.variable.dtype)
    return tf.convert_to_tensor(self.frozen)

  def write(self, strategy, kept, other=None):
    """Leave weight and slots where `kept`; elsewhere slots become 0, the weight `other`.

    Args:
      strategy: the strategy in whose cross-replica context this runs.
      kept: bool tensor.
      other: tensor of the weight's dtype; None is `held`.
    """
    zeros = tf.zeros(self.site.shape, self.site.variable.dtype)
    held = zeros if self.frozen is None else self.held
    self.write_weight(strategy, kept, held if other is None else other)
    _write(strategy, self.slots, kept, zeros)

  def write_weight(self, strategy, kept, other):
    """The same for the weight and its averages alone."""
    _write(strategy, [self.site.variable, *self.averages], kept, other)


class Changing:
  """Masks that change in the step: their memory and the record of what changed.

  Args:
    optimizer: the innermost one; its updates are the steps of the schedule.
    counts_on: whether the optimizer may count steps whose update it leaves out, as tf_keras's does
      inside a LossScaleOptimizer: what was due there is made good in the next step.
    new_variable: function of (name, value) that makes a variable.
    initial: dict from site path to array, what `keep_initial` kept earlier; None: nothing yet.

  Attributes:
    places: dict from site path to `Place`.
    changes: the `rules.Changes`.
    memory: dict from site path to float variable, {} without `changes.remember`.
    initial: dict from site path to variable, {} without `changes.initial`: the weights when their
      masks were first held, NaN until they are kept.
    count: int32 scalar variable, how often the masks have changed.
    replaced: float32 scalar variable, the share of the live weights that the latest change grew.
    seen: int64 scalar variable, the latest step that was looked at.
  """

  def __init__(self, places, changes, optimizer, counts_on, new_variable, initial=None):
    self.places, self.changes, self._optimizer = places, changes, optimizer
    self._counts_on = counts_on
    shapes = {p: place.site.shape for p, place in places.items()} if changes.remember else {}
    self.memory = {p: new_variable(f"memory/{p}", tf.zeros(shape)) for p, shape in shapes.items()}
    kept = places if changes.initial else {}
    self.initial = {
      p: new_variable(f"initial/{p}", initial[p] if initial else _nothing(place.site))
      for p, place in kept.items()
    }
    self.count = new_variable("changes", tf.constant(0))
    self.replaced = new_variable("replaced", tf.constant(0.0))
    self.seen = new_variable("seen", step.steps_done(optimizer) - 1)

  @property
  def variables(self):
    """What travels in checkpoints."""
    return [*self.memory.values(), *self.initial.values(), self.count, self.replaced, self.seen]

  def keep_initial(self):
    """Keep the weights as they are now, unless some were kept, or restored, before."""
    for path, variable in self.initial.items():
      if np.isnan(value(variable)).all():
        variable.assign(value(self.places[path].site.variable))

  def run(self, strategy, gradients):
    """Change the masks if the schedule is due; `gradients` are this step's own, by path."""
    at = step.steps_done(self._optimizer) - 1  # the update of this step has been counted already
    due, amount = self.changes.schedule(at)
    if self._counts_on:
      due |= self._missed(at)
      _update(strategy, self.seen, _assign, at)
    due &= step.has_updated(self._optimizer)
    dense = Lazy(self.places, lambda path: self._dense(path, gradients.get(path)))
    for path, memory in self.memory.items():
      _update(strategy, memory, self._remembered, dense[path])
    seen = Lazy(self.places, lambda path: tf.convert_to_tensor(self.memory[path]))
    seen = seen if self.memory else dense
    # A function of its own: a branch that is built into the step costs time where it is not taken.
    change = tf.function(
      lambda: self._change(strategy, seen, at, amount), experimental_attributes={"_noinline": True}
    )
    tf.cond(due, change, lambda: tf.constant(0))

  def _missed(self, at):
    """Whether the schedule was due at a step after the latest that was seen, and before `at`."""

    def is_open(missed, due):
      return (missed < at) & ~due

    def look(missed, due):
      return missed + 1, self.changes.schedule(missed)[0]

    start = (tf.convert_to_tensor(self.seen) + 1, tf.constant(False))
    return tf.while_loop(is_open, look, start)[1]

  def _dense(self, path, gradient):
    if gradient is None:  # the loss does not depend on this weight
      return tf.zeros(self.places[path].site.shape)
    return tf.convert_to_tensor(gradient)  # an embedding's IndexedSlices become dense

  def _remembered(self, variable, gradient):
    variable.assign(self.changes.remember(variable, tf.cast(gradient, variable.dtype)))

  def _change(self, strategy, gradients, at, amount):
    places = self.places
    probe = Probe(
      weights=Lazy(places, lambda path: tf.convert_to_tensor(places[path].site.variable)),
      masks={path: tf.convert_to_tensor(place.mask) for path, place in places.items()},
      gradients=gradients,
      step=at,
      initial_weights=self._initial_weights(),
    )
    live, grown = [], []
    for path, mask in (probe.masks | self.changes.rule(probe, amount)).items():
      before = probe.masks[path]
      start = self._start(probe, path, mask & ~before)
      places[path].write(strategy, before & mask, start)
      _update(strategy, places[path].mask, _assign, mask)
      if places[path].site.wrapper_mask is not None:
        _update(strategy, places[path].site.wrapper_mask, _assign, tf.cast(mask, tf.float32))
      live.append(live_count(mask))
      grown.append(live_count(mask & ~before))
    share = tf.cast(tf.add_n(grown) / tf.add_n(live), tf.float32)
    _update(strategy, self.count, _add, tf.constant(1))
    _update(strategy, self.replaced, _assign, share)
    return tf.constant(0)

  def _initial_weights(self):
    if not self.initial:
      return None
    return Lazy(self.initial, lambda path: tf.convert_to_tensor(self.initial[path]))

  def _start(self, probe, path, new):
    if self.changes.grow is None:
      return None
    held = self.places[path].held
    return tf.where(new, tf.cast(self.changes.grow(probe, path), held.dtype), held)


def _nothing(site):
  return tf.fill(site.shape, tf.constant(np.nan, site.variable.dtype))


def _write(strategy, variables, kept, other):
  for variable in variables:
    _update(strategy, variable, _select, kept, tf.cast(other, variable.dtype))


def _update(strategy, variable, function, *args):
  variable = variable.value if isinstance(variable, keras.Variable) else variable
  strategy.extended.update(variable, function, args=args, group=False)


def _select(variable, kept, other):
  variable.assign(select(kept, variable, other))


def _assign(variable, value):
  variable.assign(value)


def _add(variable, value):
  variable.assign_add(value)
