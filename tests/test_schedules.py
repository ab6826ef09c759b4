"""Schedules: due when they say, exact at the end, and back from every config."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st

from tflottery import schedules
from tflottery.tfmot import load

EVERY = [
  schedules.Constant(0.9, 3),
  schedules.Constant(0.9, 3, 40, frequency=7),
  schedules.Polynomial(0.1, 0.9, 5, 61, power=2, frequency=4),
  schedules.Exponential(0.9, 5, 61, frequency=4),
  schedules.OneShot(0.9, 11),
  schedules.Rounds(0.2, 9, 5, 7),
  schedules.CosineDrop(0.3, 5, 61, frequency=4),
  schedules.ConstantDrop(0.3, 5, 61, frequency=4),
  schedules.LinearDrop(0.3, 5, 61, frequency=4),
  schedules.InversePowerDrop(0.3, 5, 61, power=4, frequency=4),
]
ids = [f"{type(schedule).__name__}{i}" for i, schedule in enumerate(EVERY)]
every = pytest.mark.parametrize("schedule", EVERY, ids=ids)


def compiled(schedule):
  return tf.function(schedule, jit_compile=True, autograph=False)


def due_steps(schedule, stop):
  return np.flatnonzero(schedule(tf.range(stop))[0]).tolist()


# --- values worked by hand -----------------------------------------------------------------------

# A schedule; then by step whether it is due, and the amount.
BY_HAND = [
  (
    schedules.Constant(0.5, 2, 6, 3),
    {1: (False, 0.5), 2: (True, 0.5), 4: (False, 0.5), 5: (True, 0.5), 6: (True, 0.5)},
  ),
  (
    schedules.Constant(0.5, 2, frequency=3),
    {1: (False, 0.5), 2: (True, 0.5), 4: (False, 0.5), 3 * 10**9 + 2: (True, 0.5)},
  ),
  (  # the cubic has gone 37/64 of its way after a quarter of the steps, 7/8 after half of them
    schedules.Polynomial(0.2, 0.6, 10, 50, frequency=10),
    {9: (False, 0.2), 10: (True, 0.2), 20: (True, 0.43125), 30: (True, 0.55), 50: (True, 0.6)},
  ),
  (
    schedules.Polynomial(0.0, 0.5, 0, 10, power=1, frequency=4),
    {0: (True, 0.0), 4: (True, 0.2), 8: (True, 0.4), 9: (False, 0.45), 10: (True, 0.5)},
  ),
  (  # 1/16 remains: half of it after a quarter of the steps
    schedules.Exponential(0.9375, 10, 50, 10),
    {0: (False, 0.0), 10: (True, 0.0), 20: (True, 0.5), 30: (True, 0.75), 50: (True, 0.9375)},
  ),
  (
    schedules.OneShot(0.9, 7),
    {6: (False, 0.0), 7: (True, 0.9), 8: (False, 0.9)},
  ),
  (
    schedules.Rounds(0.2, 3, 10, 5),
    {9: (False, 0.0), 10: (True, 0.2), 14: (False, 0.2), 15: (True, 0.36), 20: (True, 0.488)},
  ),
  (  # cos of 60, 90 and 120 degrees
    schedules.CosineDrop(0.3, 0, 60, 10),
    {0: (True, 0.3), 20: (True, 0.225), 30: (True, 0.15), 40: (True, 0.075), 60: (True, 0.0)},
  ),
  (
    schedules.ConstantDrop(1, 0, 60, 30),
    {0: (True, 1.0), 30: (True, 1.0), 45: (False, 1.0), 60: (True, 1.0), 90: (False, 1.0)},
  ),
  (
    schedules.LinearDrop(0.4, 0, 80, 20),
    {0: (True, 0.4), 20: (True, 0.3), 40: (True, 0.2), 80: (True, 0.0), 90: (False, 0.0)},
  ),
  (
    schedules.InversePowerDrop(0.8, 0, 80, 3, 20),
    {0: (True, 0.8), 20: (True, 0.3375), 40: (True, 0.1), 80: (True, 0.0), 90: (False, 0.0)},
  ),
]


@pytest.mark.parametrize(("schedule", "values"), BY_HAND)
@pytest.mark.parametrize("way", ["eager", "vector", "compiled"])
def test_values_worked_by_hand(schedule, values, way):
  steps = tf.constant(list(values), tf.int64)
  if way == "vector":
    due, amounts = schedule(steps)
  else:
    asked = compiled(schedule) if way == "compiled" else schedule
    due, amounts = zip(*[asked(step) for step in steps], strict=True)
  assert [bool(value) for value in due] == [value for value, _ in values.values()]
  np.testing.assert_allclose(amounts, [amount for _, amount in values.values()], atol=1e-6)


@every
def test_due_and_amount_have_the_steps_shape_and_the_types_of_tfmots(schedule):
  for shape in [(), (3,), (2, 2)]:
    for dtype in (tf.int32, tf.int64):
      due, amount = schedule(tf.ones(shape, dtype))
      assert (due.dtype, amount.dtype) == (tf.bool, tf.float32)
      assert due.shape == amount.shape == shape
  assert float(schedule(9)[1]) == float(schedule(tf.constant(9))[1])


@every
def test_one_step_or_many_eager_or_compiled_give_the_same_bits(schedule):
  steps = tf.range(90, dtype=tf.int64)
  due, amount = (tensor.numpy() for tensor in schedule(steps))
  for tensors in (compiled(schedule)(steps), tf.map_fn(schedule, steps, (tf.bool, tf.float32))):
    np.testing.assert_array_equal(tensors[0], due)
    np.testing.assert_array_equal(tensors[1], amount)


@every
def test_amounts_are_correctly_rounded(schedule):
  """A float32 that is off in its last bit would move a count among 25 million weights by one."""
  s = schedule
  formulas = {
    "Constant": lambda t: 0.9,
    "Polynomial": lambda t: 0.9 + (0.1 - 0.9) * (1 - (t - 5) / 56) ** 2,
    "Exponential": lambda t: 1 - 0.1 ** ((t - 5) / 56),
    "OneShot": lambda t: 0.9,
    "Rounds": lambda t: 1 - 0.8 ** ((t - 5) // 7 + 1),
    "CosineDrop": lambda t: 0.15 * (1 + math.cos(math.pi * t / 61)),
    "ConstantDrop": lambda t: 0.3,
    "LinearDrop": lambda t: 0.3 * (1 - t / 61),
    "InversePowerDrop": lambda t: 0.3 * (1 - t / 61) ** 4,
  }
  for step in due_steps(s, 60):
    exact = formulas[type(s).__name__](step)
    assert abs(float(s(step)[1]) - exact) <= np.spacing(np.float32(exact)) * 0.500001


def test_the_cosine_counts_from_step_zero_whenever_it_begins():
  """As the authors' code: the share at a step does not depend on begin_step."""
  early, late = schedules.CosineDrop(0.3, 0, 60), schedules.CosineDrop(0.3, 30, 60)
  assert float(early(30)[1]) == float(late(30)[1]) == np.float32(0.15)


def test_rounds_remove_their_rate_of_what_remains():
  schedule = schedules.Rounds(0.2, 6, 100, 50)
  amounts = schedule(tf.constant(due_steps(schedule, 1000)))[1].numpy()
  assert amounts.size == 6
  np.testing.assert_allclose((1 - amounts[1:]) / (1 - amounts[:-1]), 0.8, rtol=1e-6)


def test_the_polynomial_is_tfmots_between_the_ends(tfmot):
  steps = tf.range(120)
  for power in (1, 3):
    theirs = tfmot.sparsity.keras.PolynomialDecay(0.1, 0.8, 20, 100, power, 10)(steps)
    ours = schedules.Polynomial(0.1, 0.8, 20, 100, power, 10)(steps)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], atol=3e-7)


# --- the end ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
  kind=st.sampled_from(
    ["Constant", "Exponential", "CosineDrop", "ConstantDrop", "LinearDrop", "InversePowerDrop"]
  ),
  share=st.floats(0.01, 0.99),
  begin=st.integers(0, 300),
  length=st.integers(0, 300),
  frequency=st.integers(1, 400),
)
def test_the_last_due_step_is_end_step_and_its_amount_exact(kind, share, begin, length, frequency):
  end = begin + length
  schedule = getattr(schedules, kind)(share, begin, end, frequency=frequency)
  due = due_steps(schedule, end + 2 * frequency + 1)
  assert due[-1] == end
  assert due == sorted({*range(begin, end + 1, frequency), end})
  assert schedule(end)[1].numpy() == np.float32(schedule.final)
  assert schedules.first_due(schedule, 0, end + 1) == due[0] == begin


@settings(deadline=None)
@given(
  st.floats(0, 0.99),
  st.floats(0.01, 0.99),
  st.integers(0, 10**12),
  st.integers(0, 10**12),
  st.integers(1, 10**12),
)
def test_a_polynomial_of_any_length_ends_exactly(initial, final, begin, length, frequency):
  schedule = schedules.Polynomial(initial, final, begin, begin + length, frequency=frequency)
  due, amount = schedule(tf.constant([begin - 1, begin + length, begin + length + 1]))
  assert due.numpy().tolist() == [False, True, False]
  assert (amount.numpy()[1:] == np.float32(final)).all()
  if length:
    assert amount.numpy()[0] == pytest.approx(initial, abs=1e-7)


@given(st.floats(0.01, 0.5), st.integers(1, 15), st.integers(0, 50), st.integers(1, 20))
@settings(deadline=None)
def test_as_many_rounds_are_due_as_are_asked_for(rate, rounds, begin, frequency):
  schedule = schedules.Rounds(rate, rounds, begin, frequency)
  due = due_steps(schedule, schedule.end_step + 2 * frequency)
  assert len(due) == rounds
  assert due[-1] == schedule.end_step == begin + (rounds - 1) * frequency
  assert schedule(due[-1])[1].numpy() == np.float32(1 - (1 - rate) ** rounds)


def test_tfmots_polynomial_stops_short_of_its_end_and_ours_does_not(tfmot):
  theirs = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.5, 0, 10, frequency=4)
  ours = schedules.Polynomial(0.0, 0.5, 0, 10, frequency=4)
  assert due_steps(theirs, 20) == [0, 4, 8]
  assert due_steps(ours, 20) == [0, 4, 8, 10]
  assert float(theirs(8)[1]) == pytest.approx(0.496)
  assert float(ours(10)[1]) == 0.5


# --- configs ------------------------------------------------------------------------------------


def same(found, schedule):
  assert type(found) is type(schedule)
  assert vars(found) == vars(schedule)
  steps = tf.range(100)
  for a, b in zip(found(steps), schedule(steps), strict=True):
    np.testing.assert_array_equal(a, b)


@every
def test_a_schedule_comes_back_from_its_config(schedule, k):
  config = schedule.get_config()
  same(type(schedule).from_config(config), schedule)
  same(type(schedule).from_config(json.loads(json.dumps(config))["config"]), schedule)
  same(k.saving.deserialize_keras_object(k.saving.serialize_keras_object(schedule)), schedule)


def test_tfmots_own_schedules_do_not(tfmot):
  schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.5, 0, 10)
  with pytest.raises(TypeError, match="class_name"):
    type(schedule).from_config(schedule.get_config())


def test_a_config_holds_the_arguments_by_name_in_plain_numbers():
  schedule = schedules.Polynomial(np.float32(0.25), 0.5, np.int64(3), 10, frequency=np.int32(2))
  assert schedule.get_config() == {
    "class_name": "tflottery>Polynomial",
    "config": {
      "initial_sparsity": 0.25,
      "final_sparsity": 0.5,
      "begin_step": 3,
      "end_step": 10,
      "power": 3,
      "frequency": 2,
    },
  }
  json.dumps(schedule.get_config())
  json.dumps(schedules.LinearDrop(np.float32(0.25), np.int64(3), np.int64(10)).get_config())
  json.dumps(schedules.Polynomial(0, 0.5, 0, 9, power=np.float32(2)).get_config())


def test_a_schedule_shows_its_arguments():
  assert repr(schedules.OneShot(0.5, 3)) == "OneShot(sparsity=0.5, step=3)"


def wrapped(tfmot, schedule):
  dense = tf_keras.layers.Dense(10, use_bias=False, input_shape=(10,))
  prune = tfmot.sparsity.keras.prune_low_magnitude
  return tf_keras.Sequential([prune(dense, pruning_schedule=schedule)])


@every
def test_a_schedule_comes_back_inside_a_wrapped_model(tfmot, schedule):
  config = wrapped(tfmot, schedule).get_config()
  with tfmot.sparsity.keras.prune_scope():
    for found in (config, json.loads(json.dumps(config))):
      model = tf_keras.Sequential.from_config(found)
      same(model.layers[0].pruning_schedule, schedule)
      same(model.layers[0].pruning_obj._pruning_schedule, schedule)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_schedule_comes_back_from_a_wrapped_models_file(tfmot, tmp_path, suffix):
  schedule = schedules.Polynomial(0.1, 0.9, 5, 61, power=2, frequency=4)
  path = str(tmp_path / f"model.{suffix}")
  wrapped(tfmot, schedule).save(path)
  with tfmot.sparsity.keras.prune_scope():
    same(tf_keras.models.load_model(path).layers[0].pruning_schedule, schedule)


def test_a_wrapped_and_cloned_model_keeps_its_schedule(tfmot):
  model = wrapped(tfmot, EVERY[0])
  with tfmot.sparsity.keras.prune_scope():
    same(tf_keras.models.clone_model(model).layers[0].pruning_schedule, EVERY[0])


def test_tfmots_wrapper_prunes_by_our_schedule_to_its_end(tfmot):
  model = wrapped(tfmot, schedules.Polynomial(0.0, 0.5, 0, 10, frequency=4))
  model.compile("sgd", "mse")
  callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
  model.fit(np.ones((12, 10)), np.ones((12, 10)), 1, verbose=0, callbacks=callbacks)
  mask = model.layers[0].pruning_vars[0][1].numpy()
  assert np.count_nonzero(mask) == 50


# --- questions to any schedule ------------------------------------------------------------------


def test_first_due_looks_at_what_lies_between():
  schedule = schedules.Polynomial(0.0, 0.5, 150, 1234, frequency=100)
  first = schedules.first_due
  assert first(schedule, 0, 5000) == 150
  assert first(schedule, 151, 5000) == 250
  assert first(schedule, 1151, 5000) == 1234
  assert first(schedule, 1235, 5000) is None
  assert first(schedule, 0, 150) is None
  assert first(schedule, 7, 7) is None


def test_first_due_finds_a_step_in_any_chunk():
  for step in (0, 99, 100, 1099, 1100, 123_456):
    assert schedules.first_due(schedules.OneShot(0.5, step), 0, 200_000) == step


def test_first_due_asks_tfmots_schedules(tfmot):
  schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.5, 2000, 3000, frequency=300)
  assert schedules.first_due(schedule, 0, 10_000) == 2000
  assert schedules.first_due(schedule, 2901, 10_000) is None


def test_first_due_asks_any_function_of_a_scalar_step():
  def from_70_on(step):
    assert step.shape == ()
    return tf.cond(step >= 70, lambda: (True, 0.5), lambda: (False, 0.0))

  assert schedules.first_due(from_70_on, 0, 1000) == 70
  assert schedules.first_due(from_70_on, 90, 1000) == 90
  assert schedules.first_due(from_70_on, 0, 70) is None
  assert schedules.first_due(lambda step: (False, 0.5), 0, 1000) is None
  assert schedules.first_due(lambda step: (True, 0.5), 5, 1000) == 5


def test_the_last_amount_is_the_declared_one_and_not_its_float32():
  assert schedules.last_amount(schedules.Polynomial(0.0, 0.9, 0, 1000)) == 0.9
  assert schedules.last_amount(schedules.Constant(0.9, 0)) == 0.9
  assert schedules.last_amount(schedules.CosineDrop(0.3, 0, 1000)) == 0.0
  assert schedules.last_amount(schedules.Rounds(0.2, 3, 0, 10)) == 1 - (1 - 0.2) ** 3


def test_the_last_amount_of_others_is_what_they_say_at_their_end(tfmot):
  theirs = tfmot.sparsity.keras
  assert schedules.last_amount(theirs.PolynomialDecay(0.0, 0.9, 0, 1000)) == 0.9
  assert schedules.last_amount(theirs.ConstantSparsity(0.9, 0)) == 0.9
  assert schedules.last_amount(lambda step: (True, 0.5)) is None

  class Halves:
    end_step = 8
    final_sparsity = 0.9

    def __call__(self, step):
      return step <= 8, tf.cast(step, tf.float32) / 16

  assert schedules.last_amount(Halves()) == 0.5


@pytest.mark.parametrize("name", ["cosine", "constant", "linear", "inverse_power"])
def test_drops_are_named(name):
  found = schedules.drops(name, 0.3, 10, 100, 20)
  assert type(found) is schedules.DROPS[name]
  assert (found.share, found.begin_step, found.end_step, found.frequency) == (0.3, 10, 100, 20)


def test_a_drop_schedule_is_taken_as_it_is():
  def mine(step):
    return True, 0.1

  assert schedules.drops(mine, 0.3, 10, 100, 20) is mine


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda s: s.Constant(0.0, 0), r"sparsity=0\.0 .*above 0 and below 1"),
    (lambda s: s.Constant(1.0, 0), r"sparsity=1\.0 .*above 0 and below 1"),
    (lambda s: s.Constant(90, 0), r"sparsity=90 .*below 1"),
    (lambda s: s.Constant(float("nan"), 0), r"sparsity=nan .*below 1"),
    (lambda s: s.Constant("0.5", 0), r"sparsity='0\.5' .*below 1"),
    (lambda s: s.Constant(True, 0), r"sparsity=True .*below 1"),
    (lambda s: s.Constant(0.5, 0, -2), r"end_step=-2 .*at least -1"),
    (lambda s: s.Constant(0.5, -1), r"begin_step=-1 .*at least 0"),
    (lambda s: s.Constant(0.5, 1.5), r"begin_step=1\.5 .*whole number"),
    (lambda s: s.Constant(0.5, 9, 8), r"end_step=8 lies before begin_step=9\. Give"),
    (lambda s: s.Constant(0.5, 0, frequency=0), r"frequency=0 .*at least 1"),
    (lambda s: s.Polynomial(-0.1, 0.5, 0, 9), r"initial_sparsity=-0\.1 .*at least 0"),
    (lambda s: s.Polynomial(1, 0.5, 0, 9), r"initial_sparsity=1 .*below 1"),
    (lambda s: s.Polynomial(0, 1.0, 0, 9), r"final_sparsity=1\.0 .*below 1"),
    (lambda s: s.Polynomial(0, 0.5, 10, 9), r"end_step=9 lies before begin_step=10"),
    (lambda s: s.Polynomial(0, 0.5, 0, -1), r"end_step=-1 .*at least 0"),
    (lambda s: s.Polynomial(0, 0.5, 0, 9, power=0), r"power=0 .*above 0"),
    (lambda s: s.Exponential(0, 0, 9), r"final_sparsity=0 .*above 0"),
    (lambda s: s.OneShot(0.5, -3), r"step=-3 .*at least 0"),
    (lambda s: s.OneShot(2, 3), r"sparsity=2 .*below 1"),
    (lambda s: s.Rounds(1.0, 3, 0, 10), r"rate=1\.0 .*below 1"),
    (lambda s: s.Rounds(0.2, 0, 0, 10), r"rounds=0 .*at least 1"),
    (lambda s: s.Rounds(0.9, 20, 0, 10), r"rounds=20 at rate=0\.9 leave no weight\. Give fewer"),
    (lambda s: s.Rounds(0.2, 3, 0, 0), r"frequency=0 .*at least 1"),
    (lambda s: s.CosineDrop(0, 0, 9), r"share=0 .*above 0 and at most 1"),
    (lambda s: s.LinearDrop(1.1, 0, 9), r"share=1\.1 .*at most 1"),
    (lambda s: s.ConstantDrop(0.3, 0, -1), r"end_step=-1 .*at least 0"),
    (lambda s: s.InversePowerDrop(0.3, 0, 9, power=-1), r"power=-1 .*above 0"),
    (lambda s: s.drops("cubic", 0.3, 0, 9, 1), r"drop_schedule='cubic' is unknown.*'linear'"),
    (lambda s: s.drops("cosine", 0.0, 0, 9, 1), r"drop=0\.0 .*at most 1"),
  ],
)
def test_bad_input_is_refused_by_name_value_and_cure(make, message):
  with pytest.raises(ValueError, match=message):
    make(schedules)


# --- tfmot's side effect ------------------------------------------------------------------------


def test_using_schedules_leaves_tf_keras_what_it_was():
  program = """
import os, sys
import tensorflow as tf
import keras, tflottery
assert "tensorflow_model_optimization" not in sys.modules
from tflottery import schedules
assert "tensorflow_model_optimization" in sys.modules
assert "TF_USE_LEGACY_KERAS" not in os.environ
assert tf.keras.Model is keras.Model
"""
  environment = {key: v for key, v in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
  command = [sys.executable, "-c", program]
  done = subprocess.run(command, capture_output=True, text=True, env=environment)
  assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_the_variable_that_tfmot_sets_is_put_back(before, tmp_path, monkeypatch):
  setting = "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'"
  (tmp_path / "tensorflow_model_optimization.py").write_text(setting)
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.delitem(sys.modules, "tensorflow_model_optimization")
  monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
  if before is not None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", before)
  assert str(tmp_path) in load().__file__
  assert os.environ.get("TF_USE_LEGACY_KERAS") == before
