"""Networks pruned from a trained one: what is left of it, what it starts from, and what it cost."""

import functools

import keras
import numpy as np
import pytest
import tf_keras
from runs import outcome, trained
from searches import config

from tflottery import site
from tflottery.experiments import parents, rethinking, run, sparse, task
from tflottery.tickets.ticket import Ticket

SMALL = {
  "steps": 40, "eval_every": 20, "batch_size": 30, "jit_compile": False, "sparsity": 0.5,
  "optimizer": "sgd", "slimming": {"strength": 0.1, "scale": 0.5},
}  # fmt: skip

pytestmark = pytest.mark.slow


def network(k, input_shape, classes):
  """Two small convolutions, each batch-normalised, and a Dense layer."""
  image = x = k.Input(input_shape, name="image")
  for index, filters in enumerate((4, 6), start=1):
    conv = f"conv{index}"
    x = k.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=conv)(x)
    x = k.layers.BatchNormalization(momentum=0.9, name=f"bn{index}")(x)
    x = k.layers.ReLU(name=f"relu{index}")(x)
  x = k.layers.Flatten(name="flatten")(x)
  return k.Model(image, k.layers.Dense(classes, name="out")(x))


def of_keras(input_shape, classes):
  return network(keras, input_shape, classes)


def of_tf_keras(input_shape, classes):
  return network(tf_keras, input_shape, classes)


class Trainings:
  """Tasks on digits, whose parents are trained once, when one first needs them."""

  def __init__(self, k, path):
    self.path, self._k = path, k.__name__
    self.dense = task.load(self.settings("dense"), sparse.Task)

  def settings(self, algorithm, **changes):
    model = {"model": f"test_rethinking:of_{self._k}", "keras": self._k}
    return sparse.read(config("configs/train.py", **SMALL | model | changes, algorithm=algorithm))

  def parent(self, name):
    """The ticket of the trained network `name`."""
    if not (self.path / name).exists():
      assert trained(rethinking.task_of(self.dense, self.settings(name)), self.path / name)
    return Ticket.load(self.path / name / "final.ticket")

  def finished(self, algorithm, **changes):
    """The directory of a finished run."""
    name = f"{algorithm}{changes}"
    if not (self.path / name).exists():
      assert trained(self.task(algorithm, **changes), self.path / name)
    return self.path / name

  def task(self, algorithm, **changes):
    settings = self.settings(algorithm, **changes)
    name = parents.parent(settings).algorithm
    return rethinking.task_of(self.dense, settings, lambda: self.parent(name))


@pytest.fixture(scope="module")
def of(tmp_path_factory):
  """Function of a Keras that returns its `Trainings`."""
  return functools.cache(lambda k: Trainings(k, tmp_path_factory.mktemp(f"parents_{k.__name__}")))


@pytest.fixture(params=[keras, pytest.param(tf_keras, marks=pytest.mark.slow)], ids=["k", "tf_k"])
def trainings(request, of):
  """Trainings of Keras 3, and where there is time those of tf_keras."""
  return of(request.param)


def _values(model):
  return {path: site.value(variable) for path, variable in site.weights(model).items()}


def test_weights_of_convolutions_go_by_magnitude_over_the_whole_network(trainings):
  weights = trainings.parent("dense").weights
  _, masks = trainings.task("unstructured_fine_tuned").pruned()
  assert list(masks) == ["conv1/kernel", "conv2/kernel"]  # and not the Dense layer's
  magnitudes = np.abs(np.concatenate([weights[path].ravel() for path in masks]))
  threshold = np.sort(magnitudes)[126]  # of 9 * 4 + 9 * 4 * 6 = 252 weights half go
  kept = np.concatenate([mask.ravel() for mask in masks.values()])
  assert kept.sum() == 126 and (kept == (magnitudes >= threshold)).all()


def test_weights_that_the_config_chooses_are_ranked_whatever_their_layer(trainings):
  _, masks = trainings.task("unstructured_fine_tuned", only="conv2|out").pruned()
  assert list(masks) == ["conv2/kernel", "out/kernel"]


def test_l1_norm_removes_the_filters_of_the_lowest_norms_of_each_layer(trainings):
  weights = trainings.parent("dense").weights
  model, masks = trainings.task("l1_norm_fine_tuned").pruned()
  norms = [np.abs(weights[f"conv{i}/kernel"]).sum((0, 1, 2)) for i in (1, 2)]
  first, second = (np.sort(np.argsort(norm)[len(norm) // 2 :]) for norm in norms)
  assert not masks and (len(first), len(second)) == (2, 3)
  small = _values(model)
  assert (small["conv1/kernel"] == weights["conv1/kernel"][..., first]).all()
  assert (small["bn1/moving_mean"] == weights["bn1/moving_mean"][first]).all()
  assert (small["conv2/kernel"] == weights["conv2/kernel"][:, :, first][..., second]).all()
  assert small["out/kernel"].shape == (2 * 2 * 3, 10)


def test_l1_norm_leaves_alone_what_the_config_excludes(trainings):
  model, _ = trainings.task("l1_norm_fine_tuned", exclude="conv1").pruned()
  assert [_values(model)[f"conv{i}/kernel"].shape[-1] for i in (1, 2)] == [4, 3]


def test_slimming_removes_the_channels_of_the_lowest_scales_of_the_whole_network(trainings):
  weights = trainings.parent("slimming").weights
  model, masks = trainings.task("slimming_fine_tuned").pruned()
  scales = np.abs(np.concatenate([weights["bn1/gamma"], weights["bn2/gamma"]]))
  left = np.abs(np.concatenate([_values(model)[f"bn{i}/gamma"] for i in (1, 2)]))
  assert not masks and len(left) == 5
  assert sorted(left) == sorted(scales)[5:]


def test_slimmed_scales_begin_where_the_config_says_and_are_drawn_to_0(trainings):
  settings = trainings.settings("slimming", slimming={"scale": 0.25})
  model, [slimming] = rethinking.task_of(trainings.dense, settings).start()
  slimming.set_model(model)
  slimming.on_train_begin()
  assert (_values(model)["bn1/gamma"] == 0.25).all()
  slimming.on_train_end()
  drawn = trainings.parent("slimming").weights  # from 0.5, 40 steps, s of 0.1 and a rate of 0.1
  assert np.abs(drawn["bn1/gamma"]).mean() < 0.4


def test_fine_tuning_starts_from_the_weights_that_are_left(of, k):
  trainings = of(k)
  for algorithm in ("unstructured_fine_tuned", "l1_norm_fine_tuned", "slimming_fine_tuned"):
    work = trainings.task(algorithm)
    expected = _values(work.pruned()[0])
    started = _values(work.start()[0])
    assert started.keys() == expected.keys()
    assert all((started[path] == expected[path]).all() for path in expected), algorithm


def test_a_fresh_network_has_the_form_of_what_is_left_and_weights_of_its_own(trainings):
  initial = _values(trainings.dense.start()[0])
  for algorithm in ("unstructured_scratch_e", "slimming_scratch_e"):
    work = trainings.task(algorithm)
    pruned, fresh = _values(work.pruned()[0]), _values(work.start()[0])
    assert {p: w.shape for p, w in fresh.items()} == {p: w.shape for p, w in pruned.items()}
    for path, weights in fresh.items():
      if path.endswith("kernel"):
        assert not np.isin(weights, pruned[path]).any(), f"{algorithm} inherits {path}"
        assert not np.isin(weights, initial[path]).any(), f"{algorithm} repeats {path}"
      elif path.endswith("gamma"):
        assert (weights == 1).all()


def test_a_fresh_sparse_network_is_drawn_for_its_sparsity(trainings):
  work = trainings.task("unstructured_scratch_e", sparsity=0.3)
  model, [hold] = work.start()
  kernel, live = _values(model)["conv2/kernel"], work.pruned()[1]["conv2/kernel"]
  assert not kernel[~live].any()
  expected = (2 / (live.sum() / 4)) ** 0.5  # 4 channels come in
  assert kernel[live].std() == pytest.approx(expected, rel=0.25)
  with hold.hold(model) as held:
    assert (held.masks["conv2/kernel"] == live).all()


def test_the_same_seed_draws_the_same_fresh_network_and_another_seed_another(trainings):
  algorithm = "l1_norm_scratch_e"
  first, again = (_values(trainings.task(algorithm).start()[0]) for _ in range(2))
  other = _values(trainings.task(algorithm, seed=1).start()[0])
  assert all((first[path] == again[path]).all() for path in first)
  assert (first["conv2/kernel"] != other["conv2/kernel"]).all()


FAST = ("l1_norm_scratch_b",)


@pytest.mark.parametrize(
  "algorithm",
  [pytest.param(a, marks=[] if a in FAST else pytest.mark.slow) for a in parents.ALGORITHMS],
)
def test_stopped_and_started_again_it_ends_with_the_same_bits(trainings, algorithm, tmp_path):
  longer = {"fine_tuned": {"share": 1.0}} if algorithm.endswith("tuned") else {}
  work, whole = (of(algorithm, **longer) for of in (trainings.task, trainings.finished))
  assert not trained(work, tmp_path, stop=20)
  assert trained(work, tmp_path)
  assert outcome(tmp_path) == outcome(whole)


@pytest.fixture
def summaries(of):
  """Function of an algorithm that returns the summary of its finished run."""
  return lambda algorithm: run.Run(of(keras).finished(algorithm)).summary()


def _flops(conv1, conv2):
  """By hand, of networks of so many filters on digits: 4x4 and 2x2 outputs, 2 per normalised one."""
  convolutions = 16 * conv1 * (2 * 9 + 2) + 4 * conv2 * (2 * 9 * conv1 + 2)
  return convolutions + 2 * 4 * conv2 * 10 + 10


def test_fine_tuning_counts_the_training_that_it_goes_on_from(summaries):
  found = summaries("l1_norm_fine_tuned")
  assert found["steps"] == 20  # a quarter of 40 is 10, and there is an evaluation every 20
  assert found["inference_flops"] == _flops(2, 3)
  share = _flops(2, 3) / _flops(4, 6)
  assert found["inference_flops_share"] == pytest.approx(share)
  assert found["training_flops_share"] == pytest.approx(1 + share * 20 / 40)


def test_scratch_b_takes_the_flops_of_the_dense_training_to_an_evaluation(summaries):
  found, factor = summaries("l1_norm_scratch_b"), _flops(4, 6) / _flops(2, 3)
  assert found["flops_factor"] == pytest.approx(factor)
  assert found["steps"] == 20 * round(40 * factor / 20)
  assert found["training_flops_share"] == pytest.approx(found["steps"] / 40 / factor)
  assert abs(found["training_flops_share"] - 1) < 10 / 40 / factor


def test_a_slimmed_network_has_few_parameters_of_which_all_live(summaries):
  found = summaries("l1_norm_scratch_b")
  # Kernels of 9*2, 9*2*3 and 12*10 weights, 4 numbers for each normalised channel, 10 biases.
  assert found["parameters"] == found["live_parameters"] == 18 + 54 + 120 + 4 * 5 + 10
  assert found["channels_removed_share"] == 0.5 and found["sparsity"] == 0.0


def test_a_sparse_network_counts_its_live_weights(summaries):
  found = summaries("unstructured_scratch_e")
  assert found["parameters"] - found["live_parameters"] == 126
  assert (found["sparsity"], found["channels_removed_share"]) == (0.5, 0.0)
  share = found["inference_flops_share"]
  assert found["training_flops_share"] == pytest.approx(share) and share < 1


BAD = {
  "channels of a network without convolutions": ("l1_norm_fine_tuned", ["no convolution"]),
  "scales of a network without any": ("slimming_scratch_e", ["no batch normalisation"]),
  "slimming of a network without scales": ("slimming", ["no batch normalisation"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_network_that_it_does_not_suit_is_refused(name):
  algorithm, words = BAD[name]
  settings = sparse.read(config("configs/train.py", sparsity=0.5, algorithm=algorithm))
  with pytest.raises(ValueError) as error:
    task.load(settings, rethinking.kind_of(settings))
  words = [f"config.algorithm={algorithm!r}", *words]
  assert [word for word in words if word not in str(error.value)] == [], error.value


def test_slimming_ranks_no_part_of_a_network(trainings):
  work = rethinking.task_of(trainings.dense, trainings.settings("slimming_scratch_e", only="conv"))
  with pytest.raises(ValueError, match=r"config.only='conv'.* Leave both empty"):
    work.refuse(trainings.dense.model(0))


def test_a_sparsity_that_removes_nothing_is_refused(trainings):
  for algorithm in ("unstructured_scratch_e", "l1_norm_scratch_e", "slimming_fine_tuned"):
    work = rethinking.task_of(trainings.dense, trainings.settings(algorithm, sparsity=0.0))
    with pytest.raises(ValueError, match=r"config.sparsity=0.0.* above 0"):
      work.refuse(trainings.dense.model(0))


@pytest.mark.parametrize("given", [{"strengt": 1.0}, {"strength": -1.0}, {"scale": 0.0}])
def test_a_parent_that_can_not_be_trained_is_refused_with_what_is_pruned_from_it(of, given):
  settings = of(keras).settings("slimming_scratch_e", slimming=given)
  work = rethinking.task_of(of(keras).dense, settings)
  with pytest.raises(ValueError, match=f"slimming.*{next(iter(given))}"):
    work.refuse(work.model(0))


def test_to_find_out_leaves_the_model_as_it_was(trainings):
  model = trainings.dense.model(0)
  before = _values(model)
  for algorithm in ("slimming", "l1_norm_scratch_e", "unstructured_fine_tuned"):
    rethinking.task_of(trainings.dense, trainings.settings(algorithm)).refuse(model)
  after = _values(model)
  assert all((before[path] == after[path]).all() for path in before)
