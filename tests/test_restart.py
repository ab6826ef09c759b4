"""A restart makes the training that follows a pure function of its arguments."""

import numpy as np
import pytest
from builders import (
  BATCH,
  Watch,
  assert_held,
  batches,
  compiled,
  mlp,
  optimizer_size,
  random_masks,
  slots,
  values,
)

import tflottery as tfl
from tflottery import site as _sites
from tflottery.tickets.restart import Restart


def _weights(model):
  return {path: np.array(v.numpy()) for path, v in _sites.weights(model).items()}


OPTIMIZERS = {
  "adam": lambda k: k.optimizers.Adam(0.01),
  "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9),
  "ema": lambda k: k.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5),
}


@pytest.mark.parametrize(
  "name", ["momentum", *(pytest.param(n, marks=pytest.mark.slow) for n in ("adam", "ema"))]
)
def test_the_second_ticket_trains_as_in_a_model_of_its_own(k, name):
  first, second = (
    _weights(mlp(k, seed=1, batch_norm=True)),
    _weights(mlp(k, seed=2, batch_norm=True)),
  )
  shared = mlp(k, OPTIMIZERS[name](k), seed=3, batch_norm=True)
  restart = Restart(shared, tfl.sites(shared))
  masks = random_masks(shared, seed=1), random_masks(shared, seed=2)
  restart(first, masks[0])
  shared.fit(batches(), verbose=0)
  restart(second, masks[1])
  assert_held(shared, masks[1])
  watch = Watch(masks[1])
  shared.fit(batches(), verbose=0, callbacks=[watch])
  assert watch.looks == 15
  alone = mlp(k, OPTIMIZERS[name](k), seed=2, batch_norm=True)
  alone.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks[1])])
  for path, weight in _weights(alone).items():
    np.testing.assert_allclose(restart.weights()[path], weight, atol=1e-6, err_msg=path)
  restart.release()


def test_weights_and_statistics_are_those_given_and_the_optimizer_is_fresh(k):
  model = mlp(k, batch_norm=True)
  start = _weights(model)
  masks = random_masks(model)
  restart = Restart(model, tfl.sites(model))
  model.fit(batches(), verbose=0)
  assert (_weights(model)["norm/moving_mean"] != start["norm/moving_mean"]).any()
  restart(start, masks)
  for path, weight in restart.weights().items():
    expected = weight * masks[path] if path in masks else start[path]
    assert (weight == expected).all(), path
    if path in masks:
      assert (weight == start[path] * masks[path]).all()
  assert int(np.array(model.optimizer.iterations.numpy())) == 0
  for slot in slots(model):
    if len(slot.shape) == 2:
      assert not np.array(slot.numpy()).any()
  restart.release()


def test_dropout_starts_from_the_seed(k):
  model = compiled(
    k,
    k.Sequential(
      [
        k.layers.Input((8,)),
        k.layers.Dense(16, name="fc"),
        k.layers.Dropout(0.5),
        k.layers.Dense(3),
      ]
    ),
  )
  start = _weights(model)
  restart = Restart(model, tfl.sites(model))
  masks = random_masks(model)

  def train(seed):
    restart(start, masks, seed=seed)
    model.fit(batches(), verbose=0)
    return restart.weights()["fc/kernel"]

  first, other, again = train([0, 1]), train([0, 2]), train([0, 1])
  assert (first == again).all()
  assert (first != other).any()
  restart.release()


def test_a_learning_rate_that_a_callback_changed_is_fresh_again(k):
  model = mlp(k, k.optimizers.SGD(0.5))
  start, masks = _weights(model), random_masks(model)
  restart = Restart(model, tfl.sites(model))
  model.optimizer.learning_rate = 0.125
  restart(start, masks)
  assert float(np.array(model.optimizer.learning_rate)) == 0.5
  restart.release()


def test_release_leaves_a_plain_model_with_its_own_schedule(k):
  schedule = k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
  model = mlp(k, k.optimizers.Adam(schedule))
  trained = mlp(k, k.optimizers.Adam(schedule))
  trained.fit(batches(), verbose=0)
  restart = Restart(model, tfl.sites(model))
  restart(_weights(model), random_masks(model), step=5)
  restart.release()
  assert model.optimizer._learning_rate is schedule
  assert optimizer_size(model) == optimizer_size(trained)
  model.fit(batches(), verbose=0)
  assert values(model)["fc1/kernel"].astype(bool).sum() > 24
  assert int(np.array(model.optimizer.iterations.numpy())) == 120 // BATCH


def test_arms_with_and_without_frozen_values_follow_each_other_on_one_traced_function(k):
  def optimizer():
    return k.optimizers.Adam(0.01, weight_decay=0.1, use_ema=True, ema_momentum=0.5)

  shared, alone = mlp(k, optimizer()), {}
  masks = random_masks(shared)
  rng = np.random.default_rng(0)
  some = {p: rng.normal(size=m.shape).astype("float32") for p, m in list(masks.items())[:2]}
  start = _weights(mlp(k, seed=2))
  for name, frozen in {"some": some, "none": None}.items():
    model = mlp(k, optimizer(), seed=2)
    model.fit(batches(), verbose=0, callbacks=[tfl.callbacks.HoldMasks(masks, frozen=frozen)])
    alone[name] = _weights(model)
  assert (alone["some"]["fc1/bias"] != alone["none"]["fc1/bias"]).any()
  restart = Restart(shared, tfl.sites(shared), freezes=True)
  functions = []
  for name in ("some", "none", "some"):
    frozen = {"some": some, "none": None}[name]
    restart(start, masks, frozen=frozen)
    for path, weight in restart.weights().items():
      if path in masks:
        dropped = ~masks[path]
        held = (frozen or {}).get(path, np.zeros(dropped.shape, "float32"))
        assert weight[dropped].tobytes() == held[dropped].tobytes(), (name, path)
    assert tfl.capture(shared).frozen.keys() == (frozen or {}).keys()
    shared.fit(batches(), verbose=0)
    functions.append(shared.train_function)
    for path, weight in restart.weights().items():
      np.testing.assert_allclose(weight, alone[name][path], atol=1e-6, err_msg=f"{name} {path}")
  assert len({id(function) for function in functions}) == 1
  restart.release()


def test_frozen_values_without_room_for_them_are_refused_with_the_cure(k):
  model = mlp(k)
  restart = Restart(model, tfl.sites(model))
  masks = random_masks(model)
  with pytest.raises(ValueError, match="Restart freezes=True"):
    restart(_weights(model), masks, frozen={"fc1/kernel": np.ones((8, 6))})
  restart.release()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_put_back_into_its_state_goes_on_as_it_did(k, optimizer):
  schedule = k.optimizers.schedules.ExponentialDecay(0.05, 1, 0.8)
  options = {"momentum": 0.9} if optimizer == "sgd" else {}
  kind = k.optimizers.Adam if optimizer == "adam" else k.optimizers.SGD
  restart = Restart(m := mlp(k, kind(schedule, **options)), tfl.sites(m))
  dense, data = restart.held.masks, batches()
  restart(restart.weights(), dense)
  m.fit(data.take(5), verbose=0)
  weights, state = restart.weights(), restart.state()
  m.fit(data.skip(5), verbose=0)
  expected = restart.weights()
  restart(weights, dense, step=5)
  m.fit(data.skip(5), verbose=0)
  afresh = restart.weights()
  restart(weights, dense, state=state)
  m.fit(data.skip(5), verbose=0)
  for path, value in restart.weights().items():
    np.testing.assert_array_equal(value, expected[path])
  assert any((afresh[path] != expected[path]).any() for path in expected)
  restart.release()
