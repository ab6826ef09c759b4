"""Criteria: scores worked by hand, for every site that has a mask."""

import numpy as np
import pytest
import tensorflow as tf

from tflottery import criteria, draws
from tflottery.probe import Lazy, Probe


def probe(step=0, dtype="float32"):
  """Two sites; the masked weights are 0."""
  return Probe(
    weights={"a": tf.constant([[1.0, -2.0], [0.0, 4.0]], dtype), "b": tf.constant([-3.0], dtype)},
    masks={"a": tf.constant([[True, True], [False, True]]), "b": tf.constant([True])},
    gradients={"a": tf.constant([[-5.0, 1.0], [7.0, 0.5]]), "b": tf.constant([2.0])},
    step=tf.constant(step, tf.int64),
  )


def as_lists(scores):
  return {path: score.numpy().tolist() for path, score in scores.items()}


def test_magnitude_is_the_absolute_weight():
  assert as_lists(criteria.magnitude(probe())) == {"a": [[1, 2], [0, 4]], "b": [3]}


def test_gradient_is_the_absolute_gradient_of_masked_weights_too():
  assert as_lists(criteria.gradient(probe())) == {"a": [[5, 1], [7, 0.5]], "b": [2]}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_snip_is_the_absolute_product_in_float32(dtype):
  scores = criteria.snip(probe(dtype=dtype))
  assert as_lists(scores) == {"a": [[5, 2], [0, 2]], "b": [6]}
  assert {score.dtype for score in scores.values()} == {tf.float32}


def test_random_draws_by_seed_site_and_step():
  scores = criteria.random(4)(probe(step=9))
  for i, (path, shape) in enumerate({"a": (2, 2), "b": (1,)}.items()):
    assert (scores[path] == draws.uniform(shape, (4, i), 9)).numpy().all()
  for other in (criteria.random(4)(probe(step=8)), criteria.random(5)(probe(step=9))):
    assert not np.array_equal(scores["a"], other["a"])


@pytest.mark.parametrize(
  ("criterion", "asked"),
  [(criteria.magnitude, {"weights"}), (criteria.gradient, {"gradients"})],
)
def test_a_criterion_asks_for_no_more_than_it_uses(criterion, asked):
  computed = set()
  full = probe()

  def lazy(name):
    def function(path):
      computed.add(name)
      return getattr(full, name)[path]

    return Lazy(full.masks, function)

  criterion(Probe(lazy("weights"), full.masks, lazy("gradients"), full.step))
  assert computed == asked


def test_random_asks_for_neither_weights_nor_gradients():
  full = probe()
  assert set(criteria.random(0)(Probe(None, full.masks, None, full.step))) == {"a", "b"}
