"""The search, level by level, against trainings that the test makes itself."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES, Watch, arrays, batches, compiled, mlp, values

import tflottery as tfl
from tflottery import site as _sites

LENGTH = 15


class Log(tf_keras.callbacks.Callback):
  """Per level: the weights it began with, the weights after every step."""

  def __init__(self):
    super().__init__()
    self.levels = []

  def on_train_begin(self, logs=None):
    self.levels.append([self._weights()])

  def on_train_batch_end(self, batch, logs=None):
    self.levels[-1].append(self._weights())

  def _weights(self):
    return {path: np.array(v.numpy()) for path, v in _sites.weights(self.model).items()}

  @property
  def steps(self):
    return [len(level) - 1 for level in self.levels]


def find(build, **options):
  length = {} if "steps" in options else {"epochs": 1}
  settings = {"levels": 2, "rate": 0.5, "verbose": 0} | length | options
  return tfl.find_ticket(build, settings.pop("train", batches()), **settings)


def _kept(ticket):
  return {path: int(mask.sum()) for path, mask in ticket.masks.items()}


def test_layerwise_counts_are_exact_and_rates_follow_patterns(k):
  ticket = find(lambda: mlp(k), levels=3, rate=0.2, rates={"out": 0.1, "fc2": 0})
  # 48 -> round 38.4 -> round 30.4 -> 24; 15 -> round 13.5 = 14 -> round 12.6 -> round 11.7
  assert _kept(ticket) == {"fc1/kernel": 24, "fc2/kernel": 30, "out/kernel": 12}
  assert ticket.level == 3


def test_global_counts_are_exact(k):
  ticket = find(lambda: mlp(k), levels=2, rate=0.3, scope="global")
  # 93 -> round 65.1 -> round 45.5
  assert sum(_kept(ticket).values()) == round(65 * 0.7)


def test_one_shot_prunes_the_dense_network_at_once(k):
  log = Log()
  ticket = find(lambda: mlp(k), levels=2, rate=0.3, one_shot=True, callbacks=[log])
  assert _kept(ticket) == {
    "fc1/kernel": round(48 * 0.49),
    "fc2/kernel": round(30 * 0.49),
    "out/kernel": 7,
  }
  trained = log.levels[0][-1]
  for path, mask in ticket.masks.items():
    magnitude = np.abs(trained[path])
    assert magnitude[mask].min() >= magnitude[~mask].max()


@pytest.mark.parametrize(
  "rewind_to,k_step",
  [
    ("init", 0),
    (20, 20),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [("4it", 4), ("1ep", 15)]),
  ],
)
@pytest.mark.parametrize("k", KERASES)
def test_each_level_starts_at_step_k_with_its_statistics_and_trains_the_rest(k, rewind_to, k_step):
  log = Log()
  build = lambda: mlp(k, k.optimizers.Adam(0.01), batch_norm=True)  # noqa: E731
  ticket = find(build, epochs=2, rewind_to=rewind_to, callbacks=[log])

  plain = build()
  if k_step:
    plain.fit(batches().repeat().take(k_step), verbose=0)
  at_k = {path: np.array(v.numpy()) for path, v in _sites.weights(plain).items()}
  assert set(ticket.weights) == set(at_k) and "norm/moving_mean" in at_k
  for path, weight in at_k.items():
    np.testing.assert_allclose(ticket.weights[path], weight, atol=1e-6, err_msg=path)

  # fit is called piece by piece: a level's steps are all those since it was put back.
  starts = [i for i, level in enumerate(log.levels) if _is_start(level[0], ticket.weights)]
  lengths = [sum(log.steps[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)]
  if k_step == 0:
    assert lengths == [30, 30, 30]
  else:
    assert sum(log.steps) == 30 + 2 * (30 - k_step)
    assert lengths == [30 - k_step] * 3
  last = log.levels[starts[-1]][0]
  for path, weight in ticket.weights.items():
    mask = ticket.masks.get(path, True)
    assert (last[path] == weight * mask).all(), path


def _is_start(weights, rewound):
  return all((weights[p] == r).all() for p, r in rewound.items() if "kernel" not in p) and all(
    ((weights[p] == r) | (weights[p] == 0)).all() for p, r in rewound.items()
  )


def test_the_ticket_of_a_level_prunes_what_the_level_before_has_trained(k):
  log = Log()
  ticket = find(lambda: mlp(k), levels=1, rate=0.5, callbacks=[log])
  trained = log.levels[0][-1]
  for path, mask in ticket.masks.items():
    magnitude = np.abs(trained[path])
    assert magnitude[mask].min() >= magnitude[~mask].max()


def test_masked_weights_are_zero_after_every_step_of_every_level(k):
  class PerLevel(Watch):
    def _look(self):
      super()._look()
      self.counts.append(sum(int(m.sum()) for m in self.masks.values()))

  watch = PerLevel()
  watch.counts = []
  find(
    lambda: mlp(k, k.optimizers.AdamW(0.01, weight_decay=0.1)),
    validation=batches(16),
    callbacks=[watch],
  )
  assert watch.looks == 45 and watch.validations == 6
  assert list(dict.fromkeys(watch.counts)) == [93, 24 + 15 + 8, 12 + 8 + 4]


# --- Learning rates, read off a network of constant gradient -------------------------------------


def _straight(k, optimizer, schedule):
  """y = x w with x = 1 and the loss -y: every weight's gradient is -1, so a step is the rate."""

  def build():
    model = k.Sequential(
      [
        k.layers.Input((4,)),
        k.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="fc"),
      ]
    )
    model.set_weights([np.array([[1.0], [2.0], [3.0], [4.0]])])
    model.compile(optimizer(schedule(k)), loss=lambda true, predicted: -predicted)
    return model

  return build


def _decay(k):
  return k.optimizers.schedules.PolynomialDecay(0.5, 20, 0.01)


def _steps_of(log):
  """Per fit, the size of every step of the largest weight."""
  tracks = [[w["fc/kernel"][3, 0] for w in level] for level in log.levels]
  return [np.diff(track) for track in tracks]


RATES = 0.5 + (0.01 - 0.5) * np.arange(20) / 20


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_schedule_goes_on_from_k_while_the_optimizer_starts_fresh(k, name):
  log = Log()
  data = tf.data.Dataset.from_tensors(
    (np.ones((2, 4), "float32"), np.ones((2, 1), "float32"))
  ).repeat(10)
  build = _straight(k, getattr(k.optimizers, name), _decay)
  ticket = find(build, train=data, steps=20, rewind_to="6it", callbacks=[log])
  assert _kept(ticket) == {"fc/kernel": 1}
  sizes = np.concatenate(_steps_of(log))
  # Adam's first step is the rate only if moments and step count are both fresh.
  expected = np.concatenate([RATES, RATES[6:], RATES[6:]])
  np.testing.assert_allclose(sizes, expected, rtol=1e-4)


@pytest.mark.parametrize(
  "start,rates", [("continue", np.full(20, 0.01)), ("rewind_learning_rate", RATES)]
)
def test_other_starts_keep_the_final_weights(k, start, rates):
  log = Log()
  data = tf.data.Dataset.from_tensors(
    (np.ones((2, 4), "float32"), np.ones((2, 1), "float32"))
  ).repeat(20)
  build = _straight(k, k.optimizers.Adam, _decay)
  ticket = find(build, train=data, steps=20, start=start, levels=1, callbacks=[log])
  dense, level = log.levels[-2], log.levels[-1]
  mask = ticket.masks["fc/kernel"]
  assert (level[0]["fc/kernel"] == dense[-1]["fc/kernel"] * mask).all()
  assert (ticket.weights["fc/kernel"] == dense[-1]["fc/kernel"]).all()
  np.testing.assert_allclose(_steps_of(log)[-1], rates, rtol=1e-4)


def test_a_constant_rate_and_a_rate_that_a_callback_lowers_start_afresh_each_level(k):
  class Lower(tf_keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
      self.model.optimizer.learning_rate = 0.125

  log = Log()
  data = tf.data.Dataset.from_tensors(
    (np.ones((2, 4), "float32"), np.ones((2, 1), "float32"))
  ).repeat(2)
  build = _straight(k, k.optimizers.SGD, lambda _: 0.5)
  find(build, train=data, epochs=2, levels=1, callbacks=[log, Lower()])
  np.testing.assert_allclose(np.concatenate(_steps_of(log)), [0.5, 0.5, 0.125, 0.125] * 2)


# --- Seeds ---------------------------------------------------------------------------------------


def _own_init(k):
  def build():
    model = k.Sequential(
      [
        k.layers.Input((8,)),
        k.layers.Dense(6, "relu", name="fc1"),
        k.layers.Dropout(0.2),
        k.layers.Dense(3, name="out"),
      ]
    )
    return compiled(k, model)

  return build


@pytest.mark.parametrize("k", KERASES)
def test_the_same_seed_gives_the_same_ticket_bit_for_bit(k, tmp_path):
  for name, seed in (("a", 5), ("b", 5), ("c", 6)):
    find(_own_init(k), train=arrays(64), batch_size=8, seed=seed, rewind_to="3it").save(
      tmp_path / name
    )
  a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
  assert a == b
  assert a != c


PROGRAM = """
import sys, numpy as np, {k} as k, tflottery as tfl
def build():
  model = k.Sequential([k.layers.Input((8,)), k.layers.Dense(6, "relu", name="fc1"), k.layers.Dense(3, name="out")])
  model.compile("adam", "mse")
  return model
rng = np.random.default_rng(0)
data = rng.normal(size=(40, 8)).astype("float32"), rng.normal(size=(40, 3)).astype("float32")
tfl.find_ticket(build, data, levels=2, rate=0.5, epochs=1, batch_size=8, seed=3, verbose=0).save(sys.argv[1])
"""


@pytest.mark.parametrize("name", ["keras", "tf_keras"])
@pytest.mark.slow
def test_the_same_seed_gives_the_same_ticket_in_another_process(tmp_path, name):
  for file in "ab":
    subprocess.run(
      [sys.executable, "-c", PROGRAM.format(k=name), file],
      cwd=tmp_path,
      check=True,
      capture_output=True,
    )
  assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_ticket_records_seed_rewinding_and_history(k):
  ticket = find(lambda: mlp(k), seed=11, rewind_to="2it", validation=batches(16))
  data = ticket.metadata
  assert (data["seed"], data["rewind_to"], data["steps"], data["start"]) == (11, 2, 15, "rewind")
  assert [entry["level"] for entry in data["history"]] == [0, 1, 2]
  np.testing.assert_allclose(
    [e["sparsity"] for e in data["history"]], [0, 1 - 47 / 93, 1 - 24 / 93]
  )
  assert all({"loss", "val_loss"} <= entry.keys() for entry in data["history"])


def test_a_found_ticket_trains_in_the_users_fit(k, tmp_path):
  find(lambda: mlp(k, seed=1)).save(tmp_path / "t")
  ticket = tfl.Ticket.load(tmp_path / "t")
  model, watch = mlp(k, seed=9), Watch(ticket.masks)
  model.fit(batches(), verbose=0, callbacks=[ticket.callback(), watch])
  assert watch.looks == 15
  assert values(model)["fc1/kernel"].astype(bool).sum() == 12


def test_zero_levels_give_the_dense_ticket(k):
  ticket = find(lambda: mlp(k), levels=0)
  assert ticket.sparsity == 0 and ticket.level == 0


def test_sites_can_be_chosen(k):
  assert set(find(lambda: mlp(k), exclude="out").masks) == {"fc1/kernel", "fc2/kernel"}


def test_a_line_per_level_says_how_much_remains(capsys):
  find(lambda: mlp(keras), levels=1, verbose=1)
  lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("level")]
  assert len(lines) == 2
  assert lines[0].startswith("level 0: 100 % of the weights remain, loss ")
  assert lines[1].startswith("level 1: 50.54 % of the weights remain")


# --- Criteria, what the kept start from, what the pruned are held at -----------------------------


class Levels(Log):
  """The masks of every level too."""

  def __init__(self):
    super().__init__()
    self.masks = []

  def on_train_begin(self, logs=None):
    super().on_train_begin(logs)
    self.masks.append(tfl.capture(self.model).masks)


def _linear(k):
  """One layer, which is quickly traced and whose weights move far."""

  def build():
    layers = [k.layers.Input((8,)), k.layers.Dense(9, name="fc", bias_initializer="ones")]
    model = k.Sequential(layers)
    kernel = np.random.default_rng(0).normal(size=(8, 9))
    model.set_weights([kernel.astype("float32"), model.get_weights()[1]])
    return compiled(k, model, k.optimizers.Adam(0.08))

  return build


def deconstructed(k, **options):
  """(ticket, weights before, weights after of each level, masks of each level), of the kernel."""
  log = Levels()
  ticket = find(_linear(k), callbacks=[log], **options)
  starts, ends = ([level[i]["fc/kernel"] for level in log.levels] for i in (0, -1))
  return ticket, starts, ends, [masks["fc/kernel"] for masks in log.masks]


def _top(scores, mask, count):
  """The highest `count` scores where `mask`."""
  flat = np.where(mask, scores, -np.inf).ravel()
  kept = np.zeros(flat.size, bool)
  kept[np.argsort(-flat, kind="stable")[:count]] = True
  return kept.reshape(mask.shape)


def _zeroed(begun, ended):
  return np.where(np.abs(ended) < np.abs(begun), 0, begun)


def _expected(pruned, begun, ended):
  """Frozen values in the words of the paper."""
  return {
    "freeze_init": begun,
    "freeze_init_zero_mask": _zeroed(begun, ended),
    "freeze_init_zero_all": _zeroed(begun, ended),
    "freeze_init_zero_rev": np.where(np.abs(ended) > np.abs(begun), 0, begun),
  }[pruned]


@pytest.mark.parametrize(
  "pruned",
  [
    "freeze_init_zero_all",
    "freeze_init_zero_rev",  # a weight held at 0 did not end there by its training
    *(
      pytest.param(name, marks=pytest.mark.slow)
      for name in ("freeze_init", "freeze_init_zero_mask")
    ),
  ],
)
def test_the_pruned_are_held_by_where_they_began_and_their_last_training_ended(k, pruned, tmp_path):
  ticket, starts, ends, masks = deconstructed(k, pruned=pruned, rate=0.3)
  begun, ended = starts[0], np.where(masks[1], ends[1], ends[0])
  expected = _expected(pruned, begun, ended)
  gone = ~ticket.masks["fc/kernel"]
  zeros = (expected == 0)[gone]
  assert gone.sum() == 72 - 35 and (pruned == "freeze_init" or 3 < zeros.sum() < 35)
  np.testing.assert_array_equal(ticket.frozen["fc/kernel"][gone], expected[gone])
  for step in (starts[2], ends[2]):  # and were held so
    np.testing.assert_array_equal(step[gone], expected[gone])
  kept = _zeroed(begun, ended) if pruned == "freeze_init_zero_all" else begun
  np.testing.assert_array_equal(ticket.weights["fc/kernel"][~gone], kept[~gone])
  assert (ends[2] != starts[2])[~gone].all()  # also what started at 0 is trained
  ticket.save(tmp_path / "t")
  loaded = tfl.Ticket.load(tmp_path / "t").frozen["fc/kernel"]
  np.testing.assert_array_equal(loaded[gone], expected[gone])


def test_the_controls_hold_zeros_at_random_places_and_fresh_draws(k):
  ticket, starts, ends, _ = deconstructed(k, pruned="freeze_init_zero_reshuffle", levels=1)
  gone = ~ticket.masks["fc/kernel"]
  frozen = ticket.frozen["fc/kernel"][gone]
  variant = _zeroed(starts[0], ends[0])[gone]
  assert (frozen == 0).sum() == (variant == 0).sum() and (frozen != variant).any()
  assert ((frozen == 0) | (frozen == starts[0][gone])).all()
  np.testing.assert_array_equal(ends[1][gone], frozen)
  ticket, _, ends, _ = deconstructed(k, pruned="freeze_reinit", levels=1)
  gone = ~ticket.masks["fc/kernel"]
  np.testing.assert_array_equal(ends[1][gone], ticket.frozen["fc/kernel"][gone])
  # Glorot's uniform draws are at most sqrt(6 / (8 + 9)); the initial weights here are normal.
  assert np.abs(ends[1][gone]).max() <= (6 / 17) ** 0.5
  assert len(set(ends[1][gone])) == gone.sum()


@pytest.mark.parametrize(
  ("kept", "keep_sign"),
  [
    ("constant", True),
    ("reinit", True),
    *(
      pytest.param(kept, sign, marks=pytest.mark.slow)
      for kept, sign in [("reshuffle", True), ("resample", True), ("reshuffle", False)]
    ),
  ],
)
def test_the_kept_start_from_the_reset_with_the_signs_of_the_beginning(k, kept, keep_sign):
  ticket, starts, ends, masks = deconstructed(k, kept=kept, keep_sign=keep_sign)
  mask, begun = ticket.masks["fc/kernel"], starts[0]
  found = ticket.weights["fc/kernel"]
  assert ((np.sign(found) == np.sign(begun))[mask].mean() == 1) == keep_sign
  assert (found != begun)[mask].mean() > 0.9
  np.testing.assert_array_equal(starts[2], np.where(mask, found, 0))
  np.testing.assert_array_equal(ticket.weights["fc/bias"], np.ones(9))
  if kept == "constant":
    np.testing.assert_allclose(np.abs(found[mask]), begun.std(), rtol=1e-6)
    np.testing.assert_allclose(np.abs(starts[1][masks[1]]), begun.std(), rtol=1e-6)
  if kept == "reshuffle":
    np.testing.assert_array_equal(sorted(np.abs(found[mask])), sorted(np.abs(begun[mask])))
  assert not ticket.frozen and not ends[2][~mask].any()


def test_a_level_is_pruned_by_what_its_own_training_began_and_ended_with(k):
  """With constants for a start, movement is that from the constants on."""
  ticket, starts, ends, masks = deconstructed(k, criterion="movement", kept="constant")
  first = _top(np.abs(ends[0] - starts[0]), np.ones((8, 9), bool), 36)
  np.testing.assert_array_equal(masks[1], first)
  second = _top(np.abs(ends[1] - starts[1]), first, 18)
  np.testing.assert_array_equal(ticket.masks["fc/kernel"], second)
  assert (second != _top(np.abs(ends[1] - starts[0]), first, 18)).any()


def test_initial_weights_are_those_of_step_k():
  """Rewound to step 4, the first 4 steps are a fit of their own."""
  options = {"criterion": "movement", "rewind_to": "4it", "levels": 1}
  ticket, starts, ends, _ = deconstructed(keras, **options)
  at_k, end = ends[0], ends[1]
  np.testing.assert_array_equal(starts[1], at_k)
  expected = _top(np.abs(end - at_k), np.ones((8, 9), bool), 36)
  np.testing.assert_array_equal(ticket.masks["fc/kernel"], expected)
  assert (expected != _top(np.abs(end - starts[0]), np.ones((8, 9), bool), 36)).any()


def test_one_shot_prunes_by_the_dense_training_at_every_level():
  options = {"criterion": "magnitude_increase", "one_shot": True, "pruned": "freeze_init_zero_mask"}
  ticket, starts, ends, _ = deconstructed(keras, **options)
  increase = np.abs(ends[0]) - np.abs(starts[0])
  expected = _top(increase, np.ones((8, 9), bool), 18)
  np.testing.assert_array_equal(ticket.masks["fc/kernel"], expected)
  frozen = ticket.frozen["fc/kernel"][~expected]
  np.testing.assert_array_equal(frozen, _zeroed(starts[0], ends[0])[~expected])


def test_a_search_that_goes_on_from_the_final_weights_measures_movement_from_there():
  options = {"criterion": "movement", "start": "continue"}
  ticket, starts, ends, masks = deconstructed(keras, **options)
  np.testing.assert_array_equal(starts[1], np.where(masks[1], ends[0], 0))
  expected = _top(np.abs(ends[1] - starts[1]), masks[1], 18)
  np.testing.assert_array_equal(ticket.masks["fc/kernel"], expected)


def test_random_masks_are_the_seeds():
  options = {"criterion": "random", "levels": 1, "steps": 1}
  one, again, other = (
    deconstructed(keras, seed=seed, **options)[0].masks["fc/kernel"] for seed in (1, 1, 2)
  )
  assert (one == again).all() and (one != other).any()


def test_the_ticket_records_its_criterion_and_actions():
  words = {
    "criterion": "large_final_same_sign",
    "kept": "constant",
    "keep_sign": True,
    "pruned": "freeze_init",
  }
  ticket = deconstructed(keras, **words, levels=1)[0]
  assert {name: ticket.metadata[name] for name in words} == words


# --- Misuse: one error that names the argument, before any training ------------------------------


@pytest.mark.parametrize(
  "options,text",
  [
    ({"rate": 1.5}, "rate=1.5 is out of range"),
    ({"rate": -0.1}, "rate=-0.1 is out of range"),
    ({"rates": {"out": 2}}, r"rates\['out'\]=2 is out of range"),
    ({"rates": {"output": 0.1}}, "rates='output' matches no prunable weight.*out/kernel"),
    ({"levels": -1}, "levels=-1 is out of range"),
    ({"levels": 9}, "levels=9: level .* would leave 0 of"),
    ({"levels": 1.5}, "levels=1.5 is out of range"),
    ({"scope": "net"}, "scope='net' is unknown"),
    ({"start": "again"}, "start='again' is unknown"),
    ({"criterion": "large"}, "criterion='large' is unknown.*'large_final'"),
    ({"kept": "rewound"}, "kept='rewound' is unknown. Choose one of rewind, reinit"),
    ({"pruned": "frozen"}, "pruned='frozen' is unknown. Choose one of zero, freeze_init"),
    ({"keep_sign": 1}, "keep_sign=1 must be True or False"),
    ({"start": "continue", "kept": "constant"}, "start='continue' .*kept='constant'.*'rewind'"),
    ({"start": "continue", "pruned": "freeze_init"}, "pruned='freeze_init'.*start='rewind'"),
    ({"start": "rewind_learning_rate", "keep_sign": True}, "keep_sign=True.*start='rewind'"),
    ({"rewind_to": "soon"}, "rewind_to='soon' is not a duration"),
    ({"rewind_to": "15it"}, "rewind_to='15it' is step 15"),
    ({"rewind_to": "9ep"}, "rewind_to='9ep' is step 135"),
    ({"epochs": None}, "exactly one of epochs and steps"),
    ({"steps": 5, "epochs": 1}, "exactly one of epochs and steps"),
    ({"epochs": 0}, "not before the last|epochs"),
    ({"steps": "5 steps"}, "steps='5 steps' is not a duration"),
    ({"only": "conv"}, "only='conv' matches no prunable weight"),
    ({"exclude": "kernel"}, "no prunable weight"),
    ({"train": batches().repeat()}, "train has no known number of batches"),
  ],
  ids=str,
)
def test_bad_arguments_are_refused_before_any_training(k, options, text):
  log = Log()
  with pytest.raises(ValueError, match=text):
    find(lambda: mlp(k), callbacks=[log], **options)
  assert not log.levels


@pytest.mark.parametrize("words", [{"kept": "reinit"}, {"pruned": "freeze_reinit"}])
def test_a_layer_without_an_initializer_is_refused_before_any_training(k, words):
  class Own(k.layers.Layer):
    def build(self, shape):
      self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 3), initializer="ones")

    def call(self, x):
      return x @ self.kernel

  def build():
    return compiled(k, k.Sequential([k.layers.Input((8,)), Own(name="own")]))

  log = Log()
  with pytest.raises(ValueError, match=r"reinit needs an initializer for own/kernel"):
    find(build, callbacks=[log], **words)
  assert not log.levels


def test_a_model_without_a_prunable_weight_is_refused(k):
  def build():
    model = k.Sequential([k.layers.Input((8,)), k.layers.BatchNormalization()])
    model.compile("sgd", "mse")
    return model

  with pytest.raises(ValueError, match="no prunable weight"):
    find(build)


def test_a_model_that_is_not_compiled_is_refused(k):
  with pytest.raises(ValueError, match="compile"):
    find(lambda: k.Sequential([k.layers.Input((8,)), k.layers.Dense(3, name="out")]))


def test_what_is_no_model_is_refused():
  with pytest.raises(TypeError, match="model must be a model of Keras 3 or of tf_keras"):
    find(lambda: 3)


def test_a_training_that_diverges_is_said_to_have_diverged(k):
  x, y = arrays(32)
  x[:] = np.nan
  with pytest.raises(ValueError, match="not finite: the training diverged"):
    find(lambda: mlp(k), train=(x, y))


def test_a_model_that_is_not_built_is_built_on_the_first_batch(k):
  def build():
    return compiled(k, k.Sequential([k.layers.Dense(4, name="a"), k.layers.Dense(3, name="b")]))

  ticket = tfl.find_ticket(build, arrays(), levels=1, rate=0.5, epochs=1, verbose=0)
  assert {p: int(m.sum()) for p, m in ticket.masks.items()} == {"a/kernel": 16, "b/kernel": 6}
