"""Magnitude: exact counts at every step that is due, for every schedule, allocation, granularity."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES, arrays, batches, compiled, mlp, values
from by_hand import inputs, linear, top, trained
from hypothesis import given, settings
from hypothesis import strategies as st

import tflottery as tfl
from tflottery import allocations, criteria, draws, granularity, masks, rules, schedules
from tflottery.algorithms import gradual

SHAPES = {"fc1/kernel": (8, 6), "fc2/kernel": (6, 5), "out/kernel": (5, 3)}
SIZES = {path: int(np.prod(shape)) for path, shape in SHAPES.items()}


class Steps(tf_keras.callbacks.Callback):
  """The weights before, and masks and weights after every step; what is masked stays masked and 0."""

  def __init__(self, callback):
    super().__init__()
    self._callback = callback
    self.masks, self.weights = [], []

  def on_train_batch_end(self, batch, logs=None):
    self.masks.append(self._callback.masks)
    self.weights.append(values(self.model))
    for path, mask in self.masks[-1].items():
      assert not self.weights[-1][path][~mask].any()
      assert len(self.masks) == 1 or not (mask & ~self.masks[-2][path]).any()

  @property
  def counts(self):
    """Per step, how many weights live in each site."""
    return [{path: int(mask.sum()) for path, mask in step.items()} for step in self.masks]


def pruned(model, data=None, **options):
  """`Steps` of fifteen steps."""
  callback = tfl.callbacks.Magnitude(options.pop("sparsity", 0.6), **options)
  steps = Steps(callback)
  model.fit(data or batches(), verbose=0, callbacks=[callback, steps])
  return steps


def kept(sparsities):
  return {path: masks.kept_count(SIZES[path], sparsities[path]) for path in SIZES}


def cubic(step, begin, end, final=0.6):
  return final - final * (1 - min(max((step - begin) / (end - begin), 0), 1)) ** 3


def after_every_step(due, sparsities):
  """Counts after fifteen steps, of a function of the step that was due last."""
  found = []
  for step in range(15):
    last = max((t for t in due if t <= step), default=None)
    found.append(SIZES if last is None else kept(sparsities(last)))
  return found


@pytest.mark.parametrize("k", KERASES)
def test_the_cubic_schedule_has_exact_counts_after_every_step(k):
  """End step 13 is no multiple of the frequency, and the final count is exact there."""
  steps = pruned(mlp(k), begin_step=2, end_step=13, frequency=4)
  due = [2, 6, 10, 13]
  expected = after_every_step(due, lambda step: dict.fromkeys(SIZES, cubic(step, 2, 13)))
  assert steps.counts == expected
  assert expected[14] == {"fc1/kernel": 19, "fc2/kernel": 12, "out/kernel": 6}
  assert len({tuple(counts.values()) for counts in expected}) == 4


def test_what_goes_is_the_smallest_after_the_update_of_the_step(k):
  gradients = np.float32([[1, 1, 1, -5, 2, 1], [1, 1, 1, 1, 1, 1]])
  callback = tfl.callbacks.Magnitude(0.5, end_step=0)
  steps = Steps(callback)
  model = linear(k, [0.5, -0.4, 0.3, 0.45, -0.1, 0.4], k.optimizers.SGD(0.1))
  model.fit(inputs(gradients), verbose=0, callbacks=[callback, steps])
  # After the update: 0.4, -0.5, 0.2, 0.95, -0.3, 0.3.
  np.testing.assert_allclose(
    steps.weights[0]["fc/kernel"].ravel(), [0.4, -0.5, 0, 0.95, 0, 0], atol=1e-6
  )
  np.testing.assert_allclose(
    steps.weights[1]["fc/kernel"].ravel(), [0.3, -0.6, 0, 0.85, 0, 0], atol=1e-6
  )


@pytest.mark.parametrize("k", KERASES)
def test_tfmots_cubic_schedule_has_exact_counts_after_every_step(k, tfmot):
  theirs = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.6, 2, 14, frequency=4)
  steps = pruned(mlp(k), sparsity=None, schedule=theirs)
  due = [2, 6, 10, 14]
  assert steps.counts == after_every_step(
    due, lambda step: dict.fromkeys(SIZES, cubic(step, 2, 14))
  )


def test_tfmots_constant_sparsity_is_there_at_once(tfmot):
  theirs = tfmot.sparsity.keras.ConstantSparsity(0.6, 3, frequency=5)
  steps = pruned(mlp(tf_keras), sparsity=None, schedule=theirs)
  assert steps.counts == after_every_step([3], lambda _: dict.fromkeys(SIZES, 0.6))


def test_tfmots_schedule_may_start_above_zero_and_spread_by_erk(tfmot):
  theirs = tfmot.sparsity.keras.PolynomialDecay(0.3, 0.6, 0, 10, power=1, frequency=5)
  steps = pruned(mlp(tf_keras), schedule=theirs, allocation="erk")
  ends = allocations.erk(SHAPES, 0.6)
  assert steps.counts == after_every_step(
    [0, 5, 10], lambda step: {p: end * (0.5 + 0.05 * step) for p, end in ends.items()}
  )


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_schedule_may_be_a_function_that_does_not_say_where_it_ends(scope):
  def schedule(step):
    return (step == 3) | (step == 8), tf.where(step < 8, 0.5, 0.75)

  steps = pruned(mlp(tf_keras), sparsity=None, schedule=schedule, scope=scope)
  if scope == "layer":
    sparsity = {3: 0.5, 8: 0.75}
    assert steps.counts == after_every_step(
      [3, 8], lambda step: dict.fromkeys(SIZES, sparsity[step])
    )
  else:
    totals = [sum(counts.values()) for counts in steps.counts]
    assert totals == [93] * 3 + [46] * 5 + [23] * 7


@pytest.mark.parametrize(
  ("sparsity", "allocation", "ends"),
  [
    (0.6, "erk", allocations.erk(SHAPES, 0.6)),
    (0.6, "uniform", {"fc1/kernel": 0, "fc2/kernel": 0.6, "out/kernel": 0.6}),
    (0.6, {"fc1": 0.9}, {"fc1/kernel": 0.9, "fc2/kernel": 0.6, "out/kernel": 0.6}),
    (None, {"fc1": 0.9, "out": 0.3}, {"fc1/kernel": 0.9, "fc2/kernel": 0, "out/kernel": 0.3}),
  ],
  ids=["erk", "uniform", "pattern_and_rest", "pattern"],
)
def test_every_site_goes_its_part_of_the_way_to_its_own_sparsity(sparsity, allocation, ends):
  steps = pruned(mlp(tf_keras), sparsity=sparsity, allocation=allocation, end_step=10, frequency=5)
  assert steps.counts == after_every_step(
    [0, 5, 10], lambda step: {p: end * cubic(step, 0, 10, final=1.0) for p, end in ends.items()}
  )


def test_a_schedule_of_ones_own_leaves_dense_what_no_pattern_names():
  schedule = schedules.Polynomial(0.0, 0.8, 0, 10, power=1, frequency=5)
  steps = pruned(mlp(tf_keras), sparsity=None, schedule=schedule, allocation={"fc1": 0.5})
  assert steps.counts[5] == {"fc1/kernel": 36, "fc2/kernel": 30, "out/kernel": 15}
  assert steps.counts[14] == {"fc1/kernel": 24, "fc2/kernel": 30, "out/kernel": 15}


def test_global_scope_ranks_all_sites_together(k):
  model = mlp(k, k.optimizers.SGD(0.0))
  scores = np.concatenate([abs(weight).ravel() for weight in values(model).values()])
  steps = pruned(model, scope="global", begin_step=2, end_step=12, frequency=5)
  for step in (7, 12):
    found = np.concatenate([mask.ravel() for mask in steps.masks[step].values()])
    assert (found == top(scores, masks.kept_count(93, cubic(step, 2, 12)))).all()
  assert steps.counts[14] != kept(dict.fromkeys(SIZES, 0.6))


# --- Granularities -------------------------------------------------------------------------------


def wide():
  """8 x 16 x 3 without biases, whose weights do not move."""
  layers = [
    tf_keras.layers.Input((8,)),
    tf_keras.layers.Dense(16, use_bias=False, name="fc1"),
    tf_keras.layers.Dense(3, use_bias=False, name="out"),
  ]
  model = tf_keras.Sequential(layers)
  rng = np.random.default_rng(0)
  model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
  return compiled(tf_keras, model, tf_keras.optimizers.SGD(0.0))


def test_blocks_live_or_go_as_a_whole_by_their_mean():
  """fc1 [8, 16] has 2 x 4 blocks of 4 x 4; out [16, 3] has 4 x 1, each of 4 x 3."""
  model = wide()
  weights = values(model)
  blocks = granularity.block((4, 4))
  steps = pruned(model, sparsity=0.5, granularity=blocks, end_step=8, frequency=4)
  found = steps.masks[14]["fc1/kernel"].reshape(2, 4, 4, 4)
  means = abs(weights["fc1/kernel"]).reshape(2, 4, 4, 4).mean((1, 3))
  assert (found.all((1, 3)).ravel() == top(means.ravel(), 4)).all()
  assert found.sum() == 4 * 16
  means = abs(weights["out/kernel"]).reshape(4, 12).mean(1)
  found = steps.masks[14]["out/kernel"].reshape(4, 12)
  assert (found.all(1) == top(means, 2)).all() and found.sum() == 2 * 12


def test_two_of_four_is_exact_in_every_group():
  steps = pruned(
    wide(), sparsity=0.5, granularity=granularity.n_of_m(2, 4), end_step=8, frequency=2
  )
  for mask in steps.masks[14].values():
    groups = mask.reshape(-1, 4, mask.shape[1]).sum(1)
    assert (groups == 2).all()


def test_channels_live_or_go_as_a_whole_by_their_mean():
  model = wide()
  means = abs(values(model)["fc1/kernel"]).mean(0)
  steps = pruned(model, sparsity=0.5, granularity=granularity.channel(), end_step=8, frequency=4)
  for step, count in [(3, 16), (4, masks.kept_count(16, cubic(4, 0, 8, 0.5))), (14, 8)]:
    found = steps.masks[step]["fc1/kernel"]
    assert (found == top(means, count)).all() and found.sum() == 8 * count
  assert sorted(steps.masks[14]["out/kernel"].sum(0)) == [0, 16, 16]  # round(1.5) is 2


def test_a_granularity_that_does_not_fit_is_refused_with_the_path(k):
  callback = tfl.callbacks.Magnitude(0.5, end_step=5, granularity=granularity.n_of_m(2, 4))
  with pytest.raises(ValueError, match=r"fc2/kernel of shape \(6, 5\) has no groups of m=4"):
    mlp(k).fit(batches(), verbose=0, callbacks=[callback])


# --- Counts where float32 would be off by one ----------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 30_000_000), st.floats(0.001, 0.999))
def test_the_last_count_is_that_of_the_sparsity_as_it_was_written(size, sparsity):
  """The schedule's amount is a float32; 0.9 as float32 would keep another number of 10^8 weights."""
  amount = schedules.Polynomial(0.0, sparsity, 0, 10)(10)[1]
  assert amount.dtype == tf.float32
  expected = masks.kept_count(size, sparsity)
  found = gradual.proportional({"a": (size,)}, sparsity, sparsity, "equal")(amount)["a"]
  assert int(rules._kept_count(size, found)) == expected
  assert int(rules._kept_count(size, gradual.exact(sparsity)(amount))) == expected


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_last_count_is_exact_in_a_compiled_step_too(jit_compile):
  """A half goes to the even count: (1 - 0.3) * 15 = 10.5 weights are 10, and 2.5 are 2."""
  cases = [(15, 0.3), (35, 0.3), (10, 0.75), (30, 0.75), (50, 0.95)]

  @tf.function(jit_compile=jit_compile)
  def counts(network, *own):
    spread = [rules._kept_count(size, gradual.exact(s, 0.9)(network)) for size, s in cases]
    alone = zip(cases, own, strict=True)
    return spread, [
      rules._kept_count(size, gradual.exact(s)(amount)) for (size, s), amount in alone
    ]

  amounts = [tf.constant(np.float32(s)) for s in (0.9, *(s for _, s in cases))]
  expected = [masks.kept_count(size, s) for size, s in cases]
  assert expected == [10, 24, 2, 8, 3]
  np.testing.assert_array_equal(counts(*amounts), [expected, expected])


# --- Other criteria: Gradual ---------------------------------------------------------------------


FAR = np.float32([[1, -1, 5, -4, 0.5, 3], [0, 0, -5, 0, 6, 0], [1, 1, 1, 1, 1, 1]])
SIX = [2.0, -2.0, 0.1, 0.2, 3.0, -0.3]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_movement_keeps_what_has_moved_most_since_fit_began(k, jit_compile):
  """Steps of 0.1 add up to movements of 0.1, 0.1, 0, 0.4, 0.65, 0.3 when masks change."""
  callback = tfl.callbacks.Gradual("movement", 0.5, begin_step=1, end_step=1)
  seen, model = trained(
    k, callback, k.optimizers.SGD(0.1), start=SIX, gradients=FAR, jit_compile=jit_compile
  )
  assert [mask.tolist() for mask in seen.masks] == [
    [True] * 6,
    [False, False, False, True, True, True],
    [False, False, False, True, True, True],
  ]
  np.testing.assert_allclose(seen.kernels[-1], [0, 0, 0, 0.5, 2.25, -0.7], atol=1e-6)
  assert model.fit(inputs(FAR), verbose=0)  # without the callback, from here on a plain model


def test_a_second_fit_goes_on_from_the_initial_weights_of_the_first(k):
  """Movements of 0.3, 0.1, 0.6, 0.7, 0.8, 0.7; of the second fit alone: 0.1, 0.1, 0.5, 0.4, 0.05, 0.3."""
  callback = tfl.callbacks.Gradual("movement", 0.5, schedule=_at_step_3)
  _, model = trained(k, callback, k.optimizers.SGD(0.1), start=SIX, gradients=FAR)
  assert callback.masks["fc/kernel"].all()
  model.fit(inputs(FAR), verbose=0, callbacks=[callback])
  assert callback.masks["fc/kernel"].ravel().tolist() == [False, False, False, True, True, True]


def _at_step_3(step):
  return step % 3 == 0, tf.where(step == 3, 0.5, 0.0)  # at step 0 all stay


def test_signs_that_flipped_since_fit_began_go_first(k):
  """A step makes 1.9, -1.9, -0.4, 0.6, 2.95, -0.55 of them: the third flips."""
  callback = tfl.callbacks.Gradual("large_final_same_sign", 0.5, end_step=0)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1), start=[*SIX[:5], -0.25], gradients=FAR[:1])
  np.testing.assert_allclose(seen.kernels[0], [1.9, -1.9, 0, 0, 2.95, 0], atol=1e-6)
  gradients = FAR[:1] * [1, 1, 1, 1, 1, -1]  # -0.25 + 0.3: the last flips too
  callback = tfl.callbacks.Gradual("small_final_same_sign", 0.5, end_step=0)
  seen, _ = trained(
    k, callback, k.optimizers.SGD(0.1), start=[*SIX[:5], -0.25], gradients=gradients
  )
  np.testing.assert_allclose(seen.kernels[0], [1.9, -1.9, 0, 0.6, 0, 0], atol=1e-6)


def test_a_function_of_ones_own_is_given_the_initial_weights_it_asks_for(k):
  def shrunk_most(probe):
    return {
      path: tf.abs(probe.initial_weights[path]) - tf.abs(weight)
      for path, weight in probe.weights.items()
    }

  callback = tfl.callbacks.Gradual(shrunk_most, 0.5, end_step=0, initial=True)
  seen, _ = trained(k, callback, k.optimizers.SGD(0.1), start=SIX, gradients=FAR[:1])
  # Magnitudes fall by 0.1, 0.1, -0.3, -0.4, 0.05, -0.3.
  assert seen.masks[0].tolist() == [True, True, False, False, True, False]


@pytest.mark.parametrize("name", ["magnitude", "large_final"])
def test_by_the_name_of_the_magnitude_it_is_magnitude_pruning(name):
  options = {"end_step": 2, "frequency": 1}
  one, other = (
    trained(tf_keras, callback, "sgd", start=SIX, gradients=FAR)[0]
    for callback in (
      tfl.callbacks.Gradual(name, 0.5, **options),
      tfl.callbacks.Magnitude(0.5, **options),
    )
  )
  np.testing.assert_array_equal(one.kernels, other.kernels)


def test_random_pruning_by_name_draws_from_the_seed():
  options = {"end_step": 0, "seed": 5}
  one, other = (
    trained(tf_keras, callback, "sgd", start=SIX, gradients=FAR[:1])[0].masks[0]
    for callback in (
      tfl.callbacks.Gradual("random", 0.5, **options),
      tfl.callbacks.Random(0.5, **options),
    )
  )
  expected = top(draws.uniform((6,), (5, 0), 0).numpy(), 3)
  assert one.tolist() == other.tolist() == expected.tolist()


# --- Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0, 0.0, 1, 1.0, 1.5, -0.1, float("nan"), True, None, "0.5"])
def test_a_sparsity_that_is_none_is_refused(sparsity):
  with pytest.raises(ValueError, match=r"sparsity=.* is out of range"):
    tfl.callbacks.Magnitude(sparsity, end_step=10)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({}, r"end_step=None: give the step that reaches the sparsity, or a schedule="),
    ({"end_step": 5, "begin_step": 9}, r"end_step=5 lies before begin_step=9"),
    ({"end_step": 5, "frequency": 0}, r"frequency=0 is out of range"),
    ({"end_step": 5, "scope": "all"}, r"scope='all' is unknown.*layer, global"),
    ({"end_step": 5, "allocation": "er"}, r"allocation='er' is unknown"),
    (
      {"end_step": 5, "scope": "global", "allocation": "erk"},
      r"leaves nothing to allocation='erk'",
    ),
    (
      {"end_step": 5, "scope": "global", "allocation": {"fc": 0.5}},
      r"leaves nothing to allocation=\{'fc': 0\.5\}",
    ),
    (
      {"schedule": schedules.Polynomial(0, 0.9, 0, 9)},
      r"sparsity=0\.5, but the schedule ends at 0\.9",
    ),
  ],
)
def test_bad_arguments_are_refused_when_the_callback_is_made(options, message):
  with pytest.raises(ValueError, match=message):
    tfl.callbacks.Magnitude(0.5, **options)


def test_an_allocation_of_a_schedule_that_does_not_say_where_it_ends_needs_a_sparsity(k):
  callback = tfl.callbacks.Magnitude(schedule=lambda step: (step == 3, 0.5), allocation="erk")
  with pytest.raises(ValueError, match="the schedule does not say where it ends: give sparsity="):
    mlp(k).fit(*arrays(), verbose=0, callbacks=[callback])


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"criterion": "movment"}, r"criterion='movment' is unknown. Did you mean 'movement'\?"),
    ({"criterion": 3}, r"criterion=3 is unknown"),
    ({"criterion": "random", "seed": -1}, r"seed=-1 is out of range"),
    ({"criterion": "movement", "initial": {}}, r"initial=\{\} must be True or False"),
  ],
)
def test_a_criterion_that_is_none_is_refused_when_the_callback_is_made(arguments, message):
  with pytest.raises(ValueError, match=message):
    tfl.callbacks.Gradual(**arguments, sparsity=0.5, end_step=9)


def test_a_function_that_looks_at_initial_weights_which_were_not_asked_for_is_told_so():
  callback = tfl.callbacks.Gradual(criteria.named("movement"), 0.5, end_step=0)
  with pytest.raises(ValueError, match=r"'movement' needs the weights from before"):
    trained(tf_keras, callback, "sgd", start=SIX, gradients=FAR[:1])
