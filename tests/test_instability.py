"""Copies that branch off from a step on: what they share, and where they end."""

import numpy as np
import pytest
import tensorflow as tf
from builders import BATCH, KERASES, arrays, batches, mlp, random_masks

import tflottery as tfl
from tflottery.analysis import instability
from tflottery.analysis.copies import Instability, Pair
from tflottery.seeds import noise_of

EPOCH = 15
OPTIONS = {"batch_size": BATCH, "points": 3, "verbose": 0}


def _builder(k, **options):
  def rate():
    return k.optimizers.schedules.PiecewiseConstantDecay([12], [0.01, 0.003])

  return lambda: mlp(k, k.optimizers.Adam(rate()), metrics=["accuracy"], **options)


@pytest.fixture(scope="module", params=KERASES)
def found(request):
  """Three copies from the start, and from near the end."""
  return instability(
    _builder(request.param),
    arrays(),
    arrays(seed=1),
    at=("init", "2ep"),
    copies=3,
    steps=2 * EPOCH + 4,
    **OPTIONS,
  )


def test_every_step_has_every_pair_of_copies(found):
  assert [each.step for each in found] == [0, 2 * EPOCH]
  for each in found:
    assert [pair.copies for pair in each.pairs] == [(0, 1), (0, 2), (1, 2)]
    assert each.sparsity == 0
    for pair in each.pairs:
      assert [amount for amount, *_ in pair.rows] == [0, 0.5, 1]
      assert pair.l2_distance > 0 and pair.angle > 0


def test_the_seeds_of_the_noise_are_recorded(found):
  noises = [noise_of(0, copy) for copy in range(3)]
  expected = [{name: noise[name] for name in ("order", "dropout")} for noise in noises]
  assert all(each.seeds == expected for each in found)


def test_the_first_copy_is_one_training_for_all_steps(found):
  ends = [each.pairs[0].rows[0] for each in found]
  assert ends[0] == ends[1]


def test_a_copys_end_is_the_same_in_all_its_pairs(found):
  for each in found:
    first, second, third = each.pairs
    assert first.rows[0][1:] == second.rows[0][1:]
    assert first.rows[-1][1:] == third.rows[0][1:]
    assert second.rows[-1][1:] == third.rows[-1][1:]


def test_copies_that_part_later_end_nearer(found):
  early, late = ([pair.l2_distance for pair in each.pairs] for each in found)
  assert max(late) < min(early)


@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("at", [("7it", "20it"), pytest.param(("1ep",), marks=pytest.mark.slow)])
def test_copies_without_noise_end_equal_and_are_refused(k, at):
  # Were weights, moments or the place in the schedule not those of step k, they would differ.
  with pytest.raises(ValueError, match="end with equal weights: nothing in their training"):
    instability(
      _builder(k), lambda seed: batches(), batches(seed=1), at=at, steps=EPOCH + 9, **OPTIONS
    )


def _ticket(model, rewind_to):
  return tfl.Ticket.capture(
    model, random_masks(model, 0.75), level=3, metadata={"rewind_to": rewind_to}
  )


@pytest.mark.parametrize("k", KERASES)
def test_copies_of_a_ticket_begin_with_it_and_are_compared_on_its_mask(k, capsys):
  ticket = _ticket(mlp(k, seed=5), 4)
  trained = []
  (found,) = instability(
    _builder(k),
    arrays(),
    arrays(seed=1),
    ticket=ticket,
    steps=EPOCH,
    callbacks=[_Starts(k, trained)],
    **OPTIONS | {"verbose": 1},
  )
  assert found.step == 4
  assert found.sparsity == ticket.sparsity
  assert repr(found) in capsys.readouterr().out
  assert len(trained) == 2
  for weights in trained:
    for path, mask in ticket.masks.items():
      np.testing.assert_array_equal(weights[path], np.where(mask, ticket.weights[path], 0))


def _Starts(k, found):  # noqa: N802 - a class of the Keras that is given
  class Starts(k.callbacks.Callback):
    """Notes the kernels that every training begins with."""

    def on_train_begin(self, logs=None):
      found.append({p: np.array(s.variable.numpy()) for p, s in tfl.sites(self.model).items()})

  return Starts()


@pytest.mark.parametrize("k", KERASES)
def test_a_tickets_schedule_goes_on_from_the_step_it_was_rewound_to(k):
  def build_model():
    rate = k.optimizers.schedules.PiecewiseConstantDecay([5], [0.1, 0.0])
    return mlp(k, k.optimizers.SGD(rate), metrics=["accuracy"])

  with pytest.raises(ValueError, match="end with equal weights"):  # nothing was learned
    instability(
      build_model,
      arrays(),
      arrays(seed=1),
      ticket=_ticket(build_model(), 6),
      steps=EPOCH,
      **OPTIONS,
    )


@pytest.mark.slow
def test_frozen_values_are_held_in_the_copies(k):
  model = mlp(k, seed=5)
  masks = random_masks(model)
  frozen = {path: np.full(mask.shape, 0.25, "float32") for path, mask in masks.items()}
  ends = []

  class Ends(k.callbacks.Callback):
    def on_train_end(self, logs=None):
      ends.append({p: np.array(s.variable.numpy()) for p, s in tfl.sites(self.model).items()})

  instability(
    _builder(k),
    arrays(),
    arrays(seed=1),
    ticket=tfl.Ticket.capture(model, masks, frozen=frozen),
    epochs=1,
    callbacks=[Ends()],
    **OPTIONS,
  )
  assert len(ends) == 2
  for weights in ends:
    for path, mask in masks.items():
      assert (weights[path][~mask] == 0.25).all()


@pytest.mark.slow
def test_statistics_can_be_estimated_anew(k):
  first, second = (
    instability(
      _builder(k, batch_norm=True),
      arrays(),
      arrays(seed=1),
      epochs=2,
      statistics=statistics,
      **OPTIONS,
    )[0].pairs[0]
    for statistics in ("interpolate", "reestimate")
  )
  assert first.l2_distance == pytest.approx(second.l2_distance, rel=1e-6)
  assert first.rows != second.rows


@pytest.mark.parametrize("k", KERASES)
def test_a_function_gets_the_seed_of_each_copys_order(k):
  seeds = []

  def train(seed):
    seeds.append(seed)
    return batches(seed=len(seeds))

  instability(_builder(k), train, arrays(seed=1), steps=2, copies=3, **OPTIONS)
  orders = [noise_of(0, copy)["order"] for copy in range(3)]
  assert set(seeds) == set(orders)
  assert seeds[-2:] == orders[1:]


@pytest.mark.slow
def test_a_step_measured_alone_gives_the_same(k):
  one, two = (
    instability(_builder(k), arrays(), arrays(seed=1), at=at, steps=2 * EPOCH, **OPTIONS)[-1]
    for at in (["1ep"], ["init", "1ep"])
  )
  assert one.pairs[0].l2_distance == pytest.approx(two.pairs[0].l2_distance, rel=1e-4)


@pytest.mark.parametrize("k", KERASES)
def test_a_step_gives_the_same_whatever_the_others_are(k):
  """15 steps of two epochs, and cuts within and between them."""
  distances = [
    instability(_builder(k), arrays(10 * BATCH), arrays(16), at=at, steps=15, **OPTIONS)[0]
    .pairs[0]
    .l2_distance
    for at in (("init",), ("init", 5), ("init", "1ep"))
  ]
  assert distances[1:] == pytest.approx([distances[0]] * 2, rel=1e-6)


@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("copy", [0, 1])
def test_a_training_that_diverges_is_said_to_have_diverged(k, copy):
  orders = [noise_of(0, each)["order"] for each in range(2)]

  def train(seed):
    x, y = arrays(2 * BATCH)
    scale = np.float32(np.nan if seed == orders[copy] else 1)
    return tf.data.Dataset.from_tensor_slices((x * scale, y)).batch(BATCH)

  with pytest.raises(FloatingPointError, match=f"copy {copy}'s training diverged.*learning rate"):
    instability(_builder(k), train, arrays(16), epochs=1, **OPTIONS)


def _rows(*errors):
  return [(i / (len(errors) - 1), error, 2 * error) for i, error in enumerate(errors)]


def test_instability_is_the_mean_over_the_pairs_and_stable_at_two_points():
  pairs = [
    Pair((0, 1), _rows(0.25, 0.375, 0.25), 1.0, 10.0),
    Pair((0, 2), _rows(0.25, 0.25, 0.25), 1.0, 10.0),
  ]
  found = Instability(500, [], 0.965, pairs)
  assert [pair.instability for pair in pairs] == [0.125, 0]
  assert [pair.loss_instability for pair in pairs] == [0.25, 0]
  assert found.instability == 0.0625 and not found.is_stable
  assert repr(found) == (
    "Instability(step 500, 3.5 % of the weights: 6.25 points of error over 2 pair(s), unstable)"
  )
  stable = Instability(0, [], 0.0, [Pair((0, 1), _rows(0, 0.02, 0), 1.0, 10.0)])
  assert stable.is_stable
  assert not Instability(0, [], 0.0, [Pair((0, 1), _rows(0, 0.021, 0), 1.0, 10.0)]).is_stable


def _no_model():
  pytest.fail("a model was built")


@pytest.mark.parametrize(
  ("options", "error", "message"),
  [
    ({"copies": 1}, ValueError, "copies=1 is out of range. Give a whole number, at least 2"),
    ({"points": 1}, ValueError, "points=1"),
    ({"batch_size": 0}, ValueError, "batch_size=0"),
    ({"seed": -1}, ValueError, "seed=-1 is out of range. Give a whole number, at least 0"),
    ({"seed": None}, ValueError, "seed=None is out of range"),
    ({"at": None}, TypeError, "at=None names no step. Give one or several"),
    ({"at": 0.5}, TypeError, "at=0.5 names no step"),
    ({"statistics": "mean"}, ValueError, "statistics='mean' is unknown"),
    ({"train": batches()}, TypeError, "has no seed.*function of an int seed"),
    ({"test": None}, TypeError, "test=None"),
    ({"build_model": "mlp"}, TypeError, "build_model='mlp' must be a function"),
    ({"at": ("3it",), "ticket": object()}, ValueError, r"at=\['3it'\] is for the dense network"),
  ],
)
def test_what_can_be_seen_before_a_model_is_built_is_refused(options, error, message):
  given = {"build_model": _no_model, "train": arrays(), "test": arrays(), "epochs": 1}
  given = given | OPTIONS | options
  with pytest.raises(error, match=message):
    instability(given.pop("build_model"), given.pop("train"), given.pop("test"), **given)


@pytest.mark.parametrize(
  ("options", "error", "message"),
  [
    ({"at": ("init", "2ep")}, ValueError, "at='2ep' is step 30, beyond the training"),
    ({"at": 16}, ValueError, "at=16 is step 16, beyond the training"),
    ({"at": np.int64(16)}, ValueError, r"at=(np.int64\()?16\)? is step 16, beyond the training"),
    ({"at": ("soon",)}, ValueError, "at='soon' is not a duration"),
    ({"at": ()}, ValueError, r"at=\[\] names no step"),
    ({"steps": 4}, ValueError, "exactly one of epochs and steps"),
    ({"metric": "auc"}, ValueError, "metric='auc' is no metric.*accuracy"),
    ({"train": lambda seed: arrays()}, TypeError, "must be a tf.data.Dataset"),
    ({"train": lambda seed: batches().repeat()}, ValueError, "no known number of batches"),
  ],
)
def test_bad_arguments_are_refused_before_training(k, options, error, message):
  trained = []
  given = {"train": arrays(), "epochs": 1, "callbacks": [_Starts(k, trained)]} | OPTIONS | options
  with pytest.raises(error, match=message):
    instability(_builder(k), given.pop("train"), arrays(seed=1), **given)
  assert not trained


def test_a_ticket_of_the_end_is_refused(k):
  with pytest.raises(ValueError, match="is step 15, beyond the training"):
    instability(_builder(k), arrays(), arrays(), ticket=_ticket(mlp(k), EPOCH), epochs=1, **OPTIONS)


def test_a_ticket_of_another_model_is_refused(k):
  model = k.Sequential([k.layers.Input((8,)), k.layers.Dense(4, name="other")])
  with pytest.raises(ValueError, match="other/kernel"):
    instability(
      _builder(k), arrays(), arrays(), ticket=tfl.Ticket.capture(model), epochs=1, **OPTIONS
    )


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_copies_differ_by_dropout_alone(k):
  def build_model():
    layers = [k.layers.Input((8,)), k.layers.Dropout(0.5), k.layers.Dense(3, name="out")]
    model = k.Sequential(layers)
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    return model

  data = tf.data.Dataset.from_tensor_slices(arrays()).batch(BATCH)
  (found,) = instability(build_model, lambda seed: data, arrays(seed=1), epochs=1, **OPTIONS)
  assert found.pairs[0].l2_distance > 0
