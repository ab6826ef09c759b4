"""The ticket and its file."""

import json
import os

import keras
import numpy as np
import pytest
import safetensors.numpy
import tf_keras
from builders import arrays, assert_held, batches, compiled, mlp, random_masks, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import tflottery as tfl

SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)
DTYPES = st.sampled_from(["float32", "float16", "float64", "int32", "int64"])
JSON = st.recursive(
  st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
  lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
  max_leaves=8,
)


@st.composite
def tickets(draw):
  paths = draw(
    st.lists(st.text("abcé_/0", min_size=1, max_size=8), min_size=1, max_size=4, unique=True)
  )
  masks = {p: draw(arrays_of.arrays(bool, draw(SHAPES))) for p in paths}
  weights = {
    p: draw(arrays_of.arrays("float32", masks[p].shape, elements=st.floats(width=32)))
    for p in paths
  }
  for name in ("scalar", "vector"):
    shape = () if name == "scalar" else draw(SHAPES)
    weights[name] = draw(arrays_of.arrays(draw(DTYPES), shape))
  return tfl.Ticket(
    masks, weights, draw(st.integers(0, 99)), draw(st.dictionaries(st.text(), JSON, max_size=3))
  )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tickets())
def test_a_ticket_comes_back_from_its_file(tmp_path_factory, ticket):
  path = tmp_path_factory.mktemp("t") / "a.ticket"
  ticket.save(path)
  loaded = tfl.Ticket.load(path)
  assert list(loaded.masks) == list(ticket.masks) and list(loaded.weights) == list(ticket.weights)
  for name in ("masks", "weights"):
    for ours, theirs in zip(
      getattr(loaded, name).values(), getattr(ticket, name).values(), strict=True
    ):
      assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
      assert ours.tobytes() == np.ascontiguousarray(theirs).tobytes()
  assert (loaded.level, loaded.metadata) == (ticket.level, ticket.metadata)
  again = path.with_name("b.ticket")
  loaded.save(again)
  assert again.read_bytes() == path.read_bytes(), "equal tickets, different bytes"
  assert sorted(os.listdir(path.parent)) == ["a.ticket", "b.ticket"]


def _ticket():
  masks = {"fc/kernel": np.array([[True, False, True], [False, False, True]])}
  weights = {
    "fc/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "fc/bias": np.ones(3, "float32"),
  }
  return tfl.Ticket(masks, weights, 2, {"dataset": "digits", "seed": 7})


def test_masks_take_a_bit_a_weight(tmp_path):
  masks = {"fc/kernel": np.random.default_rng(0).random((1000, 80)) < 0.1}
  tfl.Ticket(masks, {"fc/bias": np.zeros(1, "float32")}).save(tmp_path / "t")
  assert 10_000 <= (tmp_path / "t").stat().st_size < 11_000


def test_the_file_is_safetensors_with_bits_weights_and_a_header(tmp_path):
  _ticket().save(tmp_path / "t")
  tensors = safetensors.numpy.load_file(tmp_path / "t")
  # 101001 and two bits of padding.
  assert tensors["mask/fc/kernel"].tolist() == [0b10100100]
  assert tensors["weight/fc/bias"].tolist() == [1.0, 1.0, 1.0]
  with safetensors.safe_open(tmp_path / "t", framework="np") as file:
    header = json.loads(file.metadata()["tflottery_ticket"])
  assert header["sites"] == [["fc/kernel", [2, 3]]]
  assert header["level"] == 2 and header["sparsity"] == 0.5
  assert header["metadata"] == {"dataset": "digits", "seed": 7}


def test_saving_over_a_ticket_replaces_it_and_makes_folders(tmp_path):
  path = tmp_path / "seed_0" / "level_1.ticket"
  _ticket().save(path)
  tfl.Ticket(_ticket().masks, _ticket().weights, 5).save(str(path))
  assert tfl.Ticket.load(str(path)).level == 5
  assert os.listdir(path.parent) == ["level_1.ticket"]


def test_metadata_that_json_cannot_hold_leaves_no_file(tmp_path):
  bad = tfl.Ticket(_ticket().masks, _ticket().weights, 0, {"model": object()})
  with pytest.raises(TypeError):
    bad.save(tmp_path / "t")
  assert os.listdir(tmp_path) == []


def test_repr_says_level_counts_and_each_site():
  text = repr(_ticket())
  assert "level=2" in text and "3 of 6 weights remain (50 %)" in text
  assert "fc/kernel" in text and "(2, 3)" in text and "50.00 %" in text


# --- Files that are no tickets -------------------------------------------------------------------


def _refused(path):
  with pytest.raises(ValueError) as caught:
    tfl.Ticket.load(path)
  text = str(caught.value)
  assert str(path) in text and "not a ticket, or is damaged" in text


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
  path = tmp_path / "cut.ticket"
  _ticket().save(path)
  whole = path.read_bytes()
  for length in range(len(whole)):
    path.write_bytes(whole[:length])
    _refused(path)


@settings(
  max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(tmp_path, content):
  (tmp_path / "noise").write_bytes(content)
  _refused(tmp_path / "noise")


@settings(
  max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_flipped_byte_gives_a_ticket_or_a_value_error(tmp_path, data):
  path = tmp_path / "flipped"
  _ticket().save(path)
  content = bytearray(path.read_bytes())
  content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
  path.write_bytes(bytes(content))
  try:
    loaded = tfl.Ticket.load(path)
  except ValueError as error:
    assert str(path) in str(error)
  else:
    assert isinstance(repr(loaded), str)


def _with_header(path, header):
  tensors = {"mask/a": np.zeros(1, "uint8"), "weight/a": np.zeros((2, 2), "float32")}
  text = header if isinstance(header, str) else json.dumps(header)
  path.write_bytes(safetensors.numpy.save(tensors, metadata={"tflottery_ticket": text}))


GOOD = {
  "format_version": 1,
  "level": 1,
  "sparsity": 1.0,
  "sites": [["a", [2, 2]]],
  "weights": ["a"],
  "metadata": {},
}


@settings(
  max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(list(GOOD)), JSON)
def test_a_header_of_wrong_values_gives_a_ticket_or_a_value_error(tmp_path, key, value):
  path = tmp_path / "odd"
  _with_header(path, GOOD | {key: value})
  try:
    loaded = tfl.Ticket.load(path)
  except ValueError as error:
    assert str(path) in str(error)
  else:
    assert isinstance(repr(loaded), str)


@pytest.mark.parametrize("header", ["{", "[]", "3", "null", '"text"', "{}"])
def test_a_header_that_is_no_ticket_is_refused(tmp_path, header):
  _with_header(tmp_path / "odd", header)
  _refused(tmp_path / "odd")


@pytest.mark.parametrize("missing", ["format_version", "level", "sites", "weights", "metadata"])
def test_a_header_that_lacks_a_key_is_refused(tmp_path, missing):
  _with_header(tmp_path / "odd", {key: value for key, value in GOOD.items() if key != missing})
  _refused(tmp_path / "odd")


@pytest.mark.parametrize("shape", [[3, 3], [-1, 4], [1e999, 2], ["2", 2], [2.5, 2], None])
def test_a_mask_of_another_size_than_its_bits_is_refused(tmp_path, shape):
  _with_header(tmp_path / "odd", GOOD | {"sites": [["a", shape]]})
  _refused(tmp_path / "odd")


def test_safetensors_of_another_kind_are_refused(tmp_path):
  safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "other.safetensors")
  _refused(tmp_path / "other.safetensors")


def test_an_empty_file_is_refused(tmp_path):
  (tmp_path / "empty").touch()
  _refused(tmp_path / "empty")


def test_a_later_format_names_both_versions_and_the_cure(tmp_path):
  _with_header(tmp_path / "later", GOOD | {"format_version": 2})
  with pytest.raises(ValueError, match=r"format version 2.*reads up to 1. Upgrade tflottery"):
    tfl.Ticket.load(tmp_path / "later")


def test_a_missing_file_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"nowhere\.ticket"):
    tfl.Ticket.load(tmp_path / "nowhere.ticket")


def test_a_pickle_is_never_executed(tmp_path):
  (tmp_path / "evil").write_bytes(
    b"cos\nsystem\n(S'touch " + str(tmp_path).encode() + b"/owned'\ntR."
  )
  _refused(tmp_path / "evil")
  assert not (tmp_path / "owned").exists()


# --- Capture and apply ---------------------------------------------------------------------------


def test_capture_of_a_held_model_takes_the_masks_in_force(k):
  model = mlp(k)
  masks = random_masks(model)
  with tfl.hold(model, masks):
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])  # says nothing about masks
    captured = tfl.capture(model, level=3, metadata={"seed": 1})
  assert all((captured.masks[path] == mask).all() for path, mask in masks.items())
  assert (captured.level, captured.metadata) == (3, {"seed": 1})
  assert set(captured.weights) == {
    f"{n}/{w}" for n in ("fc1", "fc2", "out") for w in ("kernel", "bias")
  }


def test_capture_of_a_sparse_model_takes_its_zeros(k):
  model = mlp(k)
  masks = random_masks(model)
  with tfl.hold(model, masks):
    pass
  assert all((tfl.capture(model).masks[path] == mask).all() for path, mask in masks.items())


def test_capture_with_given_masks_checks_them(k):
  with pytest.raises(ValueError, match="fc1/kernel: mask of shape"):
    tfl.capture(mlp(k), {"fc1/kernel": np.ones((2, 2), bool)})


def test_a_captured_ticket_does_not_change_with_the_model(k):
  model = mlp(k)
  before = values(model)["fc1/kernel"]
  ticket = tfl.capture(model, random_masks(model))
  model.fit(batches(), verbose=0)
  assert (ticket.weights["fc1/kernel"] == before).all()


def test_apply_puts_masked_weights_and_dense_rest(k):
  ticket = tfl.capture(mlp(k, seed=1, batch_norm=True), random_masks(mlp(k), 0.5))
  other = mlp(k, seed=2, batch_norm=True)
  masks = ticket.apply(other)
  for path, mask in masks.items():
    assert (values(other)[path] == ticket.weights[path] * mask).all()
  assert (other.get_layer("norm").get_weights()[0] == 1).all()


@pytest.mark.parametrize(
  "source,target", [(keras, tf_keras), (tf_keras, keras)], ids=["3_to_2", "2_to_3"]
)
def test_a_ticket_goes_from_one_keras_to_the_other(tmp_path, source, target):
  model = mlp(source, seed=1, batch_norm=True)
  tfl.capture(model, random_masks(model)).save(tmp_path / "t")
  other = mlp(target, seed=2, batch_norm=True)
  masks = tfl.Ticket.load(tmp_path / "t").apply(other)
  x = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
  tfl.Ticket.load(tmp_path / "t").apply(model)
  np.testing.assert_allclose(np.array(model(x)), np.array(other(x)), atol=1e-6)
  assert_held(other, masks)


def test_a_ticket_fits_another_build_with_keras_own_names(k):
  def build():
    return k.Sequential(
      [k.layers.Input((4,)), k.layers.Dense(4), k.layers.Dense(4), k.layers.Dense(4)]
    )

  first, second = build(), build()
  assert set(tfl.sites(first)) != set(tfl.sites(second))
  ticket = tfl.capture(first, random_masks(first))
  masks = ticket.apply(second)
  assert list(masks) == list(tfl.sites(second))
  for a, b in zip(values(first).values(), values(second).values(), strict=True):
    assert ((a == b) | (b == 0)).all() and b.any()
  for a, b in zip(ticket.masks.values(), masks.values(), strict=True):
    assert (a == b).all()


def test_a_ticket_that_does_not_fit_lists_every_mismatch_and_touches_nothing(k):
  ticket = tfl.capture(mlp(k), random_masks(mlp(k)))
  model = k.Sequential(
    [
      k.layers.Input((8,)),
      k.layers.Dense(6, name="fc1"),
      k.layers.Dense(7, name="fc2"),
      k.layers.Dense(3, name="head"),
    ]
  )
  compiled(k, model, "adam")
  before = model.get_weights()
  for act in (ticket.apply, lambda m: m.fit(batches(), verbose=0, callbacks=[ticket.callback()])):
    with pytest.raises(ValueError) as caught:
      act(model)
    text = str(caught.value)
    for part in ("fc2/kernel: (6, 7) in the model, (6, 5)", "fc2/bias: (7,)", "out/kernel: not in the model",
                 "out/bias: not in the model", "head/kernel: not in the ticket", "head/bias: not in the ticket"):  # fmt: skip
      assert part in text
    assert "fc1" not in text
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_ticket_can_start_or_go_on(k):
  model = mlp(k)
  ticket = tfl.capture(mlp(k, seed=5), random_masks(model))
  model.fit(batches(), verbose=0, callbacks=[ticket.callback()])
  trained = values(model)
  model.optimizer.learning_rate = 0.0
  model.fit(batches(), verbose=0, callbacks=[ticket.callback(start=False)])
  assert all((values(model)[path] == trained[path]).all() for path in trained)
  model.fit(batches(), verbose=0, callbacks=[ticket.callback()])
  for path, mask in ticket.masks.items():
    np.testing.assert_array_equal(values(model)[path], ticket.weights[path] * mask)


def test_capture_of_a_wrapped_model_takes_the_wrappers_masks(tfmot):
  model = tfmot.sparsity.keras.prune_low_magnitude(mlp(tf_keras))
  model.compile("adam", "mse")
  masks = random_masks(model)
  for path, site in tfl.sites(model).items():
    site.wrapper_mask.assign(masks[path].astype("float32"))
  captured = tfl.capture(model)
  assert all((captured.masks[path] == mask).all() for path, mask in masks.items())
  assert set(captured.weights) == set(tfl.capture(mlp(tf_keras)).weights)
  captured.apply(mlp(keras))


def test_a_ticket_of_a_layer_that_is_frozen_there_leaves_the_model_untouched(k):
  def build():
    layers = [k.layers.Input((8,)), k.layers.Dense(4, name="a"), k.layers.Dense(3, name="b")]
    return compiled(k, k.Sequential(layers))

  ticket, model = tfl.capture(build()), build()
  model.get_layer("a").trainable = False
  compiled(k, model)  # only a compile makes Keras see it
  before = model.get_weights()
  with pytest.raises(ValueError, match="a/kernel: masked, but not prunable"):
    model.fit(*arrays(), verbose=0, callbacks=[ticket.callback()])
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_mask_of_another_shape_than_its_weight_does_not_fit(k):
  model = compiled(k, k.Sequential([k.layers.Input((8,)), k.layers.Dense(3, name="b")]))
  weights = tfl.capture(model).weights
  ticket = tfl.Ticket({"b/kernel": np.ones((3, 8), bool)}, weights)
  with pytest.raises(ValueError, match=r"mask of shape \(3, 8\) for a weight of \(8, 3\)"):
    ticket.apply(model)
