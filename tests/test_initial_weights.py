"""Pruning a trained model by what it was before: values by hand, and initial weights that do not fit."""

import numpy as np
import pytest
from builders import compiled, mlp, one_kernel, values

import tflottery as tfl
from tflottery import criteria

BEFORE = [1.0, -2.0, 3.0, -0.5]
AFTER = [1.5, -2.0, 0.5, 1.0]  # moved by 0.5, 0, 2.5, 1.5; the last changed its sign


@pytest.fixture(scope="module")
def models():
  """One for each Keras: module -> model of one kernel."""
  return {}


@pytest.fixture
def model(k, models):
  if k not in models:
    models[k] = one_kernel(k, AFTER, "sgd")
  return models[k]


def pruned(model, criterion, initial=BEFORE, sparsity=0.5, **options):
  initial = {"fc/kernel": np.reshape(np.float32(initial), (4, 1))}
  masks = tfl.prune(model, criterion, sparsity=sparsity, initial=initial, **options)
  return masks["fc/kernel"].ravel().tolist()


@pytest.mark.parametrize(
  ("criterion", "expected"),
  [
    ("large_final", [True, True, False, False]),
    ("small_final", [False, False, True, True]),
    ("large_init", [False, True, True, False]),
    ("small_init", [True, False, False, True]),
    ("movement", [False, False, True, True]),
    ("magnitude_increase", [True, False, False, True]),
    ("movement_same_sign", [True, False, True, False]),
    ("movement_diff_sign", None),  # the last, and one of the others by chance
    # Ranks of |before| 2 3 4 1, of |after| 3 4 1 2.
    ("large_init_large_final", [True, True, False, False]),
    # Of -|before| 3 2 1 4, of -|after| 2 1 4 3.
    ("small_init_small_final", [True, False, False, True]),
  ],
)
def test_a_trained_model_is_pruned_as_worked_by_hand(model, criterion, expected):
  found = pruned(model, criterion)
  assert sum(found) == 2
  assert found == expected or (expected is None and found[3])


def test_the_iterations_of_a_criterion_rank_among_what_still_lives(model):
  """Three, two and one stay: first the third goes, and then of both the ranks are 2 1 . 3."""
  found = pruned(model, "small_init_small_final", sparsity=0.75, iterations=3)
  assert found == [False, False, False, True]


def test_random_goes_by_the_seed(k):
  model = mlp(k)
  one, again, other = (tfl.prune(model, "random", sparsity=0.5, seed=s) for s in (3, 3, 4))
  assert all((one[path] == again[path]).all() for path in one)
  assert any((one[path] != other[path]).any() for path in one)


def test_all_weights_of_a_capture_or_a_ticket_will_do(k):
  model = mlp(k)
  ticket = tfl.capture(model)
  model.set_weights([w + np.linspace(0, 1, w.size).reshape(w.shape) for w in model.get_weights()])
  masks = tfl.prune(model, "movement", sparsity=0.5, initial=ticket.weights, scope="layer")
  for path, mask in masks.items():
    size = mask.size  # the later half moved further
    assert mask.ravel().tolist() == [i >= size - round(size / 2) for i in range(size)], path


def test_initial_weights_of_another_build_match_by_the_order_of_their_layers(k):
  def build():
    return compiled(k, k.Sequential([k.layers.Input((4,)), k.layers.Dense(3), k.layers.Dense(2)]))

  one, other = build(), build()
  other.set_weights([w + np.arange(w.size).reshape(w.shape) for w in one.get_weights()])
  initial = tfl.capture(one).weights
  assert initial.keys() != tfl.capture(other).weights.keys()
  masks = tfl.prune(other, "movement", sparsity=0.5, initial=initial, scope="layer")
  first = next(iter(masks.values()))
  assert first.ravel().tolist() == [False] * 6 + [True] * 6


def test_initial_weights_may_have_another_dtype(model):
  initial = {"fc/kernel": np.reshape(BEFORE, (4, 1))}  # float64
  masks = tfl.prune(model, "movement", sparsity=0.5, initial=initial)
  assert masks["fc/kernel"].ravel().tolist() == [False, False, True, True]


def test_a_function_of_ones_own_sees_the_initial_weights(model):
  def own(probe):
    return {path: -probe.initial_weights[path] for path in probe.weights}

  assert pruned(model, own) == [False, True, False, True]


def test_every_criterion_prunes_a_model_and_leaves_it_as_it_was(k):
  model = mlp(k)
  before = values(model)
  initial = {path: w[::-1].copy() for path, w in tfl.capture(model).weights.items()}
  for name in criteria.DECONSTRUCTED:
    masks = tfl.prune(model, name, sparsity=0.5, initial=initial)
    assert sum(mask.sum() for mask in masks.values()) == 46, name
  for path, weight in values(model).items():
    np.testing.assert_array_equal(weight, before[path])


# --- Misuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["movement", "large_init", "large_final_same_sign"])
def test_a_criterion_without_the_initial_weights_it_needs_names_the_cure(model, name):
  with pytest.raises(ValueError, match=rf"initial=None: criterion='{name}' needs .*tfl.capture"):
    tfl.prune(model, name, sparsity=0.5)


def test_an_unknown_criterion_lists_those_that_there_are(model):
  with pytest.raises(ValueError, match="criterion='movment' is unknown") as caught:
    tfl.prune(model, "movment", sparsity=0.5)
  assert all(
    repr(name) in str(caught.value) for name in (*criteria.DECONSTRUCTED, "snip", "synflow")
  )


def test_initial_weights_that_do_not_fit_are_listed_every_one(k):
  model = mlp(k)
  initial = tfl.capture(model).weights
  initial["fc1/kernel"] = np.ones((6, 8))
  initial["fc2/kernel"] = np.full((6, 5), np.nan)
  initial["fc3/kernel"] = initial.pop("out/kernel")
  with pytest.raises(ValueError) as caught:
    tfl.prune(model, "movement", sparsity=0.5, initial=initial)
  for problem in (
    "fc1/kernel: (6, 8), but (8, 6) in the model",
    "fc2/kernel: not finite",
    "fc3/kernel: not in the model",
    "out/kernel: missing",
  ):
    assert problem in str(caught.value)


def test_what_is_no_dict_of_initial_weights_is_refused(model):
  for initial in (tfl.capture(model), [np.ones((4, 1))]):
    with pytest.raises(TypeError, match="initial must be a dict from path to array"):
      tfl.prune(model, "movement", sparsity=0.5, initial=initial)
