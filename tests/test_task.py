"""The task: what is built once, what is picked for speed, and what is refused before training."""

import numpy as np
import pytest
from searches import tiny

from tflottery.experiments import settings, task


def _load(**changes):
  return task.load(settings.read(tiny(**changes)))


@pytest.fixture(scope="module")
def loaded():
  return _load(rates={"output": 0.1})


def test_it_counts_the_steps_and_picks_what_makes_them_fast(loaded):
  assert (loaded.end, loaded.rewind_step) == (40, 20)
  assert loaded.steps_per_execution == 10, "the largest divisor of 10, 40 and 20"
  assert loaded.jit_compile is True, "a network of dense layers"
  assert loaded.k.__name__ == "keras"
  assert loaded.moments is None


@pytest.mark.parametrize(
  ("changes", "picked"),
  [
    ({"steps": 1200, "rewind_to": 0, "eval_every": 100}, 100),
    ({"steps": 6000, "rewind_to": 0, "eval_every": 1000}, 100),
    ({"steps": 1200, "rewind_to": 500, "eval_every": 150}, 50),
    ({"steps": 1201, "rewind_to": 0, "eval_every": 100}, 1),
    ({"steps": 1200, "steps_per_execution": 2}, 2),
    ({"strategy": "mirrored"}, 1),  # Keras 3 can't trace several steps under it
    ({"strategy": "mirrored", "keras": "tf_keras"}, 10),
  ],
)
def test_steps_per_execution_divides_what_lies_between_two_evaluations(changes, picked):
  assert _load(**changes).steps_per_execution == picked


def test_networks_with_convolutions_are_not_compiled_on_a_cpu_but_can_be(loaded):
  assert not _load(model="conv_2").jit_compile
  assert _load(model="conv_2", jit_compile=True).jit_compile
  assert not _load(jit_compile=False).jit_compile


def test_dropout_of_tf_keras_is_not_compiled_for_xla_would_draw_it_anew():
  assert not _load(model="searches:noisy_tf_keras", keras="tf_keras").jit_compile
  assert _load(model="searches:noisy_keras").jit_compile


def test_the_model_is_a_function_of_its_seed(k):
  work = _load(keras=k.__name__)
  first, again, other = (work.model(seed).get_weights() for seed in (5, 5, 6))
  for a, b in zip(first, again, strict=True):
    np.testing.assert_array_equal(a, b)
  assert (first[0] != other[0]).any()
  assert isinstance(work.model(5), k.Model)


def test_rates_come_by_pattern(loaded):
  rates = loaded.rates(loaded.sites(loaded.model(0)))
  assert rates == {"fc1/kernel": 0.2, "fc2/kernel": 0.2, "output/kernel": 0.1}


def test_patterns_choose_the_sites():
  work = _load(only="fc", exclude="fc2")
  assert list(work.sites(work.model(0))) == ["fc1/kernel"]


def test_images_are_standardised_where_asked():
  work = _load(standardize=True)
  images = np.concatenate([x for x, _ in work.batches(0)(start=0, stop=43)])
  assert len(images) == 43 * 30
  assert abs(images.mean()) < 0.01 and abs(images.std() - 1) < 0.01


BAD = {
  "a rewind step after the end": ({"rewind_to": "40it"}, ["config.rewind_to='40it'", "of 40"]),
  "a pattern of rates that matches nothing": (
    {"rates": {"conv": 0.1}},
    ["rates='conv'", "matches no", "fc1/kernel"],
  ),
  "a pattern of sites that matches nothing": ({"only": "conv"}, ["only='conv'", "fc1/kernel"]),
  "a pattern that is no regular expression": ({"exclude": "(fc"}, ["exclude='(fc'"]),
  "a level that would empty a layer": (
    {"levels": 40, "rate": 0.5},
    ["levels=40", "level 11", "output/kernel", "rate=0.5", "at most 10"],  # 1000, 500, ... 1, 0
  ),
  "a level that would empty the network": (
    {"levels": 40, "rate": 0.5, "scope": "global"},
    ["levels=40", "rate=0.5", "at most"],
  ),
  "a learning rate below zero": (
    {"adam": {"learning_rate": -1.0}},
    ["config.adam.learning_rate=-1.0", "above 0"],
  ),
  "an unknown data set": ({"dataset": "minst"}, ["'minst'", "mnist"]),
  "a data set without images": ({"dataset": "imdb_reviews"}, ["'imdb_reviews'", "image"]),
  "an unknown model": ({"model": "lenet"}, ["'lenet'", "lenet_300_100", "module:function"]),
  "a module that is not there": ({"model": "no_such_module:f"}, ["no module 'no_such_module'"]),
  "a function that is not there": ({"model": "searches:f"}, ["'searches'", "no function 'f'"]),
  "a function that returns no model": (
    {"model": "searches:no_model"},
    ["searches:no_model", "str"],
  ),
  "a model of the other Keras": (
    {"model": "searches:noisy_keras", "keras": "tf_keras"},
    ["searches:noisy_keras", "tf_keras"],
  ),
  "a model without prunable weights": (
    {"model": "searches:without_kernels"},
    ["no prunable weight"],
  ),
  "a model of other classes": (
    {"model": "searches:of_seven_classes"},
    ["searches:of_seven_classes", "(2, 7)", "10 classes"],
  ),
  "an unknown optimizer argument": (
    {"optimizer": "sgd", "sgd": {"learning_rate": 0.1, "momentun": 0.9}},
    ["config.sgd=", "momentun"],
  ),
  "a batch larger than the data": (
    {"batch_size": 5000, "steps": 40},
    ["config.batch_size=5000", "1294"],
  ),
  "a validation split of everything": ({"validation_examples": 1437}, ["validation", "1437"]),
  "steps per execution that do not divide": (
    {"steps_per_execution": 7},
    ["config.steps_per_execution=7", "10"],
  ),
  "replicas that do not divide the batch": (
    {"strategy": "mirrored", "batch_size": 31},
    ["config.batch_size=31", "2 replicas"],
  ),
  "more replicas than devices": (
    {"strategy": "mirrored", "replicas": 5},
    ["config.replicas=5", "2 devices"],
  ),
  "XLA over replicas": ({"strategy": "mirrored", "jit_compile": True}, ["config.jit_compile=True"]),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_in_one_sentence_before_training(name):
  changes, words = BAD[name]
  with pytest.raises(ValueError) as error:
    _load(**changes)
  text = str(error.value)
  assert "\n" not in text
  assert [word for word in words if word not in text] == [], text


def test_a_data_set_that_is_not_on_disk_while_offline_names_what_to_set(tmp_path, monkeypatch):
  for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # a port where nobody answers
  with pytest.raises(FileNotFoundError) as error:
    _load(dataset="cifar100", data_dir=str(tmp_path))
  text = str(error.value)
  assert "\n" not in text
  for word in ("'cifar100'", str(tmp_path), "--config.data_dir", "TFDS_DATA_DIR"):
    assert word in text
