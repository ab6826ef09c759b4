"""A ticket moves to another model: what is copied, what is the model's own, what is refused."""

import json

import keras
import numpy as np
import pytest
import tf_keras
from builders import KERASES, arrays, assert_held, batches, compiled, mlp, random_masks

import tflottery as tfl
from tflottery.tickets.drawn import Drawn
from tflottery.tickets.transfer import Transfer


def _dense(k, units, inputs=2, *, names=None, fill=None, name=None):
  """Layers of so many units, named a, b, c ..., every weight `fill` if it is given."""
  names = names or "abcdefg"[: len(units)]
  layers = [k.layers.Dense(n, name=name) for n, name in zip(units, names, strict=True)]
  model = k.Sequential([k.layers.Input((inputs,)), *layers], name=name)
  if fill is not None:
    model.set_weights([np.full(w.shape, fill, "float32") for w in model.get_weights()])
  return model


def _ticket(units=(2, 1), inputs=2, **more):
  """Weights 1, 2, 3, ... in every layer, the first weight of each kernel masked."""
  weights, masks = {}, {}
  for name, (rows, columns) in zip(
    "abcdefg", zip((inputs, *units), units, strict=False), strict=False
  ):
    kernel = np.arange(1, rows * columns + 1, dtype="float32").reshape(rows, columns)
    weights |= {f"{name}/kernel": kernel, f"{name}/bias": np.full(columns, 0.5, "float32")}
    masks[f"{name}/kernel"] = kernel > 1
  return tfl.Ticket(masks, weights, **more)


def test_a_head_of_other_classes_keeps_the_models_own_weights(k):
  ticket, model = _ticket((2, 2), level=3, metadata={"seed": 7}), _dense(k, (2, 3), fill=9)
  moved = ticket.transfer(model, verbose=False)
  assert moved.copied == {"a/kernel": "a/kernel", "a/bias": "a/bias"}
  reason = "(2, 2) in the ticket, (2, 3) in the model"
  assert moved.reinitialised["b/kernel"] == moved.dropped["b/kernel"] == reason
  assert list(moved.reinitialised) == list(moved.dropped) == ["b/kernel", "b/bias"]
  assert moved.ticket.weights["a/kernel"].tolist() == [[1, 2], [3, 4]]
  assert moved.ticket.masks["a/kernel"].tolist() == [[False, True], [True, True]]
  assert (moved.ticket.weights["b/kernel"] == 9).all() and moved.ticket.masks["b/kernel"].all()
  assert all((w == 9).all() for w in model.get_weights()), "the model is not changed"
  assert (moved.ticket.level, moved.ticket.metadata["seed"]) == (3, 7)
  assert moved.ticket.metadata["transfer"]["copied"] == moved.copied
  moved.ticket.apply(model)
  assert model.get_weights()[0].tolist() == [[0, 2], [3, 4]]


def test_a_head_that_fits_is_copied_unless_it_is_named():
  ticket, model = _ticket(), _dense(keras, (2, 1), fill=9)
  assert len(ticket.transfer(model, verbose=False).copied) == 4
  named = ticket.transfer(model, head="b/kernel", verbose=False)
  assert named.reinitialised == {"b/kernel": "head='b/kernel'"} == named.dropped
  assert named.copied["b/bias"] == "b/bias"
  several = ticket.transfer(model, head=["^b/", "a/bias"], verbose=False)
  assert list(several.reinitialised) == ["a/bias", "b/kernel", "b/bias"]


def test_a_random_head_has_the_sparsity_of_the_one_it_replaces():
  ticket = _ticket((3, 10))
  ticket.masks["b/kernel"][:] = np.arange(30).reshape(3, 10) % 10 == 0  # 3 of 30 live
  model = _dense(keras, (3, 20))
  first, again, other = (
    ticket.transfer(model, fresh="random", seed=s, verbose=False).ticket.masks["b/kernel"]
    for s in (1, 1, 2)
  )
  assert first.shape == (3, 20) and first.sum() == 6
  assert (first == again).all() and (first != other).any()
  assert ticket.transfer(model, verbose=False).ticket.masks["b/kernel"].all()


def test_a_site_that_was_dense_stays_without_a_mask_when_it_is_fresh():
  ticket = _ticket((2, 2))
  del ticket.masks["b/kernel"]
  for fresh in ("dense", "random"):
    moved = ticket.transfer(_dense(keras, (2, 3)), fresh=fresh, verbose=False)
    assert list(moved.ticket.masks) == ["a/kernel"]


def test_a_wider_model_holds_the_source_at_the_leading_indices(k):
  ticket, model = _ticket(), _dense(k, (3, 1), fill=9)
  moved = ticket.transfer(model, mapping={"a": "a", "b": "b"}, verbose=False)
  assert moved.ticket.weights["a/kernel"].tolist() == [[1, 2, 9], [3, 4, 9]]
  assert moved.ticket.masks["a/kernel"].tolist() == [[False, True, False], [True, True, False]]
  assert moved.ticket.weights["a/bias"].tolist() == [0.5, 0.5, 9]
  assert moved.ticket.masks["b/kernel"].tolist() == [[False], [True], [False]]
  assert moved.placed["a/kernel"] == "(2, 2) at the leading indices of (2, 3), the rest masked"
  assert moved.placed["a/bias"].endswith("the rest the model's own")
  narrow = _dense(k, (2, 1))
  ticket.apply(narrow)
  moved.ticket.apply(model)
  x = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")
  np.testing.assert_array_equal(np.array(model(x)), np.array(narrow(x)))


def test_a_deeper_model_takes_one_layer_for_several(k):
  ticket, model = _ticket((2, 2, 1)), _dense(k, (2, 2, 2, 1), names="abdc")
  moved = ticket.transfer(model, mapping={"d": "b"}, verbose=False)
  for name in ("b", "d"):
    assert moved.copied[f"{name}/kernel"] == "b/kernel"
    np.testing.assert_array_equal(moved.ticket.masks[f"{name}/kernel"], ticket.masks["b/kernel"])
  assert list(moved.ticket.masks) == ["a/kernel", "b/kernel", "d/kernel", "c/kernel"]
  assert moved.reinitialised == moved.dropped == {}


def test_a_shallower_model_drops_what_it_has_no_layer_for():
  moved = _ticket((2, 2, 1)).transfer(_dense(keras, (2, 1), names="ac"), verbose=False)
  reason = "no layer of the model takes it"
  assert moved.dropped == {"b/kernel": reason, "b/bias": reason}
  assert list(moved.ticket.masks) == ["a/kernel", "c/kernel"]


def test_a_layer_that_is_mapped_to_none_is_fresh():
  ticket, model = _ticket((2, 2, 1)), _dense(keras, (2, 2, 2, 1), names="abdc", fill=9)
  moved = ticket.transfer(model, mapping={"b": None, "d": None}, fresh="random", verbose=False)
  fresh = ["b/kernel", "b/bias", "d/kernel", "d/bias"]
  assert moved.reinitialised == dict.fromkeys(fresh, "mapped to None")
  assert moved.ticket.masks["b/kernel"].sum() == 3, "the sparsity of the ticket's b"
  assert moved.ticket.masks["d/kernel"].all(), "the ticket has no d"
  assert list(moved.dropped) == ["b/kernel", "b/bias"]


def test_layers_without_names_match_by_their_order(k):
  def build(classes):
    layers = [k.layers.Dense(4), k.layers.Dense(4), k.layers.Dense(classes)]
    return k.Sequential([k.layers.Input((4,)), *layers])

  first, second = build(3), build(5)
  moved = tfl.capture(first, random_masks(first)).transfer(second, verbose=False)
  assert list(moved.copied) == list(tfl.site.weights(second))[:4]
  assert list(moved.copied.values()) == list(tfl.site.weights(first))[:4]
  assert len(moved.reinitialised) == len(moved.dropped) == 2
  moved.ticket.apply(second)
  assert (
    second.get_weights()[2]
    == first.get_weights()[2] * random_masks(first)[list(tfl.sites(first))[1]]
  ).all()


def test_numbers_of_keras_tell_nothing_in_a_model_of_another_depth(k):
  def build(units):
    layers = [k.layers.Dense(n, name=name) for n, name in units]
    return k.Sequential([k.layers.Input((4,)), *layers])

  first = build([(4, "dense"), (4, "dense_1"), (4, "dense_2"), (4, "out")])
  shallower = build([(4, "dense_1"), (4, "dense_2"), (4, "out")])
  ticket = tfl.capture(first, random_masks(first))
  with pytest.raises(ValueError) as error:
    ticket.transfer(shallower)
  for part in (
    "names of dense_1, dense_2 hold",
    "ticket's dense, dense_1, dense_2",
    "'dense_1': ...",
  ):
    assert part in str(error.value)
  named = {"dense_1": "dense", "dense_2": None}
  moved = ticket.transfer(shallower, mapping=named, verbose=False)
  assert moved.copied["dense_1/kernel"] == "dense/kernel" and moved.copied["out/bias"] == "out/bias"
  assert list(moved.reinitialised) == ["dense_2/kernel", "dense_2/bias"]


@pytest.mark.parametrize("name", ["fc_{}", "dense{}", "stage1_block1_conv{}"])
def test_names_with_numbers_of_their_own_match_in_a_model_of_another_depth(name):
  names = [name.format(n) for n in (1, 2, 3)]
  first, second = (_dense(keras, (2,) * n, names=names[:n]) for n in (3, 2))
  moved = tfl.capture(first, random_masks(first)).transfer(second, verbose=False)
  assert all(path == source for path, source in moved.copied.items()) and len(moved.copied) == 4


def test_numbers_of_nested_models_tell_nothing_either(k):
  def build(numbers):
    blocks = [_dense(k, (2,), name=f"sequential_{n}") for n in numbers]
    return k.Sequential([k.layers.Input((2,)), *blocks, k.layers.Dense(2, name="out")])

  first, deeper = build((1, 2)), build((2, 3, 4))
  with pytest.raises(ValueError, match="names of sequential_2/a, sequential_3/a, sequential_4/a"):
    tfl.capture(first, random_masks(first)).transfer(deeper)


def test_unnamed_layers_match_by_their_order_where_one_lacks_a_bias():
  layers = keras.layers
  first = keras.Sequential([keras.Input((2,)), layers.Dense(2, use_bias=False), layers.Dense(2)])
  second = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(2)])
  moved = tfl.capture(first, random_masks(first)).transfer(second, verbose=False)
  assert list(moved.copied.values()) == list(tfl.site.weights(first))
  assert len(moved.reinitialised) == 1


def test_a_depthwise_kernel_is_known_by_the_name_of_the_other_keras():
  def build(k):
    layers = [k.layers.DepthwiseConv2D(3, name="a"), k.layers.Flatten()]
    return k.Sequential([k.layers.Input((3, 3, 2)), *layers, k.layers.Dense(1, name="b")])

  models = [build(keras), build(tf_keras)]
  names = ["a/kernel", "a/depthwise_kernel"]
  for source, model, name, other in zip(models, models[::-1], names, names[::-1], strict=True):
    ticket = tfl.capture(source, random_masks(source))
    moved = ticket.transfer(model, verbose=False)
    assert moved.copied[other] == name and not moved.reinitialised
    np.testing.assert_array_equal(moved.ticket.masks[other], ticket.masks[name])


def _convolution(layer, **more):
  return lambda k, filters, inputs: [
    k.layers.Input((2, 2, inputs)),
    getattr(k.layers, layer)(**{n: filters if v is None else v for n, v in more.items()}),
    k.layers.Flatten(),
  ]


SCATTERED = {
  "GRU": (lambda k, n, inputs: [k.layers.Input((2, inputs)), k.layers.GRU(n)], "gates"),
  "LSTM in both directions": (
    lambda k, n, inputs: [k.layers.Input((2, inputs)), k.layers.Bidirectional(k.layers.LSTM(n))],
    "gates",
  ),
  "ConvLSTM": (
    lambda k, n, inputs: [
      k.layers.Input((2, 2, 2, inputs)), k.layers.ConvLSTM2D(n, 1), k.layers.Flatten()
    ],
    "gates",
  ),
  "groups": (_convolution("Conv2D", filters=None, kernel_size=1, groups=2), "groups"),
  "depth": (_convolution("DepthwiseConv2D", depth_multiplier=None, kernel_size=1), "channels"),
}  # fmt: skip


@pytest.mark.parametrize("k", KERASES)
@pytest.mark.parametrize("name", SCATTERED)
def test_layers_whose_leading_indices_are_others_are_not_placed(k, name):
  layers, parts = SCATTERED[name]
  small, large = (k.Sequential([*layers(k, n, 2), k.layers.Dense(1, name="out")]) for n in (2, 4))
  own = [layer for layer in dict.fromkeys(p.rpartition("/")[0] for p in tfl.site.weights(large))]
  known = dict.fromkeys(p.rpartition("/")[0] for p in tfl.site.weights(small))
  with pytest.raises(ValueError) as error:
    tfl.capture(small, random_masks(small)).transfer(
      large, mapping=dict(zip(own, known, strict=True))
    )
  text = str(error.value)
  assert f"its {parts} don't lie at the leading indices: mapping={{{own[0]!r}: None}}" in text
  assert "places it" not in text and "out/kernel" not in text


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM"])
def test_recurrent_layers_without_gates_or_of_more_inputs_are_placed(layer):
  def build(units, inputs):
    own = getattr(keras.layers, layer)(units, name="l")
    return keras.Sequential([keras.Input((2, inputs)), own, keras.layers.Dense(1, name="out")])

  small, large = build(2, 2), build(4 if layer == "SimpleRNN" else 2, 3)
  ticket = tfl.capture(small, random_masks(small))
  layers = {p.rpartition("/")[0] for p in tfl.site.weights(large)}
  moved = ticket.transfer(large, mapping={n: n for n in layers}, verbose=False)
  assert not moved.reinitialised and moved.placed


def test_a_transposed_convolution_is_a_head_by_its_outputs(k):
  def build(classes):
    first = k.layers.Conv2D(2, 1, name="a")
    head = k.layers.Conv2DTranspose(classes, 1, use_bias=False, name="b")
    return k.Sequential([k.layers.Input((2, 2, 1)), first, head])

  first = build(2)
  moved = tfl.capture(first, random_masks(first)).transfer(build(3), verbose=False)
  assert moved.reinitialised == {
    "b/kernel": "(1, 1, 2, 2) in the ticket, (1, 1, 3, 2) in the model"
  }


def test_layers_inside_a_nested_model_are_mapped_by_their_path(k):
  def build(names):
    block = _dense(k, (2,) * len(names), names=names, name="block")
    return k.Sequential([k.layers.Input((2,)), block, k.layers.Dense(1, name="out")])

  first, second = build("a"), build("ab")
  moved = tfl.capture(first, random_masks(first)).transfer(
    second, mapping={"block/b": "block/a"}, verbose=False
  )
  assert moved.copied["block/b/kernel"] == moved.copied["block/a/kernel"] == "block/a/kernel"


def test_statistics_travel_and_the_rest_of_wider_ones_is_the_models_own(k):
  def build(units):
    layers = [k.layers.Dense(units, name="a"), k.layers.BatchNormalization(name="norm")]
    model = k.Sequential([k.layers.Input((2,)), *layers, k.layers.Dense(1, name="b")])
    return compiled(k, model)

  source = build(2)
  source.get_layer("norm").set_weights([np.float32([i, i + 1]) for i in range(2, 6)])
  ticket = tfl.capture(source, random_masks(source))
  wide = ticket.transfer(build(3), mapping={n: n for n in ("a", "norm", "b")}, verbose=False)
  found = {p: w.tolist() for p, w in wide.ticket.weights.items() if p.startswith("norm")}
  assert found == {
    "norm/gamma": [2, 3, 1],
    "norm/beta": [3, 4, 0],
    "norm/moving_mean": [4, 5, 0],
    "norm/moving_variance": [5, 6, 1],
  }


def test_a_bias_that_the_ticket_lacks_is_the_models_own():
  ticket = _ticket()
  del ticket.weights["a/bias"]
  moved = ticket.transfer(_dense(keras, (2, 1), fill=9), verbose=False)
  assert moved.reinitialised == {"a/bias": "the ticket has no a/bias"}
  assert moved.ticket.weights["a/bias"].tolist() == [9, 9]


def test_a_kernel_that_the_tickets_layer_lacks_is_not_covered():
  ticket = _ticket((2, 2, 1))
  del ticket.weights["b/kernel"], ticket.masks["b/kernel"]
  with pytest.raises(ValueError, match=r"nothing for b \(kernel\): name the layer"):
    ticket.transfer(_dense(keras, (2, 2, 1)))


def test_frozen_values_and_draws_travel_with_their_weights(tmp_path):
  ones = Drawn({"class_name": "Ones", "config": {}}, (2, 1), 0, multiple=2.0)
  ticket = _ticket()
  ticket.weights["b/kernel"] = ones.values()
  frozen = {"a/kernel": np.float32([[5, 0], [0, 0]]), "b/kernel": np.float32([[6], [0]])}
  ticket = tfl.Ticket(ticket.masks, ticket.weights, frozen=frozen, drawn={"b/kernel": ones})
  same = ticket.transfer(
    _dense(keras, (2, 1), names="ac"), mapping={"c": "b"}, verbose=False
  ).ticket
  assert same.drawn == {"c/kernel": ones} and same.frozen["c/kernel"].tolist() == [[6], [0]]
  same.save(tmp_path / "t")
  assert tfl.Ticket.load(tmp_path / "t").weights["c/kernel"].tolist() == [[2], [2]]
  wide = ticket.transfer(_dense(keras, (3, 1)), mapping={"a": "a", "b": "b"}, verbose=False).ticket
  assert wide.frozen["a/kernel"].tolist() == [[5, 0, 0], [0, 0, 0]]
  assert wide.drawn == {}, "a larger weight is not what the recipe draws"
  other = ticket.transfer(_dense(keras, (2, 3)), verbose=False).ticket
  assert list(other.frozen) == ["a/kernel"] and other.drawn == {}


def test_a_moved_ticket_does_not_change_with_its_source():
  ticket = _ticket()
  moved = ticket.transfer(_dense(keras, (2, 1)), verbose=False).ticket
  for arrays_ in (ticket.weights, ticket.masks):
    arrays_["a/kernel"][:] = 0
  assert moved.weights["a/kernel"].all() and moved.masks["a/kernel"].sum() == 3


def test_what_became_of_every_weight_is_printed_and_kept_in_the_file(capsys, tmp_path):
  model = _dense(keras, (3, 2))
  moved = _ticket().transfer(model, mapping={"a": "a"})
  assert isinstance(moved, Transfer) and capsys.readouterr().out == f"{moved}\n"
  lines = str(moved).splitlines()
  assert lines[0] == "2 weights copied, 2 weights re-initialised, 2 weights dropped"
  assert "  copied          a/kernel  from a/kernel, (2, 2) at the leading indices of (2, 3), the rest masked" in lines  # fmt: skip
  moved.ticket.save(tmp_path / "t")
  told = tfl.Ticket.load(tmp_path / "t").metadata["transfer"]
  assert told == json.loads(json.dumps(told)) and told["dropped"] == moved.dropped
  _ticket().transfer(model, mapping={"a": "a"}, verbose=False)
  assert capsys.readouterr().out == ""


def test_an_earlier_transfer_stays_in_the_metadata():
  first = _ticket().transfer(_dense(keras, (2, 3), name="first"), verbose=False).ticket
  told = first.transfer(_dense(keras, (2, 4)), verbose=False).ticket.metadata["transfer"]
  assert told["before"] == first.metadata["transfer"] and told["before"]["model"] == "first"
  assert "before" not in told["before"]


@pytest.mark.parametrize("k", KERASES)
def test_a_ticket_found_with_one_optimizer_trains_with_another(k):
  source = mlp(keras, "adam")
  ticket = tfl.capture(source, random_masks(source))
  layers = [k.layers.Dense(6, "relu", name="fc1"), k.layers.Dense(5, "relu", name="fc2")]
  model = k.Sequential([k.layers.Input((8,)), *layers, k.layers.Dense(4, name="out")])
  compiled(k, model, k.optimizers.SGD(0.1, momentum=0.9))
  moved = ticket.transfer(model, verbose=False).ticket
  model.fit(batches(classes=4), verbose=0, callbacks=[moved.callback()])
  assert_held(model, moved.masks)
  start = moved.weights["fc1/kernel"] * moved.masks["fc1/kernel"]
  assert np.abs(model.get_weights()[0] - start).max() > 0.01
  assert np.isfinite(model.evaluate(*arrays(classes=4), verbose=0))


def _frozen_layer(k):
  model = _dense(k, (2, 1))
  model.get_layer("a").trainable = False
  return model


def _of_images(k):
  layers = [k.layers.Conv2D(2, 1, name="a"), k.layers.Flatten(), k.layers.Dense(1, name="b")]
  return k.Sequential([k.layers.Input((1, 1, 2)), *layers])


# A model and arguments that a ticket of layers a (2, 2) and b (2, 1) can't be moved by, and what the
# error must say.
BAD = {
  "a layer that nothing matches": (
    lambda k: _dense(k, (2, 2, 1), names="adb"),
    {},
    ["nothing for d (kernel, bias)", "mapping={'d': ...}", "None"],
  ),
  "a mapping of a layer the model lacks": (
    lambda k: _dense(k, (2, 1)),
    {"mapping": {"aa": "a"}},
    ["mapping={'aa': 'a'}", "the model has no layer 'aa'", "'a'"],
  ),
  "a mapping to a layer the ticket lacks": (
    lambda k: _dense(k, (2, 1)),
    {"mapping": {"a": "c"}},
    ["mapping={'a': 'c'}", "the ticket has no layer 'c'"],
  ),
  "a wider model without a mapping": (
    lambda k: _dense(k, (3, 1)),
    {},
    ["a/kernel is (2, 2) in the ticket, (2, 3) in the model", "mapping={'a': 'a'}", "b/kernel is"],
  ),
  "a narrower model": (
    lambda k: _dense(k, (1, 1)),
    {"mapping": {"a": "a", "b": "b"}},
    ["a/bias is (2,) in the ticket, (1,) in the model", "mapping={'a': None} re-initialises it"],
  ),
  "images of another shape": (
    lambda k: _dense(k, (2, 1), inputs=5),
    {},
    ["a/kernel is (2, 2) in the ticket, (5, 2)", "tfl.images.to_shape"],
  ),
  "another rank": (_of_images, {"mapping": {"a": "a"}}, ["(2, 2) in the ticket, (1, 1, 2, 2)"]),
  "a layer that is frozen": (_frozen_layer, {}, ["a/kernel: masked, but not prunable", "frozen"]),
  "a head that is mapped as well": (
    lambda k: _dense(k, (2, 1)),
    {"head": "b", "mapping": {"b": "b"}},
    ["b: both head='b' and mapping= name it"],
  ),
  "nothing left of the ticket": (
    lambda k: _dense(k, (2, 1)),
    {"head": "kernel"},
    ["none of its masked weights would be copied"],
  ),
  "a head that matches nothing": (
    lambda k: _dense(k, (2, 1)),
    {"head": "dense"},
    ["head='dense' matches no", "b/kernel"],
  ),
  "a head that is not the last layer": (
    lambda k: _dense(k, (3, 1)),
    {},
    ["a/kernel is", "head='^a/' does so if it is the head", "b/kernel is"],
  ),
  "a mapping to several layers": (
    lambda k: _dense(k, (2, 1)),
    {"mapping": {"a": ["a"]}},
    ["mapping={'a': ['a']}", "one layer of the ticket or None"],
  ),
  "a mapping that is no dict": (
    lambda k: _dense(k, (2, 1)),
    {"mapping": "a"},
    ["mapping='a'", "dict"],
  ),
  "an unknown kind of fresh mask": (
    lambda k: _dense(k, (2, 1)),
    {"fresh": "sparse"},
    ["fresh='sparse' is unknown", "random"],
  ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_with_the_name_the_value_and_the_cure(name, capsys):
  build, arguments, words = BAD[name]
  model = build(keras)
  before = model.get_weights()
  with pytest.raises(ValueError) as error:
    _ticket().transfer(model, **arguments)
  text = str(error.value)
  assert [word for word in words if word not in text] == [], text
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
  assert capsys.readouterr().out == ""


def test_every_problem_is_listed_at_once():
  model = _dense(keras, (2, 5, 5, 1, 1), names="adebc")
  with pytest.raises(ValueError) as error:
    _ticket((2, 2, 1)).transfer(model, mapping={"d": "b", "e": "x"})
  text = str(error.value)
  for part in ("no layer 'x'", "b/kernel is (2, 2) in the ticket, (5, 1)", "c/kernel is (2, 1)"):
    assert part in text
  assert "d/kernel" not in text, "it is larger, and mapped"
