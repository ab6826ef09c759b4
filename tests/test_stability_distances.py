"""Distances and angles between networks, against values worked by hand."""

import numpy as np
import pytest

from tflottery.analysis import angle, l2_distance


def _network(*values, bias=0.0):
  return {"fc/kernel": np.array(values, "float32"), "fc/bias": np.array([bias], "float32")}


MASK = {"fc/kernel": np.array([True, True, False])}


def test_the_distance_is_over_every_array():
  assert l2_distance(_network(1, 0, 2, bias=4), _network(1, 1, 0, bias=2)) == 3


def test_the_distance_on_a_mask_leaves_the_rest_out():
  assert l2_distance(_network(3, 0, 50, bias=9), _network(0, 4, -7)) > 50
  assert l2_distance(_network(3, 0, 50, bias=9), _network(0, 4, -7), MASK) == 5
  assert l2_distance(_network(3, 0, 50), _network(3, 0, 9), MASK) == 0


def test_the_distance_is_computed_in_float64():
  big = {"w": np.array([1e4, 0], "float16")}
  assert l2_distance(big, {"w": np.array([-1e4, 0], "float16")}) == 20000


@pytest.mark.parametrize(
  ("second", "degrees"),
  [((2, 0, 0), 0), ((1, 1, 0), 45), ((0, 3, 0), 90), ((-1, 1, 0), 135), ((-5, 0, 0), 180)],
)
def test_the_angle_is_in_degrees_and_knows_no_length(second, degrees):
  assert angle(_network(1, 0, 0), _network(*second)) == pytest.approx(degrees, abs=1e-12)


def test_a_small_angle_is_exact():
  first, second = {"w": np.array([1.0, 0.0])}, {"w": np.array([1.0, 1e-9])}
  assert angle(first, second) == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_the_angle_on_a_mask_leaves_the_rest_out():
  assert angle(_network(1, 0, 9), _network(0, 1, 9), MASK) == pytest.approx(90)
  whole = angle(_network(1, 0, 9), _network(0, 1, 9))
  assert whole == pytest.approx(np.degrees(np.arccos(81 / 82)))


def test_the_angle_from_an_origin_is_between_the_ways_that_were_gone():
  first, second, origin = _network(2, 1, 0), _network(1, 2, 0), _network(1, 1, 0)
  assert angle(first, second, origin=origin) == pytest.approx(90)
  assert angle(first, second, MASK, origin=origin) == pytest.approx(90)
  assert angle(first, second) == pytest.approx(np.degrees(np.arccos(0.8)))


@pytest.mark.parametrize("measure", [l2_distance, angle])
def test_weights_that_do_not_match_are_refused_with_every_path(measure):
  first = {"a": np.zeros(2), "b": np.ones(2)}
  with pytest.raises(ValueError, match="don't match") as error:
    measure(first, {"b": np.ones(3)})
  assert "a: (2,) in first, absent in second; b: (2,) in first, (3,) in second" in str(error.value)


@pytest.mark.parametrize("measure", [l2_distance, angle])
def test_masks_that_do_not_fit_are_refused(measure):
  first = _network(1, 2, 3)
  with pytest.raises(ValueError, match="out/kernel") as error:
    measure(first, first, {"out/kernel": np.ones(2, bool), "fc/kernel": np.ones(2, bool)})
  assert "fc/kernel: (2,) in masks, (3,) in first" in str(error.value)


def test_an_origin_of_another_shape_is_refused():
  with pytest.raises(ValueError, match=r"\(3,\) in first, \(2,\) in origin"):
    angle(_network(1, 2, 3), _network(1, 2, 4), origin=_network(1, 2))


def test_a_vector_without_direction_is_refused():
  with pytest.raises(ValueError, match="second has length 0"):
    angle(_network(1, 2, 3), _network(0, 0, 5), MASK)
  with pytest.raises(ValueError, match="first has length 0"):
    angle(_network(1, 2, 3), _network(1, 1, 1), origin=_network(1, 2, 3))
  with pytest.raises(ValueError, match="second has length nan"):
    angle(_network(1, 2, 3), _network(np.nan, 1, 1))
