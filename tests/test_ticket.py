"""The ticket and its file."""

import dataclasses
import json
import os
import zlib

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
from tflottery.tickets.drawn import Drawn

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
  frozen = {}
  for p in draw(st.lists(st.sampled_from(paths), unique=True)):  # some are the start weights
    values = arrays_of.arrays(
      draw(st.sampled_from(["float32", "float16"])), masks[p].shape, elements=st.floats(width=16)
    )
    frozen[p] = weights[p].copy() if draw(st.booleans()) else draw(values)
  metadata = draw(st.dictionaries(st.text(), JSON, max_size=3))
  return tfl.Ticket(masks, weights, draw(st.integers(0, 99)), metadata, frozen)


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
  assert list(loaded.frozen) == list(ticket.frozen)
  for site, ours in loaded.frozen.items():
    theirs, dropped = ticket.frozen[site], ~ticket.masks[site]
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    assert ours[dropped].tobytes() == theirs[dropped].tobytes()
    assert not ours[~dropped].any()
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


# --- Frozen values and drawn weights in the file -------------------------------------------------


def _parts(path):
  """(header, tensors) of a file."""
  with safetensors.safe_open(path, framework="np") as file:
    header = json.loads(file.metadata()["tflottery_ticket"])
  return header, safetensors.numpy.load_file(path)


def _put_together(path, header, tensors):
  text = {"tflottery_ticket": json.dumps(header, sort_keys=True)}
  path.write_bytes(safetensors.numpy.save(tensors, metadata=text))


def test_a_ticket_of_masks_and_weights_alone_is_written_in_the_first_format(tmp_path):
  ticket = _ticket()
  ticket.save(tmp_path / "ours")
  header = {
    "format_version": 1,
    "level": 2,
    "sparsity": 0.5,
    "sites": [["fc/kernel", [2, 3]]],
    "weights": ["fc/kernel", "fc/bias"],
    "metadata": ticket.metadata,
  }
  tensors = {"mask/fc/kernel": np.array([0b10100100], "uint8")}
  _put_together(
    tmp_path / "first", header, tensors | {f"weight/{p}": w for p, w in ticket.weights.items()}
  )
  assert (tmp_path / "ours").read_bytes() == (tmp_path / "first").read_bytes()


def test_of_frozen_values_the_masked_places_alone_are_stored(tmp_path):
  frozen = {"fc/kernel": np.array([[9, 0.5, 9], [-1.5, 2.5, 9]], "float32")}
  dataclasses.replace(_ticket(), frozen=frozen).save(tmp_path / "t")
  header, tensors = _parts(tmp_path / "t")
  assert header["format_version"] == 2 and header["frozen"] == [["fc/kernel", "values"]]
  assert tensors["frozen/fc/kernel"].tolist() == [0.5, -1.5, 2.5]
  loaded = tfl.Ticket.load(tmp_path / "t").frozen["fc/kernel"]
  assert loaded.tolist() == [[0, 0.5, 0], [-1.5, 2.5, 0]]


def test_frozen_values_that_are_the_start_weights_are_named_alone(tmp_path):
  ticket = _ticket()
  held = np.where(ticket.masks["fc/kernel"], np.float32(7), ticket.weights["fc/kernel"])
  dataclasses.replace(ticket, frozen={"fc/kernel": held}).save(tmp_path / "t")
  header, tensors = _parts(tmp_path / "t")
  assert header["frozen"] == [["fc/kernel", "weights"]] and "frozen/fc/kernel" not in tensors
  assert tfl.Ticket.load(tmp_path / "t").frozen["fc/kernel"].tolist() == [[0, 1, 0], [3, 4, 0]]


def test_a_frozen_value_that_differs_in_its_last_bit_is_stored(tmp_path):
  ticket = _ticket()
  held = ticket.weights["fc/kernel"].copy()
  held[0, 1] = np.nextafter(held[0, 1], np.float32(2))
  dataclasses.replace(ticket, frozen={"fc/kernel": held}).save(tmp_path / "t")
  assert tfl.Ticket.load(tmp_path / "t").frozen["fc/kernel"][0, 1] == held[0, 1] > 1


def test_a_site_without_a_masked_weight_keeps_the_dtype_of_its_frozen_values(tmp_path):
  ticket = dataclasses.replace(_ticket(), masks={"fc/kernel": np.ones((2, 3), bool)})
  dataclasses.replace(ticket, frozen={"fc/kernel": np.ones((2, 3), "float16")}).save(tmp_path / "t")
  assert tfl.Ticket.load(tmp_path / "t").frozen["fc/kernel"].dtype == np.float16


def _drawn_ticket(**changes):
  """A kernel that is drawn and frozen at its start, and another that is held at 0.25."""
  glorot = {"class_name": "GlorotUniform", "config": {}}
  drawn = Drawn(glorot, (20, 10), (7, 0), **changes)
  mask = np.random.default_rng(0).random((2, 20, 10)) < 0.3
  weights = {
    "a/kernel": drawn.values(),
    "a/bias": np.zeros(10, "float32"),
    "b/kernel": np.ones((20, 10), "float32"),
  }
  frozen = {"a/kernel": weights["a/kernel"], "b/kernel": np.full((20, 10), 0.25, "float32")}
  masks = {"a/kernel": mask[0], "b/kernel": mask[1]}
  return tfl.Ticket(masks, weights, 1, {"seed": 7}, frozen, {"a/kernel": drawn})


@pytest.mark.parametrize("changes", [{}, {"constant": True, "multiple": 1.5}], ids=str)
def test_drawn_weights_are_computed_again_and_not_stored(tmp_path, changes):
  ticket = _drawn_ticket(**changes)
  ticket.save(tmp_path / "t")
  header, tensors = _parts(tmp_path / "t")
  assert set(tensors) == {
    "mask/a/kernel", "mask/b/kernel", "weight/a/bias", "weight/b/kernel", "frozen/b/kernel"
  }  # fmt: skip
  assert header["drawn"][0]["crc32"] == zlib.crc32(ticket.weights["a/kernel"].tobytes())
  loaded = tfl.Ticket.load(tmp_path / "t")
  assert list(loaded.weights) == list(ticket.weights) and loaded.drawn == ticket.drawn
  for path, weight in ticket.weights.items():
    assert loaded.weights[path].tobytes() == weight.tobytes()
  dropped = ~ticket.masks["a/kernel"]
  assert (loaded.frozen["a/kernel"][dropped] == ticket.weights["a/kernel"][dropped]).all()
  loaded.save(tmp_path / "again")
  assert (tmp_path / "again").read_bytes() == (tmp_path / "t").read_bytes()


def test_weights_that_are_not_what_their_draw_gives_are_not_saved(tmp_path):
  ticket = _drawn_ticket()
  ticket.weights["a/kernel"][3, 3] += 1e-7
  with pytest.raises(ValueError, match=r"drawn=\{'a/kernel': .*does not give the weights"):
    ticket.save(tmp_path / "t")
  assert not (tmp_path / "t").exists()


def test_a_keras_that_draws_other_numbers_is_named_beside_the_one_that_saved(tmp_path):
  path = tmp_path / "t"
  _drawn_ticket().save(path)
  header, tensors = _parts(path)
  header["drawn"][0] |= {"crc32": header["drawn"][0]["crc32"] ^ 1, "version": "3.0.1"}
  _put_together(path, header, tensors)
  with pytest.raises(ValueError) as caught:
    tfl.Ticket.load(path)
  for part in (str(path), "a/kernel", f"keras {keras.__version__}", "Install keras==3.0.1"):
    assert part in str(caught.value)


@pytest.mark.parametrize(
  "name, given", [("frozen", np.zeros((3, 2))), ("drawn", np.zeros(3))], ids=["frozen", "drawn"]
)
def test_frozen_values_and_draws_of_no_weight_of_the_ticket_are_refused(name, given):
  for path in ("fc/kernel", "gone/kernel"):
    with pytest.raises(ValueError, match=rf"{name}\['{path}'\] of shape .* is none of: fc/kernel"):
      dataclasses.replace(_ticket(), **{name: {path: given}})


def test_repr_says_where_values_are_frozen():
  first, a, b = repr(
    dataclasses.replace(_drawn_ticket(), frozen={"b/kernel": np.ones((20, 10))})
  ).splitlines()
  assert "frozen" not in first + a and b.endswith("frozen")


# --- Files that are no tickets -------------------------------------------------------------------


def _refused(path):
  with pytest.raises(ValueError) as caught:
    tfl.Ticket.load(path)
  text = str(caught.value)
  assert str(path) in text and "not a ticket, or is damaged" in text


@pytest.mark.parametrize("make", [_ticket, _drawn_ticket])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, make):
  path = tmp_path / "cut.ticket"
  make().save(path)
  whole = path.read_bytes()
  for length in range(0, len(whole), 1 + len(whole) // 700):
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
  data.draw(st.sampled_from([_ticket, _drawn_ticket]))().save(path)
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


DAMAGE = {
  "the values are missing": lambda header, tensors: tensors.pop("frozen/b/kernel"),
  "a value is missing": lambda header, tensors: tensors.update(
    {"frozen/b/kernel": tensors["frozen/b/kernel"][1:]}
  ),
  "all values but one are missing": lambda header, tensors: tensors.update(
    {"frozen/b/kernel": tensors["frozen/b/kernel"][:1]}
  ),
  "the values have another shape": lambda header, tensors: tensors.update(
    {"frozen/b/kernel": tensors["frozen/b/kernel"][:, None]}
  ),
  "the site is unknown": lambda header, tensors: header["frozen"].append(["c/kernel", "weights"]),
  "the weights are missing": lambda header, tensors: header["weights"].remove("a/kernel"),
  "the list of them is missing": lambda header, tensors: header.pop("frozen"),
  "the list of draws is missing": lambda header, tensors: header.pop("drawn"),
  "a draw has no checksum": lambda header, tensors: header["drawn"][0].pop("crc32"),
  "a draw is of another shape": lambda header, tensors: header["drawn"][0]["drawn"].update(
    shape=[10**9, 10**9]
  ),
  "a draw names a function": lambda header, tensors: header["drawn"][0]["drawn"].update(
    initializer={"class_name": "deserialize", "config": {}}
  ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_of_the_second_format_is_refused(tmp_path, damage):
  path = tmp_path / "damaged"
  _drawn_ticket().save(path)
  header, tensors = _parts(path)
  _put_together(path, header, tensors)
  tfl.Ticket.load(path)
  DAMAGE[damage](header, tensors)
  _put_together(path, header, tensors)
  _refused(path)


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
@given(st.sampled_from([*GOOD, "frozen", "drawn"]), JSON)
def test_a_header_of_wrong_values_gives_a_ticket_or_a_value_error(tmp_path, key, value):
  path = tmp_path / "odd"
  _with_header(path, GOOD | {"format_version": 2, "frozen": [], "drawn": []} | {key: value})
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
  _with_header(tmp_path / "later", GOOD | {"format_version": 3})
  with pytest.raises(ValueError, match=r"format version 3.*reads up to 2. Upgrade tflottery"):
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


# --- What masked weights hold --------------------------------------------------------------------


def _frozen(masks):
  rng = np.random.default_rng(3)
  return {path: rng.normal(size=masks[path].shape).astype("float32") for path in list(masks)[:2]}


def _assert_holds(model, ticket):
  for path, weight in values(model).items():
    dropped = ~ticket.masks[path]
    expected = ticket.frozen.get(path, np.zeros(dropped.shape, "float32"))[dropped]
    assert weight[dropped].tobytes() == expected.tobytes(), path


def test_a_ticket_of_held_frozen_values_trains_again_with_them_held(k, tmp_path):
  model = mlp(k)
  masks = random_masks(model)
  with tfl.hold(model, masks, frozen=_frozen(masks)):
    model.fit(batches().take(3), verbose=0)
    captured = tfl.capture(model)
  assert set(captured.frozen) == {"fc1/kernel", "fc2/kernel"}
  assert not captured.frozen["fc1/kernel"][masks["fc1/kernel"]].any()
  _assert_holds(model, captured)
  captured.save(tmp_path / "t")
  header, _ = _parts(tmp_path / "t")
  assert {how for _, how in header["frozen"]} == {"weights"}
  ticket = tfl.Ticket.load(tmp_path / "t")
  again = mlp(k, seed=4)
  again.fit(batches(), verbose=0, callbacks=[ticket.callback()])
  _assert_holds(again, captured)
  live = masks["fc1/kernel"]
  assert (values(again)["fc1/kernel"][live] != ticket.weights["fc1/kernel"][live]).any()
  with ticket.callback(start=False).hold(model):
    model.train_on_batch(*arrays(8))
  _assert_holds(model, captured)


def test_apply_puts_frozen_values_where_masked(k):
  source = mlp(k, seed=1)
  masks = random_masks(source)
  ticket = tfl.capture(source, masks, frozen=_frozen(masks))
  for target in (keras, tf_keras):
    other = mlp(target, seed=2)
    ticket.apply(other)
    _assert_holds(other, ticket)
    for path, mask in masks.items():
      assert (values(other)[path][mask] == ticket.weights[path][mask]).all()


def test_frozen_values_of_zeros_are_no_part_of_a_ticket(k):
  model = mlp(k)
  masks = random_masks(model)
  room = {path: mask * 1.0 for path, mask in masks.items()}  # only living places are not 0
  with tfl.hold(model, masks, frozen=room):
    assert tfl.capture(model).frozen == {}


def test_frozen_values_that_do_not_fit_are_not_captured(k):
  model = mlp(k)
  masks = random_masks(model)
  with pytest.raises(ValueError, match="fc9/kernel: no mask is held there"):
    tfl.capture(model, masks, frozen={"fc9/kernel": np.ones(2)})


def test_a_callback_holds_frozen_values_in_another_build_with_keras_own_names(k):
  def build():
    layers = [k.layers.Input((8,)), k.layers.Dense(4), k.layers.Dense(3)]
    return compiled(k, k.Sequential(layers))

  first, second = build(), build()
  masks = random_masks(first)
  assert set(masks) != set(tfl.sites(second))
  ticket = tfl.capture(first, masks, frozen=_frozen(masks))
  second.fit(batches(), verbose=0, callbacks=[ticket.callback()])
  for (path, frozen), weight in zip(ticket.frozen.items(), values(second).values(), strict=True):
    assert (weight[~masks[path]] == frozen[~masks[path]]).all()


def test_the_callback_of_a_ticket_goes_on_in_a_second_fit(k):
  model = mlp(k)
  ticket = tfl.capture(model, random_masks(model))
  callback = ticket.callback()
  model.fit(batches(), verbose=0, callbacks=[callback])
  trained = values(model)
  model.optimizer.learning_rate = 0.0
  model.fit(batches(), verbose=0, callbacks=[callback])
  assert all((values(model)[path] == trained[path]).all() for path in trained)


@pytest.mark.parametrize(
  "values", [[[1.0]], None, 0.5, np.zeros((8, 6), bool)], ids=["list", "none", "number", "mask"]
)
def test_frozen_values_that_are_no_floats_of_the_masks_shape_are_refused(values):
  weights = {"fc1/kernel": np.zeros((8, 6), "float32")}
  masks = {"fc1/kernel": np.ones((8, 6), bool)}
  with pytest.raises(ValueError, match=r"frozen\['fc1/kernel'\]"):
    tfl.Ticket(masks, weights, frozen={"fc1/kernel": values})
  with pytest.raises(ValueError, match=r"drawn\['fc1/kernel'\] of shape None"):
    tfl.Ticket(masks, weights, drawn={"fc1/kernel": 5})


def test_a_refused_ticket_leaves_the_model_as_it_was(k):
  model = mlp(k)
  ticket = tfl.capture(model, random_masks(model))
  weights = {path: value + 1 for path, value in ticket.weights.items()}
  nothing = {"fc1/kernel": np.full((8, 6), np.nan, "float32")}
  before = model.get_weights()
  with pytest.raises(ValueError, match="not finite"):
    model.fit(batches(), callbacks=[tfl.Ticket(ticket.masks, weights, frozen=nothing).callback()])
  assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_frozen_values_come_as_a_dict(k):
  model = mlp(k)
  with pytest.raises(TypeError, match=r"frozen=0.5 must be a dict"):
    tfl.hold(model, random_masks(model), frozen=0.5)
